"""Writes of the API that need a state of their own, each with what makes that state and a body that is accepted.

In this order, all in one story: some need what an earlier one made. A body of None is a write that takes none.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from cases import actions, erasing, retention
from cases.actions import dossiers
from cases.actions.destruction import set_policy
from cases.actions.uploads import start_upload
from cases.dossier.build import build
from cases.models import (
    Approach,
    Case,
    DisclosureAsk,
    DossierVersion,
    ExchangeSet,
    Hold,
    HoldCustodian,
    HoldReleaseAsk,
    Match,
    Notice,
    Question,
    TimelineNote,
    Upload,
)
from detection import detector_verbs
from detection.models import KeptApart, VersionRecall
from people.mail import proof_of
from people.models import DetectorKey, MailAddress
from spine import jobs, sequencer
from spine.models import Job
from tests.cases.deconflicting import compared, restrict
from tests.cases.keeping import everything_to, register
from tests.detection.samples import finding
from tests.detection.test_ocsf import sample as ocsf
from tests.factories import START, Cast, add_exhibit, make_case, make_lead, provider_ids, run_job

Body = dict[str, Any] | None
DETECTOR = {"name": "shared_attribute", "version": "1.0.0", "config_sha256": "ab" * 32}


@dataclass
class Story:
    """The stage as it grows: what the addresses name, and the people."""

    cast: Cast
    named: dict[str, str]
    folder: Path

    def fresh(self, prefix: str, **given: Any) -> Case:
        """A case of accounts of its own; addresses name it from now on."""
        case = make_case(self.cast, accounts=provider_ids(6, prefix), **given)
        self.named["ref"] = case.ref
        return case


Prepare = Callable[[Story], Body]


def moved(story: Story) -> Body:
    story.fresh("moved")
    return {"to": "investigating", "expected_from": "open", "note": "n"}


def glass(story: Story) -> Body:
    case = story.fresh("glass")
    restrict(case, story.cast.analyst)
    return {"ref": case.ref, "reason": "r"}


def seen(story: Story) -> Body:
    """The notice of the glass that was broken, to the one who is a member."""
    story.named["notice_id"] = str(
        Notice.objects.exclude(key__startswith="recall:").filter(recipient=story.cast.analyst).earliest("id").pk
    )
    return None


def opened_track(story: Story) -> Body:
    story.fresh("track")
    return {"purpose": "p", "direction": "d"}


def bulk(story: Story) -> Body:
    case = story.fresh("bulk")
    return {"filter": {}, "value": "benign", "reason": "r", "expected_count": case.accounts.count()}


def undone(story: Story) -> Body:
    job = Job.objects.filter(kind="verdicts.set", scope=Case.objects.get(ref=story.named["ref"]).pk).latest(
        "created_at"
    )
    assert run_job(job).error == ""
    story.named["job_id"] = str(job.pk)
    return {"reason": "r"}


def stopped(story: Story) -> Body:
    """Work that waits."""
    case = story.fresh("stopped")
    job = jobs.enqueue("exchange_set.make", actor=story.cast.analyst.principal, key="stop", scope=case.pk)
    story.named["job_id"] = str(job.pk)
    return None


def stopped_run(story: Story) -> Body:
    """A run that waits."""
    job = jobs.enqueue("detectors.run", actor=story.cast.admin.principal, key="stop")
    story.named["job_id"] = str(job.pk)
    return None


def asked_broker(story: Story) -> Body:
    story.fresh("asks")
    mine = provider_ids(9, "hides")
    restrict(make_case(story.cast, accounts=[*provider_ids(3, "asks"), *mine]), story.cast.lead)
    return {"about": "all", "reason": "r"}


def approached(story: Story) -> Body:
    question = Question.objects.get(case__ref=story.named["ref"])
    [match] = compared(question)
    story.named |= {"question_id": str(question.pk), "match_id": str(match.pk)}
    return {"words": "w"}


def replied(story: Story) -> Body:
    approach = Approach.objects.get(match_id=story.named["match_id"])
    story.named |= {"approach_id": str(approach.pk), "ref": approach.case.ref}
    return {"agrees": True, "words": "w"}


def answered(story: Story) -> Body:
    return {"value": "hit", "why": "w", "introduce": [str(Match.objects.get(pk=story.named["match_id"]).pk)]}


def released_hold(story: Story) -> Body:
    hold = Hold.objects.get(pk=story.named["hold_id"])
    asked = HoldReleaseAsk.objects.filter(hold=hold).first()
    asked = asked or actions.ask_release(hold, actor=story.cast.counsel, reason="r")
    return {"ask": str(asked.pk), "note": "n"}


def acknowledged(story: Story) -> Body:
    case = HoldCustodian.objects.get(pk=story.named["custodian_id"]).hold.case
    return {"exhibit": case.evidence.earliest("number").number, "note": "n"}


def receipt(story: Story) -> Body:
    return {"kind": "receipt", "number": "P-7", "answered_by": "b", "answered_at": "2026-06-01T00:00:00Z", "what": "w"}


def snoozed(story: Story) -> Body:
    story.named["lead_id"] = str(make_lead(provider_ids(3, "snooze")).pk)
    return {"until": (timezone.now() + timedelta(days=7)).isoformat(), "factor": 2}


def joined(story: Story) -> Body:
    case = story.fresh("joins")
    story.named["lead_id"] = str(make_lead(provider_ids(3, "joined")).pk)
    return {"case": case.ref}


def opened_case(story: Story) -> Body:
    story.named["lead_id"] = str(make_lead(provider_ids(3, "opened")).pk)
    return {"title": "t", "summary": "s"}


def approved(story: Story) -> Body:
    case = story.fresh("dossier", stage="judged")
    given = {"recipient": register().name, "basis": everything_to("committee").code}
    version = dossiers.freeze(case, actor=story.cast.analyst, edition="counsel", **given)
    story.named["version_id"] = str(version.pk)
    return {"snapshot_sha256": version.snapshot_sha256, "note": "n"}


def disclosed(story: Story) -> Body:
    """No dossier goes out that leans on a recalled version while nobody has answered for that in its case."""
    for standing in VersionRecall.objects.filter(reinstated=None):
        detector_verbs.reinstate_version(standing, actor="user:admin", reason="It was right")
    version = DossierVersion.objects.get(pk=story.named["version_id"])
    build(version, story.folder, actor="user:analyst")
    return {"channel": "by hand", "purpose": "p"}


def released_disclosure(story: Story) -> Body:
    ask = DisclosureAsk.objects.get(version_id=story.named["version_id"])
    story.named["ask_id"] = str(ask.pk)
    return {"note": "n"}


def noted(story: Story) -> Body:
    return {"kind": "receipt", "number": "C-1", "happened_at": "2026-06-01T00:00:00Z", "text": "t"}


def erased(story: Story) -> Body:
    note = TimelineNote.objects.earliest("at")
    return {
        "kind": "timeline",
        "key": str(note.pk),
        "basis": "b",
        "expected": erasing.preview_of(note).count,
    }


def previewed(story: Story) -> Body:
    return {"kind": "timeline", "key": str(TimelineNote.objects.earliest("at").pk)}


def decided(story: Story) -> Body:
    return {"granted": False, "note": "n"}


def ordered(story: Story) -> Body:
    """The bytes of a case that was closed a year ago."""
    case = make_case(story.cast, accounts=provider_ids(4, "closed"), stage="escalated")
    add_exhibit(case, story.cast.analyst, b"bytes of this case alone")
    closing = {"to": "closed", "expected_from": "escalated", "closing_reason": "handed_over"}
    actions.move_case(case, actor=story.cast.lead, **closing)
    Case.objects.filter(pk=case.pk).update(updated_at=timezone.now() - timedelta(days=365))
    policy = set_policy(actor=story.cast.admin, data_class="closed_exhibits", days=90, basis="Records rule 7")
    story.named["policy_id"] = str(policy.pk)
    return {"expected": retention.preview_of(policy).count}


def listed(story: Story) -> Body:
    case = story.fresh("archive")
    item = add_exhibit(case, story.cast.analyst, gzip.compress(b"a,b\n"), file_name="a.csv.gz")
    story.named["number"] = str(item.number)
    return None


def derived(story: Story) -> Body:
    given = {"derivation": "extract", "title": "t", "tool": "t", "method": "m", "reason": "r"}
    return {**given, "file": SimpleUploadedFile("a.txt", b"QX-derived", "text/plain")}


def upload(story: Story) -> Body:
    """One of nine bytes that the stage began."""
    story.named["ref"] = Upload.objects.get(pk=story.named["upload_id"]).case.ref
    return None


def another_upload(story: Story) -> Body:
    case = Case.objects.get(ref=story.named["ref"])
    given = {"title": "t", "source": "s", "acquired_at": START, "file_name": "b", "size": 9}
    story.named["upload_id"] = str(start_upload(case, actor=story.cast.analyst, **given).pk)
    return None


def nothing(story: Story) -> Body:
    return None


def looked_up(story: Story) -> Body:
    return {"ids": ["acct-0001"]}


def tested(story: Story) -> Body:
    return {"accounts": ["acct-0001"]}


def proven(story: Story) -> Body:
    sequencer.sequence()
    story.named["ref"] = ExchangeSet.objects.get().case.ref
    return {"request_id": ExchangeSet.objects.get().plans.earliest("number").sample.earliest("ordinal").request_id}


def found(story: Story) -> Body:
    return finding("staged-1", detector=DETECTOR)


def found_in_bulk(story: Story) -> Body:
    return {"lines": finding("staged-2", detector=DETECTOR)}


def found_as_ocsf(story: Story) -> Body:
    return ocsf()


SET = "cases/<ref>/exchange-sets/<exhibit>/"


def file_of_the_drop(story: Story) -> Body:
    return {"path": str(story.folder / "drop" / "a.ndjson"), "format": "ndjson"}


def reading(story: Story) -> Body:
    """A file that waits to be read."""
    args = {"source": story.named["source_id"], "kind": "exchanges", "path": "/nowhere", "format": ""}
    job = jobs.enqueue("telemetry.add", actor=story.cast.admin.principal, key="reading", args=args)
    return {"job": str(job.pk)}


def simulation(story: Story) -> Body:
    """Simulated telemetry that is asked for, and made by nobody."""
    return {"name": "staged", "accounts": 300, "exchanges": 4000, "kinds": ["hydra"]}


def feed_of_the_drop(story: Story) -> Body:
    """Another feed of the folder that the stage allows."""
    return {"name": "Another drop", **tried_feed(story)}


def tried_feed(story: Story) -> dict[str, Any]:
    settings = {"folder": str(story.folder / "drop")}
    return {"detector": "example-drop", "kind": "folder", "settings": settings, "mapping": {"as": "native"}}


def opened_link(story: Story) -> Body:
    """What the mailed link carries."""
    return {"proof": proof_of(MailAddress.objects.get(user=story.cast.reader))}


def another_webhook(story: Story) -> Body:
    """Another endpoint of the host that the stage allows."""
    return {"name": "Another", "url": "https://hooks.example.com/another", "types": ["lead.raised"]}


def detached(story: Story) -> Body:
    case = story.fresh("detached")
    return {"accounts": [str(case.accounts.earliest("pk").account_id)], "reason": "r"}


def put_back(story: Story) -> Body:
    case = Case.objects.get(ref=story.named["ref"])
    story.named["detachment_id"] = str(case.detachments.get().pk)
    return {"reason": "r"}


def kept_apart(story: Story) -> Body:
    lead = make_lead(provider_ids(3, "apart"))
    story.named["lead_id"] = str(lead.pk)
    return {"accounts": [str(lead.cluster.members.earliest("pk").account_id)], "reason": "r"}


def joined_again(story: Story) -> Body:
    story.named["decision_id"] = str(KeptApart.objects.latest("at").pk)
    return {"reason": "r"}


def past(story: Story) -> Body:
    return {"start": "2026-05-01T00:00:00Z", "end": "2026-05-02T00:00:00Z"}


def set_aside(story: Story) -> Body:
    return {"key": str(DetectorKey.objects.get(detector="outside").pk), "since": START.isoformat(), "reason": "r"}


STAGED: dict[str, tuple[str, Prepare]] = {
    "POST detectors/<detector_id>/quarantines/": ("administrator", set_aside),
    "POST detectors/<detector_id>/quarantines/<quarantine_id>/lift/": ("administrator", lambda story: {"reason": "r"}),
    "POST detectors/<detector_id>/versions/<detector_version_id>/recall/": (
        "administrator",
        lambda story: {"reason": "r"},
    ),
    "POST detectors/<detector_id>/versions/<detector_version_id>/reinstate/": (
        "administrator",
        lambda story: {"reason": "r"},
    ),
    "POST cases/<ref>/recalls/<flag_id>/answer/": ("analyst", lambda story: {"words": "w"}),
    "POST cases/<ref>/detachments/": ("analyst", detached),
    "POST cases/<ref>/detachments/<detachment_id>/undo/": ("analyst", put_back),
    "POST leads/<lead_id>/kept-apart/": ("analyst", kept_apart),
    "POST leads/<lead_id>/kept-apart/<decision_id>/undo/": ("analyst", joined_again),
    "DELETE attributes/excluded/<excluded_id>/": ("analyst", nothing),
    "DELETE detectors/<detector_id>/canaries/<canary_id>/": ("administrator", nothing),
    "POST clusters/<cluster_id>/drawing/": ("analyst", nothing),
    "POST feeds/": ("administrator", feed_of_the_drop),
    "POST telemetry/<source_id>/files/": ("administrator", file_of_the_drop),
    "POST telemetry/<source_id>/stop/": ("administrator", reading),
    "POST telemetry/simulate/": ("administrator", simulation),
    "POST telemetry/<source_id>/measures/": ("administrator", nothing),
    "POST feeds/try/": ("administrator", tried_feed),
    "POST feeds/<feed_id>/pull/": ("administrator", nothing),
    "POST feeds/<feed_id>/backfill/": ("administrator", past),
    "PUT people/me/mail/": ("reader", lambda story: {"address": "reader@example.com"}),
    "POST people/me/mail/confirm/": ("reader", opened_link),
    "DELETE people/me/mail/": ("reader", nothing),
    "DELETE people/<person_id>/mail/": ("administrator", nothing),
    "POST webhooks/": ("administrator", another_webhook),
    "POST webhooks/<webhook_id>/test/": ("administrator", nothing),
    "POST webhooks/<webhook_id>/deliveries/<delivery_id>/send-again/": ("administrator", nothing),
    "POST webhooks/<webhook_id>/secret/": ("administrator", lambda story: {"revision": 1, "hours": 1}),
    "POST webhooks/<webhook_id>/remove/": ("administrator", lambda story: {"revision": 2}),
    "PATCH cases/<ref>/uploads/<upload_id>/": ("analyst", upload),
    "POST cases/<ref>/uploads/<upload_id>/complete/": ("analyst", nothing),
    "DELETE cases/<ref>/uploads/<upload_id>/": ("analyst", another_upload),
    f"POST {SET}proof/": ("analyst", proven),
    "POST custodians/<custodian_id>/acknowledge/": ("counsel", acknowledged),
    "POST holds/<hold_id>/release/": ("case_lead", released_hold),
    "POST cases/<ref>/preservation/<request_id>/answers/": ("analyst", receipt),
    "POST cases/<ref>/move/": ("analyst", moved),
    "POST break-glass/": ("counsel", glass),
    "POST notices/<notice_id>/seen/": ("analyst", seen),
    "POST cases/<ref>/counsel/": ("counsel", opened_track),
    "POST cases/<ref>/verdicts/bulk/": ("analyst", bulk),
    "POST cases/<ref>/verdicts/bulk/<job_id>/undo/": ("analyst", undone),
    "POST jobs/<job_id>/stop/": ("administrator", stopped_run),
    "POST cases/<ref>/jobs/<job_id>/stop/": ("analyst", stopped),
    "POST cases/<ref>/deconfliction/": ("counsel", asked_broker),
    "POST deconfliction/<question_id>/matches/<match_id>/ask/": ("reader", approached),
    "POST cases/<ref>/deconfliction/told/<approach_id>/reply/": ("case_lead", replied),
    "POST deconfliction/<question_id>/answer/": ("reader", answered),
    "POST brokers/<term_id>/end/": ("administrator", lambda story: {"reason": "r"}),
    "POST leads/<lead_id>/snooze/": ("analyst", snoozed),
    "POST leads/<lead_id>/join/": ("analyst", joined),
    "POST leads/<lead_id>/open/": ("analyst", opened_case),
    "POST dossiers/<version_id>/approve/": ("counsel", approved),
    "POST dossiers/<version_id>/render/": ("analyst", nothing),
    "POST dossiers/<version_id>/disclosures/": ("analyst", disclosed),
    "POST disclosures/<ask_id>/release/": ("case_lead", released_disclosure),
    "POST disclosures/<ask_id>/notes/": ("analyst", noted),
    "POST cases/<ref>/evidence/<number>/listing/": ("analyst", listed),
    "POST cases/<ref>/evidence/<number>/derivatives/": ("analyst", derived),
    "POST erasure/preview/": ("counsel", previewed),
    "POST erasure/": ("counsel", erased),
    "POST destruction/orders/<order_id>/decide/": ("counsel", decided),
    "POST retention/policies/<policy_id>/order/": ("administrator", ordered),
    "POST accounts/lookup/": ("reader", looked_up),
    "POST sanctioned-testers/lookup/": ("reader", tested),
    "POST findings/": ("detector", found),
    "POST findings/bulk/": ("detector", found_in_bulk),
    "POST findings/ocsf/": ("watch", found_as_ocsf),
    "POST log/verifications/": ("administrator", nothing),
    "POST people/<person_id>/one-time-password/": ("administrator", nothing),
    "POST people/<person_id>/second-factor/reset/": ("administrator", nothing),
    "DELETE people/<person_id>/sessions/": ("administrator", nothing),
    "DELETE tokens/<token_id>/": ("administrator", nothing),
    "DELETE detector-keys/<key_id>/": ("administrator", nothing),
}
