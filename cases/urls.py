"""The addresses of the pages."""

from django.urls import path

from cases.views import (
    access,
    account_lists,
    case_list,
    chain,
    detector_keys,
    finding_list,
    frame,
    jobs,
    lead,
    log,
    notices,
    queue,
    system,
    vault,
)
from cases.views.urls_case import urlpatterns as case_pages
from cases.views.urls_counsel import urlpatterns as counsel_pages
from cases.views.urls_deconfliction import urlpatterns as deconfliction_pages
from cases.views.urls_detectors import urlpatterns as detector_pages
from cases.views.urls_exchange import urlpatterns as exchange_pages
from cases.views.urls_feeds import urlpatterns as feed_pages
from cases.views.urls_kept import urlpatterns as kept_pages
from cases.views.urls_runs import urlpatterns as run_pages
from cases.views.urls_testers import urlpatterns as tester_pages
from cases.views.urls_webhooks import urlpatterns as webhook_pages
from people.views.urls import urlpatterns as people_pages

urlpatterns = [
    path("", queue.queue, name="queue"),
    *people_pages,
    path("people/detector-keys/", detector_keys.detector_keys, name="detector_keys"),
    path("people/detector-keys/<uuid:pk>/limits/", detector_keys.limit_detector_key, name="limit_detector_key"),
    path("people/detector-keys/<uuid:pk>/replace/", detector_keys.replace_detector_key, name="replace_detector_key"),
    path("people/detector-keys/<uuid:pk>/revoke/", detector_keys.revoke_detector_key, name="revoke_detector_key"),
    path("colours/", frame.set_scheme, name="set_scheme"),
    path("leads/<uuid:pk>/", lead.lead, name="lead"),
    path("leads/<uuid:pk>/open/", lead.open_case, name="open_case"),
    path("leads/<uuid:pk>/join/", lead.join_case, name="join_case"),
    path("leads/<uuid:pk>/reject/", lead.reject_lead, name="reject_lead"),
    path("leads/<uuid:pk>/snooze/", lead.snooze_lead, name="snooze_lead"),
    path("leads/<uuid:pk>/reopen/", lead.reopen_lead, name="reopen_lead"),
    path("leads/<uuid:pk>/draw/", lead.draw_lead, name="draw_lead"),
    path("leads/<uuid:pk>/assign/", lead.assign_lead, name="assign_lead"),
    path("leads/<uuid:pk>/keep-apart/", lead.keep_apart, name="keep_apart"),
    path("leads/<uuid:pk>/kept-apart/<uuid:decision>/undo/", lead.join_again, name="join_again"),
    path("leads/<uuid:pk>/accounts/download/", account_lists.download_lead_accounts, name="download_lead_accounts"),
    path("findings/", finding_list.findings, name="findings"),
    path(
        "findings/<uuid:pk>/accounts/download/",
        account_lists.download_finding_accounts,
        name="download_finding_accounts",
    ),
    path("accounts/", account_lists.account_lookup, name="account_lookup"),
    path("cases/", case_list.cases, name="cases"),
    path("break-glass/", access.break_glass, name="break_glass"),
    path("notices/", notices.notice_list, name="notices"),
    path("notices/seen/", notices.see_all, name="see_all_notices"),
    path("me/notices/", notices.settings, name="notice_settings"),
    path("notices/<uuid:pk>/seen/", access.see_notice, name="see_notice"),
    *case_pages,
    *counsel_pages,
    *exchange_pages,
    *detector_pages,
    *feed_pages,
    *kept_pages,
    *run_pages,
    *deconfliction_pages,
    *tester_pages,
    *webhook_pages,
    path("log/", log.log, name="log"),
    path("system/", system.system, name="system"),
    path("vault/", vault.vault, name="vault"),
    path("vault/verify/", vault.verify_vault, name="verify_vault"),
    path("log/checkpoint/", log.download_checkpoint, name="download_checkpoint"),
    path("log/chain/", chain.chain, name="chain"),
    path("verify.py", chain.verifier, name="verifier"),
    path("log/verify/", chain.verify_now, name="verify_log"),
    path("log/verifications/<uuid:pk>/", chain.verification, name="verification"),
    path("log/checkpoints/<int:size>/", chain.checkpoint_note, name="checkpoint_note"),
    path("jobs/<uuid:pk>/", jobs.job, name="job"),
    path("jobs/<uuid:pk>/start-again/", log.start_again, name="start_again"),
]
