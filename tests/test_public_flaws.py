"""Would we have had it? The 24 flaws published of TheHive, DFIR-IRIS and DefectDojo, each tried on this product.

The names are those of the advisories. What is tried is the class of the flaw, in our own words and on our own doors.
"""

import io
import json
import re
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.conf import settings
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from cases import actions
from cases.actions import Cited, dossiers
from cases.dossier import pdf
from cases.dossier.document import document
from cases.models import Case, DossierVersion, EvidenceItem, Judgement, Lead
from detection import ingest
from detection.models import ClusterFinding, Finding
from people.models import ApiToken, DetectorKey, User
from spine import log
from spine.errors import Refused
from spine.models import Job, LogEntry
from tests import test_roles_api, test_roles_pages
from tests.cases.api import client_of as token_of
from tests.cases.api import client_of_detector
from tests.cases.pages import client_of
from tests.e2e.payloads import PAYLOADS
from tests.factories import PASSWORD, START, Cast, add_exhibit, make_case, make_lead, make_person, provider_ids, run_job
from tests.people.signing import code, with_app

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]
api_stage, page_stage = test_roles_api.stage, test_roles_pages.stage  # fixtures
SCRIPT = "<img src=x onerror=alert('flaw')>\"'><script>alert('flaw')</script>"
RAW = re.compile(r"<img src=x onerror|<script>alert\(|\"'><script")


def get_lines(ladder: dict[str, str]) -> Iterator[str]:
    yield from (line.removeprefix("GET ") for line in ladder if line.startswith("GET "))


def signed_in(client: Client) -> bool:
    return client.get("/log/").status_code == 200


def post_sign_in(client: Client, username: str, password: str) -> Any:
    return client.post("/sign-in/", {"username": username, "password": password})


def every_page(person: User, stage: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What every page answers this person, as (address, content)."""
    client = client_of(person)
    for path in get_lines(test_roles_pages.LADDER):
        answer = client.get(test_roles_pages.filled(path, stage))
        yield path, answer.getvalue().decode(errors="replace")


def every_answer(person: User, stage: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The same of the API."""
    client = token_of(person)
    for path in get_lines(test_roles_api.LADDER):
        answer = client.get(test_roles_api.filled(path, stage))
        yield path, answer.getvalue().decode(errors="replace")


# TheHive


def test_thehive_sb_sec_adv_2022_001_no_incomplete_check_lets_anybody_in(cast: Cast) -> None:
    """A sign-in that compared too little: any password, none at all, or somebody else's opened an account."""
    cast.analyst.set_password("a passphrase of the analyst alone")
    cast.analyst.save(update_fields=["password"])
    tries = (
        "",
        " ",
        PASSWORD,
        "a passphrase of the analyst alon",
        "A PASSPHRASE OF THE ANALYST ALONE",
        cast.analyst.password,
    )
    for username in ("analyst", "ANALYST", "analyst ", " analyst"):
        for password in tries:
            client = Client()
            post_sign_in(client, username, password)
            assert not signed_in(client), (username, password)
    for header in ("Basic YW5hbHlzdDo=", "Bearer ", "Bearer null", "Bearer rt_tok_", f"Bearer {cast.analyst.pk}"):
        assert Client().get("/api/v1/cases/", headers={"Authorization": header}).status_code == 401


def test_thehive_sb_sec_adv_2022_002_nothing_streams_to_who_is_not_signed_in(
    page_stage: dict[str, str], committed_cast: Cast
) -> None:
    """An event stream told every act in every case without any sign-in."""
    make_case(committed_cast, accounts=provider_ids(3, "stream"))
    told = []
    for module in (test_roles_pages, test_roles_api):
        for path in get_lines(module.LADDER):
            answer = Client().get(module.filled(path, page_stage))
            content = answer.getvalue().decode(errors="replace")
            told += [path] if re.search(r"RT-20\d\d-[0-9A-Z]{5}(?!/)|acc-|pays? alike", content) else []
            told += [f"{path}: streams"] if "event-stream" in answer.get("Content-Type", "") else []
    assert told == []


def test_thehive_sb_sec_adv_2023_001_a_report_carries_no_script(committed_cast: Cast) -> None:
    """Script in a report's variables ran in the reader's session."""
    case = make_case(committed_cast, stage="judged")
    actions.edit_case(case, actor=committed_cast.lead, changes={"summary": (case.summary, SCRIPT)})
    run_job(dossiers.prepare(case, actor=committed_cast.lead, edition="counsel"))
    version = DossierVersion.objects.get()
    page = client_of(committed_cast.lead).get(f"/dossiers/{version.pk}/").content.decode()
    assert RAW.search(page) is None
    content = pdf.pdf(document(version))
    with pikepdf.open(io.BytesIO(content)) as opened:
        keys = {str(key) for obj in opened.objects if isinstance(obj, pikepdf.Dictionary) for key in obj}
    assert keys & {"/JS", "/JavaScript", "/OpenAction", "/AA", "/Launch", "/RichMedia", "/XFA"} == set()


TRICKS = (
    ("x.html", "text/html", b"<script>alert(1)</script>"),
    ("x.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    ("logo.png", "image/png", b"<html><script>alert(1)</script></html>"),
    ("x.xml", "application/xml", b"<?xml version='1.0'?><x xmlns='http://www.w3.org/1999/xhtml'><script/></x>"),
    ("x.js", "text/javascript", b"alert(1)"),
    ("x.pdf", "application/pdf", b"%PDF-1.7 <script>alert(1)</script>"),
    ("x.css", "text/css", b"*{background:url(https://x.example)}"),
)


def test_thehive_sb_sec_adv_2023_002_an_attachment_never_runs_in_our_origin(committed_cast: Cast) -> None:
    """An uploaded page, opened by its preview, ran as the product itself."""
    case = make_case(committed_cast)
    for name, kind, content in TRICKS:
        item = add_exhibit(case, committed_cast.lead, content, file_name=name, declared_type=kind)
        for client, address in (
            (token_of(committed_cast.lead), f"/api/v1/cases/{case.ref}/evidence/{item.number}/content/"),
            (client_of(committed_cast.lead), f"/cases/{case.ref}/evidence/{item.number}/download/"),
        ):
            answer = client.get(address)
            assert answer.getvalue() == content
            assert answer["Content-Disposition"].startswith("attachment;"), name
            assert answer["X-Content-Type-Options"] == "nosniff"
            assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_thehive_sb_sec_adv_2023_003_no_uploaded_file_becomes_part_of_the_frame(
    committed_cast: Cast, page_stage: dict[str, str]
) -> None:
    """A logo whose type nobody checked was a page with script. Here nothing of the frame can be uploaded or written."""
    shown = client_of(committed_cast.lead).get("/cases/").content.decode()
    sources = re.findall(r'(?:src|href)="([^"]+)"', shown.partition("<main")[0])
    assert [
        one for one in sources if one.startswith("/") and "/static/" not in one and "." in one.rpartition("/")[2]
    ] == []
    User.objects.filter(pk=committed_cast.lead.pk).update(display_name=SCRIPT)
    assert [path for path, content in every_page(committed_cast.lead, page_stage) if RAW.search(content)] == []
    posts = {line for line in test_roles_pages.LADDER if line.startswith("POST ")}
    assert [line for line in posts if re.search(r"brand|logo|theme|avatar|template", line)] == []


def test_thehive_sb_sec_adv_2023_004_guessing_codes_closes_the_second_step(cast: Cast) -> None:
    """Codes of the second factor could be guessed without end by who had the password."""
    secret, recovery = with_app(cast.lead)
    client = Client()
    post_sign_in(client, "lead", PASSWORD)
    for number in range(10):
        assert client.post("/sign-in/second-factor/", {"code": f"{number:06d}"}).status_code == 422
    for right in (code(secret), recovery[0]):
        assert client.post("/sign-in/second-factor/", {"code": right}).status_code == 422
        assert not signed_in(client)
    fresh = Client()
    post_sign_in(fresh, "lead", PASSWORD)
    fresh.post("/sign-in/second-factor/", {"code": code(secret)})
    assert not signed_in(fresh)


def test_thehive_sb_sec_adv_2023_005_an_unknown_name_takes_as_long_as_a_known_one(cast: Cast) -> None:
    """Answers for names that exist took longer than for others."""
    took: dict[str, list[float]] = {"lead": [], "nobody-of-that-name": []}
    for turn in range(7):
        for name in took:
            began = time.perf_counter()
            post_sign_in(Client(REMOTE_ADDR=f"192.0.2.{turn}"), name, "not the password of anybody")
            took[name].append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in took.values())
    assert 0.5 < known / unknown < 2, (known, unknown)


def test_thehive_sb_sec_adv_2024_001_an_empty_password_tells_no_name(cast: Cast) -> None:
    """With an empty password the answer differed between names that exist and names that do not."""
    User.objects.filter(pk=cast.reader.pk).update(is_active=False)
    for password in ("", " ", "wrong"):
        answers = set()
        for name in ("lead", "reader", "nobody-of-that-name"):
            answer = post_sign_in(Client(), name, password)
            text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.content.decode().replace(name, "NAME"))
            answers.add((answer.status_code, text, tuple(sorted(answer.headers))))
        assert len(answers) == 1, password


def test_thehive_sb_sec_adv_2025_001_another_site_cannot_act_with_a_persons_session(
    committed_cast: Cast, page_stage: dict[str, str], api_stage_free: dict[str, str]
) -> None:
    """A page of another site sent requests with the session of who looked at it."""
    page = Client(enforce_csrf_checks=True)
    page.force_login(committed_cast.lead)
    before = LogEntry.objects.count()
    for line in [line for line in test_roles_pages.LADDER if line.startswith("POST ")]:
        path = line.removeprefix("POST ")
        if "200" in test_roles_pages.LADDER[line] or "405" in test_roles_pages.LADDER[line]:
            continue
        answer = page.post(
            test_roles_pages.filled(path, page_stage), {"title": "x"}, headers={"Origin": "https://x.example"}
        )
        assert answer.status_code == (404 if line == "POST metrics" else 403), line  # nothing is there for anybody
    for line in [line for line in test_roles_api.LADDER if not line.startswith("GET ")]:
        method, path = line.split()
        for kind in ("text/plain", "application/json", "application/x-www-form-urlencoded"):
            answer = page.generic(method, test_roles_api.filled(path, api_stage_free), b"{}", content_type=kind)
            assert answer.status_code in {401, 403, 415}, (line, kind)
    assert LogEntry.objects.count() == before


@pytest.fixture
def api_stage_free() -> dict[str, str]:
    """Ids of nothing: a request that is refused before it is looked at names nothing."""
    nothing = "01a2138c-a5f5-7006-aec2-37202736b53f"
    names = {word for line in test_roles_api.LADDER for word in re.findall(r"<(\w+)>", line)}
    return dict.fromkeys(names, nothing) | {"ref": "RT-2026-00000", "number": "1", "username": "reader"}


def test_thehive_sb_sec_adv_2025_002_no_request_makes_the_server_call_an_address_it_names(committed_cast: Cast) -> None:
    """An address in a request made the server call a host inside."""
    case = make_case(committed_cast, stage="judged")
    with listener() as (address, called):
        texts = [
            address,
            f"![x]({address})",
            f'#image("{address}")',
            f"<img src={address}>",
            f'=WEBSERVICE("{address}")',
        ]
        text = " ".join(texts)
        actions.edit_case(case, actor=committed_cast.lead, changes={"summary": (case.summary, text)})
        note = {"lane": "decisions", "starts_at": START, "text": text, "source": address, "confidence": "low"}
        actions.add_timeline_note(case, actor=committed_cast.lead, **note)
        add_exhibit(case, committed_cast.lead, text.encode(), source=address, file_name="x.html")
        assert ingest.store([a_finding(case, address)], actor="detector:x", detector="hostile").created == 1
        version = dossier_of(case, committed_cast)
        assert pdf.pdf(document(version)).startswith(b"%PDF")
        token = token_of(committed_cast.lead)
        for path in get_lines(test_roles_api.LADDER):
            if "<" not in path:
                token.get(f"/api/v1/{path}?url={address}&callback={address}&webhook={address}&q={address}")
        time.sleep(0.2)
    assert called == []


class listener:  # noqa: N801 - used as a function
    """A server on this machine that notes who calls."""

    def __enter__(self) -> tuple[str, list[Any]]:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.called: list[Any] = []
        threading.Thread(target=self._listen, daemon=True).start()
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/meta-data", self.called

    def _listen(self) -> None:
        try:
            while True:
                connection, who = self.socket.accept()
                self.called.append(who)
                connection.close()
        except OSError:
            return

    def __exit__(self, *_: Any) -> None:
        self.socket.close()


def a_finding(case: Case, text: str) -> dict[str, Any]:
    account = case.accounts.select_related("account").earliest("pk").account.provider_id
    return {
        "uid": f"h-{text}"[:190],
        "detector": {"name": "hostile", "version": "1"},
        "signal": "no_human_cadence",
        "title": text[:290],
        "summary": text,
        "score": 0.5,
        "window": {"start": "2026-05-02T00:00:00Z", "end": "2026-05-03T00:00:00Z"},
        "accounts": [{"id": account, "attributes": [{"type": "user_agent", "value": text[:490], "count": 1}]}],
        "evidence": [{"uri": text[:200]}],
    }


def dossier_of(case: Case, cast: Cast) -> DossierVersion:
    """A version that was frozen and approved by two people."""
    version = dossiers.freeze(case, actor=cast.lead, edition="counsel")
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    return version


def test_thehive_sb_sec_adv_2025_003_no_stranger_has_mail_sent_to_anybody(cast: Cast) -> None:
    """Anybody could have mails to reset a password sent to anybody, as many as they liked."""
    client = Client()
    public = [line for line, codes in test_roles_pages.LADDER.items() if codes.split()[0] != "302" and "POST" in line]
    for line in public:
        for _ in range(20):
            client.post(
                f"/{line.removeprefix('POST ')}", {"username": "lead", "email": "lead@example.org", "password": "x"}
            )
    for address in ("/password/reset/", "/accounts/password/reset/", "/api/v1/password/reset/", "/reset/", "/forgot/"):
        assert client.post(address, {"email": "lead@example.org"}).status_code in {302, 401, 403, 404}
    assert mail.outbox == []


def test_thehive_sb_sec_adv_2025_004_no_address_gives_case_data_past_the_members(committed_cast: Cast) -> None:
    """One endpoint gave cases, logs and observables to anybody signed in, whatever they might read."""
    case = make_case(committed_cast, stage="judged")
    actions.edit_case(case, actor=committed_cast.analyst, changes={"title": (case.title, "Accounts alike canary-9")})
    actions.restrict_case(case, actor=committed_cast.analyst, reason="Few need to know")
    stranger = make_person("stranger", "analyst")
    stage = {"ref": case.ref, "number": "1", "username": "lead", "letter": "a", "slug": "reseller"}
    for person in (stranger, committed_cast.reader, committed_cast.admin):
        token, page = token_of(person), client_of(person)
        for client, module, prefix in ((token, test_roles_api, "/api/v1/"), (page, test_roles_pages, "/")):
            for path in get_lines(module.LADDER):
                for name, value in stage.items():
                    path = path.replace(f"<{name}>", value)
                if "<" not in path:
                    content = client.get(f"{prefix}{path}?q=canary-9").getvalue().decode(errors="replace")
                    content = content.replace("q=canary-9", "").replace('value="canary-9"', "")
                    assert "canary-9" not in content, (person, path)
                    assert case.ref not in content.replace(path, ""), (person, path)


# DFIR-IRIS


def test_dfir_iris_cve_2023_30615_what_a_detector_sends_is_shown_as_text(
    committed_cast: Cast, page_stage: dict[str, str]
) -> None:
    """Script that came in with an alert ran where alerts were listed."""
    case = Case.objects.get(ref=page_stage["<ref>"])
    assert ingest.store([a_finding(case, SCRIPT)], actor="detector:hostile", detector="hostile").created == 1
    finding = Finding.objects.get(uid__startswith="h-")
    held = case.clusters.get().cluster
    with transaction.atomic():
        log.record(
            actor="system:test", action="run.finished", data={}, rows=[ClusterFinding(cluster=held, finding=finding)]
        )
    opened = client_of(committed_cast.lead).get(f"/cases/{case.ref}/findings/?open={finding.pk}").content.decode()
    assert "&lt;img src=x onerror" in opened
    assert RAW.search(opened) is None
    assert [path for path, content in every_page(committed_cast.lead, page_stage) if RAW.search(content)] == []


def test_dfir_iris_cve_2023_50712_what_people_write_anywhere_is_shown_as_text(
    committed_cast: Cast, page_stage: dict[str, str]
) -> None:
    """Script in several fields that people fill ran for whoever looked."""
    case, lead = Case.objects.get(ref=page_stage["<ref>"]), committed_cast.lead
    actions.edit_case(case, actor=lead, changes={"title": (case.title, f"Alike {SCRIPT}")})
    noted = {"lane": "decisions", "starts_at": START, "text": SCRIPT, "source": SCRIPT, "confidence": "low"}
    actions.add_timeline_note(case, actor=lead, **noted)
    add_exhibit(case, lead, SCRIPT.encode(), title=SCRIPT, source=SCRIPT, file_name=f"{SCRIPT}.csv")
    pages = dict(every_page(lead, page_stage))
    assert [path for path, content in pages.items() if RAW.search(content)] == []
    assert sum("&lt;script&gt;alert(" in content for content in pages.values()) > 5


def test_dfir_iris_cve_2024_25640_descriptions_take_no_markup_of_any_kind(committed_cast: Cast) -> None:
    """Descriptions were turned into markup, and script with them."""
    case = make_case(committed_cast, stage="investigating")
    text = "\n".join(one.text for one in PAYLOADS)[:3_900]
    actions.edit_case(case, actor=committed_cast.lead, changes={"summary": (case.summary, text)})
    page = client_of(committed_cast.reader).get(f"/cases/{case.ref}/").content.decode()
    main = re.sub(r"<(/?(?:br|[a-z0-9]+)(?:\s[^<>]*)?)>", "", page.partition("<main")[2])
    assert "data-rx" in main
    assert "<" not in main.replace("</", "").replace("<!", "") or "data-rx" not in "".join(re.findall(r"<[^>]*>", main))
    markdown = "# a\n**b** [c](javascript:alert(1)) ![d](https://x.example/y.png) <b>e</b>"
    actions.edit_case(case, actor=committed_cast.lead, changes={"summary": (text.strip(), markdown)})
    shown = client_of(committed_cast.reader).get(f"/cases/{case.ref}/").content.decode()
    assert "**b** [c](javascript:alert(1))" in shown
    assert "<b>e</b>" not in shown


def test_dfir_iris_cve_2024_25624_report_text_is_never_a_template(committed_cast: Cast) -> None:
    """A report's template, filled by people, ran what stood in it on the server."""
    texts = (
        "{{ 7*191 }}",
        "{% for x in ''.__class__.__mro__ %}{{ x }}{% endfor %}",
        "#(7*191)",
        '#eval("7*191")',
        "${7*191}",
    )
    case = make_case(committed_cast, stage="judged")
    actions.edit_case(case, actor=committed_cast.lead, changes={"summary": (case.summary, " ".join(texts))})
    version = dossier_of(case, committed_cast)
    shown = pdf.view(document(version))["document"]["snapshot"]["case"]["summary"].replace("\u200b", "")
    page = client_of(committed_cast.lead).get(f"/cases/{case.ref}/").content.decode()
    assert (shown, "1337" in shown, "1337" in page) == (" ".join(texts), False, False)
    doors = {line for line in test_roles_api.LADDER if not line.startswith("GET ")}
    assert [line for line in doors if "template" in line] == []


def test_dfir_iris_cve_2024_34060_a_file_name_leads_to_no_path(committed_cast: Cast) -> None:
    """The name of an uploaded file decided where on the server it was written."""
    case = make_case(committed_cast)
    home = Path(settings.RENDER_ROOT).parent
    before = {path for path in home.rglob("*") if "vault" not in path.parts}
    names = (
        "../../../../tmp/flaw.txt",
        "/tmp/flaw.txt",
        "..\\..\\flaw.txt",
        "a/../../flaw.txt",
        "flaw.txt\x00.csv",
        "C:flaw",
    )
    for place, name in enumerate(names):
        file = SimpleUploadedFile("x", b"content %d" % place, content_type="text/plain")
        file.name = name  # type: ignore[assignment]
        token = token_of(committed_cast.lead)
        given = {"title": "A file", "source": "Mail", "acquired_at": "2026-05-01T00:00:00Z", "file": file}
        token.post(f"/api/v1/cases/{case.ref}/evidence/", given, format="multipart")
        add_exhibit(case, committed_cast.lead, b"more %d" % place, file_name=name)
    assert not Path("/tmp/flaw.txt").exists()
    assert {path.name for path in home.rglob("*flaw*")} == set()
    created = {path for path in home.rglob("*") if "vault" not in path.parts} - before
    assert [path for path in created if path.is_file() and "flaw" in path.name] == []
    for item in EvidenceItem.objects.filter(case=case):
        assert "/" not in item.file_name
        assert "\\" not in item.file_name


def test_dfir_iris_cve_2026_22783_fields_that_are_not_offered_are_not_taken(committed_cast: Cast) -> None:
    """The stored path of a file could be set by a request, and what lay there deleted."""
    case = make_case(committed_cast)
    item = add_exhibit(case, committed_cast.lead)
    stored = EvidenceItem.objects.filter(pk=item.pk).values().get()
    token, page = token_of(committed_cast.lead), client_of(committed_cast.lead)
    forced = {
        "sha256": "00" * 32,
        "file_local_name": "/etc/passwd",
        "path": "/etc/passwd",
        "file_name": "../x",
        "size": 1,
    }
    forced |= {
        "storage": "x",
        "media_type": "text/html",
        "number": 9,
        "case": "x",
        "added_by": "admin",
        "id": str(item.pk),
    }
    address = f"/api/v1/cases/{case.ref}/evidence/{item.number}/"
    for method in ("put", "patch", "delete", "post"):
        assert getattr(token, method)(address, forced).status_code == 405
    file = SimpleUploadedFile("x.csv", b"other,content\n", content_type="text/csv")
    given = {"title": "A file", "source": "Mail", "acquired_at": "2026-05-01T00:00:00Z", "file": file}
    token.post(f"/api/v1/cases/{case.ref}/evidence/", {**forced, **given}, format="multipart")
    page.post(f"/cases/{case.ref}/evidence/add/", {**forced, "title": "B"})
    assert EvidenceItem.objects.filter(pk=item.pk).values().get() == stored
    for other in EvidenceItem.objects.filter(case=case).exclude(pk=item.pk):
        assert (other.sha256 != "00" * 32, other.number, other.case_id, other.media_type != "text/html") == (
            True,
            2,
            case.pk,
            True,
        )


def test_dfir_iris_cve_2026_42540_crafted_requests_alter_no_database_value(committed_cast: Cast) -> None:
    """Requests to the API that were put together by hand changed values they should not reach."""
    case = make_case(committed_cast, stage="judged")
    columns = ("id", "ref", "status", "closing_reason", "created_at", "assignee_id")
    kept = Case.objects.filter(pk=case.pk).values(*columns).get()
    token = token_of(committed_cast.lead)
    crafted = {
        "status": "closed",
        "ref": "RT-2026-AAAAA",
        "id": "00",
        "created_at": "1970-01-01T00:00:00Z",
        "assignee": None,
    }
    crafted |= {"closing_reason": "benign", "restricted": True, "assignee_id": str(committed_cast.reader.pk)}
    for body in (crafted, {"title": {"new": "x"}, **crafted}, [crafted], {"case": crafted}):
        assert token.patch(f"/api/v1/cases/{case.ref}/", body).status_code < 500
    injected = ("' OR 1=1 --", "x'); UPDATE cases_case SET title='owned'; --", "%' OR '1'='1", "1; SELECT pg_sleep(3)")
    began = time.perf_counter()
    for text in injected:
        for path in get_lines(test_roles_api.LADDER):
            if "<" not in path:
                answer = token.get(f"/api/v1/{path}", {"q": text, "status": text, "ordering": text, "cursor": text})
                assert answer.status_code < 500, (path, text)
    assert time.perf_counter() - began < 60
    assert Case.objects.filter(pk=case.pk).values(*columns).get() == kept
    assert not Case.objects.filter(title="owned").exists()


def test_dfir_iris_cve_2026_16969_what_an_account_shows_is_text(committed_cast: Cast) -> None:
    """Script in the fields of an asset ran for who looked at it. Our assets are accounts and what they show."""
    lead: Lead = make_lead([f"acct-{SCRIPT}", f"acct-2-{SCRIPT}"], title=f"Alike {SCRIPT}")
    case = actions.open_case(lead, actor=committed_cast.analyst, title="Accounts that pay alike")
    held = case.accounts.select_related("account").earliest("pk").account
    client = client_of(committed_cast.analyst)
    for address in (
        f"/leads/{lead.pk}/",
        f"/cases/{case.ref}/accounts/?open={held.pseudonym}",
        "/?state=in_case",
        "/log/",
    ):
        assert RAW.search(client.get(address).content.decode()) is None, address
    answer = token_of(committed_cast.analyst).get("/api/v1/accounts/")
    assert answer["Content-Type"].startswith("application/json")
    assert answer["X-Content-Type-Options"] == "nosniff"


# DefectDojo


def secrets_of(cast: Cast) -> list[str]:
    """What must be in no answer: keys as they were given, their digests, and what is stored of passwords."""
    client_of_detector()
    given = [token_of(person)._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ") for person in cast.all()]
    stored = [*ApiToken.objects.values_list("sha256", flat=True), *DetectorKey.objects.values_list("sha256", flat=True)]
    return [*given, *stored, *User.objects.values_list("password", flat=True), settings.SECRET_KEY]


def test_defectdojo_ghsa_8q8j_7wc4_vjg5_no_answer_carries_a_secret(
    committed_cast: Cast, api_stage: dict[str, str]
) -> None:
    """Serializers gave stored credentials back to whoever might read the object."""
    secrets = secrets_of(committed_cast)
    told = [
        path
        for person in (committed_cast.admin, committed_cast.lead)
        for path, content in every_answer(person, api_stage)
        if any(secret in content for secret in secrets)
    ]
    assert told == []


def test_defectdojo_ghsa_96vq_gqr9_vf2c_no_other_door_tells_it_either(
    committed_cast: Cast, page_stage: dict[str, str]
) -> None:
    """The first repair closed one door and left others: so pages, log, jobs, refusals and description are asked too."""
    secrets = secrets_of(committed_cast)
    shown = [one for person in (committed_cast.admin, committed_cast.lead) for one in every_page(person, page_stage)]
    client = token_of(committed_cast.admin)
    key = client._credentials["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    refused = client.post("/api/v1/detectors/", {"name": key, "key": key}).content.decode().replace(key, "KEY", 0)
    shown += [("schema", client.get("/api/v1/schema/").content.decode())]
    shown += [("log", json.dumps(list(LogEntry.objects.values_list("data", flat=True))))]
    shown += [("jobs", json.dumps(list(Job.objects.values_list("args", "result", "error", "note"))))]
    assert [path for path, content in shown if any(secret in content for secret in secrets)] == []
    assert not any(secret in refused for secret in secrets if secret != key)


def test_defectdojo_ghsa_j4rw_3r36_79pm_nothing_is_linked_across_cases(committed_cast: Cast) -> None:
    """An object of one product could be tied to another without the right to either."""
    one = make_case(committed_cast, stage="judged", accounts=provider_ids(3, "one"))
    other = make_case(committed_cast, stage="judged", accounts=provider_ids(3, "other"))
    foreign_item = other.evidence.earliest("number")
    foreign_finding = Finding.objects.filter(clusters__cluster__cases__case=other).earliest("pk")
    noted = {"lane": "decisions", "starts_at": START, "text": "Told", "source": "Mail", "confidence": "high"}
    note = actions.add_timeline_note(other, actor=committed_cast.lead, **noted)
    words = {"claim": "b", "likelihood": "likely", "confidence": "low", "rationale": "x", "alternatives": "y"}
    last = Judgement.objects.filter(case=one, claim="b").latest("at")
    for kind, pk in (("evidence", foreign_item.pk), ("finding", foreign_finding.pk), ("timeline_note", note.pk)):
        with pytest.raises(Refused):
            actions.judge(
                one, actor=committed_cast.lead, citations=[Cited("for", kind, pk, "x")], supersedes=last, **words
            )
    token = token_of(committed_cast.lead)
    assert token.post(f"/api/v1/cases/{one.ref}/timeline/{note.pk}/withdraw/", {"reason": "x"}).status_code == 404
    held = other.accounts.earliest("pk").account
    answer = token.post(
        f"/api/v1/cases/{one.ref}/verdicts/", {"account": str(held.pk), "value": "victim", "reason": "x"}
    )
    assert answer.status_code in {400, 404, 409}
    hidden = make_case(committed_cast, accounts=provider_ids(3, "hidden"))
    actions.restrict_case(hidden, actor=committed_cast.analyst, reason="Few need to know")
    lead = make_lead(provider_ids(3, "loose"))
    stranger = make_person("stranger", "analyst")
    joined = token_of(stranger).post(
        f"/api/v1/leads/{lead.pk}/join/", {"case": hidden.ref, "cluster": str(lead.cluster_id)}
    )
    missing = token_of(stranger).post(
        f"/api/v1/leads/{lead.pk}/join/", {"case": "RT-2026-00000", "cluster": str(lead.cluster_id)}
    )
    assert (joined.status_code, joined.json()) == (missing.status_code, missing.json())
    assert joined.status_code in {400, 404, 409}


def test_defectdojo_ghsa_43f3_w9fq_8v5j_who_manages_people_takes_nobody_over_unseen(cast: Cast) -> None:
    """Somebody who might manage people took over accounts with more rights than their own."""
    target, secret = cast.lead, with_app(cast.lead)[0]
    verbs = ("role", "name", "identity", "disable", "enable", "one-time-password", "second-factor/reset")
    for person in (cast.lead, cast.analyst, cast.counsel, cast.reader):
        for verb in verbs:
            sent = {"role": "administrator", "expected": person.role, "display_name": "x"}
            assert client_of(person).post(f"/people/{cast.admin.pk}/{verb}/", sent).status_code == 403, (person, verb)
        assert token_of(person).patch(f"/api/v1/people/{person.pk}/", {"role": "administrator"}).status_code == 403
    admin = client_of(cast.admin)
    for verb in ("role", "disable", "one-time-password", "second-factor/reset"):
        sent = {"role": "case_lead", "expected": "administrator"}
        assert admin.post(f"/people/{cast.admin.pk}/{verb}/", sent).status_code in {409, 422}, verb
    shown = admin.post(f"/people/{target.pk}/one-time-password/").content.decode()
    password = shown.partition("<code>")[2].partition("</code>")[0]
    taken = Client()
    post_sign_in(taken, "lead", password)
    assert not signed_in(taken)  # the second factor is the person's own
    taken.post("/sign-in/second-factor/", {"code": code(secret)})
    assert taken.get("/cases/")["Location"].startswith("/me/password/")
    told = LogEntry.objects.filter(actor="user:admin", about__contains=str(target.pk)).values_list("action", flat=True)
    assert any("password" in action for action in told)
    assert User.objects.get(pk=cast.admin.pk).role == "administrator"
