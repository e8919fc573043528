"""The doors of the counsel track: pages and API for members; for everybody else the 404 of a missing page, and no byte.

A canary stands in every text of the track; nobody outside it may be shown one, by any page, answer, dossier or message.
"""

import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from cases.actions import counsel as verbs
from cases.actions import dossiers
from cases.dossier import build
from cases.models import Case, CounselTrack, DossierVersion
from people import sessions
from spine import sequencer, vault, verification
from spine.models import LogEntry
from tests.cases.api import client_of as api_of
from tests.cases.pages import client_of, forms_of, text_of
from tests.factories import PASSWORD, Cast, add_exhibit, make_case, run_job

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "audit"]),
    pytest.mark.usefixtures("no_broker"),
]
CANARY = "QX7CANARY"
CHANGING = ("X-Request-Id", "Content-Length")
ACTS = re.compile(rb"counsel\.(opened|read|noted|corrected|withdrawn|member_added|member_ended|exported)")
PAGES = ("counsel", "counsel_members", "counsel_log", "counsel_exports")


@pytest.fixture
def case(committed_cast: Cast, checkpoints_apart: Path) -> Case:
    return make_case(committed_cast, stage="judged")


@pytest.fixture
def track(committed_cast: Cast, case: Case) -> CounselTrack:
    """A track with a canary in every text somebody can write."""
    me = committed_cast.counsel
    track = verbs.open_track(case, actor=me, purpose=f"{CANARY} purpose", direction=f"{CANARY} direction")
    first = verbs.add_note(track, actor=me, topic=f"{CANARY} topic", text=f"{CANARY} text", direction=f"{CANARY} d")
    verbs.add_note(track, actor=me, topic=f"{CANARY} topic 2", text=f"{CANARY} text 2", supersedes=first)
    member = verbs.add_member(track, actor=me, person=committed_cast.analyst, reason=f"{CANARY} reason")
    verbs.end_member(member, actor=me, reason=f"{CANARY} end")
    verbs.export(track, actor=me, recipient=f"{CANARY} recipient", purpose=f"{CANARY} why")
    return track


def reads(track: CounselTrack) -> list[str]:
    entries = LogEntry.objects.filter(scope=track.pk, action="counsel.read").order_by("at", "id")
    return [entry.data["page"] for entry in entries]


def test_counsel_opens_writes_corrects_takes_back_and_exports_on_the_pages(committed_cast: Cast, case: Case) -> None:
    add_exhibit(case, committed_cast.analyst, b"second")
    client = client_of(committed_cast.counsel)
    at = reverse("counsel", args=[case.ref])
    assert "Nobody has opened it" in text_of(client.get(at))
    client.post(f"{at}open/", {"purpose": "Advice", "direction": "General counsel"})
    client.post(at, {"topic": "Assent", "text": "No assent.", "exhibits": "1, 2"})
    page = client.get(at)
    note = page.context["notes"][0]["note"]
    assert [one["label"] for one in page.context["notes"][0]["exhibits"]] == [
        "Exhibit 1: Request log extract",
        "Exhibit 2: Request log extract",
    ]
    form = client.get(at, {"correct": str(note.pk)}).context["note_form"]
    assert (form["exhibits"].value(), form["supersedes"].value()) == ("1, 2", str(note.pk))
    client.post(at, {"topic": "Assent", "text": "Some assent.", "supersedes": str(note.pk)})
    newest = client.get(at).context["notes"][0]["note"]
    assert newest.text == "Some assent."
    client.post(f"{at}notes/{newest.pk}/withdraw/")
    assert client.get(at).context["notes"] == []
    answer = client.post(f"{at}exports/", {"recipient": "Outside counsel", "purpose": "Advice"})
    assert answer["Content-Disposition"] == f'attachment; filename="{case.ref}-counsel-track-1.zip"'
    assert zipfile.ZipFile(io.BytesIO(answer.getvalue())).testzip() is None
    assert "Outside counsel" in text_of(client.get(f"{at}exports/"))


def test_counsel_lets_somebody_in_and_out_on_the_pages(committed_cast: Cast, track: CounselTrack) -> None:
    cast, at = committed_cast, reverse("counsel_members", args=[track.case.ref])
    client, lead = client_of(cast.counsel), client_of(cast.lead)
    client.post(at, {"person": cast.lead.pk, "reason": "Prepares the schedule."})
    page = text_of(lead.get(at))
    assert "Prepares the schedule." in page
    assert forms_of(lead.get(at)) == set()  # only counsel decides who is let in
    assert lead.post(at, {"person": cast.reader.pk, "reason": "x"}).status_code == 403
    row = client.get(at).context["members"][-1]["member"].row
    assert client.post(f"{at}{row.pk}/end/", {"reason": ""}).status_code == 422
    client.post(f"{at}{row.pk}/end/", {"reason": "Done."})
    assert lead.get(at).status_code == 404


def test_each_view_of_a_page_is_one_entry(committed_cast: Cast, track: CounselTrack) -> None:
    client = client_of(committed_cast.counsel)
    for name in PAGES:
        assert client.get(reverse(name, args=[track.case.ref])).status_code == 200
    api = api_of(committed_cast.counsel)
    for path in ("", "notes/", "members/", "log/", "exports/"):
        assert api.get(f"/api/v1/cases/{track.case.ref}/counsel/{path}").status_code == 200

    assert reads(track) == [
        *("notes", "members", "log", "exports"),
        *("about", "notes", "members", "log", "exports"),
    ]


def test_the_api_does_what_the_pages_do(committed_cast: Cast, case: Case) -> None:
    cast = committed_cast
    api, at = api_of(cast.counsel), f"/api/v1/cases/{case.ref}/counsel/"
    assert api.get(at).status_code == 404
    assert api.post(at, {"purpose": "Advice", "direction": "GC"}).status_code == 201
    assert api.post(at, {"purpose": "Advice", "direction": "GC"}).status_code == 409
    note = api.post(f"{at}notes/", {"topic": "a", "text": "b", "exhibits": [1]}).json()
    fresh = api.post(f"{at}notes/", {"topic": "a", "text": "c", "supersedes": note["id"]}).json()
    assert [one["id"] for one in api.get(f"{at}notes/").json()["results"]] == [fresh["id"]]
    assert api.post(f"{at}notes/{note['id']}/withdraw/").status_code == 409
    assert api.post(f"{at}notes/{fresh['id']}/withdraw/").json()["withdrawn"] is True
    member = api.post(f"{at}members/", {"person": "lead", "reason": "r"}).json()
    assert [one["person"] for one in api.get(f"{at}members/").json()["results"]] == ["counsel", "lead"]
    assert api_of(cast.lead).post(f"{at}members/", {"person": "reader", "reason": "r"}).status_code == 403
    assert api.post(f"{at}members/{member['id']}/end/", {"reason": "r"}).json()["ended"] is True
    exported = api.post(f"{at}export/", {"recipient": "Court", "purpose": "In camera"})
    assert zipfile.ZipFile(io.BytesIO(exported.getvalue())).testzip() is None
    assert api.get(f"{at}exports/").json()["results"][0]["recipient"] == "Court"
    told = api.get(f"{at}log/").json()["results"]
    assert (told[0]["action"], told[0]["case"]) == ("counsel.read", case.ref)


def test_an_export_asks_a_member_who_they_are_and_tells_nobody_else_that_there_is_one(
    committed_cast: Cast, case: Case
) -> None:
    at, api_at = reverse("counsel_exports", args=[case.ref]), f"/api/v1/cases/{case.ref}/counsel/export/"
    given = {"recipient": "Outside counsel", "purpose": "Advice"}
    counsel, lead = stale(client_of(committed_cast.counsel)), stale(client_of(committed_cast.lead))
    before = [counsel.post(at, given).status_code, *refused(lead, at, api_at, given)]
    track = verbs.open_track(case, actor=committed_cast.counsel, purpose="x", direction="y")
    assert before == [404, 404, 404] == [counsel.post("/nowhere/").status_code, *refused(lead, at, api_at, given)]

    assert counsel.post(api_at, given, content_type="application/json").status_code == 403
    asked = counsel.post(at, given)
    assert (asked.status_code, asked.templates[0].name) == (422, "people/confirm.html")
    assert dict(asked.context["kept"]) == given
    wrong = counsel.post(at, {**given, "confirm_password": "not the one"})
    assert (wrong.status_code, track.exports.count()) == (422, 0)

    given_out = counsel.post(at, {**given, "confirm_password": PASSWORD})
    assert zipfile.ZipFile(io.BytesIO(given_out.getvalue())).testzip() is None
    assert counsel.post(api_at, given, content_type="application/json").status_code == 200  # confirmed minutes ago
    assert track.exports.count() == 2


def refused(client: Client, at: str, api_at: str, given: dict[str, str]) -> list[int]:
    return [client.post(at, given).status_code, client.post(api_at, given).status_code]


def stale(client: Client) -> Client:
    """The same browser, some while after the sign-in."""
    session = client.session
    session[sessions.PROVED] = 0
    session.save()
    return client


def test_to_who_is_no_member_the_track_is_a_missing_page(committed_cast: Cast, case: Case) -> None:
    strangers = [client_of(person) for person in (committed_cast.lead, committed_cast.reader, committed_cast.admin)]
    before = [refusals(client, case) for client in strangers]
    verbs.open_track(case, actor=committed_cast.counsel, purpose="x", direction="y")
    after = [refusals(client, case) for client in strangers]

    assert before == after
    for answered in after:
        assert answered[0][0] == 404
        assert [one for one in answered if one != answered[-1]] == []  # the last one is of no page at all


def refusals(client: Client, case: Case) -> list[tuple[int, dict[str, str], str]]:
    """What the addresses of the track and one that does not exist answer, without what differs between any two."""
    found = []
    for rest in ("", "members/", "log/", "exports/", "open/", "nowhere/"):
        path = f"/cases/{case.ref}/counsel/{rest}"
        answer = client.get(path)
        body = re.sub(r'value="\w{64}"', "", text_of(answer).replace(path, ""))
        headers = {name: value for name, value in answer.headers.items() if name not in CHANGING}
        found.append((answer.status_code, headers, body))
    return found


def test_no_page_or_answer_outside_shows_a_byte_of_the_track(committed_cast: Cast, track: CounselTrack) -> None:
    sequencer.sequence()
    shown = []
    for person in committed_cast.all():
        page, api = client_of(person), api_of(person)
        for path in outside(track.case):
            answer = page.get(path)
            body = answer.getvalue()
            if told(track, body):
                shown.append(f"{person}: {path}")
        for path in outside_api(track.case):
            body = api.get(path).getvalue()
            if told(track, body):
                shown.append(f"{person}: {path}")
    assert shown == []


def told(track: CounselTrack, body: bytes) -> bool:
    return CANARY.encode() in body or str(track.pk).encode() in body or ACTS.search(body) is not None


def outside(case: Case) -> list[str]:
    tabs = ("", "claims/", "accounts/", "findings/", "timeline/", "evidence/", "dossiers/", "log/", "nowhere/")
    found = [f"/cases/{case.ref}/{tab}" for tab in tabs]
    return [*found, "/", "/cases/", f"/cases/?q={CANARY[:-1]}", "/log/", f"/log/?q={CANARY[:-1]}", "/log/?kind=case"]


def outside_api(case: Case) -> list[str]:
    parts = ("", "accounts/", "findings/", "claims/", "alternatives/", "timeline/", "evidence/", "dossiers/", "log/")
    found = [f"/api/v1/cases/{case.ref}/{part}" for part in parts]
    acts = ("counsel.read", "counsel.noted", "counsel.opened")
    found += [f"/api/v1/cases/{case.ref}/log/?action={act}" for act in acts]
    return [*found, "/api/v1/cases/", "/api/v1/log/", *(f"/api/v1/log/?action={act}" for act in acts)]


def test_counts_and_order_of_the_case_are_the_same_with_and_without_a_track(committed_cast: Cast, case: Case) -> None:
    client = client_of(committed_cast.lead)
    before = client.get(f"/cases/{case.ref}/log/").context
    track = verbs.open_track(case, actor=committed_cast.counsel, purpose="x", direction="y")
    verbs.add_note(track, actor=committed_cast.counsel, topic="a", text="b")
    after = client.get(f"/cases/{case.ref}/log/").context

    assert [after[name] for name in ("tabs", "pages", "why_now", "readers")] == [
        before[name] for name in ("tabs", "pages", "why_now", "readers")
    ]
    assert after["case"].updated_at == before["case"].updated_at


def test_no_byte_of_the_track_enters_a_dossier(committed_cast: Cast, track: CounselTrack, tmp_path: Path) -> None:
    sequencer.sequence()
    result = run_job(dossiers.prepare(track.case, actor=committed_cast.counsel, edition="counsel")).result or {}
    version = DossierVersion.objects.get(pk=result["version"])
    package = build.build(version, tmp_path, actor="user:counsel")
    with zipfile.ZipFile(package.path) as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    with vault.open_blob(version.snapshot_sha256) as snapshot:
        contents.append(snapshot.read())

    assert len(contents) > 10
    for content in [*contents, *inflated(contents)]:
        assert not told(track, content)


def inflated(contents: list[bytes]) -> list[bytes]:
    """The streams of the PDF among them, uncompressed."""
    streams = []
    for content in contents:
        for part in content.split(b"stream\n")[1:] if content.startswith(b"%PDF") else []:
            try:
                streams.append(zlib.decompressobj().decompress(part))
            except zlib.error:
                continue
    return streams


def test_a_refused_note_comes_back_to_its_writer_and_goes_nowhere_else(
    committed_cast: Cast, track: CounselTrack, caplog: Any
) -> None:
    client = client_of(committed_cast.counsel)
    answer = client.post(reverse("counsel", args=[track.case.ref]), {"topic": "", "text": f"{CANARY} long"})
    assert (answer.status_code, f"{CANARY} long" in text_of(answer)) == (422, True)
    stranger = client_of(committed_cast.lead)
    refused = stranger.post(reverse("counsel", args=[track.case.ref]), {"topic": f"{CANARY} a", "text": "b"})

    assert refused.status_code == 404
    assert CANARY not in text_of(refused)
    assert CANARY not in caplog.text


def test_the_log_stays_verifiable_with_a_track_in_it(committed_cast: Cast, track: CounselTrack) -> None:
    sequencer.sequence()

    assert verification.verify().problems == []
