"""Fields by role: what may be read is written down by hand, and what is not accepted changes nothing.

Read side: every field of every answer in the OpenAPI file that looks as if it could tell of a person, an account, a
secret or somebody's words stands in READ with the roles that may see it, and canaries planted in such fields are
looked for in every answer of every role, and on every page as every role. The write side is in
tests/test_fields_written.py.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.apps import apps
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from cases import actions
from cases.models import Case, CounselTrack, ExchangeSet
from people.models import ApiToken, DetectorKey, User
from spine.models import AppendOnly
from tests import test_roles_api as api
from tests import test_roles_pages as pages
from tests.cases.exchanges import PROMPT, RESPONSE
from tests.cases.pages import client_of as browser_of
from tests.cases.tracks import write_note
from tests.factories import START, Cast, add_exhibit, make_case, make_person, provider_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker", "checkpoints_apart")]
api_stage, page_stage, callers = api.stage, pages.stage, api.callers
ROLES = {"administrator": "A", "case_lead": "L", "analyst": "N", "counsel": "C", "reader": "R", "detector": "D"}
# What a name of a field looks like that could tell of a person, an account, a secret or somebody's words.
LOOKS = re.compile(
    r"(^|_)(provider|e?mail|contact|keys?|token|secret|password|salt|prompts?|responses?|canonical|request_id|person"
    r"|topic|text|direction|matter|organisation|authoris\w+|agent|username|display_name|networks|value|content|party|payload"
    r"|marks|row(?!_count)|proof|session)($|_)"
)
EVERYBODY, CASES, COUNSEL, ADMIN = "ALNCR", "LNCR", "C", "A"
# Who may see a field, by hand: Administrator, case Lead, aNalyst, Counsel, Reader, Detector's key.
READ: dict[str, dict[str, str]] = {
    "AccountDetail": {"provider_id": CASES},
    "Attribute": {"value": CASES},
    "CaseFinding": {"payload_sha256": CASES},
    "Excluded": {"value": CASES},
    "Canary": {"provider_id": "ALNC"},
    "Certificate": {"key": "ALC"},
    "ClusterDetail": {"key": CASES},
    "Consistency": {"proof": EVERYBODY, "proof_holds": EVERYBODY},
    "CounselMember": {"person": COUNSEL},
    "CounselNote": {"topic": COUNSEL, "text": COUNSEL, "direction": COUNSEL},
    "CounselTrack": {"direction": COUNSEL},
    "Custody": {"party": CASES},
    "DeskMatch": {"contact": "R"},  # the broker of the stage
    "Quarantine": {"key": EVERYBODY},  # the id of one, which opens nothing
    "DetectorKey": {"networks": ADMIN},
    "DisclosureNote": {"text": CASES},
    "ExportedCluster": {"accounts": "LNC"},
    "Feed": {"has_secret": EVERYBODY},  # whether there is one
    "Figure": {"key": CASES, "value": CASES},
    "FindingDetail": {"payload": CASES, "payload_sha256": CASES, "content_sha256": CASES},
    "Gap": {"text": CASES},
    "Hold": {"matter": CASES},
    "HoldCustodian": {"person": CASES, "contact": CASES},
    "Hub": {"value": CASES},
    "Inclusion": {"canonical": EVERYBODY, "key": EVERYBODY, "row": EVERYBODY},
    "Introduction": {"person": CASES},
    "Known": {"provider_id": CASES},  # what one sent oneself
    "Link": {"value": CASES},
    "Made": {"token": EVERYBODY, "value": EVERYBODY},  # to who makes it, once
    "Me": {"username": EVERYBODY, "display_name": EVERYBODY},
    "Membership": {"person": COUNSEL},
    "MembershipChange": {"person": CASES},
    "Missing": {"text": CASES},
    "Notice": {"text": EVERYBODY},  # one's own
    "OneTime": {"person": ADMIN, "one_time_password": ADMIN},
    "Person": {"username": ADMIN, "display_name": ADMIN},
    "PreservationRequest": {"contact": CASES},
    "Problem": {"request_id": EVERYBODY + "D"},  # of a 5xx, of one's own request
    "Proposal": {"marks": CASES},
    "Reader": {"username": CASES},
    "RecallDraft": {"text": CASES},
    "Recipient": {"contact": EVERYBODY},
    "Registered": {"key": ADMIN},
    "ReplacedKey": {"key": ADMIN, "value": ADMIN},  # once
    "Result": {"value": CASES},
    "Retention": {"contact": EVERYBODY},
    "Session": {"user_agent": ADMIN},
    "Standing": {"keys": EVERYBODY},
    "Term": {"person": ADMIN},
    "Test": {"organisation": EVERYBODY, "authorised_by": EVERYBODY, "authorisation": EVERYBODY},
    "TimelineEntry": {"text": CASES},
    "TimelineNote": {"text": CASES},
    "Token": {"username": EVERYBODY},  # one's own
    "Told": {"value": CASES},
    "Verdict": {"value": CASES},
    "WebhookMade": {"secret": ADMIN},  # once
    "WholeHold": {"matter": CASES},
}
# Every other name of a field: it tells of no person, account or secret by itself, in whatever answer it stands.
NEUTRAL = """
cut account_columns unanswered expires stated
pace per_second seconds_left leans_on statement idea requires requires_any uses
minimum_support support_unit innocent_explanations techniques
false_positives false_positives_in_words reference reference_sha256 named rate
capabilities capability mix share read all_share all_exchanges all_read
drawing edges fillings frame graph hours left_out link nodes rank ranked ranks rest sets templates values x y
findings_new findings_known findings_set_aside findings_recalled edge_count
hubs every behind days source_id by_kind stayed joined left
before now counts stands matched_cases shared
joined_accounts left_accounts accounts_joined accounts_left
grouping window_hours least_findings least_accounts least_score most_accounts
recall_drafts cited recalled_at clusters leads cases dossiers disclosures precision recalls leaning by_verdict
low high decided computed_at reinstated_at reinstated_reason
accounts_left undone_at undone_by undone_reason lead picked others rest within not_joined lifted_by
findings
lifecycle owner cadence_minutes heard_at silent_since every_minutes last_returned_at due_at lifted_at lifted_reason
set_aside recalled runbook description
alive attempt checkpoint_seconds conditions created departed_seconds doing entries failing feeds findings follow_ups
head_seconds last_at last_day last_hour log needs_attention oldest_seconds parked queued queues running schedule seconds
silent_seconds slots task this_hour unnumbered unnumbered_seconds workers
mapping settings schedule_minutes paused lag_seconds last_pull_at last_success_at caught_up_at reached_at next_pull_at
last_error pages rejections more finding problems accepted
findings_per_minute mebibytes_per_day requests_per_minute replaced replaced_by
url types failures failing_since not_before last_success_at old_until message_id next_at tries seconds data_names
webhook asked_at confirmed_at ways digest_hour
about account account_count accounts acknowledgement acquired_at action active actor added_at added_by address after
agrees alarm algorithm algorithm_version alternative alternatives anchor answer answered_at answered_by answers
approached approaches approval approver archive asked asker assessment assessment_detail assignee at attempts
attribute author authority bad basis basis_code basis_law broker built_in by by_kind case ceiling changed_at changes
channel checkpoint chosen citations claim clock clocks closing_reason closing_reasons cluster code columns_absent
columns_present compared comparisons confidence confidence_level config_sha256 configured confirmed count counted
covers created created_at current custodian custodians custody cut_at data data_class data_classes day days
days_kept decided_by decider decision decisions departures derivation derived_from destinations destroyed detail
details detector detector_version digest document done dossier due due_at duplicate earlier edition end ended
ended_at ended_by ends_at entry error errors estimates events exchanges exhibit exhibits expires_at explained_by
explanations failed failures figures file_name files fingerprint finished_at first_seen first_seen_at first_ts
flagged flags found free_bytes frozen_at gaps gone gone_before granted ground happened_at headline holders how id
index input_sha256 input_tokens introductions is_active is_finished item item_id job job_id judgement keeps_until
kept kept_count kind label lane last_comparison last_left last_left_at last_login last_part last_seen last_size
last_ts last_used_at law leaf leaves_sha256 likelihood likelihood_percent line listed_by log_size made made_at
made_by manifest_sha256 marking matches meaning media_type members method missing missing_for_escalation model
modified moves name namespace never_compared new new_note next next_loss nodes_sha256 note notes number object_lock
observed_at offset old old_note oldest_comparison oldest_held on_behalf one_time_until opened_by order_id ordered_by
output_tokens outside overdue overlap package package_sha256 packed parameters path per_stratum percent permits
place placed_by plan_sha256 planned_by pointer policy population prefix preparer preserved_from preserved_to
previous problem produced proposer pseudonym purpose quarantined query question raised_at rationale readers ready
reason reasons received received_at recipient recipient_kind recipient_name recorded_by ref rejected release
release_asks releaser repeated reply reply_due requested_by requests required reruns restricted result results
reviewer revision revoked_at rights role root root_hash row_count rows rule run sample sanctioned_tester
sanctioned_testers scope scopes score seal second_factor seed sentence set_by sha256 shared_accounts
shared_attributes side sightings signal signals signatures_hold signed_size signer since size snapshot_sha256 soon
source stamps start started_at starts_at state statement_sha256 status status_url stopped store strata strata_by
strength subject summary superseded superseded_by supersedes tab target telemetry_source test title to tool
tool_version total trigger triggered_at trouble truncated type uid unit unknown unknown_columns unsigned until
updated_at v valid_from valid_until verdict version versions via volume waiting waiting_since what where_at who why
why_now window window_end window_start withdrawn words worth_a_look
"""


@cache
def schema() -> dict[str, Any]:
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made


def components() -> dict[str, Any]:
    found: dict[str, Any] = schema()["components"]["schemas"]
    return found


def answered() -> dict[str, list[str]]:
    """The components of answers, those inside others too, with their fields."""
    found: dict[str, list[str]] = {}
    waiting = [one.get("responses", {}) for served in schema()["paths"].values() for one in served.values()]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found[name] = list(components()[name].get("properties", {}))
                waiting.append(components()[name])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return found


def test_every_field_of_an_answer_is_declared_here() -> None:
    found = answered()
    sensitive = {
        (name, one) for name, fields in found.items() for one in fields if LOOKS.search(one) and one != "row_count"
    }
    declared = {(name, one) for name, fields in READ.items() for one in fields}
    assert sorted(sensitive - declared) == []
    assert sorted((name, one) for name, one in declared if one not in found.get(name, [])) == []
    unknown = {(name, one) for name, fields in found.items() for one in fields if one not in NEUTRAL.split()}
    assert sorted(unknown - declared) == []


def told(node: dict[str, Any], value: Any) -> Iterator[tuple[str, str]]:
    """(component, field) of everything in an answer that is not empty; a field the schema does not have is `!`."""
    name = str(node.get("$ref", "")).rpartition("/")[2]
    if name:
        node = components()[name]
    for part in (*node.get("allOf", ()), *node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from told(part, value)
    if isinstance(value, list) and "items" in node:
        for one in value:
            yield from told(node["items"], one)
    properties = node.get("properties", {})
    if isinstance(value, dict) and properties:
        for key, inner in value.items():
            if key not in properties and "additionalProperties" not in node and name:
                yield name, f"!{key}"
            elif key in properties and inner not in (None, "", [], {}):
                yield name, key
                yield from told(properties[key], inner)


def gets() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every address that is read, in the ladder's form, with the schema of its answer."""
    for path, served in schema()["paths"].items():
        if "get" in served and path != "/api/v1/schema/":
            content = served["get"]["responses"].get("200", {}).get("content", {})
            form = content.get("application/json", {}).get("schema", {})
            yield path.removeprefix("/api/v1/").replace("{", "<").replace("}", ">"), form


def plant(ref: str, cast: Cast) -> tuple[dict[str, str], dict[str, str]]:
    """Canaries in the words of a case, its counsel track, and a restricted case, each with who may see it; and the
    number of the exhibit and the id of the hold that have some.
    """
    case = Case.objects.get(ref=ref)
    actions.edit_case(case, actor=cast.lead, changes={"title": (case.title, "QX7TITLE")})
    exhibit = add_exhibit(case, cast.analyst, b"QX7BYTES in a file", title="QX7EXHIBIT", declared_type="text/plain")
    actions.add_timeline_note(
        case, actor=cast.analyst, lane="decisions", starts_at=START, text="QX7NOTE", source="Mail", confidence="high"
    )
    hold = actions.place_hold(
        case,
        actor=cast.counsel,
        matter="QX7MATTER",
        trigger="A letter",
        triggered_at=START,
        scope="case",
        keepers=[actions.Keeper(name="QX7PERSON", contact="QX7CONTACT@example.com")],
    )
    write_note(CounselTrack.objects.get(case=case), cast.counsel, "QX7PRIVILEGED")
    insider = make_person("insider", "case_lead")
    hidden = make_case(cast, accounts=provider_ids(3, "QX7account"))
    actions.edit_case(hidden, actor=cast.lead, changes={"title": (hidden.title, "QX7RESTRICTED")})
    add_exhibit(hidden, cast.analyst, b"QX7RESTRICTED in a file", title="QX7RESTRICTED")
    actions.assign_case(hidden, actor=insider, to=insider, expected=cast.analyst)
    actions.restrict_case(hidden, actor=insider, reason="QX7RESTRICTED")
    in_the_case = dict.fromkeys(("QX7TITLE", "QX7EXHIBIT", "QX7NOTE", "QX7MATTER", "QX7PERSON", "QX7CONTACT"), CASES)
    words = {"QX7PRIVILEGED": COUNSEL, "QX7RESTRICTED": "", hidden.ref: "", PROMPT: "", RESPONSE: ""}
    may = {**in_the_case, "QX7BYTES": CASES, **words, **dict.fromkeys(secrets(), "")}
    return may, {"number": str(exhibit.number), "hold_id": str(hold.pk)}


def secrets() -> set[str]:
    """What nobody may be shown: digests of passwords, tokens and keys, salts, the keys of exchange sets."""
    found = {person.password for person in User.objects.all()}
    found |= {row.sha256 for model in (ApiToken, DetectorKey) for row in model.objects.all()}
    raw = [bytes(held.key) for held in ExchangeSet.objects.all()]
    for model in apps.get_models():
        if issubclass(model, AppendOnly):
            salts = model._default_manager.exclude(salt=None).values_list("salt", flat=True)[:20]
            raw += [bytes(salt) for salt in salts if salt]
    return {one for one in found if one} | {form for one in raw for form in (one.hex(), b64encode(one).decode())}


def leaks(body: bytes, may: dict[str, str], letter: str) -> list[str]:
    return [canary for canary, roles in may.items() if letter not in roles and canary.encode() in body]


def test_no_answer_of_the_api_shows_a_field_or_a_canary_to_who_may_not_read_it(
    callers: dict[str, APIClient], api_stage: dict[str, str], committed_cast: Cast
) -> None:
    may, named = plant(api_stage["ref"], committed_cast)
    wrong: list[str] = []
    seen: set[tuple[str, str]] = set()
    for path, form in gets():
        for role, letter in ROLES.items():
            answer = callers[role].get(api.filled(path, {**api_stage, **named}))
            body = answer.getvalue()
            wrong += [f"{path} shows {canary} to {role}" for canary in leaks(body, may, letter)]
            seen.update((canary, letter) for canary in may if canary.encode() in body)
            if answer.status_code != 200 or not form or not answer["Content-Type"].startswith("application/json"):
                continue
            for component, field in set(told(form, json.loads(body))):
                roles = READ.get(component, {}).get(field, EVERYBODY + "D")
                if letter not in roles or field.startswith("!"):
                    wrong.append(f"{path} shows {component}.{field} to {role}")
    assert wrong == []
    # The canaries are looked for where they are: those who may read them did.
    assert {(name, one) for name, roles in may.items() for one in roles} - seen == set()


def test_no_page_shows_a_canary_to_who_may_not_read_it(page_stage: dict[str, str], committed_cast: Cast) -> None:
    may, _ = plant(page_stage["<ref>"], committed_cast)
    wrong: list[str] = []
    seen: set[tuple[str, str]] = set()
    for person in committed_cast.all():
        client, letter = browser_of(person), ROLES[person.role]
        for path in sorted(pages.every_page()):
            body = client.get(pages.filled(path, page_stage)).getvalue()
            wrong += [f"{path} shows {canary} to {person.role}" for canary in leaks(body, may, letter)]
            seen.update((canary, letter) for canary in may if canary.encode() in body)
    assert wrong == []
    shown = {(canary, one) for canary in ("QX7TITLE", "QX7EXHIBIT", "QX7NOTE", "QX7MATTER") for one in CASES}
    assert shown | {("QX7PRIVILEGED", COUNSEL)} <= seen
