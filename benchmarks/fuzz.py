"""The part of bench_fuzz.py that sends, which runs this file as tests to have their people, cases and servers."""

import sys
import time
from typing import Any

import pytest
from rest_framework.test import APIClient

from benchmarks.bench_fuzz import EACH, Tally
from cases.api import testers
from tests import conftest, test_roles_api
from tests.fuzzing import AGAINST_IT, Answers, operations, send_cases, ways

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
callers, stage = test_roles_api.callers, test_roles_api.stage  # fixtures
committed_cast, no_broker, forgetful = conftest.committed_cast, conftest.no_broker, conftest.signer_without_memory
checkpoints_apart = conftest.checkpoints_apart


def test_many_cases_for_every_operation_as_every_role(
    callers: dict[str, APIClient], stage: dict[str, str], tally: Tally
) -> None:
    every, answers = operations(), Answers()
    tally.answers, tally.operations, begun = answers, len(every), time.monotonic()
    while answers.total < tally.cases:
        before = answers.total
        for operation in every:
            for way in ways(operation):
                send_cases(operation, way, callers, stage, answers, number=EACH, start=answers.total)
            if answers.total >= tally.cases:
                break
        tally.took = time.monotonic() - begun
        sys.stderr.write(f"{answers.total} sent in {tally.took:.0f} s, {len(answers.failed)} failed\n")
        assert answers.total > before
    assert not answers.failed, "\n".join(answers.failed[:50])


def test_an_operation_that_fails_is_seen(
    callers: dict[str, APIClient], stage: dict[str, str], tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a door that raises where it should not has to show as failures, or the other part proves nothing."""

    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(testers.LookUpTesters, "post", broken)
    [operation] = [one for one in operations() if one.label.endswith("testers/lookup/")]
    seen = Answers()
    send_cases(operation, AGAINST_IT, callers, stage, seen, number=30, start=1)
    tally.control = len(seen.failed)
    assert seen.failed
