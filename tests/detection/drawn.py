"""A lead over accounts that fill the same template, with telemetry of theirs, made by the real doors and jobs."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.utils import timezone

from cases.models import Lead
from detection import detector_verbs, drawing, ingest, registry, sources
from detection.grouping import source_of
from detection.models import Detector
from detection.records import rfc3339
from spine import outbox
from spine.models import Job
from tests.detection.samples import finding
from tests.factories import provider_ids, run_job

WATCH = "template-watch"
FRAME = "grade the answer of ‹name› from one to ten: …"
RULE = {"by": ["template", "payment_fingerprint"], "least_findings": 1, "least_accounts": 2}


def make_template_lead(accounts: Sequence[str], *, frame: str = FRAME, template: str = "head-0f31") -> Lead:
    """The lead of one finding about these accounts, which pay alike too; nothing of it is drawn."""
    watch, _ = registry.create_detector(actor="user:admin", name=WATCH)
    if watch.grouping is None:
        detector_verbs.set_grouping(watch, actor="user:admin", revision=watch.revision, grouping=RULE)
    shown = [{"type": "template", "value": template}, {"type": "payment_fingerprint", "value": f"pf_{template}"}]
    document = finding(
        template,
        detector={"name": WATCH, "version": "1.0"},
        accounts=[{"id": account, "exchanges": 10, "attributes": shown} for account in accounts],
        support={"template": frame, "exchanges": 420, "fillings": 380, "days": 12},
    )
    counts = ingest.store([document], actor=f"detector:{WATCH}", detector=WATCH)
    assert not counts.rejected, counts.errors
    run_job(Job.objects.filter(kind="findings.group").latest("created_at"))
    outbox.relay_all()
    return Lead.objects.latest("raised_at", "id")


def add_exchanges(rows: Sequence[tuple[str, datetime]]) -> None:
    """Exchanges of these accounts at these times, in the telemetry that the watch's leads stand on."""
    lines = [
        {"request_id": f"r{place}", "ts": rfc3339(at), "account_id": account, "model": "aster-1"}
        for place, (account, at) in enumerate(rows)
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.ndjson"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        source = source_of(Detector.objects.get(name=WATCH))
        sources.add_file(actor="user:lead", source=source, kind="exchanges", path=path)


def make_drawn_lead(accounts: int | Sequence[str] = 4, **given: Any) -> Lead:
    """A lead that is drawn: each account with two exchanges, three hours apart."""
    group = provider_ids(accounts, "drawn") if isinstance(accounts, int) else accounts
    hours_ago = [timezone.now() - timedelta(hours=hours) for hours in (5, 2)]
    lead = make_template_lead(group, **given)
    add_exchanges([(account, at) for account in group for at in hours_ago])
    assert run_job(drawing.request_drawing(lead.cluster, actor="user:analyst")).state == "done"
    return lead
