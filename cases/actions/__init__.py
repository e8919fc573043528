"""Everything a person decides about leads and cases: one verb is one transaction and one log entry."""

from cases.actions.access import add_member, break_glass, open_case_up, remove_member, restrict_case
from cases.actions.apart import join_again, keep_apart
from cases.actions.bulk import count_matching, set_verdicts_matching, undo_verdicts
from cases.actions.cases import assign_case, edit_case, move_case
from cases.actions.claims import Cited, answer_alternative, judge
from cases.actions.custody import record_custody
from cases.actions.detaching import attach_again, detach_accounts, detach_cluster
from cases.actions.evidence import add_evidence, record_copy, record_view
from cases.actions.holds import (
    Keeper,
    acknowledge,
    acknowledge_on_behalf,
    add_custodian,
    ask_release,
    place_hold,
    release_hold,
    remind,
)
from cases.actions.leads import assign_lead, join_case, open_case, reject_lead, reopen_lead, snooze_lead
from cases.actions.preservation import answer_preservation, explain_absence, request_preservation
from cases.actions.timeline import add_timeline_note, withdraw_timeline_note
from cases.actions.verdicts import set_verdict, set_verdicts_picked

__all__ = [
    "Cited",
    "Keeper",
    "acknowledge",
    "acknowledge_on_behalf",
    "add_custodian",
    "add_evidence",
    "add_member",
    "add_timeline_note",
    "answer_alternative",
    "answer_preservation",
    "ask_release",
    "assign_case",
    "assign_lead",
    "attach_again",
    "break_glass",
    "count_matching",
    "detach_accounts",
    "detach_cluster",
    "edit_case",
    "explain_absence",
    "join_again",
    "join_case",
    "judge",
    "keep_apart",
    "move_case",
    "open_case",
    "open_case_up",
    "place_hold",
    "record_copy",
    "record_custody",
    "record_view",
    "reject_lead",
    "release_hold",
    "remind",
    "remove_member",
    "reopen_lead",
    "request_preservation",
    "restrict_case",
    "set_verdict",
    "set_verdicts_matching",
    "set_verdicts_picked",
    "snooze_lead",
    "undo_verdicts",
    "withdraw_timeline_note",
]
