"""A few cases for every operation of the API as some role; `make bench ARGS=fuzz` sends tens of thousands (R8)."""

import pytest
from rest_framework.test import APIClient

from tests import test_roles_api
from tests.fuzzing import Answers, operations, send_cases, ways

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
callers, stage = test_roles_api.callers, test_roles_api.stage  # fixtures
EACH = 3


def test_no_case_of_the_description_is_too_much_for_the_api(
    callers: dict[str, APIClient], stage: dict[str, str]
) -> None:
    answers = Answers()
    every = operations()
    for place, operation in enumerate(every):
        possible = ways(operation)
        send_cases(operation, possible[place % len(possible)], callers, stage, answers, number=EACH, start=place)
    assert not answers.failed, "\n".join(answers.failed)
    assert answers.total > 2 * len(every)
