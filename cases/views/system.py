"""The page of the installation: workers, queues, what is scheduled, feeds, what comes in, and how the log stands."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from cases.system import system as read
from cases.views.feeds import BADGES
from cases.views.jobs import TITLES
from cases.views.log import failures
from people.policy import requires

# What each piece of scheduled work is called.
SCHEDULED = {
    "spine.tasks.sweep": "Hand back jobs of workers that died, and send what waits",
    "spine.tasks.tidy_outbox": "Forget follow-ups that were done long ago",
    "spine.tasks.stamp": "Have checkpoints time-stamped",
    "spine.tasks.depart": "Send checkpoints out of this site",
    "spine.tasks.verify_daily": "Ask for the daily verification of the log",
    "spine.tasks.sequence": "Number log entries and have them signed",
    "cases.tasks.verify_due": "Compare stored files that are due",
    "detection.tasks.pull_due_feeds": "Ask for pulls of feeds that are due",
    "detection.tasks.run_due_sources": "Ask for runs of sources whose time has come",
    "detection.tasks.tidy_simulations": "Remove what killed attempts at simulated telemetry left",
    "detection.tasks.sweep_groups": "Ask for the grouping of findings that wait",
    "cases.tasks.wake_leads": "Bring back snoozed leads whose time has come",
    "detection.tasks.hear_detectors": "Notice detectors that are silent and canaries that are missing",
    "detection.tasks.look_at_keys": "Notice keys of detectors that are in use and end soon",
    "cases.tasks.send_due_webhooks": "Send what is due to webhooks",
    "cases.tasks.tidy_webhooks": "Tell of webhook secrets that end, and forget old deliveries",
    "cases.tasks.look_at_clocks": "Notice evidence that is about to expire, and leads that wait for long",
    "cases.tasks.mail_due_notices": "Send mails of notices, and the daily digests that are due",
    "cases.tasks.measure_precision": "Measure the precision of detectors from verdicts",
    "cases.tasks.sweep_uploads": "End uploads nobody went on with",
}


@requires("system.read")
@require_safe
def system(request: HttpRequest) -> HttpResponse:
    """Everything at once; the page asks again by itself."""
    now = read()
    context = {
        "section": "system",
        "page_title": "System",
        "now": now,
        "workers": [
            {"worker": one, "doing": [{"job": job, "title": TITLES.get(job.kind, job.kind)} for job in one.doing]}
            for one in now.work.workers
        ],
        "queues": [
            {"queue": one, "title": TITLES.get(one.kind, one.kind)} for one in now.work.queues if not one.is_idle
        ],
        "follow_ups": [one for one in now.work.follow_ups if one.waiting],
        "schedule": [{"title": SCHEDULED.get(one.task, one.task), "seconds": one.seconds} for one in now.work.schedule],
        "feeds": [{"stands": one, "badge": BADGES[one.health.state]} for one in now.feeds],
        "failed": (failed := failures(request)),
        "failed_elsewhere": max(0, now.work.waiting_for_a_person - sum(1 for one in failed if not one["follow_up"])),
    }
    return render(request, "spine/system.html", context)
