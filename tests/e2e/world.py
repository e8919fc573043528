"""One small installation in which every page exists in every state, made by the real verbs and jobs."""

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from cases import actions
from cases.actions import dossiers
from cases.models import Case, DossierVersion
from cases.views.case_frame import TABS
from detection.models import Finding
from spine import sequencer
from spine.models import Job
from tests.factories import Cast, make_case, make_lead, make_release, provider_ids, run_job


@dataclass(frozen=True)
class World:
    """The people, two of the cases, and every page as (name, address), those of the frame first."""

    cast: Cast
    fresh: Case
    judged: Case
    dossiers: dict[str, DossierVersion]
    pages: list[tuple[str, str]]


def make_world(cast: Cast) -> World:
    """Three leads, three cases, a dossier in each state."""
    make_release()
    waiting = make_lead(provider_ids(5, "waiting"), **worded())
    rejected = make_lead(provider_ids(3, "rejected"))
    actions.reject_lead(rejected, actor=cast.lead, reason="evaluation", note="Openly linked.")
    fresh = make_case(cast, accounts=provider_ids(4, "fresh"))
    closed = make_case(cast, stage="closed", accounts=provider_ids(3, "closed"))
    judged = make_case(cast, stage="escalated", accounts=provider_ids(12, "judged"))
    made = make_dossiers(judged, cast)
    sequencer.sequence()
    pages = [
        ("queue", reverse("queue")),
        ("queue, rejected", reverse("queue") + "?state=rejected"),
        ("queue, nothing found", reverse("queue") + "?q=nothing"),
        ("lead", reverse("lead", args=[waiting.pk])),
        ("lead, rejected", reverse("lead", args=[rejected.pk])),
        ("cases", reverse("cases")),
        ("cases, nothing found", reverse("cases") + "?q=nothing"),
        ("log", reverse("log")),
        ("chain", reverse("chain")),
        ("chain, a proof refused", reverse("chain") + "?old=1&new=2"),
        ("log, nothing found", reverse("log") + "?q=nothing"),
        ("job", reverse("job", args=[Job.objects.latest("created_at").pk])),
        *((f"fresh {label}", reverse(tab, args=[fresh.ref])) for tab, label in TABS.items()),
        ("closed Summary", reverse("case", args=[closed.ref])),
        *((f"judged {label}", reverse(tab, args=[judged.ref])) for tab, label in TABS.items()),
        *drawers(judged),
        *((f"dossier, {state}", reverse("dossier", args=[one.pk])) for state, one in made.items()),
    ]
    return World(cast, fresh, judged, made, pages)


def worded() -> dict[str, Any]:
    """The words of an assessment, as clustering writes them."""
    return {
        "assessment_detail": {
            "reasons_for": [
                {"text": "One payment fingerprint is shared by 5 of 2,481 accounts.", "weight": 3.1, "value": 5},
                {"text": "Few prompt frames carry most of the volume.", "weight": 1.4, "value": 0.8},
            ],
            "reasons_against": [{"text": "The prompts repeat word for word.", "weight": -0.9, "value": 0.2}],
            "look_alikes": [
                {"name": "evaluation harness", "fits": False, "text": "Its prompts would come from a fixed set."},
                {"name": "reseller", "fits": True, "text": "Shared payment fits."},
            ],
            "would_settle": ["A contract that names these accounts."],
        }
    }


def make_dossiers(case: Case, cast: Cast) -> dict[str, DossierVersion]:
    """One version in each state: a draft, one approved and not sealed yet, one sealed."""
    made = {}
    for state in ("sealed", "approved", "draft"):
        sequencer.sequence()
        asked = {"edition": "counsel", "recipient": f"Counsel of the provider, {state}", "basis": "legal hold 7"}
        result = run_job(dossiers.prepare(case, actor=cast.analyst, **asked)).result or {}
        made[state] = DossierVersion.objects.get(pk=result["version"])
        if state != "draft":
            dossiers.approve(made[state], actor=cast.counsel, snapshot_sha256=made[state].snapshot_sha256)
        if state != "approved":
            mine = Job.objects.filter(kind="dossier.render", args__version=str(made[state].pk))
            run_job(mine.latest("created_at"))
    return made


def drawers(case: Case) -> list[tuple[str, str]]:
    """The lists with something opened beside them."""
    held = case.accounts.select_related("account").order_by("pk")[0]
    finding = Finding.objects.filter(clusters__cluster__cases__case=case).earliest("pk")
    return [
        ("account opened", f"{reverse('case_accounts', args=[case.ref])}?open={held.account.pseudonym}"),
        ("finding opened", f"{reverse('case_findings', args=[case.ref])}?open={finding.pk}"),
    ]
