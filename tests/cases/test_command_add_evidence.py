"""`add_evidence` from the command line."""

import hashlib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from cases.models import Case, EvidenceItem
from tests.factories import Cast, make_case

pytestmark = pytest.mark.django_db
CONTENT = b"terms as they stood\n"


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "terms.txt"
    path.write_bytes(CONTENT)
    return path


def add(case: Case, file: Path, *more: str, **changed: str) -> str:
    given = {"title": "Terms", "source": "Archive", "acquired-at": "2026-05-12T08:00Z", "actor": "analyst", **changed}
    out = StringIO()
    options = [text for name, value in given.items() for text in (f"--{name}", value)]
    call_command("add_evidence", case.ref, str(file), *options, *more, stdout=out)
    return out.getvalue()


def test_command_adds_an_exhibit_of_its_kind_in_a_persons_name(case: Case, file: Path) -> None:
    details = ("version=4 March", "in_force=2026-03-04", "address=https://example.com/terms")
    said = add(case, file, "--kind", "terms", *[text for pair in details for text in ("--detail", pair)])
    item = EvidenceItem.objects.get()

    assert said == f"Exhibit 1 {hashlib.sha256(CONTENT).hexdigest()} {len(CONTENT)}\n"
    assert (item.kind, item.file_name, item.added_by.username) == ("terms", "terms.txt", "analyst")
    assert item.details == {"version": "4 March", "in_force": "2026-03-04", "address": "https://example.com/terms"}
    with pytest.raises(CommandError, match="These bytes are Exhibit 1 already"):
        add(case, file)


@pytest.mark.parametrize(
    ("more", "changed", "said"),
    [
        ([], {"actor": "reader"}, "reader may not prepare"),
        ([], {"acquired-at": "yesterday"}, "a time such as"),
        (["--detail", "version"], {}, "NAME=VALUE"),
        (["--kind", "terms"], {}, "Version is missing"),
    ],
)
def test_command_that_lacks_something_says_so(
    case: Case, file: Path, more: list[str], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        add(case, file, *more, **changed)
    assert not EvidenceItem.objects.exists()


def test_file_that_is_not_there_is_told(case: Case, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        add(case, tmp_path / "nothing")
