"""Redaction takes text out of the data: by two people, once, with nothing of it left anywhere it goes (P6)."""

import io
import json
import re
import secrets
import threading
import zipfile
import zlib
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from cases import escaped, redaction
from cases.actions import dossiers, evidence, redactions
from cases.dossier import build
from cases.models import Case, CustodyEvent, DossierVersion, EvidenceItem, RedactionDecision
from cases.redaction import REPLACEMENT, Mark
from cases.views import redaction as redaction_view
from config.embedded import postgres
from spine import vault
from spine.errors import Conflict, Refused
from spine.ids import new_id
from spine.models import Job, LogEntry
from tests.cases import api, pages
from tests.factories import Cast, add_exhibit, make_case, run_job
from tests.servers import HOME

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
TEXT = "Mail from jane.doe@example.com\nkept line\nagain jane.doe@example.com, key 12\n"


@pytest.fixture
def case(committed_cast: Cast) -> Case:
    return make_case(committed_cast)


@pytest.fixture
def item(committed_cast: Cast, case: Case) -> EvidenceItem:
    return add_exhibit(case, committed_cast.analyst, TEXT.encode(), declared_type="text/plain", file_name="mail.txt")


def made_by_two(item: EvidenceItem, cast: Cast, **proposed: Any) -> EvidenceItem:
    proposal = redactions.propose_redaction(item, actor=cast.analyst, **proposed)
    redactions.decide_redaction(proposal, actor=cast.counsel, approve=True)
    job = run_job(Job.objects.filter(kind="evidence.redact").latest("created_at"))
    assert job.state == "done", job.error
    return EvidenceItem.objects.get(number=(job.result or {})["number"], case=item.case)


# The pure part


def test_marked_text_is_replaced_wherever_it_stands_by_one_constant() -> None:
    marks = redaction.marks_for(TEXT, [Mark(10, 30, "third_party")], "text/plain")
    assert [TEXT[mark.start : mark.end] for mark in marks] == ["jane.doe@example.com"] * 2
    assert redaction.redacted(TEXT, marks) == f"Mail from {REPLACEMENT}\nkept line\nagain {REPLACEMENT}, key 12\n"


@given(st.text(max_size=300), st.lists(st.tuples(st.integers(0, 299), st.integers(1, 40)), max_size=8))
def test_whatever_is_marked_nothing_of_four_characters_is_left(text: str, wanted: list[tuple[int, int]]) -> None:
    marks, at = [], 0
    for start, size in sorted(wanted):
        if at <= start < len(text):
            at = min(start + size, len(text))
            marks.append(Mark(start, at, "secret"))
    if not marks:
        return
    whole = redaction.marks_for(text, marks, "text/plain")
    kept = redaction.redacted(text, whole).split(REPLACEMENT)
    taken = {text[mark.start : mark.end] for mark in marks}
    assert [needle for needle in taken if len(needle.strip()) >= 4 and any(needle in part for part in kept)] == []
    assert "".join(piece for piece, _ in redaction.pieces(text, whole)) == text


NAME = "Renée Ødegård-/\U0001f600 Näf"  # what every spelling below reads as


def utf8(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


SPELLINGS = {
    "json": json.dumps(NAME)[1:-1],
    "json, every character": "".join(
        f"\\u{int.from_bytes(NAME.encode('utf-16-be')[at : at + 2]):04X}"
        for at in range(0, len(NAME.encode("utf-16-be")), 2)
    ),
    "json, slash": NAME.replace("/", "\\/"),
    "javascript": "".join(f"\\u{{{ord(one):x}}}" if ord(one) > 255 else f"\\x{ord(one):02x}" for one in NAME),
    "json in json": json.dumps(json.dumps(NAME))[3:-3],
    "percent": quote(NAME),
    "percent, all": utf8(NAME),
    "percent, small letters in json": json.dumps(utf8(NAME))[1:-1],
    "form": quote_plus(NAME),
    "html, ten": "".join(f"&#{ord(one)};" for one in NAME),
    "html, sixteen": "".join(f"&#x{ord(one):X};" for one in NAME),
    "html, names": NAME.replace("é", "&eacute;").replace("Ø", "&Oslash;").replace("å", "&aring").replace("/", "&sol;"),
    "html in json": json.dumps(NAME.replace("é", "&eacute;"))[1:-1],
    "percent twice": quote(quote(NAME)),
    "mixed": f"Ren\\u00e9e %C3%98deg&aring;rd-{NAME[14:]}",
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("marked_plain", [True, False], ids=["by the text", "by its other spelling"])
def test_marked_text_is_found_in_every_spelling(spelled: str, marked_plain: bool) -> None:
    text = f"from {NAME} to 'kept \\u00e9 %20 &amp;' and [{spelled}], end"
    at = 5 if marked_plain else text.index(f"[{spelled}]") + 1
    size = len(NAME) if marked_plain else len(spelled)
    marks = redaction.marks_for(text, [Mark(at, at + size, "third_party")], "text/plain")
    assert redaction.redacted(text, marks) == (
        f"from {REPLACEMENT} to 'kept \\u00e9 %20 &amp;' and [{REPLACEMENT}], end"
    )
    assert redaction.found(text, [NAME], "third_party") == marks


def test_spelled_out_canaries_leave_json_that_is_still_read(committed_cast: Cast, case: Case) -> None:
    document = {"plain": NAME, "note": f"<{NAME}>", "query": f"?q={quote(NAME)}", "page": SPELLINGS["html, ten"]}
    content = json.dumps([document, json.dumps(document)]).encode()
    item = add_exhibit(case, committed_cast.analyst, content, declared_type="application/json", file_name="a.json")
    made = made_by_two(item, committed_cast, texts=[NAME], code="third_party")
    kept = json.loads(vault.read(made.sha256))
    wanted = {"plain": REPLACEMENT, "note": f"<{REPLACEMENT}>", "query": f"?q={REPLACEMENT}", "page": REPLACEMENT}
    assert [kept[0], json.loads(kept[1])] == [wanted, wanted]


@given(st.text(max_size=200), st.integers(0, 199), st.integers(4, 30))
def test_no_reading_of_what_is_left_has_what_was_marked(text: str, start: int, size: int) -> None:
    needle = text[start : start + size]
    if len(needle.strip()) < 4 or "[redacted]" in text or any(one in needle for one in "\\%&+"):
        return
    whole = " | ".join([text, json.dumps(text), quote(text, errors="replace"), escape(text, quote=True)])
    marks = redaction.marks_for(whole, [Mark(start, start + len(needle), "secret")], "text/plain")
    left = redaction.redacted(whole, marks).split(REPLACEMENT)
    assert [part for part in left for one in escaped.spelled_out(part) if needle in one] == []


def test_many_escapes_take_no_long_time() -> None:
    text = (f"{SPELLINGS['json']} x " * 10_000) + NAME
    marks = redaction.marks_for(text, [Mark(len(text) - len(NAME), len(text), "secret")], "text/plain")
    assert len(marks) == 10_001


@pytest.mark.parametrize(
    ("text", "marks", "kind", "said"),
    [
        ("abc", [], "text/plain", "Nothing is marked"),
        ("abc", [Mark(0, 4, "secret")], "text/plain", "not within the text"),
        ("abc", [Mark(2, 2, "secret")], "text/plain", "not within the text"),
        ("abc", [Mark(0, 2, "secret"), Mark(1, 3, "secret")], "text/plain", "overlap"),
        ("abc", [Mark(0, 1, "because")], "text/plain", "is not known"),
        ('{"a": "b"}', [Mark(2, 8, "secret")], "application/json", "no longer be JSON"),
        ("a,b\nc,d\n", [Mark(0, 5, "secret")], "text/csv", "cells or rows"),
    ],
)
def test_marks_that_cannot_be_carried_out_are_refused(text: str, marks: list[Mark], kind: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        redaction.marks_for(text, marks, kind)


# The verbs


def test_redaction_is_a_new_exhibit_that_names_its_original(committed_cast: Cast, item: EvidenceItem) -> None:
    made = made_by_two(item, committed_cast, texts=["jane.doe@example.com"], code="third_party", note="hold 7")

    assert (made.number, made.kind, made.derivation, made.derived_from_id) == (2, "derivative", "redaction", item.id)
    assert (made.title, made.reason) == ("Exhibit 1, redacted", "personal data of somebody who is not suspected")
    assert vault.read(made.sha256).decode() == TEXT.replace("jane.doe@example.com", REPLACEMENT)
    assert vault.read(item.sha256).decode() == TEXT
    assert [event.action for event in CustodyEvent.objects.filter(item=made).order_by("place")] == [
        *("acquired", "received", "hashed")
    ]
    event = CustodyEvent.objects.get(action="redacted")
    assert (event.item_id, event.why) == (item.id, "redaction approved by counsel")
    said = json.dumps([entry.data for entry in LogEntry.objects.all()])
    assert "jane" not in said


def test_second_is_never_the_first_whatever_the_program_says(committed_cast: Cast, item: EvidenceItem) -> None:
    cast = committed_cast
    proposal = redactions.propose_redaction(item, actor=cast.analyst, marks=[Mark(0, 4, "secret")])
    with pytest.raises(Refused, match="a second person has to"):
        redactions.decide_redaction(proposal, actor=cast.analyst, approve=True)
    row = {"entry_id": proposal.entry_id, "place": 9, "proposal_id": proposal.id, "approved": True, "note": ""}
    for proposer, decider in ((cast.analyst, cast.analyst), (cast.lead, cast.analyst)):
        values = {**row, "id": new_id(), "proposer_id": proposer.pk, "decider_id": decider.pk}
        with postgres.connect(HOME) as owner, pytest.raises(psycopg.errors.IntegrityError):
            owner.execute(
                "INSERT INTO cases_redactiondecision (id, entry_id, place, proposal_id, proposer_id, decider_id, "
                "approved, note, at) VALUES (%(id)s, %(entry_id)s, %(place)s, %(proposal_id)s, %(proposer_id)s, "
                "%(decider_id)s, %(approved)s, %(note)s, now())",
                values,
            )
    assert not RedactionDecision.objects.exists()


def test_two_who_decide_at_once_leave_one_decision(committed_cast: Cast, item: EvidenceItem) -> None:
    cast = committed_cast
    proposal = redactions.propose_redaction(item, actor=cast.analyst, marks=[Mark(0, 4, "secret")])
    said: list[str] = []

    def decide(person: Any) -> None:
        try:
            redactions.decide_redaction(proposal, actor=person, approve=True)
            said.append("decided")
        except Conflict:
            said.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=[person]) for person in (cast.counsel, cast.lead)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["decided", "told"]


def test_declined_proposal_makes_nothing_and_needs_a_note(committed_cast: Cast, item: EvidenceItem) -> None:
    proposal = redactions.propose_redaction(item, actor=committed_cast.analyst, marks=[Mark(0, 4, "secret")])
    with pytest.raises(Refused):
        redactions.decide_redaction(proposal, actor=committed_cast.lead, approve=False)
    redactions.decide_redaction(proposal, actor=committed_cast.lead, approve=False, note="too much")
    assert (Job.objects.count(), EvidenceItem.objects.count()) == (0, 1)


def test_job_that_runs_twice_makes_one_exhibit(committed_cast: Cast, item: EvidenceItem) -> None:
    made = made_by_two(item, committed_cast, marks=[Mark(0, 4, "secret")])
    with transaction.atomic():
        again = Job.objects.create(
            kind="evidence.redact",
            key="again",
            args={"decision": str(RedactionDecision.objects.get().id)},
            actor="user:counsel",
            scope=item.case_id,
        )
    assert (run_job(again).result or {})["number"] == made.number
    assert EvidenceItem.objects.count() == 2


def test_api_proposes_and_a_second_person_decides(committed_cast: Cast, item: EvidenceItem) -> None:
    first, second = api.client_of(committed_cast.analyst), api.client_of(committed_cast.lead)
    url = f"/api/v1/cases/{item.case.ref}/evidence/1/redactions/"
    bad = first.post(url, {"marks": [[0, "4", "secret"]]})
    proposed = first.post(url, {"texts": ["jane.doe@example.com"], "code": "third_party"})
    decide = f"/api/v1/cases/{item.case.ref}/redactions/{proposed.json()['id']}/decide/"
    alone = first.post(decide, {"approve": True})
    done = second.post(decide, {"approve": True})

    assert bad.status_code == 400
    assert (proposed.status_code, proposed.json()["state"]) == (201, "waiting")
    assert proposed.json()["marks"] == [[10, 30, "third_party"], [47, 67, "third_party"]]
    assert (alone.status_code, done.status_code, done.json()["state"]) == (409, 200, "approved")
    run_job(Job.objects.get(kind="evidence.redact"))
    assert first.get(url).json()["results"][0]["made"] == 2


def test_page_shows_the_marks_over_the_original_and_takes_a_decision(committed_cast: Cast, item: EvidenceItem) -> None:
    first, second = pages.client_of(committed_cast.analyst), pages.client_of(committed_cast.counsel)
    url = f"/cases/{item.case.ref}/evidence/1/redact/"
    lacking = first.post(url, {"texts": "nobody@example.com", "code": "third_party"})
    posted = first.post(url, {"texts": "jane.doe@example.com\n", "code": "third_party", "stretches": "72 - 74"})
    shown = first.get(posted["Location"]).content.decode()
    decide = re.search(r'action="(/cases/[^"]+/redactions/[^"]+)"', second.get(posted["Location"]).content.decode())

    said = lacking.content.decode()
    assert (lacking.status_code, said.count("None of these texts")) == (422, 2)  # on top of the page, and at the field
    assert '<a href="#redact_texts">None of these texts' in said
    assert shown.count("<mark ") == 3
    assert "somebody else has to decide" in shown
    assert decide is not None
    assert second.post(decide[1], {"answer": "approve"}).status_code == 302
    run_job(Job.objects.get(kind="evidence.redact"))
    tree = second.get(f"/cases/{item.case.ref}/evidence/2/").content.decode()
    assert "What was made from what" in tree
    assert "redaction of Exhibit 1" in tree
    assert "redaction of Exhibit 1" in pages.text_of(second.get(f"/cases/{item.case.ref}/evidence/2/custody/"))
    viewed = CustodyEvent.objects.filter(item=item, action="viewed")
    assert sorted(viewed.values_list("recorded_by__username", flat=True)) == ["analyst", "counsel"]


def test_form_loaded_again_is_one_view_until_a_quarter_of_an_hour_has_gone(
    committed_cast: Cast, item: EvidenceItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, url = pages.client_of(committed_cast.analyst), f"/cases/{item.case.ref}/evidence/1/redact/"
    viewed = CustodyEvent.objects.filter(item=item, action="viewed")
    refused = [browser.post(url, {"texts": "nobody", "code": "third_party"}).status_code for _ in range(2)]
    shown = [browser.get(url).status_code for _ in range(2)]
    assert (refused, shown, viewed.count()) == ([422, 422], [200, 200], 1)
    browser.get(f"/cases/{item.case.ref}/evidence/1/text/")  # read as such: an event of its own, whatever stands before
    pages.client_of(committed_cast.lead).get(url)
    assert viewed.count() == 3
    monkeypatch.setattr(redaction_view, "ONE_VIEW", timedelta(microseconds=1))
    browser.get(url)
    assert (viewed.count(), LogEntry.objects.filter(action="evidence.viewed").count()) == (4, 4)


# Nothing of it is left (integrity test P6)


def canaries(count: int) -> list[str]:
    return [f"canary{secrets.token_hex(8)}" for _ in range(count)]


def exhibits_with(hidden: list[str]) -> dict[str, tuple[bytes, str]]:
    """One exhibit of each kind of text, a third of the canaries in each."""
    third = len(hidden) // 3
    plain = "\n".join(f"line {number}: {one} end" for number, one in enumerate(hidden[:third]))
    rows = "id,secret\n" + "".join(f"{number},{one}\n" for number, one in enumerate(hidden[third : 2 * third]))
    lines = [{"n": number, "prompt": f"see {one}"} for number, one in enumerate(hidden[2 * third :])]
    return {
        "notes.txt": (plain.encode(), "text/plain"),
        "rows.csv": (rows.encode(), "text/csv"),
        "rows.json": (json.dumps(lines).encode(), "application/json"),
    }


def everything_in(content: bytes) -> bytes:
    """The bytes, and all that any of them inflate to: streams of a PDF, members of a ZIP, their names."""
    parts = [content]
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                parts += [info.filename.encode(), info.comment, info.extra, everything_in(archive.read(info))]
    for found in re.finditer(rb"stream\r?\n", content):
        try:
            parts.append(zlib.decompressobj().decompress(content[found.end() :]))
        except zlib.error:
            continue
    return b"\n".join(parts)


def text_layer(content: bytes) -> bytes:
    """The text of a PDF through its character maps, as a reader that copies it would get it."""
    import pikepdf

    read: list[bytes] = []
    with pikepdf.open(io.BytesIO(content)) as pdf:
        for page in pdf.pages:
            maps = {
                str(name): _characters(font.ToUnicode.read_bytes())
                for name, font in (page.resources.get("/Font") or {}).items()
                if "/ToUnicode" in font
            }
            current: dict[int, str] = {}
            for operands, operator in pikepdf.parse_content_stream(page):
                if str(operator) == "Tf":
                    current = maps.get(str(operands[0]), {})
                for text in _strings(operands):
                    codes = [int.from_bytes(text[at : at + 2], "big") for at in range(0, len(text), 2)]
                    read.append("".join(current.get(code, "") for code in codes).encode())
    return b"".join(read)


def _strings(operands: Any) -> list[bytes]:
    import pikepdf

    found: list[bytes] = []
    for one in operands:
        if isinstance(one, pikepdf.String):
            found.append(bytes(one))
        elif isinstance(one, pikepdf.Array):
            found += _strings(list(one))
    return found


def _characters(cmap: bytes) -> dict[int, str]:
    pairs = re.findall(rb"<([0-9A-Fa-f]{4})>\s*<([0-9A-Fa-f]+)>\s*\n", cmap)
    return {int(code, 16): bytes.fromhex(text.decode()).decode("utf-16-be", "replace") for code, text in pairs}


def test_of_1000_canaries_none_is_in_a_derivative_or_a_package(
    committed_cast: Cast, checkpoints_apart: Path, tmp_path: Path
) -> None:
    cast = committed_cast
    case = make_case(cast)
    hidden, control = canaries(1002), "controlword"
    add_exhibit(case, cast.analyst, f"{control} {control}".encode(), title=f"An exhibit with {control}")
    for name, (content, kind) in exhibits_with(hidden).items():
        item = add_exhibit(case, cast.analyst, content, file_name=name, declared_type=kind)
        assert sum(one.encode() in content for one in hidden) == 334
        made = made_by_two(item, cast, texts=hidden, code="third_party") if name != "notes.txt" else None
        if made is None:  # marked by offsets rather than by text
            text = content.decode()
            marks = [Mark(text.index(one), text.index(one) + len(one), "secret") for one in hidden[:334]]
            made = made_by_two(item, cast, marks=marks)
        derived = vault.read(made.sha256)
        assert [one for one in hidden if one.encode() in derived] == []
        assert derived.count(REPLACEMENT.encode()) == 334
    run_job(dossiers.prepare(case, actor=cast.analyst, edition="counsel"))
    version = DossierVersion.objects.get()
    package = build.build(version, tmp_path, actor="system:test")
    content = package.path.read_bytes()
    with zipfile.ZipFile(package.path) as archive:
        names = [name for name in archive.namelist() if "/data/evidence/" in name]
        layer = text_layer(archive.read(next(name for name in archive.namelist() if name.endswith("dossier.pdf"))))
        snapshot = json.loads(archive.read(next(name for name in archive.namelist() if name.endswith("snapshot.json"))))
    whole = everything_in(content) + layer + vault.read(version.snapshot_sha256)

    assert control.encode() in layer
    assert whole.count(control.encode()) > 4
    assert [one for one in hidden if one.encode() in whole] == []
    assert sorted(name.rpartition("/")[2][:11] for name in names) == [
        *("exhibit-001", "exhibit-003", "exhibit-005", "exhibit-007")
    ]
    kept = {row["number"]: row["withheld"] for row in snapshot["exhibits"]["rows"]}
    assert kept[2] == "its content stays in: Exhibit 3 is its redaction"
    assert [number for number, words in kept.items() if not words] == [1, 3, 5, 7]


def test_what_else_was_made_from_a_redacted_exhibit_stays_in_too(committed_cast: Cast, item: EvidenceItem) -> None:
    from cases import history

    proposal = redactions.propose_redaction(item, actor=committed_cast.analyst, marks=[Mark(0, 4, "secret")])
    redactions.decide_redaction(proposal, actor=committed_cast.counsel, approve=True)
    extract = evidence.derive(
        item,
        actor=committed_cast.analyst,
        derivation="extract",
        title="Lines 1–2",
        file=io.BytesIO(b"Mail from jane.doe"),
        file_name="lines.txt",
        tool="sed",
        tool_version="4.9",
        method="sed -n 1,2p",
        reason="for the brief",
    )
    assert history.withheld_at(item.case) == {item.id: None, extract.id: None}
    run_job(Job.objects.get(kind="evidence.redact"))
    assert history.withheld_at(item.case) == {item.id: 3, extract.id: None}
