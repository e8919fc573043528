"""Vault health: what is stored, when it was compared last, what failed. Digests alone; no case is named here."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from cases import verifying
from cases.access import visible_cases, visible_jobs
from cases.actions import verifying as verbs
from cases.models import EvidenceItem
from cases.views import case_frame, jobs, shared
from people.policy import requires
from people.rights import may
from spine.models import Job
from spine.principal import acting_as


@requires("log.read")
@require_safe
def vault(request: HttpRequest) -> HttpResponse:
    """The vault as a whole, and every stored file that failed its last comparison."""
    with acting_as(verbs.KEEPER):
        health = verifying.health()
        failed = list(verifying.failing().order_by("-at")[:200])
    known = EvidenceItem.objects.select_related("case").filter(case__in=visible_cases(request.user))
    digests = [check.sha256 for check in failed]
    held = {sha256: next(iter(items)) for sha256, items in verifying.exhibits_beside(digests).items() if items}
    by_id = {item.pk: item for item in known.filter(pk__in=held.values())}
    exhibits = {sha256: by_id.get(pk) for sha256, pk in held.items()}
    exhibits |= {item.sha256: item for item in known.filter(sha256__in=digests)}
    asked = case_frame.some_id(request.GET.get("job"))
    job = visible_jobs(request.user).filter(pk=asked, kind=verbs.COMPARE, scope=None).first() if asked else None
    going = job or Job.objects.filter(kind=verbs.COMPARE, scope=None, state__in=["queued", "running"]).first()
    context = {
        "section": "vault",
        "page_title": "Vault",
        "health": health,
        "shows_place": may(request.user, "detectors.write"),
        "failed": [{"check": check, "item": exhibits.get(check.sha256)} for check in failed],
        "may_verify": verbs.may_verify(request.user),
        "going": {"job": going, **jobs.progress(going)} if going else None,
    }
    return render(request, "cases/vault.html", context)


@requires("log.read")
def verify_vault(request: HttpRequest) -> HttpResponse:
    """Have everything compared now."""
    if request.method != "POST":
        return redirect("vault")
    job = verbs.verify_vault(actor=shared.person(request))
    return HttpResponseRedirect(f"{reverse('vault')}?job={job.id}")
