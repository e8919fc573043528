"""docs/api.md is what the OpenAPI file makes, and its commands work: bash and curl run them against a server.

Commands that read stand as printed. Of the examples of writes, what names things of an installation is put in from a
stage, the one of tests/test_fields_written.py; everything else is sent as it stands.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from cases.models import Case
from config import api_page
from config.examples import EXAMPLES, example_of, operations
from tests import test_roles_api as api
from tests.cases.api import client_of_detector
from tests.cases.staged_writes import STAGED, Story
from tests.factories import Cast
from tests.test_fields_written import WRITES

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
api_stage, callers = api.stage, api.callers
PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
# What an example cannot know: ids, references, counts, the time of day, and what the stage has of a kind.
OF_THE_STAGE = {
    *("texts", "data_classes", "until", "accounts"),
    *("account", "ask", "case", "exhibit", "expected_count", "introduce", "key", "proof", "ref", "request_id"),
    *("revision", "snapshot_sha256", "source", "detector", "kind", "settings", "mapping", "metadata", "filter"),
}
# Names that the stage has given already.
ANOTHER: dict[str, dict[str, str]] = {
    "POST recipients/": {"name": "Another committee"},
    "POST webhooks/": {"name": "Another"},
    "POST detectors/<detector_id>/canaries/": {"provider_id": "acct_canary_2"},
}


@dataclass(frozen=True)
class Done:
    """How a command ended: the status that came, and what was said."""

    status: int
    said: str


@pytest.fixture
def shell(live_server: Any, callers: dict[str, APIClient], tmp_path: Path) -> Callable[..., Done]:
    """Runs a command of the page as a role, with what its address names."""
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("there is no curl or no bash on the path")
    (tmp_path / ".curlrc").write_text('write-out = "%{stderr}%{http_code}"\n')
    for name in ("requests-2026-05.csv", "extract.csv"):
        (tmp_path / name).write_text(f"request_id,model\n{name},aster-2\n")
    (tmp_path / "part-0001").write_bytes(b"nine byte")
    clients = {**callers, "watch": client_of_detector("example-watch")}

    def run(command: str, role: str, named: dict[str, str]) -> Done:
        token = clients[role]._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")  # type: ignore[attr-defined]
        ours = {"RETORT_URL": live_server.url, "RETORT_TOKEN": token, "CURL_HOME": str(tmp_path)}
        variables = {"PATH": os.environ["PATH"], **ours, **{name.upper(): value for name, value in named.items()}}
        done = subprocess.run(
            ["bash", "-u", "-c", command], env=variables, cwd=tmp_path, capture_output=True, timeout=60, check=False
        )
        told = re.search(rb"(\d{3})(?=curl:|$)", done.stderr.strip())
        return Done(int(told[1]) if told else 0, repr(done.stdout[:400] + done.stderr[:200]))

    return run


def printed() -> dict[str, str]:
    """Every command of the page by method and address."""
    found = {}
    for command in re.findall(r"```sh\n(.*?)\n```", PAGE.read_text(encoding="utf-8"), re.S):
        method = re.search(r" -X ([A-Z]+) ", command)
        body = re.search(r" (--json|--data-binary|-F) ", command)
        path = re.search(r'"\$RETORT_URL/api/v1/([^"?]*)', command)
        assert path is not None
        line = re.sub(r"\$([A-Z_]+)", lambda name: f"<{name[1].lower()}>", path[1])
        found[f"{method[1] if method else 'POST' if body else 'GET'} {line}"] = command
    return found


def test_the_page_is_what_the_description_makes_of_every_operation() -> None:
    described = api_page.schema()
    assert PAGE.read_text(encoding="utf-8") == api_page.page(described), api_page.__doc__
    assert set(printed()) == {line for line, _ in operations(described)}


def test_every_write_with_a_body_has_an_example_and_the_tables_have_no_other() -> None:
    described = dict(operations(api_page.schema()))
    bare = {line for line, one in described.items() if "requestBody" in one and example_of(one) is None}
    assert bare == set()
    used = {line for line in EXAMPLES if (found := example_of(described[line])) and found[1] == EXAMPLES[line][1]}
    assert used == set(EXAMPLES)


# The ladder asks for these without what they need: nothing was signed at these sizes, and all else is there.
WITH_THE_QUERY = {"GET log/consistency/": 409, "GET cases/<ref>/verdicts/bulk/": 200}


def as_who(line: str) -> tuple[str, int]:
    """A role that an operation serves, and the status: of success, where the stage has what it needs."""
    answers = dict(zip(api.ROLES, map(int, api.LADDER[line].split()), strict=True))
    role = min((one for one in api.ROLES if answers[one] not in {401, 403}), key=lambda one: answers[one])
    return role, answers[role]


def test_every_command_that_reads_is_answered(shell: Callable[..., Done], api_stage: dict[str, str]) -> None:
    named, wrong = {**api_stage, "old": "1", "new": "2", "value": "benign"}, []
    for line, command in printed().items():
        if line.startswith("GET "):
            role, expected = as_who(line)
            expected = WITH_THE_QUERY.get(line, expected)
            done = shell(command, role, named)
            if done.status != expected:
                wrong.append(f"{line} as {role}: {done.status}, not {expected}: {done.said}")
    assert not wrong, "\n".join(wrong)


@cache
def described() -> dict[str, Any]:
    """The operations of the OpenAPI file."""
    return dict(operations(api_page.schema()))


def as_staged(line: str, example: Any, prepared: dict[str, Any] | None) -> Any:
    """The example with what the stage alone knows; what it has counted stands under `expected`."""
    if not isinstance(example, dict):
        return example
    told = (prepared or {}).get("lines", prepared or {})
    known = {name: value for name, value in told.items() if name in OF_THE_STAGE and name in example}
    counted = {name: value for name, value in told.items() if name == "expected" and isinstance(value, int)}
    return {**example, **known, **counted, **ANOTHER.get(line, {})}


def tried(
    line: str, role: str, prepared: dict[str, Any] | None, named: dict[str, str], shell: Callable[..., Done]
) -> str:
    """What is wrong with the example of a write, in words; nothing when the documented status came."""
    operation = described()[line]
    found = example_of(operation)
    body = as_staged(line, found[1], prepared) if found else None
    done = shell(api_page.command(line, operation, body), role, named)
    expected = int(api_page.success(operation))
    return "" if done.status == expected else f"{line} as {role}: {done.status}, not {expected}: {done.said}"


def test_every_example_of_a_write_is_accepted_as_documented(
    shell: Callable[..., Done], api_stage: dict[str, str]
) -> None:
    case = Case.objects.get(ref=api_stage["ref"])
    put = {"<account>": str(case.accounts.first().account_id)}  # type: ignore[union-attr]
    wrong = []
    for line, (role, given) in WRITES.items():
        body = {name: put.get(value, value) if isinstance(value, str) else value for name, value in given.items()}
        wrong.append(tried(line, role, body, api_stage, shell))
    assert not any(wrong), "\n".join(filter(None, wrong))


# What only the test's own process has: a folder that its settings allow, and work that no worker has ended meanwhile.
# tests/test_fields_written.py and tests/cases/test_views_sources.py send them.
HERE_ALONE = {"POST telemetry/<source_id>/files/", "POST telemetry/<source_id>/stop/"}


def test_every_example_of_a_write_in_a_state_of_its_own_is_accepted_as_documented(
    shell: Callable[..., Done], api_stage: dict[str, str], committed_cast: Cast, tmp_path: Path
) -> None:
    story, wrong = Story(committed_cast, dict(api_stage), tmp_path), []
    for line, (role, prepare) in STAGED.items():
        if line in HERE_ALONE:
            continue
        wrong.append(tried(line, role, prepare(story), story.named, shell))
    assert not any(wrong), "\n".join(filter(None, wrong))
