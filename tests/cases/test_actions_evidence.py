"""Exhibits: hashed as they arrive, numbered once, never twice the same bytes; each view a custody event."""

import io
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from cases import actions
from cases.actions.evidence import safe_name
from cases.kinds import KIND_MEANINGS, NEEDS, EvidenceKind
from cases.media import media_type
from cases.models import CustodyEvent, EvidenceItem
from cases.vocabulary import CUSTODY_MEANINGS, CustodyAction
from spine import vault
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.factories import Cast, add_exhibit, make_case

pytestmark = pytest.mark.django_db
CONTENT = b"request_id,model\nr-1,aster-2\n"


def test_exhibit_is_in_the_vault_under_its_hash_with_three_custody_events(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst, CONTENT, authority="retention order 12")
    events = list(CustodyEvent.objects.filter(item=item).order_by("place"))

    assert (item.exhibit, item.sha256, vault.read(item.sha256)) == ("Exhibit 1", sha256(CONTENT).hexdigest(), CONTENT)
    assert (item.size, item.media_type, item.file_name) == (len(CONTENT), "text/csv", "extract.csv")
    assert [event.action for event in events] == ["acquired", "received", "hashed"]
    assert {(event.sha256, event.why, event.entry_id) for event in events} == {
        (item.sha256, "retention order 12", item.entry_id)
    }


def test_exhibits_are_numbered_in_their_case(cast: Cast) -> None:
    case = make_case(cast)
    numbers = [add_exhibit(case, cast.analyst, content).number for content in (b"one", b"two", b"three")]

    assert numbers == [1, 2, 3]


def test_same_bytes_again_name_the_exhibit_that_has_them(cast: Cast) -> None:
    case = make_case(cast)
    add_exhibit(case, cast.analyst, CONTENT)
    with pytest.raises(Conflict, match="These bytes are Exhibit 1 already: Request log extract, added by analyst"):
        add_exhibit(case, cast.lead, CONTENT, title="Another name")

    assert EvidenceItem.objects.count() == 1


def test_exhibit_over_the_cap_is_refused_and_leaves_no_file(cast: Cast, settings: Any) -> None:
    settings.MAX_EVIDENCE_BYTES = 1000
    content = b"x" * 1001
    with pytest.raises(Refused) as refused:
        add_exhibit(make_case(cast), cast.analyst, content)

    assert refused.value.field == "file"
    assert not vault.path_of(sha256(content).hexdigest()).exists()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"content": b""}, "file"),
        ({"title": " "}, "title"),
        ({"source": ""}, "source"),
        ({"acquired_at": datetime.now(UTC) + timedelta(days=1)}, "acquired_at"),
        ({"acquired_at": datetime(2026, 5, 1)}, "acquired_at"),  # noqa: DTZ001 - the point of it
    ],
)
def test_exhibit_that_lacks_something_is_refused(cast: Cast, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        add_exhibit(make_case(cast), cast.analyst, **given)

    assert refused.value.field == field


def test_exhibit_of_a_kind_has_what_the_kind_needs(cast: Cast) -> None:
    details = {"version": "4 March 2026", "in_force": "2026-03-04", "address": "https://example.com/terms"}
    case = make_case(cast)
    item = add_exhibit(case, cast.analyst, kind="terms", details=details)

    assert (item.kind, item.kind_words, [label for label, _ in item.described]) == (
        "terms",
        "terms version",
        ["Version", "In force from", "Where it was published"],
    )
    assert EvidenceItem.objects.get(pk=item.pk).details == details
    assert add_exhibit(case, cast.analyst, b"other").kind_words == "file"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "rumour"}, "kind"),
        ({"kind": "derivative"}, "kind"),
        ({"kind": "exchange_set"}, "kind"),
        ({"kind": "declaration", "details": {"declarant": "A. Witness", "signed": " ", "form": "x"}}, "signed"),
        ({"kind": "file", "details": {"version": "1"}}, "details"),
    ],
)
def test_exhibit_that_lacks_what_its_kind_needs_is_refused(cast: Cast, given: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refused:
        add_exhibit(make_case(cast), cast.analyst, **given)

    assert refused.value.field == field


def test_every_custody_word_has_its_meaning_and_every_kind_too() -> None:
    assert set(CUSTODY_MEANINGS) == set(CustodyAction.values)
    assert set(KIND_MEANINGS) == set(EvidenceKind.values)
    assert set(NEEDS) <= set(EvidenceKind.values)


def test_every_view_is_an_event_and_an_entry(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst)
    for _ in range(2):
        actions.record_view(item, actor=cast.reader, purpose="review")
    events = CustodyEvent.objects.filter(item=item, action="viewed")

    assert [(event.who, event.why) for event in events] == [("reader", "review")] * 2
    assert LogEntry.objects.filter(action="evidence.viewed", actor="user:reader").count() == 2


def test_content_that_is_gone_is_not_said_to_be_viewed(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst, b"soon gone")
    vault.path_of(item.sha256).unlink()
    with pytest.raises(vault.Missing):
        actions.record_view(item, actor=cast.reader)

    assert not LogEntry.objects.filter(action="evidence.viewed").exists()


def test_administrator_is_given_no_content(cast: Cast) -> None:
    item = add_exhibit(make_case(cast), cast.analyst)
    with pytest.raises(PermissionDenied):
        actions.record_view(item, actor=cast.admin)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("extract.csv", "extract.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\logs\\a.txt", "a.txt"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("...", "unnamed"),
        ("", "unnamed"),
        ("x" * 300 + ".csv", "x" * 251 + ".csv"),
    ],
)
def test_file_name_keeps_only_what_does_not_mislead(given: str, kept: str) -> None:
    assert safe_name(given) == kept


@pytest.mark.parametrize(
    ("head", "declared", "found"),
    [
        (b"%PDF-1.7", "text/plain", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n", "", "image/png"),
        (b"PK\x03\x04", "", "application/zip"),
        (b"a,b\n", "text/csv; charset=utf-8", "text/csv"),
        (b"a,b\n", "image/png", "text/plain"),
        (b"<HTML>", "text/csv", "text/html"),
        (b"\x00\x01", "text/csv", "application/octet-stream"),
        ("é".encode() * 2047 + b"x\xc3", "", "text/plain"),
        (b"\xff\xfe\xfd", "text/plain", "application/octet-stream"),
    ],
)
def test_media_type_is_what_the_bytes_are(head: bytes, declared: str, found: str) -> None:
    assert media_type(head, declared) == found


def test_large_file_is_streamed(cast: Cast) -> None:
    class Counting(io.BytesIO):
        largest = 0

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert size > 0
            Counting.largest = max(Counting.largest, size)
            return super().read(size)

    content = b"0123456789abcdef" * 300_000
    item = actions.add_evidence(
        make_case(cast),
        actor=cast.analyst,
        title="Dump",
        source="disk",
        acquired_at=datetime(2026, 5, 1, tzinfo=UTC),
        file=Counting(content),
        file_name="dump.bin",
    )

    assert (item.size, item.sha256) == (len(content), sha256(content).hexdigest())
    assert Counting.largest <= 1024 * 1024
