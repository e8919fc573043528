"""The ladder of roles on the API: who gets what answer at every address and method, written by hand.

An address or a method that is not in the table fails the test. What callers may do is tried with a body in which every
field is bad, so that 400 means: let through, and nothing done.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from rest_framework.test import APIClient

from cases import actions
from cases.actions.destruction import set_policy
from cases.actions.redactions import propose_redaction
from cases.actions.uploads import start_upload
from cases.models import Case, DossierVersion, Lead
from cases.redaction import Mark
from detection.models import Account, Attribute, Cluster, Finding, Run, TelemetryFile, TelemetrySource
from people.actions import create_token
from people.models import DetectorKey, MailAddress, User
from spine import jobs, log
from spine.ids import new_id
from tests.cases.api import client_of, client_of_detector
from tests.cases.deconflicting import ask, designate
from tests.cases.detaching import make_detachment
from tests.cases.exchanges import make_sample
from tests.cases.keeping import made_up_disclosure, made_up_order
from tests.cases.keeping_apart import make_decision
from tests.cases.newer import newer_version
from tests.cases.recalling import flagged
from tests.cases.testers import list_test
from tests.cases.tracks import let_in, make_track, write_note
from tests.cases.webhooks import make_delivery
from tests.detection.feeds.made import make_folder_feed
from tests.detection.registered import make_canary, make_detector, make_excluded, make_quarantine, make_version
from tests.factories import START, Cast, add_exhibit, make_case, make_lead, make_person, preserve_all, provider_ids

# The doors for findings commit by themselves, so the tests do too.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
ROLES = ("anonymous", "administrator", "case_lead", "analyst", "counsel", "reader", "detector")
SET = "cases/<ref>/exchange-sets/<exhibit>/"
LADDER = {
    #                                                     anonymous admin lead analyst counsel reader detector
    "GET schema/": "401 200 200 200 200 200 200",
    # people, tokens and keys; somebody else's token is as if it were missing, save to an administrator
    "GET people/": "401 200 403 403 403 403 403",
    "POST people/": "401 400 403 403 403 403 403",
    "GET people/me/": "401 200 200 200 200 200 403",
    "GET people/me/mail/": "401 404 404 404 404 404 403",
    "PUT people/me/mail/": "401 400 400 400 400 400 403",
    "DELETE people/me/mail/": "401 409 409 409 409 409 403",
    "POST people/me/mail/confirm/": "401 400 400 400 400 400 403",
    "GET people/<person_id>/mail/": "401 200 403 403 403 403 403",
    "DELETE people/<person_id>/mail/": "401 204 403 403 403 403 403",
    "GET people/<person_id>/": "401 200 403 403 403 403 403",
    "PATCH people/<person_id>/": "401 400 403 403 403 403 403",
    "POST people/<person_id>/one-time-password/": "401 200 403 403 403 403 403",
    "POST people/<person_id>/second-factor/reset/": "401 200 403 403 403 403 403",
    "GET people/<person_id>/sessions/": "401 200 403 403 403 403 403",
    "DELETE people/<person_id>/sessions/": "401 200 403 403 403 403 403",
    "GET tokens/": "401 200 200 200 200 200 403",
    "POST tokens/": "401 400 400 400 400 400 403",
    "GET tokens/<token_id>/": "401 200 404 404 404 404 403",
    "DELETE tokens/<token_id>/": "401 200 404 404 404 404 403",
    "GET detector-keys/": "401 200 403 403 403 403 403",
    "GET detector-keys/<key_id>/": "401 200 403 403 403 403 403",
    "PATCH detector-keys/<key_id>/": "401 400 403 403 403 403 403",
    "POST detector-keys/<key_id>/replace/": "401 400 403 403 403 403 403",
    "DELETE detector-keys/<key_id>/": "401 200 403 403 403 403 403",
    # leads, clusters, findings, accounts, attributes
    "GET leads/": "401 403 200 200 200 200 403",
    "GET leads/<lead_id>/": "401 403 200 200 200 200 403",
    "POST leads/<lead_id>/open/": "401 403 400 400 403 403 403",
    "POST leads/<lead_id>/join/": "401 403 400 400 403 403 403",
    "POST leads/<lead_id>/snooze/": "401 403 400 400 403 403 403",
    "POST leads/<lead_id>/reject/": "401 403 400 400 403 403 403",
    "POST leads/<lead_id>/reopen/": "401 403 400 400 403 403 403",
    "POST leads/<lead_id>/assign/": "401 403 400 400 403 403 403",
    "GET leads/<lead_id>/accounts/download/": "401 403 200 200 200 403 403",
    "GET leads/<lead_id>/kept-apart/": "401 403 200 200 200 200 403",
    "POST leads/<lead_id>/kept-apart/": "401 403 400 400 403 403 403",
    "POST leads/<lead_id>/kept-apart/<decision_id>/undo/": "401 403 400 400 403 403 403",
    "GET clusters/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/members/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/links/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/findings/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/capabilities/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/drawing/": "401 403 200 200 200 200 403",
    "POST clusters/<cluster_id>/drawing/": "401 403 202 202 403 403 403",
    "GET clusters/<cluster_id>/graph/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/hours/": "401 403 200 200 200 200 403",
    "GET clusters/<cluster_id>/templates/": "401 403 200 200 200 200 403",
    "GET findings/": "401 403 200 200 200 200 403",
    "POST findings/": "401 403 403 403 403 403 400",
    "POST findings/bulk/": "401 403 403 403 403 403 415",
    "POST findings/ocsf/": "401 403 403 403 403 403 400",
    "GET findings/<finding_id>/": "401 403 200 200 200 200 403",
    "GET findings/<finding_id>/accounts/": "401 403 200 200 200 200 403",
    "GET findings/<finding_id>/accounts/download/": "401 403 200 200 200 403 403",
    "GET findings/<finding_id>/received/": "401 403 200 200 200 403 403",
    "GET accounts/": "401 403 200 200 200 200 403",
    "POST accounts/lookup/": "401 403 400 400 400 400 403",
    "POST accounts/known/": "401 403 400 400 400 400 403",
    "GET cases/<ref>/accounts/download/": "401 404 200 200 200 403 404",
    "GET accounts/<account_id>/": "401 403 200 200 200 200 403",
    "GET attributes/": "401 403 200 200 200 200 403",
    "GET attributes/<attribute_id>/": "401 403 200 200 200 200 403",
    # detectors, feeds and telemetry sources
    "GET detectors/": "401 200 200 200 200 200 403",
    "POST detectors/": "401 400 403 403 403 403 403",
    "GET detectors/<detector_id>/": "401 200 200 200 200 200 403",
    "GET detectors/<detector_id>/versions/<detector_version_id>/": "401 200 200 200 200 200 403",
    "GET detectors/<detector_id>/versions/<detector_version_id>/leaning/": "401 403 200 200 200 200 403",
    "POST detectors/<detector_id>/versions/<detector_version_id>/recall/": "401 400 403 403 403 403 403",
    "POST detectors/<detector_id>/versions/<detector_version_id>/reinstate/": "401 409 403 403 403 403 403",
    "GET cases/<ref>/detachments/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/detachments/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/detachments/<detachment_id>/undo/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/recalls/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/recalls/<flag_id>/answer/": "401 404 400 400 400 403 404",
    "GET attributes/excluded/": "401 403 200 200 200 200 403",
    "POST attributes/excluded/": "401 403 400 400 403 403 403",
    "DELETE attributes/excluded/<excluded_id>/": "401 403 204 204 403 403 403",
    "PATCH detectors/<detector_id>/": "401 400 403 403 403 403 403",
    "GET detectors/<detector_id>/canaries/": "401 200 200 200 200 200 403",
    "POST detectors/<detector_id>/canaries/": "401 400 403 403 403 403 403",
    "DELETE detectors/<detector_id>/canaries/<canary_id>/": "401 204 403 403 403 403 403",
    "GET detectors/<detector_id>/quarantines/": "401 200 200 200 200 200 403",
    "POST detectors/<detector_id>/quarantines/": "401 400 403 403 403 403 403",
    "POST detectors/<detector_id>/quarantines/<quarantine_id>/lift/": "401 400 403 403 403 403 403",
    "GET feeds/": "401 200 200 200 200 200 403",
    "POST feeds/": "401 400 403 403 403 403 403",
    "POST feeds/try/": "401 400 403 403 403 403 403",
    "GET feeds/<feed_id>/": "401 200 200 200 200 200 403",
    "PATCH feeds/<feed_id>/": "401 400 403 403 403 403 403",
    "POST feeds/<feed_id>/pull/": "401 202 403 403 403 403 403",
    "POST feeds/<feed_id>/backfill/": "401 400 403 403 403 403 403",
    "GET feeds/<feed_id>/pulls/": "401 200 200 200 200 200 403",
    "GET telemetry/": "401 200 200 200 200 200 403",
    "POST telemetry/": "401 400 403 403 403 403 403",
    "GET telemetry/<source_id>/contents/": "401 200 200 200 200 200 403",
    "POST telemetry/<source_id>/stop/": "401 400 403 403 403 403 403",
    "POST telemetry/<source_id>/files/": "401 400 403 403 403 403 403",
    "GET telemetry/<source_id>/": "401 200 200 200 200 200 403",
    "GET cases/<ref>/newer-versions/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/newer-versions/<newer_id>/answer/": "401 404 400 400 400 403 404",
    "GET runs/": "401 200 200 200 200 200 403",
    "GET runs/<run_id>/": "401 200 200 200 200 200 403",
    "GET runs/<run_id>/changes/": "401 403 200 200 200 200 403",
    "GET runs/<run_id>/changes/accounts/": "401 403 200 200 200 403 403",
    "GET runs/<run_id>/clusters/download/": "401 403 200 200 200 403 403",
    "POST telemetry/<source_id>/runs/": "401 400 403 403 403 403 403",
    "POST telemetry/simulate/": "401 400 403 403 403 403 403",
    "GET telemetry/<source_id>/measures/": "401 200 200 200 200 200 403",
    "POST telemetry/<source_id>/measures/": "401 202 403 403 403 403 403",
    "GET telemetry/<source_id>/runs/schedule/": "401 200 200 200 200 200 403",
    "PUT telemetry/<source_id>/runs/schedule/": "401 400 403 403 403 403 403",
    "GET telemetry/<source_id>/retention/": "401 200 200 200 200 200 403",
    "POST telemetry/<source_id>/retention/": "401 400 403 403 403 403 403",
    "GET telemetry/<source_id>/files/": "401 200 200 200 200 200 403",
    "GET telemetry/<source_id>/files/<file_id>/bad-lines/": "401 200 200 200 200 200 403",
    # cases and all under them: to a stranger, one case is as if it were missing
    "GET cases/": "401 403 200 200 200 200 403",
    "GET cases/<ref>/": "401 404 200 200 200 200 404",
    "PATCH cases/<ref>/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/move/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/assign/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/accounts/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/verdicts/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/verdicts/bulk/": "401 404 400 400 400 400 404",
    "POST cases/<ref>/verdicts/bulk/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/verdicts/bulk/<job_id>/undo/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/findings/": "401 404 200 200 200 200 404",
    "GET cases/<ref>/claims/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/claims/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/alternatives/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/alternatives/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/timeline/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/timeline/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/timeline/<note_id>/withdraw/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/evidence/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/evidence/": "401 404 415 415 415 403 404",
    "GET cases/<ref>/evidence/<number>/": "401 404 200 200 200 200 404",
    "GET cases/<ref>/evidence/<number>/content/": "401 404 200 200 200 200 404",
    "GET cases/<ref>/access/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/access/restrict/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/access/open-up/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/access/members/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/access/members/remove/": "401 404 400 400 400 403 404",
    "POST break-glass/": "401 403 400 403 400 403 403",
    "GET notices/": "401 200 200 200 200 200 403",
    "GET notices/settings/": "401 200 200 200 200 200 403",
    "PATCH notices/settings/": "401 200 200 200 200 200 403",
    "POST notices/<notice_id>/seen/": "401 404 404 404 404 404 403",
    "GET cases/<ref>/evidence/<number>/custody/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/evidence/<number>/custody/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/evidence/<number>/custody/form/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/evidence/<number>/verify/": "401 404 202 202 202 202 404",
    "GET cases/<ref>/evidence/<number>/derivatives/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/evidence/<number>/derivatives/": "401 404 415 415 415 403 404",
    "GET cases/<ref>/evidence/<number>/listing/": "401 404 404 404 404 404 404",  # the exhibit is no archive
    "POST cases/<ref>/evidence/<number>/listing/": "401 404 409 409 409 403 404",
    "GET cases/<ref>/evidence/<number>/redactions/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/evidence/<number>/redactions/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/redactions/<proposal_id>/decide/": "401 404 400 400 400 403 404",
    "GET system/": "401 200 403 403 403 403 403",
    "GET vault/": "401 200 200 200 200 200 403",
    "POST vault/verify/": "401 202 202 202 202 403 403",
    "GET cases/<ref>/uploads/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/uploads/": "401 404 400 400 400 403 404",
    # an upload of the analyst: nobody else knows of it; the body is no stream of bytes; it ends last
    "GET cases/<ref>/uploads/<upload_id>/": "401 404 404 200 404 404 404",
    "PATCH cases/<ref>/uploads/<upload_id>/": "401 404 404 415 404 403 404",
    "POST cases/<ref>/uploads/<upload_id>/complete/": "401 404 404 409 404 403 404",
    "DELETE cases/<ref>/uploads/<upload_id>/": "401 404 404 204 404 403 404",
    "GET preservation/": "401 403 200 200 200 200 403",
    "GET cases/<ref>/preservation/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/preservation/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/preservation/explanations/": "401 404 400 400 400 403 404",
    "POST cases/<ref>/preservation/<request_id>/answers/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/holds/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/holds/": "401 404 400 403 400 403 404",
    "GET legal-bases/": "401 200 200 200 200 200 403",
    "POST legal-bases/": "401 400 403 403 400 403 403",
    "GET recipients/": "401 200 200 200 200 200 403",
    "POST recipients/": "401 400 403 403 400 403 403",
    "GET disclosures/": "401 404 200 200 200 200 404",
    "GET dossiers/<version_id>/disclosures/": "401 404 200 200 200 200 404",
    "POST dossiers/<version_id>/disclosures/": "401 404 400 400 400 403 404",
    "POST disclosures/<ask_id>/release/": "401 404 400 403 400 403 404",
    "POST disclosures/<ask_id>/notes/": "401 404 400 400 400 403 404",
    "GET retention/policies/": "401 200 200 403 200 403 403",
    "POST retention/policies/": "401 400 403 403 400 403 403",
    "GET retention/policies/<policy_id>/preview/": "401 200 200 403 200 403 403",
    "POST retention/policies/<policy_id>/order/": "401 400 403 403 400 403 403",
    "POST erasure/preview/": "401 400 400 403 400 403 403",
    "POST erasure/": "401 400 403 403 400 403 403",
    "GET destruction/orders/": "401 200 200 403 200 403 403",
    "POST destruction/orders/<order_id>/decide/": "401 400 403 403 400 403 403",
    "GET destruction/certificates/": "401 200 200 403 200 403 403",
    "GET holds/": "401 404 200 200 200 200 404",
    "GET holds/<hold_id>/": "401 404 200 200 200 200 404",
    "POST holds/<hold_id>/custodians/": "401 404 400 403 400 403 404",
    "POST holds/<hold_id>/ask-release/": "401 404 400 403 400 403 404",
    "POST holds/<hold_id>/release/": "401 404 400 403 400 403 404",
    "POST custodians/<custodian_id>/acknowledge/": "401 404 400 400 400 400 404",
    "POST custodians/<custodian_id>/remind/": "401 404 400 403 400 403 404",
    "GET cases/<ref>/exchange-sets/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/exchange-sets/": "401 404 400 400 400 403 404",
    f"GET {SET}": "401 404 200 200 200 200 404",
    f"POST {SET}rerun/": "401 404 202 202 202 403 404",
    f"GET {SET}reruns/<rerun_id>/": "401 404 200 200 200 200 404",
    f"POST {SET}proof/": "401 404 400 400 400 400 404",
    f"GET {SET}plans/": "401 404 200 200 200 200 404",
    f"POST {SET}plans/": "401 404 400 400 400 403 404",
    f"GET {SET}plans/<plan>/": "401 404 200 200 200 200 404",
    f"POST {SET}plans/<plan>/sample/<ordinal>/results/": "401 404 400 400 400 403 404",
    "POST jobs/<job_id>/stop/": "401 404 403 403 403 403 403",  # this one is of a case
    "POST cases/<ref>/jobs/<job_id>/stop/": "401 404 409 409 409 403 404",  # this one is not stopped
    "GET cases/<ref>/dossiers/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/dossiers/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/log/": "401 404 200 200 200 200 404",
    # the counsel track: nothing is there for who is no member of it
    "GET cases/<ref>/counsel/": "401 404 404 404 200 404 404",
    "POST cases/<ref>/counsel/": "401 404 404 404 400 404 404",
    "GET cases/<ref>/counsel/notes/": "401 404 404 404 200 404 404",
    "POST cases/<ref>/counsel/notes/": "401 404 404 404 400 404 404",
    "POST cases/<ref>/counsel/notes/<counsel_note_id>/withdraw/": "401 404 404 404 201 404 404",
    "GET cases/<ref>/counsel/members/": "401 404 404 404 200 404 404",
    "POST cases/<ref>/counsel/members/": "401 404 404 404 400 404 404",
    "POST cases/<ref>/counsel/members/<member_id>/end/": "401 404 404 404 400 404 404",
    "GET cases/<ref>/counsel/log/": "401 404 404 404 200 404 404",
    "GET cases/<ref>/counsel/exports/": "401 404 404 404 200 404 404",
    "POST cases/<ref>/counsel/export/": "401 404 404 404 400 404 404",
    # deconfliction: the reader is the broker here, and the desk is there for nobody else
    "GET cases/<ref>/deconfliction/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/deconfliction/": "401 404 400 400 400 403 404",
    "GET cases/<ref>/deconfliction/told/": "401 404 200 200 200 200 404",
    "POST cases/<ref>/deconfliction/told/<approach_id>/reply/": "401 404 404 404 404 403 404",  # none
    "GET deconfliction/": "401 404 404 404 404 200 404",
    "GET deconfliction/<question_id>/": "401 404 404 404 404 200 404",
    "POST deconfliction/<question_id>/answer/": "401 404 404 404 404 400 404",
    "POST deconfliction/<question_id>/matches/<match_id>/ask/": "401 404 404 404 404 404 404",  # none
    "GET brokers/": "401 200 403 403 403 403 403",
    "POST brokers/": "401 400 403 403 403 403 403",
    "POST brokers/<term_id>/end/": "401 400 403 403 403 403 403",
    # webhooks, which administrators keep
    "GET webhooks/": "401 200 403 403 403 403 403",
    "POST webhooks/": "401 400 403 403 403 403 403",
    "GET webhooks/types/": "401 200 403 403 403 403 403",
    "GET webhooks/<webhook_id>/": "401 200 403 403 403 403 403",
    "PATCH webhooks/<webhook_id>/": "401 400 403 403 403 403 403",
    "POST webhooks/<webhook_id>/remove/": "401 400 403 403 403 403 403",
    "POST webhooks/<webhook_id>/secret/": "401 400 403 403 403 403 403",
    "POST webhooks/<webhook_id>/test/": "401 202 403 403 403 403 403",
    "GET webhooks/<webhook_id>/deliveries/": "401 200 403 403 403 403 403",
    "POST webhooks/<webhook_id>/deliveries/<delivery_id>/send-again/": "401 202 403 403 403 403 403",
    # sanctioned testers
    "GET sanctioned-testers/": "401 200 200 200 200 200 403",
    "POST sanctioned-testers/": "401 400 400 403 403 403 403",
    "POST sanctioned-testers/lookup/": "401 400 400 400 400 400 403",
    "POST sanctioned-testers/<test_id>/end/": "401 400 400 403 403 403 403",
    "GET dossiers/<version_id>/": "401 404 200 200 200 200 404",
    "POST dossiers/<version_id>/approve/": "401 404 400 403 400 403 404",
    "POST dossiers/<version_id>/render/": "401 404 202 202 202 403 404",
    "GET dossiers/<version_id>/download/": "401 404 409 409 409 409 404",
    # jobs: this one is a case's
    "GET jobs/<job_id>/": "401 404 200 200 200 200 403",
    "GET log/chain/": "401 200 200 200 200 200 403",
    "GET log/checkpoints/": "401 200 200 200 200 200 403",
    "GET log/checkpoints/<size>/": "401 404 404 404 404 404 403",  # nothing was signed
    "GET log/checkpoints/<size>/note/": "401 404 404 404 404 404 403",
    "GET log/consistency/": "401 400 400 400 400 400 403",  # between which two?
    "GET log/entries/<entry_id>/proof/": "401 404 404 404 404 404 403",
    "GET log/verifications/": "401 200 200 200 200 200 403",
    "POST log/verifications/": "401 202 202 202 202 403 403",
    "GET log/": "401 200 200 200 200 200 403",
}
ELSEWHERE = {
    "docs/": "a page; it stands in the ladder of pages",
    "": "every other address: nothing there, see below",
}
FIELDS = (
    *("size", "action", "marks", "approve"),
    *("title", "summary", "marking", "to", "expected", "expected_from", "case", "cluster", "reason", "note", "name"),
    *("account", "value", "filter", "expected_count", "claim", "likelihood", "confidence", "rationale", "alternatives"),
    *("alternative", "state", "lane", "starts_at", "text", "source", "edition", "recipient", "snapshot_sha256", "ids"),
    *("role", "scopes", "username"),
    *("people", "person", "ref"),
    *("purpose", "direction", "topic", "exhibits", "person", "about", "agrees", "words", "why", "introduce"),
    *("data_classes", "kind", "matter", "person", "ask", "data_class", "code", "channel", "expected", "granted", "key"),
)
BAD = {field: [{}] for field in FIELDS}


def addresses(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every address of the API with the methods it serves; parameters by name alone."""
    for item in resolver.url_patterns:
        if isinstance(item, URLResolver):
            yield from addresses(item, prefix + str(item.pattern))
        elif isinstance(item, URLPattern):
            view = getattr(item.callback, "cls", None)
            served = {method for method in METHODS if hasattr(view, method.lower())}
            yield prefix + _names(str(item.pattern)), served


def _names(pattern: str) -> str:
    for kind in ("uuid:", "str:", "int:"):
        pattern = pattern.replace(kind, "")
    return pattern


def every_address() -> dict[str, set[str]]:
    return {path: served for path, served in addresses(get_resolver("config.api_urls")) if path not in ELSEWHERE}


@pytest.fixture
def callers(committed_cast: Cast) -> dict[str, APIClient]:
    people = {person.role: client_of(person) for person in committed_cast.all()}
    return {"anonymous": APIClient(), **people, "detector": client_of_detector()}


@pytest.fixture
def stage(committed_cast: Cast, settings: Any, tmp_path: Path) -> dict[str, str]:
    """One of everything an address can name, as text."""
    settings.DECONFLICTION_LEAST_ACCOUNTS = 1
    cast = committed_cast
    case = make_case(cast)
    exhibit = add_exhibit(case, cast.analyst)
    note = actions.add_timeline_note(
        case, actor=cast.analyst, lane="decisions", starts_at=START, text="Told", source="Mail", confidence="high"
    )
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    plan = make_sample(case, cast.analyst, tmp_path)
    upload = start_upload(
        case, actor=cast.analyst, title="Log", source="Gateway", acquired_at=START, file_name="a", size=9
    )
    job = jobs.enqueue("verdicts.set", actor="user:analyst", key="ladder", scope=case.id)
    source = TelemetrySource.objects.get()
    preserve_all(case, cast.analyst)
    hold = actions.place_hold(
        case,
        actor=cast.counsel,
        matter="A dispute",
        trigger="A letter",
        triggered_at=START,
        scope="case",
        keepers=[actions.Keeper(name="Gateway team")],
    )
    file = TelemetryFile.objects.create(
        source=source, kind="exchanges", name="a", sha256="a", size=1, rows=1, bad=0, repeated=0
    )
    rejected: Lead = actions.reject_lead(make_lead(provider_ids(3, "other")), actor=cast.analyst, reason="evaluation")
    track = make_track(case, cast)
    spare = make_person("spare", "reader")
    MailAddress.objects.create(user=spare, address="spare@example.com")
    create_token(actor="system:test", username="spare")
    outside, outside_key = make_detector()
    version = frozen(case, cast.admin)
    policy = set_policy(actor=cast.admin, data_class="packages", days=90, basis="Records rule 7")
    feed = make_folder_feed(settings, tmp_path)
    delivery = make_delivery(settings, cast.admin)
    found: dict[str, Any] = {
        "webhook_id": delivery.webhook_id,
        "delivery_id": delivery.id,
        "test_id": list_test(cast.lead).id,
        "detector_id": outside.id,
        "canary_id": make_canary(outside).id,
        "detector_version_id": make_version(outside).id,
        "flag_id": flagged(case).id,
        "newer_id": newer_version(case).id,
        "excluded_id": make_excluded().id,
        "quarantine_id": make_quarantine(outside_key).id,
        "feed_id": feed.id,
        "term_id": designate(cast, cast.reader).id,
        "question_id": ask(case, cast.lead).id,
        "approach_id": new_id(),
        "match_id": new_id(),
        "counsel_note_id": write_note(track, cast.counsel).id,
        "member_id": let_in(track, cast, make_person("outside", "analyst")).id,
        "person_id": spare.id,
        "token_id": spare.tokens.get().id,
        "key_id": DetectorKey.objects.get(detector="outside").id,
        "ref": case.ref,
        "number": exhibit.number,
        "size": 999_999,
        "entry_id": exhibit.id,
        "exhibit": plan.exchange_set.item.number,
        "plan": plan.number,
        "ordinal": 1,
        "rerun_id": plan.exchange_set.reruns.get().id,
        "note_id": note.id,
        "upload_id": upload.id,
        "proposal_id": propose_redaction(exhibit, actor=cast.analyst, marks=[Mark(0, 4, "secret")]).id,
        "job_id": job.id,
        "version_id": version.id,
        "lead_id": rejected.id,
        "decision_id": make_decision(rejected, cast.lead).id,
        "source_id": source.id,
        "run_id": Run.objects.latest("finished_at").id,
        "request_id": case.preservation_requests.get().id,
        "hold_id": hold.id,
        "ask_id": made_up_disclosure(version, cast.analyst).id,
        "policy_id": policy.id,
        "order_id": made_up_order(policy, cast.admin).id,
        "custodian_id": hold.custodians.get().id,
        "file_id": file.id,
        "notice_id": note.id,
        "detachment_id": make_detachment(case, cast.analyst).id,
    }
    models = {"cluster": Cluster, "finding": Finding, "account": Account, "attribute": Attribute}
    first = {f"{name}_id": model.objects.values_list("id", flat=True)[0] for name, model in models.items()}
    return {name: str(value) for name, value in (found | first).items()}


def frozen(case: Case, preparer: User) -> DossierVersion:
    """A version as it is written when it was frozen; nobody renders it."""
    version = DossierVersion(
        case=case,
        edition="counsel",
        number=1,
        cut_at=timezone.now(),
        log_size=1,
        snapshot_sha256="ab" * 32,
        release="0.1.0",
        preparer=preparer,
    )
    with transaction.atomic():
        log.record(actor=preparer.principal, action="dossier.frozen", scope=case.id, rows=[version])
    return version


def filled(path: str, stage: dict[str, str]) -> str:
    for name, value in stage.items():
        path = path.replace(f"<{name}>", value)
    return f"/api/v1/{path}"


def test_the_table_has_every_address_and_method_and_no_other() -> None:
    served = {f"{method} {path}" for path, methods in every_address().items() for method in methods}
    assert served == set(LADDER)


def test_every_role_gets_the_answer_of_the_table(callers: dict[str, APIClient], stage: dict[str, str]) -> None:
    wrong = []
    for line, expected in LADDER.items():
        method, path = line.split()
        for role, status in zip(ROLES, expected.split(), strict=True):
            body = None if method == "GET" else BAD
            answer = getattr(callers[role], method.lower())(filled(path, stage), body)
            answer.getvalue()  # reads a download to its end
            if answer.status_code != int(status):
                wrong.append(f"{line} as {role}: {answer.status_code}, not {status}")
    assert wrong == []


def test_a_method_no_address_serves_does_nothing_for_anybody(
    callers: dict[str, APIClient], stage: dict[str, str]
) -> None:
    wrong = []
    for path, served in {**every_address(), "nothing/here/": set()}.items():
        for method in set(METHODS) - served:
            for role in ("anonymous", "administrator", "case_lead"):
                answer = getattr(callers[role], method.lower())(filled(path, stage), BAD)
                accepted = {401} if role == "anonymous" else {403, 404, 405}
                if answer.status_code not in accepted or answer["Content-Type"] != "application/problem+json":
                    wrong.append(f"{method} {path} as {role}: {answer.status_code} {answer['Content-Type']}")
    assert wrong == []


def test_a_key_that_is_not_known_or_revoked_and_a_person_switched_off_are_nobody(committed_cast: Cast) -> None:
    cast = committed_cast
    stale = client_of(cast.reader)
    User.objects.filter(pk=cast.reader.pk).update(is_active=False)
    made_up = APIClient(HTTP_AUTHORIZATION="Bearer rt_tok_00000000_x")
    revoked = client_of(cast.analyst)
    cast.analyst.tokens.update(revoked_at=timezone.now())
    for client in (stale, made_up, revoked):
        answer = client.get("/api/v1/cases/")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="Retort API"')
