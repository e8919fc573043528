"""The ladder of roles on the pages: who gets what answer to GET and POST at every address, written by hand.

An address that is not in the table fails the test. What people may do is tried with an empty form, so that 422 means:
let through, told what is missing, nothing done. 302 leads a stranger to the sign-in page, everybody else as noted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from cases import actions
from cases.actions import dossiers
from cases.actions.destruction import set_policy
from cases.actions.redactions import propose_redaction
from cases.redaction import Mark
from detection.models import Finding, Run, TelemetryFile, TelemetrySource
from people.actions import create_token
from people.models import ApiToken, DetectorKey, MailAddress
from spine import jobs
from spine.ids import new_id
from spine.models import LogEntry
from tests.cases.deconflicting import ask, designate
from tests.cases.detaching import make_detachment
from tests.cases.exchanges import make_sample
from tests.cases.keeping import made_up_disclosure, made_up_order
from tests.cases.keeping_apart import make_decision
from tests.cases.newer import newer_version
from tests.cases.pages import client_of
from tests.cases.recalling import flagged
from tests.cases.testers import list_test
from tests.cases.tracks import let_in, make_track, write_note
from tests.cases.webhooks import make_delivery
from tests.detection.drawn import make_drawn_lead
from tests.detection.feeds.made import make_folder_feed
from tests.detection.registered import make_canary, make_detector, make_excluded, make_quarantine, make_version
from tests.factories import START, Cast, make_case, make_person, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
ROLES = ("anonymous", "administrator", "case_lead", "analyst", "counsel", "reader")
LEAD_VERBS = (
    *("open", "join", "snooze", "reject", "reopen", "assign", "draw", "keep-apart"),
    "kept-apart/<decision>/undo",
)
CASE_VERBS = (
    *("edit", "assign", "move", "claims/<letter>", "alternatives/<slug>", "accounts/undo/<pk>"),
    *("access/restrict", "access/open-up", "access/add", "access/remove/<username>"),
    *("timeline/<pk>/withdraw", "evidence/add", "dossiers/freeze"),
    *("accounts/detach", "clusters/<pk>/detach", "detachments/<pk>/undo"),
)
PRESERVE_VERBS = (*("preservation/request", "preservation/explain", "preservation/<pk>/answer", "holds/place"),)
HOLD_VERBS = ("custodians", "ask-release", "release")
CUSTODIAN_VERBS = ("acknowledge", "acknowledge-for", "remind")
SET = "cases/<ref>/sets/<exhibit>/"
DETECTOR_VERBS = (
    *("describe", "move", "grouping", "canaries", "quarantines", "quarantines/<found>/lift"),
    "canaries/<canary>/remove",
)
LADDER = {
    #                                         anonymous admin lead analyst counsel reader
    "GET healthz": "200 200 200 200 200 200",
    "POST healthz": "405 405 405 405 405 405",
    "GET readyz": "200 200 200 200 200 200",
    "POST readyz": "405 405 405 405 405 405",
    "GET metrics": "404 404 404 404 404 404",  # no token and no address is set
    "POST metrics": "404 404 404 404 404 404",
    "GET api/v1/docs/": "302 200 200 200 200 200",
    "POST api/v1/docs/": "302 405 405 405 405 405",
    # the frame; who is signed in already is led on
    "GET sign-in/": "200 302 302 302 302 302",
    "POST sign-in/": "200 302 302 302 302 302",
    # second steps of a sign-in that nobody here has begun; passkeys need a host name, and no provider is configured
    "GET sign-in/second-factor/": "302 302 302 302 302 302",
    "POST sign-in/second-factor/": "302 302 302 302 302 302",
    "GET sign-in/passkey/": "302 302 302 302 302 302",
    "POST sign-in/passkey/": "302 302 302 302 302 302",
    "GET sign-in/company/": "404 404 404 404 404 404",
    "POST sign-in/company/": "404 404 404 404 404 404",
    "GET sign-in/company/callback/": "404 404 404 404 404 404",
    "POST sign-in/company/callback/": "404 404 404 404 404 404",
    # one's own page, the same for everybody; the token is somebody else's
    "GET me/": "302 200 200 200 200 200",
    "POST me/": "302 405 405 405 405 405",
    "GET me/password/": "302 200 200 200 200 200",
    "POST me/password/": "302 422 422 422 422 422",
    "GET me/second-factor/": "302 200 200 200 200 200",
    "POST me/second-factor/": "302 405 405 405 405 405",
    "GET me/second-factor/app/": "302 200 200 200 200 200",
    "POST me/second-factor/app/": "302 200 200 200 200 200",  # without a code, the page
    "GET me/second-factor/passkey/": "302 404 404 404 404 404",
    "POST me/second-factor/passkey/": "302 404 404 404 404 404",
    "GET me/second-factor/remove/": "302 302 302 302 302 302",
    "POST me/second-factor/remove/": "302 302 302 302 302 302",
    "GET me/second-factor/recovery-codes/": "302 302 302 302 302 302",
    "POST me/second-factor/recovery-codes/": "302 302 302 302 302 302",
    "GET me/mail/": "302 200 200 200 200 200",
    "POST me/mail/": "302 422 422 422 422 422",
    "GET me/notices/": "302 200 200 200 200 200",
    "POST me/notices/": "302 422 422 422 422 422",
    "GET me/sessions/end/": "302 302 302 302 302 302",
    "POST me/sessions/end/": "302 302 302 302 302 302",
    "GET me/tokens/": "302 302 302 302 302 302",
    "POST me/tokens/": "302 422 422 422 422 422",
    "GET me/tokens/<pk>/revoke/": "302 302 302 302 302 302",
    "POST me/tokens/<pk>/revoke/": "302 404 404 404 404 404",
    "GET confirm/": "302 200 200 200 200 200",
    "POST confirm/": "302 422 422 422 422 422",
    # administration
    "GET people/": "302 200 403 403 403 403",
    "POST people/": "302 422 403 403 403 403",
    "GET people/roles/": "302 200 403 403 403 403",
    "POST people/roles/": "302 405 403 403 403 403",
    "GET people/detector-keys/": "302 200 403 403 403 403",
    "POST people/detector-keys/": "302 422 403 403 403 403",
    "GET people/detector-keys/<pk>/limits/": "302 200 403 403 403 403",
    "POST people/detector-keys/<pk>/limits/": "302 302 403 403 403 403",
    "GET people/detector-keys/<pk>/replace/": "302 200 403 403 403 403",
    "POST people/detector-keys/<pk>/replace/": "302 422 403 403 403 403",
    "GET people/detector-keys/<pk>/revoke/": "302 302 403 403 403 403",
    "POST people/detector-keys/<pk>/revoke/": "302 302 403 403 403 403",
    "GET people/<pk>/": "302 200 403 403 403 403",
    "POST people/<pk>/": "302 405 403 403 403 403",
    "GET people/<pk>/role/": "302 302 403 403 403 403",
    "POST people/<pk>/role/": "302 422 403 403 403 403",
    "GET people/<pk>/name/": "302 302 403 403 403 403",
    "POST people/<pk>/name/": "302 302 403 403 403 403",  # the empty name, which it has
    "GET people/<pk>/identity/": "302 404 403 403 403 403",
    "POST people/<pk>/identity/": "302 404 403 403 403 403",
    "GET people/<pk>/mail/clear/": "302 302 403 403 403 403",
    "POST people/<pk>/mail/clear/": "302 302 403 403 403 403",
    "GET people/<pk>/disable/": "302 302 403 403 403 403",
    "POST people/<pk>/disable/": "302 302 403 403 403 403",
    "GET people/<pk>/enable/": "302 302 403 403 403 403",
    "POST people/<pk>/enable/": "302 302 403 403 403 403",
    "GET people/<pk>/one-time-password/": "302 302 403 403 403 403",
    "POST people/<pk>/one-time-password/": "302 200 403 403 403 403",
    "GET people/<pk>/second-factor/reset/": "302 302 403 403 403 403",
    "POST people/<pk>/second-factor/reset/": "302 302 403 403 403 403",
    "GET people/<pk>/sessions/end/": "302 302 403 403 403 403",
    "POST people/<pk>/sessions/end/": "302 302 403 403 403 403",
    "GET people/<pk>/tokens/<token_id>/revoke/": "302 302 403 403 403 403",
    "POST people/<pk>/tokens/<token_id>/revoke/": "302 302 403 403 403 403",
    "GET sign-out/": "302 302 302 302 302 302",
    "GET colours/": "302 302 302 302 302 302",
    "POST colours/": "302 302 302 302 302 302",
    # the queue leads an administrator to the log
    "GET ": "302 302 200 200 200 200",
    "POST ": "302 302 405 405 405 405",
    "GET findings/": "302 403 200 200 200 200",
    "POST findings/": "302 403 405 405 405 405",
    "GET accounts/": "302 403 200 200 200 200",
    "POST accounts/": "302 403 422 422 422 422",
    "GET cases/<ref>/accounts/download/": "302 404 302 302 302 302",  # to the tab
    "POST cases/<ref>/accounts/download/": "302 404 200 200 200 403",
    "GET leads/<pk>/accounts/download/": "302 403 302 302 302 302",  # to the lead
    "POST leads/<pk>/accounts/download/": "302 403 200 200 200 403",
    "GET findings/<pk>/accounts/download/": "302 403 302 302 302 302",  # to the finding
    "POST findings/<pk>/accounts/download/": "302 403 200 200 200 403",
    "GET leads/<pk>/": "302 403 200 200 200 200",
    "POST leads/<pk>/": "302 403 405 405 405 405",
    **{f"GET leads/<pk>/{verb}/": "302 403 302 302 302 302" for verb in LEAD_VERBS},  # to the lead
    "POST leads/<pk>/open/": "302 403 422 422 403 403",
    "POST leads/<pk>/join/": "302 403 422 422 403 403",
    "POST leads/<pk>/snooze/": "302 403 422 422 403 403",
    "POST leads/<pk>/reject/": "302 403 422 422 403 403",
    "POST leads/<pk>/reopen/": "302 403 409 409 403 403",  # it waits already
    "POST leads/<pk>/assign/": "302 403 422 422 403 403",
    "POST leads/<pk>/keep-apart/": "302 403 422 422 403 403",
    "POST leads/<pk>/kept-apart/<decision>/undo/": "302 403 302 302 403 403",  # a reason is missing
    "POST leads/<pk>/draw/": "302 403 409 409 403 403",  # it is drawn already
    # cases: the list is refused, one case is as if it were missing
    "GET cases/": "302 403 200 200 200 200",
    "POST cases/": "302 403 405 405 405 405",
    "GET cases/<ref>/": "302 404 200 200 200 200",
    "POST cases/<ref>/": "302 404 405 405 405 405",
    **{f"GET cases/<ref>/{verb}/": "302 404 302 302 302 302" for verb in CASE_VERBS},  # to the tab
    "POST cases/<ref>/edit/": "302 404 422 422 422 403",
    "POST cases/<ref>/assign/": "302 404 409 409 409 403",  # nobody to nobody, while the analyst has it
    "POST cases/<ref>/move/": "302 404 422 422 422 403",
    "GET cases/<ref>/claims/": "302 404 200 200 200 200",
    "POST cases/<ref>/claims/": "302 404 405 405 405 405",
    "POST cases/<ref>/claims/<letter>/": "302 404 422 422 422 403",
    "POST cases/<ref>/alternatives/<slug>/": "302 404 422 422 422 403",
    "GET cases/<ref>/accounts/": "302 404 200 200 200 200",
    "POST cases/<ref>/accounts/": "302 404 422 422 422 403",
    "POST cases/<ref>/accounts/undo/<pk>/": "302 404 422 422 422 403",
    "POST cases/<ref>/accounts/detach/": "302 404 422 422 422 403",
    "POST cases/<ref>/clusters/<pk>/detach/": "302 404 422 422 422 403",
    "POST cases/<ref>/detachments/<pk>/undo/": "302 404 302 409 409 403",  # the first put it back
    "GET cases/<ref>/findings/": "302 404 200 200 200 200",
    "POST cases/<ref>/findings/": "302 404 405 405 405 405",
    "GET cases/<ref>/timeline/": "302 404 200 200 200 200",
    "POST cases/<ref>/timeline/": "302 404 422 422 422 403",
    "POST cases/<ref>/timeline/<pk>/withdraw/": "302 404 302 409 409 403",  # the first took it back
    "GET cases/<ref>/evidence/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/": "302 404 405 405 405 405",
    "POST cases/<ref>/evidence/add/": "302 404 422 422 422 403",
    "GET cases/<ref>/evidence/<number>/download/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/<number>/download/": "302 404 405 405 405 405",
    "GET cases/<ref>/preservation/": "302 404 200 200 200 200",
    "POST cases/<ref>/preservation/": "302 404 405 405 405 405",
    **{f"GET cases/<ref>/{verb}/": "302 404 302 302 302 302" for verb in PRESERVE_VERBS},  # to the tab
    "POST cases/<ref>/preservation/request/": "302 404 422 422 422 403",
    "POST cases/<ref>/preservation/explain/": "302 404 422 422 422 403",
    "POST cases/<ref>/preservation/<pk>/answer/": "302 404 422 422 422 403",
    "GET cases/<ref>/preservation/<pk>/letter/": "302 404 200 200 200 200",
    "POST cases/<ref>/preservation/<pk>/letter/": "302 404 405 405 405 405",
    # holds: placed and released by case leads and counsel
    "POST cases/<ref>/holds/place/": "302 404 422 403 422 403",
    "GET holds/": "302 403 200 200 200 200",
    "POST holds/": "302 403 405 405 405 405",
    "GET holds/<pk>/": "302 404 200 200 200 200",
    "POST holds/<pk>/": "302 404 405 405 405 405",
    **{f"GET holds/<pk>/{verb}/": "302 404 302 302 302 302" for verb in HOLD_VERBS},  # to the list
    "POST holds/<pk>/custodians/": "302 404 422 403 422 403",
    "POST holds/<pk>/ask-release/": "302 404 422 403 422 403",
    "POST holds/<pk>/release/": "302 404 422 403 422 403",
    **{f"GET custodians/<pk>/{verb}/": "302 404 302 302 302 302" for verb in CUSTODIAN_VERBS},  # to the list
    "POST custodians/<pk>/acknowledge/": "302 404 422 422 422 422",  # none of them is the custodian
    "POST custodians/<pk>/acknowledge-for/": "302 404 422 403 422 403",
    "POST custodians/<pk>/remind/": "302 404 422 403 422 403",
    # registers, disclosures, retention and erasure
    "GET registers/": "302 200 200 200 200 200",
    "POST registers/": "302 405 405 405 405 405",
    "GET registers/bases/": "302 302 302 302 302 302",  # to the registers
    "POST registers/bases/": "302 422 403 403 422 403",
    "GET registers/recipients/": "302 302 302 302 302 302",
    "POST registers/recipients/": "302 422 403 403 422 403",
    "GET disclosures/": "302 403 200 200 200 200",
    "POST disclosures/": "302 403 405 405 405 405",
    "GET disclosures/<pk>/release/": "302 404 302 302 302 302",  # to the list
    "POST disclosures/<pk>/release/": "302 404 422 403 422 403",  # its dossier is a draft
    "GET disclosures/<pk>/note/": "302 404 302 302 302 302",
    "POST disclosures/<pk>/note/": "302 404 422 422 422 403",
    "GET dossiers/<pk>/disclosures/": "302 404 200 200 200 200",
    "POST dossiers/<pk>/disclosures/": "302 404 405 405 405 405",
    "GET dossiers/<pk>/disclosures/ask/": "302 404 302 302 302 302",
    "POST dossiers/<pk>/disclosures/ask/": "302 404 422 422 422 403",
    "GET retention/": "302 200 200 404 200 404",
    "POST retention/": "302 405 405 404 405 404",
    "GET retention/policy/": "302 302 302 404 302 404",  # to the page
    "POST retention/policy/": "302 422 403 404 422 404",
    "GET retention/<pk>/order/": "302 302 302 404 302 404",
    "POST retention/<pk>/order/": "302 422 403 404 422 404",
    "GET retention/orders/<pk>/decide/": "302 302 302 404 302 404",
    "POST retention/orders/<pk>/decide/": "302 422 403 404 422 404",
    "GET erasure/": "302 200 200 404 200 404",
    "POST erasure/": "302 405 405 404 405 404",
    "GET erasure/order/": "302 302 302 404 302 404",
    "POST erasure/order/": "302 422 403 404 422 404",
    # detectors: administrators hold them to account; everybody may see how they stand
    "GET detectors/": "302 200 200 200 200 200",
    "POST detectors/": "302 405 405 405 405 405",
    "GET detectors/excluded/": "302 403 200 200 200 200",
    "POST detectors/excluded/": "302 403 422 422 403 403",
    "GET detectors/excluded/<pk>/readmit/": "302 403 302 302 302 302",  # to the list
    "POST detectors/excluded/<pk>/readmit/": "302 403 302 302 403 403",
    "GET detectors/<pk>/versions/<version>/": "302 200 200 200 200 200",
    "POST detectors/<pk>/versions/<version>/": "302 405 405 405 405 405",
    **{f"GET detectors/<pk>/versions/<version>/{verb}/": "302 302 302 302 302 302" for verb in ("recall", "reinstate")},
    **{
        f"POST detectors/<pk>/versions/<version>/{verb}/": "302 422 403 403 403 403" for verb in ("recall", "reinstate")
    },
    "GET cases/<ref>/recalls/<pk>/answer/": "302 404 302 302 302 302",  # to the tab
    "POST cases/<ref>/recalls/<pk>/answer/": "302 404 302 302 302 403",
    "GET detectors/<pk>/": "302 200 200 200 200 200",
    "POST detectors/<pk>/": "302 405 405 405 405 405",
    **{f"GET detectors/<pk>/{verb}/": "302 302 302 302 302 302" for verb in DETECTOR_VERBS},  # to the detector
    **{f"POST detectors/<pk>/{verb}/": "302 422 403 403 403 403" for verb in DETECTOR_VERBS[:-1]},
    "POST detectors/<pk>/canaries/<canary>/remove/": "302 302 403 403 403 403",
    # feeds: administrators set them up; everybody may see how they stand
    "GET feeds/": "302 200 200 200 200 200",
    "POST feeds/": "302 405 405 405 405 405",
    "GET feeds/new/": "302 200 403 403 403 403",
    "POST feeds/new/": "302 422 403 403 403 403",
    "GET feeds/<pk>/": "302 200 200 200 200 200",
    "POST feeds/<pk>/": "302 405 405 405 405 405",
    "GET feeds/<pk>/edit/": "302 200 403 403 403 403",
    "POST feeds/<pk>/edit/": "302 422 403 403 403 403",
    **{f"GET feeds/<pk>/{verb}/": "302 302 302 302 302 302" for verb in ("pull", "pause", "backfill")},  # to the feed
    "POST feeds/<pk>/pull/": "302 302 403 403 403 403",
    "POST feeds/<pk>/pause/": "302 422 403 403 403 403",
    "POST feeds/<pk>/backfill/": "302 422 403 403 403 403",
    # webhooks, which administrators keep
    "GET webhooks/": "302 200 403 403 403 403",
    "POST webhooks/": "302 405 403 403 403 403",
    "GET webhooks/new/": "302 200 403 403 403 403",
    "POST webhooks/new/": "302 422 403 403 403 403",
    "GET webhooks/<pk>/": "302 200 403 403 403 403",
    "POST webhooks/<pk>/": "302 405 403 403 403 403",
    "GET webhooks/<pk>/edit/": "302 200 403 403 403 403",
    "POST webhooks/<pk>/edit/": "302 422 403 403 403 403",
    **{f"GET webhooks/<pk>/{verb}/": "302 302 403 403 403 403" for verb in ("pause", "secret", "test", "remove")},
    "POST webhooks/<pk>/pause/": "302 422 403 403 403 403",
    "POST webhooks/<pk>/secret/": "302 422 403 403 403 403",
    "POST webhooks/<pk>/test/": "302 302 403 403 403 403",
    "POST webhooks/<pk>/remove/": "302 422 403 403 403 403",
    "GET webhooks/<pk>/deliveries/<delivery>/send-again/": "302 302 403 403 403 403",
    "POST webhooks/<pk>/deliveries/<delivery>/send-again/": "302 302 403 403 403 403",
    # runs: administrators start them
    "GET sources/<pk>/runs/": "302 200 200 200 200 200",
    "POST sources/<pk>/runs/": "302 405 405 405 405 405",
    **{f"GET sources/<pk>/runs/{verb}/": "302 302 302 302 302 302" for verb in ("start", "schedule")},  # to the runs
    "POST sources/<pk>/runs/start/": "302 302 403 403 403 403",
    "POST sources/<pk>/runs/schedule/": "302 422 403 403 403 403",
    "GET sources/<pk>/measure/": "302 302 302 302 302 302",  # to the runs
    "POST sources/<pk>/measure/": "302 302 403 403 403 403",
    "GET cases/<ref>/newer/<pk>/answer/": "302 404 302 302 302 302",  # to the case
    "POST cases/<ref>/newer/<pk>/answer/": "302 404 302 302 302 403",
    "GET runs/<pk>/": "302 200 200 200 200 200",
    "POST runs/<pk>/": "302 405 405 405 405 405",
    "GET runs/<pk>/changes/": "302 403 200 200 200 200",
    "POST runs/<pk>/changes/": "302 403 405 405 405 405",
    "GET runs/<pk>/changes/download/": "302 403 302 302 302 302",  # to the changes
    "POST runs/<pk>/changes/download/": "302 403 422 422 422 403",  # the stage's run is the first
    "GET runs/<pk>/clusters/download/": "302 403 302 302 302 302",  # to the run
    "POST runs/<pk>/clusters/download/": "302 403 200 200 200 403",
    # sources: what they keep is stated by administrators
    "GET sources/": "302 200 200 200 200 200",
    "POST sources/": "302 405 405 405 405 405",
    "GET sources/simulate/": "302 200 200 200 200 200",
    "POST sources/simulate/": "302 422 403 403 403 403",
    "GET sources/add/": "302 302 302 302 302 302",  # to the list
    "POST sources/add/": "302 422 403 403 403 403",
    "GET sources/<pk>/": "302 200 200 200 200 200",
    "POST sources/<pk>/": "302 405 405 405 405 405",
    "GET sources/<pk>/stop/": "302 302 302 302 302 302",  # to the source
    "POST sources/<pk>/stop/": "302 422 403 403 403 403",
    "GET sources/<pk>/files/<file>/": "302 200 200 200 200 200",
    "POST sources/<pk>/files/<file>/": "302 405 405 405 405 405",
    "GET sources/<pk>/retention/": "302 302 302 302 302 302",  # to the list
    "POST sources/<pk>/retention/": "302 422 403 403 403 403",
    "GET cases/<ref>/sets/new/": "302 404 200 200 200 200",
    "POST cases/<ref>/sets/new/": "302 404 405 405 405 405",
    "GET cases/<ref>/sets/make/": "302 404 302 302 302 302",  # to the tab
    "POST cases/<ref>/sets/make/": "302 404 422 422 422 403",
    f"GET {SET}": "302 404 200 200 200 200",
    f"POST {SET}": "302 404 405 405 405 405",
    **{f"GET {SET}{verb}/": "302 404 302 302 302 302" for verb in ("rerun", "prove", "plans")},  # to the set
    f"POST {SET}rerun/": "302 404 302 302 302 403",
    f"POST {SET}prove/": "302 404 422 422 422 422",
    f"POST {SET}plans/": "302 404 422 422 422 403",
    f"GET {SET}plans/<plan_number>/": "302 404 200 200 200 200",
    f"POST {SET}plans/<plan_number>/": "302 404 405 405 405 405",
    f"GET {SET}plans/<plan_number>/<ordinal>/": "302 404 200 200 200 200",
    f"POST {SET}plans/<plan_number>/<ordinal>/": "302 404 422 422 422 403",
    f"GET {SET}plans/<plan_number>/<ordinal>/prove/": "302 404 302 302 302 302",  # to the exchange
    f"POST {SET}plans/<plan_number>/<ordinal>/prove/": "302 404 200 200 200 200",
    "GET cases/<ref>/evidence/<number>/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/<number>/": "302 404 405 405 405 405",
    "GET cases/<ref>/evidence/<number>/text/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/<number>/text/": "302 404 405 405 405 405",
    "GET cases/<ref>/evidence/<number>/verify/": "302 404 302 302 302 302",  # to the exhibit, as after a post
    "POST cases/<ref>/evidence/<number>/verify/": "302 404 302 302 302 302",
    "GET cases/<ref>/evidence/<number>/derive/": "302 404 302 302 302 302",
    "POST cases/<ref>/evidence/<number>/derive/": "302 404 422 422 422 403",
    "GET cases/<ref>/evidence/<number>/list/": "302 404 302 302 302 302",
    "POST cases/<ref>/evidence/<number>/list/": "302 404 422 422 422 403",  # it is no archive
    "GET cases/<ref>/evidence/<number>/custody/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/<number>/custody/": "302 404 405 405 405 405",
    "GET cases/<ref>/evidence/<number>/redact/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/<number>/redact/": "302 404 422 422 422 403",
    "GET cases/<ref>/redactions/<pk>/": "302 404 302 302 302 302",  # to the exhibit
    "POST cases/<ref>/redactions/<pk>/": "302 404 422 422 422 403",
    "GET cases/<ref>/evidence/<number>/custody/pdf/": "302 404 200 200 200 200",
    "POST cases/<ref>/evidence/<number>/custody/pdf/": "302 404 405 405 405 405",
    "GET cases/<ref>/evidence/<number>/custody/record/": "302 404 302 302 302 302",
    "POST cases/<ref>/evidence/<number>/custody/record/": "302 404 422 422 422 403",
    "GET cases/<ref>/dossiers/": "302 404 200 200 200 200",
    "POST cases/<ref>/dossiers/": "302 404 405 405 405 405",
    "POST cases/<ref>/dossiers/freeze/": "302 404 422 422 422 403",
    "GET cases/<ref>/access/": "302 404 200 200 200 200",
    "POST cases/<ref>/access/": "302 404 405 405 405 405",
    "POST cases/<ref>/access/restrict/": "302 404 422 422 422 403",
    "POST cases/<ref>/access/open-up/": "302 404 422 422 422 403",
    "POST cases/<ref>/access/add/": "302 404 422 422 422 403",
    "POST cases/<ref>/access/remove/<username>/": "302 404 422 422 422 403",
    # breaking the glass, and notices: this one is nobody's
    "GET break-glass/": "302 403 200 403 200 403",
    "POST break-glass/": "302 403 422 403 422 403",
    "GET notices/": "302 200 200 200 200 200",
    "POST notices/": "302 405 405 405 405 405",
    "GET notices/seen/": "302 302 302 302 302 302",
    "POST notices/seen/": "302 302 302 302 302 302",
    "GET notices/<pk>/seen/": "302 302 302 302 302 302",
    "POST notices/<pk>/seen/": "302 302 302 302 302 302",
    "GET cases/<ref>/log/": "302 404 200 200 200 200",
    "POST cases/<ref>/log/": "302 404 405 405 405 405",
    # the counsel track: nothing is there for who is no member of it
    "GET cases/<ref>/counsel/": "302 404 404 404 200 404",
    "POST cases/<ref>/counsel/": "302 404 404 404 422 404",
    "GET cases/<ref>/counsel/open/": "302 404 404 404 302 404",
    "POST cases/<ref>/counsel/open/": "302 404 404 404 422 404",
    "GET cases/<ref>/counsel/notes/<pk>/withdraw/": "302 404 404 404 302 404",
    "POST cases/<ref>/counsel/notes/<pk>/withdraw/": "302 404 404 404 302 404",
    "GET cases/<ref>/counsel/members/": "302 404 404 404 200 404",
    "POST cases/<ref>/counsel/members/": "302 404 404 404 422 404",
    "GET cases/<ref>/counsel/members/<pk>/end/": "302 404 404 404 302 404",
    "POST cases/<ref>/counsel/members/<pk>/end/": "302 404 404 404 422 404",
    "GET cases/<ref>/counsel/log/": "302 404 404 404 200 404",
    "POST cases/<ref>/counsel/log/": "302 404 405 405 405 405",
    "GET cases/<ref>/counsel/exports/": "302 404 404 404 200 404",
    "POST cases/<ref>/counsel/exports/": "302 404 404 404 422 404",
    # deconfliction: the reader is the broker here, and the desk is there for nobody else
    "GET cases/<ref>/deconfliction/": "302 404 200 200 200 200",
    "POST cases/<ref>/deconfliction/": "302 404 422 422 422 403",
    "GET cases/<ref>/deconfliction/<pk>/reply/": "302 404 302 302 302 302",
    "POST cases/<ref>/deconfliction/<pk>/reply/": "302 404 404 404 404 403",  # no broker asked this case
    "GET deconfliction/": "302 404 404 404 404 200",
    "POST deconfliction/": "302 404 405 405 405 405",
    "GET deconfliction/<pk>/": "302 404 404 404 404 200",
    "POST deconfliction/<pk>/": "302 404 404 404 404 422",
    "GET deconfliction/<pk>/matches/<match>/ask/": "302 404 404 404 404 302",
    "POST deconfliction/<pk>/matches/<match>/ask/": "302 404 404 404 404 404",  # nothing was found
    "GET brokers/": "302 200 403 403 403 403",
    "POST brokers/": "302 422 403 403 403 403",
    "GET brokers/<pk>/end/": "302 302 403 403 403 403",
    "POST brokers/<pk>/end/": "302 422 403 403 403 403",
    # sanctioned testers: kept by case leads and administrators, read by all who read cases
    "GET sanctioned-testers/": "302 200 200 200 200 200",
    "POST sanctioned-testers/": "302 422 422 403 403 403",
    "GET sanctioned-testers/look-up/": "302 302 302 302 302 302",
    "POST sanctioned-testers/look-up/": "302 422 422 422 422 422",
    "GET sanctioned-testers/<pk>/end/": "302 302 302 302 302 302",
    "POST sanctioned-testers/<pk>/end/": "302 422 422 403 403 403",
    # dossiers: approved by a second person, of a role that may
    "GET dossiers/<pk>/": "302 404 200 200 200 200",
    "POST dossiers/<pk>/": "302 404 405 405 405 405",
    "GET dossiers/<pk>/approve/": "302 404 302 302 302 302",
    "POST dossiers/<pk>/approve/": "302 404 422 403 422 403",
    "GET dossiers/<pk>/render/": "302 404 302 302 302 302",
    "POST dossiers/<pk>/render/": "302 404 302 302 302 403",
    "GET dossiers/<pk>/download/": "302 404 422 422 422 422",  # nobody has rendered it yet
    "POST dossiers/<pk>/download/": "302 404 405 405 405 405",
    # the log, of which an administrator reads what tells of no case; this job is a case's
    "GET log/": "302 200 200 200 200 200",
    "POST log/": "302 405 405 405 405 405",
    "GET system/": "302 200 403 403 403 403",
    "POST system/": "302 405 403 403 403 403",
    "GET vault/": "302 200 200 200 200 200",
    "POST vault/": "302 405 405 405 405 405",
    "GET vault/verify/": "302 302 302 302 302 302",
    "POST vault/verify/": "302 302 302 302 302 403",
    "GET verify.py": "302 200 200 200 200 200",
    "POST verify.py": "302 405 405 405 405 405",
    "GET log/checkpoint/": "302 200 200 200 200 200",
    "POST log/checkpoint/": "302 405 405 405 405 405",
    "GET log/chain/": "302 200 200 200 200 200",
    "POST log/chain/": "302 405 405 405 405 405",
    "GET log/verify/": "302 302 302 302 302 403",  # to the chain
    "POST log/verify/": "302 302 302 302 302 403",  # to the one that runs
    "GET log/verifications/<pk>/": "302 404 404 404 404 404",  # this job is a case's
    "POST log/verifications/<pk>/": "302 405 405 405 405 405",
    "GET log/checkpoints/<size>/": "302 404 404 404 404 404",  # nothing was signed at this size
    "POST log/checkpoints/<size>/": "302 405 405 405 405 405",
    "GET jobs/<pk>/": "302 404 200 200 200 200",
    "POST jobs/<pk>/": "302 405 405 405 405 405",
    "GET jobs/<pk>/stop/": "302 302 302 302 302 302",  # to the job
    "POST jobs/<pk>/stop/": "302 404 422 422 422 403",  # a decision about verdicts is not stopped
    "GET jobs/<pk>/start-again/": "302 302 302 302 302 302",  # to the job
    "POST jobs/<pk>/start-again/": "302 404 422 422 422 404",  # it has not failed
    "POST sign-out/": "302 302 302 302 302 302",  # last: it ends the sessions
}
# What `<pk>` is of, by how the address begins; the longest that fits counts.
KINDS = {
    "people/": "person",
    "people/detector-keys/": "key",
    "me/tokens/": "token",
    "leads/": "lead",
    "findings/": "finding",
    "jobs/": "job",
    "log/verifications/": "job",
    "dossiers/": "version",
    "notices/": "note",
    "cases/<ref>/accounts/undo/": "job",
    "cases/<ref>/timeline/": "note",
    "cases/<ref>/clusters/": "cluster",
    "cases/<ref>/detachments/": "detachment",
    "sanctioned-testers/": "test",
    "deconfliction/": "question",
    "brokers/": "term",
    "cases/<ref>/deconfliction/": "approach",
    "cases/<ref>/redactions/": "proposal",
    "cases/<ref>/counsel/notes/": "counsel note",
    "cases/<ref>/counsel/members/": "counsel member",
    "cases/<ref>/preservation/": "request",
    "holds/": "hold",
    "disclosures/": "disclosure",
    "retention/": "policy",
    "retention/orders/": "order",
    "custodians/": "custodian",
    "sources/": "source",
    "runs/": "run",
    "detectors/": "detector",
    "detectors/excluded/": "excluded",
    "cases/<ref>/recalls/": "flag",
    "cases/<ref>/newer/": "newer",
    "feeds/": "feed",
    "webhooks/": "webhook",
}
# What reading may leave in the log.
TRACES = (
    "evidence.viewed",
    "evidence.copied",
    "person.signed_out",
    "timeline.withdrawn",
    "counsel.read",
    "counsel.withdrawn",
)
# What an administrator does here, to somebody made for that.
TRACES += ("person.disabled", "person.enabled", "person.one_time_password", "person.second_factor_reset")
TRACES += ("exchange_set.proved", "canary.removed", "value.readmitted")
TRACES += ("accounts.exported", "case.attached_again", "run.changes_exported")
TRACES += ("run.clusters_exported", "lead.accounts_exported", "finding.accounts_exported")
TRACES += ("token.revoked", "detector_key.revoked", "person.mail_cleared")
TRACES += ("deconfliction.read",)
TRACES += ("webhook.tested", "webhook.sent_again")
# Addresses under api/v1/ answer keys as well as browsers: tests/test_roles_api.py has their ladder.
OF_THE_API = "api/v1/"
PAGES_OF_THE_API = {"api/v1/docs/"}


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for item in resolver.url_patterns:
        path = prefix + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from addresses(item, path)
        elif isinstance(item, URLPattern):
            yield path


def every_page() -> set[str]:
    """Every address outside the API; parameters by name alone."""
    found = set()
    for path in addresses(get_resolver()):
        for kind in ("uuid:", "str:", "int:", "slug:"):
            path = path.replace(kind, "")
        if not path.startswith(OF_THE_API) or path in PAGES_OF_THE_API:
            found.add(path)
    return found


@pytest.fixture
def stage(committed_cast: Cast, checkpoints_apart: Any, settings: Any, tmp_path: Path) -> dict[str, str]:
    """One of everything an address can name, as text: a case with an exhibit, an entry and a frozen version."""
    settings.DECONFLICTION_LEAST_ACCOUNTS = 1
    settings.WORKER_SILENT_SECONDS = 24 * 3600  # no page asks in the middle of a long walk where the worker is
    analyst = committed_cast.analyst
    case = make_case(committed_cast, stage="judged")
    note = actions.add_timeline_note(
        case, actor=analyst, lane="decisions", starts_at=START, text="Told", source="Mail", confidence="high"
    )
    hold = actions.place_hold(
        case,
        actor=committed_cast.counsel,
        matter="A dispute",
        trigger="A letter",
        triggered_at=START,
        scope="case",
        keepers=[actions.Keeper(name="Gateway team")],
    )
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    plan = make_sample(case, analyst, tmp_path)
    policy = set_policy(actor=committed_cast.admin, data_class="packages", days=90, basis="Records rule 7")
    version = dossiers.freeze(case, actor=analyst, edition="counsel")
    job = jobs.enqueue("verdicts.set", actor="user:analyst", key="ladder", scope=case.id)
    track = make_track(case, committed_cast)
    spare = make_person("spare", "reader")
    MailAddress.objects.create(user=spare, address="spare@example.com")
    create_token(actor="system:test", username="spare")
    outside, outside_key = make_detector()
    token, key = ApiToken.objects.get(), DetectorKey.objects.get()
    feed = make_folder_feed(settings, tmp_path)
    delivery = make_delivery(settings, committed_cast.admin)
    lead = make_drawn_lead(provider_ids(3, "other"))
    found: dict[str, object] = {
        "webhook": delivery.webhook_id,
        "<delivery>": delivery.pk,
        "test": list_test(committed_cast.lead).pk,
        "term": designate(committed_cast, committed_cast.reader).pk,
        "question": ask(case, committed_cast.lead).pk,
        "approach": new_id(),
        "<match>": new_id(),
        "counsel note": write_note(track, committed_cast.counsel).pk,
        "counsel member": let_in(track, committed_cast, make_person("outside", "analyst")).pk,
        "lead": lead.pk,
        "finding": Finding.objects.earliest("id").pk,
        "<decision>": make_decision(lead, committed_cast.lead).pk,
        "job": job.pk,
        "version": version.pk,
        "note": note.pk,
        "proposal": propose_redaction(case.evidence.earliest("number"), actor=analyst, marks=[Mark(0, 4, "secret")]).pk,
        "request": case.preservation_requests.get().pk,
        "hold": hold.pk,
        "custodian": hold.custodians.get().pk,
        "disclosure": made_up_disclosure(version, analyst).pk,
        "policy": policy.pk,
        "order": made_up_order(policy, committed_cast.admin).pk,
        "detector": outside.pk,
        "<canary>": make_canary(outside).pk,
        "<found>": make_quarantine(outside_key).pk,
        "<version>": make_version(outside).pk,
        "flag": flagged(case).pk,
        "newer": newer_version(case).pk,
        "excluded": make_excluded().pk,
        "feed": feed.pk,
        "cluster": case.clusters.get().cluster_id,
        "detachment": make_detachment(case, analyst).pk,
        "source": TelemetrySource.objects.get(name="api-logs").pk,
        "<file>": TelemetryFile.objects.create(
            source=TelemetrySource.objects.get(name="api-logs"),
            kind="accounts",
            name="a",
            sha256="a",
            size=1,
            rows=1,
            bad=0,
            repeated=0,
        ).pk,
        "run": Run.objects.latest("finished_at").pk,
        "<ref>": case.ref,
        "person": spare.pk,
        "key": key.pk,
        "token": token.pk,
        "<token_id>": token.pk,
        "<letter>": "a",
        "<slug>": "reseller",
        "<number>": 1,
        "<size>": 999_999,
        "<exhibit>": plan.exchange_set.item.number,
        "<plan_number>": plan.number,
        "<ordinal>": 1,
        "<username>": "counsel",
    }
    return {name: str(value) for name, value in found.items()}


@pytest.fixture
def callers(committed_cast: Cast) -> dict[str, Client]:
    return {"anonymous": Client(), **{person.role: client_of(person) for person in committed_cast.all()}}


def filled(path: str, stage: dict[str, str]) -> str:
    if "<pk>" in path:
        start = max((one for one in KINDS if path.startswith(one)), key=len)
        path = path.replace("<pk>", stage[KINDS[start]])
    for name, value in stage.items():
        path = path.replace(name, value) if name.startswith("<") else path
    return f"/{path}"


def test_the_table_has_every_page_for_get_and_post_and_no_other() -> None:
    assert set(LADDER) == {f"{method} {path}" for path in every_page() for method in ("GET", "POST")}


def test_every_role_gets_the_answer_of_the_table(callers: dict[str, Client], stage: dict[str, str]) -> None:
    wrong = []
    before = LogEntry.objects.exclude(action__in=TRACES).count()
    for line, expected in LADDER.items():
        method, _, path = line.partition(" ")
        for role, status in zip(ROLES, expected.split(), strict=True):
            answer = getattr(callers[role], method.lower())(filled(path, stage))
            answer.getvalue()  # reads a download to its end
            if answer.status_code != int(status):
                wrong.append(f"{line} as {role}: {answer.status_code}, not {status}")
    assert wrong == []
    assert LogEntry.objects.exclude(action__in=TRACES).count() == before


def test_a_stranger_is_led_to_the_sign_in_page_and_back(callers: dict[str, Client], stage: dict[str, str]) -> None:
    for line, expected in LADDER.items():
        method, _, path = line.partition(" ")
        if method == "GET" and expected.startswith("302") and not path.startswith("sign-in/"):
            address = filled(path, stage)
            assert callers["anonymous"].get(address)["Location"] == f"/sign-in/?next={address}"
