"""Dossier pages: freeze, approve as a second person, seal, download, what changed since, work that failed."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from cases import actions
from cases.dossier import build
from cases.models import Case, DossierApproval, DossierVersion
from spine import sequencer, vault
from spine.models import Job, LogEntry
from tests.cases.pages import client_of, forms_of, sent_by, text_of
from tests.factories import Cast, make_case, run_job

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_broker", "checkpoints_apart"),
]


@pytest.fixture(autouse=True)
def renders_apart(settings: Any, tmp_path: Path) -> None:
    settings.RENDER_ROOT = tmp_path / "renders"


def freeze(case: Case, cast: Cast, **data: Any) -> Any:
    return client_of(cast.analyst).post(reverse("freeze_dossier", args=[case.ref]), {"edition": "counsel", **data})


def frozen(case: Case, cast: Cast, **data: Any) -> DossierVersion:
    sequencer.sequence()
    assert freeze(case, cast, **data).status_code == 302
    return made_by(Job.objects.filter(kind="dossier.freeze").latest("created_at"))


def made_by(job: Job) -> DossierVersion:
    result = run_job(job).result or {}
    return DossierVersion.objects.get(id=result["version"])


def rendered(version: DossierVersion) -> Job:
    return run_job(Job.objects.filter(kind="dossier.render", args__version=str(version.id)).latest("created_at"))


def states(response: Any) -> list[str]:
    return [step["state"] for step in response.context["steps"]]


def test_a_dossier_goes_from_frozen_to_sealed_by_two_people(committed_cast: Cast) -> None:
    cast, case = committed_cast, make_case(committed_cast, stage="judged")
    analyst, counsel = client_of(cast.analyst), client_of(cast.counsel)
    version = frozen(case, cast, recipient="Counsel of the provider", basis="legal hold 7")
    page, approve = reverse("dossier", args=[version.pk]), reverse("approve_dossier", args=[version.pk])
    rendered(version)
    before = counsel.get(page)
    assert states(before) == ["current", "next", "later", "later"]
    assert analyst.get(page).context["why_not"].startswith("You prepared this version")
    assert (forms_of(analyst.get(page)), forms_of(before)) == (set(), {approve})
    draft: Any = analyst.get(before.context["download_url"])
    assert draft["Content-Disposition"] == f'attachment; filename="{version.bag_name}-draft.zip"'
    b"".join(draft.streaming_content)

    assert counsel.post(approve, sent_by(before.context["approve_form"]))["Location"] == page
    waiting = analyst.get(page)
    assert (states(waiting), waiting.context["job"].state) == (["done", "current", "next", "later"], "queued")
    rendered(version)
    sealed = client_of(cast.reader).get(page)
    assert (states(sealed), sealed.context["job"]) == (["done", "done", "done", "current"], None)
    whole: Any = analyst.get(sealed.context["download_url"])
    package = b"".join(whole.streaming_content)
    assert hashlib.sha256(package).hexdigest() == sealed.context["proof"].package_sha256
    acts = ["dossier.frozen", "dossier.downloaded", "dossier.approved", "dossier.sealed", "dossier.proved"]
    acts.append("dossier.downloaded")
    recorded = LogEntry.objects.filter(scope=case.id, action__startswith="dossier.").order_by("at", "id")
    assert list(recorded.values_list("action", flat=True)) == acts
    row = analyst.get(reverse("case_dossiers", args=[case.ref])).context["dossiers"][0]
    assert (row["state"], row["approver"]) == ("sealed", cast.counsel)


def test_what_the_snapshot_says_is_shown_and_what_came_later_apart(committed_cast: Cast) -> None:
    cast, case = committed_cast, make_case(committed_cast, stage="judged")
    version = frozen(case, cast)
    page = reverse("dossier", args=[version.pk])
    assert client_of(cast.analyst).get(page).context["later"]["count"] == 0
    held = case.accounts.first()
    assert held is not None
    actions.set_verdict(
        case, held.account, actor=cast.lead, value="victim", reason="taken over", expected=held.verdict_id
    )
    response = client_of(cast.analyst).get(page)
    values = {one["name"]: one["value"] for one in response.context["figures"]}
    assert (values["accounts assessed as actor-controlled"], values["accounts: victim"]) == ("4", "0")
    assert [one["likelihood"] for one in response.context["claims"]] == ["likely"] * 3 + [""] * 3
    later = response.context["later"]
    assert (later["count"], later["entries"][0]["actor"]) == (1, "lead")


def test_who_may_approve_and_what_is_refused(committed_cast: Cast) -> None:
    cast = committed_cast
    version = frozen(make_case(cast), cast)
    approve, data = reverse("approve_dossier", args=[version.pk]), {"snapshot_sha256": version.snapshot_sha256}
    answers = [client_of(one).post(approve, data).status_code for one in (cast.admin, cast.analyst, cast.reader)]
    assert (answers, DossierApproval.objects.count()) == ([404, 403, 403], 0)
    lead, counsel = client_of(cast.lead), client_of(cast.counsel)
    wrong = lead.post(approve, {"snapshot_sha256": "ab" * 32, "note": "kept"})
    assert (wrong.status_code, wrong.context["approve_form"]["note"].value()) == (422, "kept")
    assert lead.post(approve, data).status_code == 302
    slower = counsel.post(approve, data)
    assert (slower.status_code, "approved by lead already" in text_of(slower)) == (409, True)
    assert client_of(cast.reader).get(approve)["Location"] == reverse("dossier", args=[version.pk])


def test_a_lead_who_prepared_it_cannot_approve_it(committed_cast: Cast) -> None:
    cast, case = committed_cast, make_case(committed_cast)
    sequencer.sequence()
    lead = client_of(cast.lead)
    lead.post(reverse("freeze_dossier", args=[case.ref]), {"edition": "counsel"})
    version = made_by(Job.objects.latest("created_at"))
    data = {"snapshot_sha256": version.snapshot_sha256}
    refused = lead.post(reverse("approve_dossier", args=[version.pk]), data)
    assert (refused.status_code, refused.context["approve_form"]) == (422, None)
    assert "a second person has to" in text_of(refused)


def test_a_freeze_that_is_refused_keeps_its_input(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    refused = freeze(case, committed_cast, recipient="Counsel of the provider")
    assert (refused.status_code, list(refused.context["freeze_form"].errors)) == (422, ["basis"])
    assert (refused.context["freeze_form"]["recipient"].value(), Job.objects.count()) == ("Counsel of the provider", 0)


def test_text_that_turns_its_neighbours_round_is_shown_as_such(committed_cast: Cast) -> None:
    case = make_case(committed_cast)
    version = frozen(case, committed_cast, recipient="Counsel \u202eabc", basis="s. 1 \u2066x")
    counsel = client_of(committed_cast.counsel)
    for address in (reverse("case_dossiers", args=[case.ref]), reverse("dossier", args=[version.pk])):
        text = counsel.get(address).content.decode()
        assert ("U+202E" in text, "U+2066" in text) == (True, True)
        assert ("\u202e" in text, "\u2066" in text) == (False, False)


def test_a_package_that_was_removed_is_rendered_again(committed_cast: Cast) -> None:
    cast = committed_cast
    version = frozen(make_case(cast), cast)
    rendered(version)
    path = build.rendered(version)
    assert path is not None
    path.unlink()
    page, again = reverse("dossier", args=[version.pk]), reverse("render_dossier", args=[version.pk])
    analyst, reader = client_of(cast.analyst), client_of(cast.reader)
    assert analyst.get(reverse("download_dossier", args=[version.pk])).status_code == 422
    assert (again in forms_of(analyst.get(page)), forms_of(reader.get(page))) == (True, set())
    assert [client_of(one).post(again).status_code for one in (cast.reader, cast.admin, cast.analyst)] == [
        403,
        404,
        302,
    ]
    assert rendered(version).state == "done"
    assert analyst.get(page).context["download_url"] != ""


def test_a_damaged_snapshot_is_said_to_be_damaged(committed_cast: Cast) -> None:
    version = frozen(make_case(committed_cast), committed_cast)
    path = vault.path_of(version.snapshot_sha256)
    content = path.read_bytes()
    path.unlink()
    try:
        response = client_of(committed_cast.analyst).get(reverse("dossier", args=[version.pk]))
    finally:
        path.write_bytes(content)
    assert (response.status_code, "The frozen snapshot cannot be shown" in text_of(response)) == (200, True)


def test_a_stranger_finds_no_dossier(committed_cast: Cast) -> None:
    version = frozen(make_case(committed_cast), committed_cast)
    admin = client_of(committed_cast.admin)
    names = ("dossier", "approve_dossier", "render_dossier", "download_dossier")
    assert [admin.get(reverse(name, args=[version.pk])).status_code for name in names] == [404] * 4
