"""What the log says about leads, cases and dossiers, and how an entry is told in words."""

from collections.abc import Mapping
from typing import Any

from cases import vocabulary
from cases.models.deconfliction import AnswerValue
from cases.models.vaultcheck import CheckResult
from spine import log
from spine.models import LogEntry

SENTENCES = {
    "lead.raised": "raised a lead: {title}",
    "lead.raised_anew": "raised a lead that outgrew a rejected one ({before} accounts then, {accounts} now): {title}",
    "lead.seen_again": "saw a lead again in a newer run: {title}",
    "lead.snoozed": "snoozed a lead until {until}, or {accounts} accounts",
    "lead.woken": "brought a snoozed lead back: {why}",
    "accounts.kept_apart": "said that {accounts} accounts of a lead are not the same operation as {others} others: "
    "{reason_given}",
    "accounts.joined_again": "let {accounts} accounts of a lead be joined with {others} others again: {reason_given}",
    "lead.rejected": "rejected a lead: {reason}",
    "lead.reopened": "put a rejected lead back in the queue",
    "lead.assigned": "assigned a lead from {old} to {new}",
    "lead.matched": "noted that a lead shares {shared} with {ref}",
    "version.seen": "told {ref} of a newer run that sees {joined} accounts more and {left} fewer",
    "version.taken": "took a newer version into {ref}: {accounts} accounts more",
    "version.left": "left {ref} as it is beside a newer version",
    "case.opened": "opened {ref} from a lead with {accounts} accounts",
    "case.joined": "joined a lead to {ref}: {accounts} accounts more",
    "case.detached": "took {what} out of {ref} again ({accounts} accounts left with it): {reason_given}",
    "case.attached_again": "put {what} back into {ref} ({accounts} accounts)",
    "case.edited": "changed {fields} of {ref}",
    "case.assigned": "assigned {ref} from {old} to {new}",
    "case.moved": "moved {ref} from {old} to {new}",
    "case.restricted": "restricted {ref} to its members: {members}",
    "case.opened_up": "opened {ref} to everybody who may read cases",
    "member.added": "added {person} to {ref}",
    "member.removed": "removed {person} from {ref}",
    "member.broke_glass": "broke the glass of {ref}, until {until}",
    "verdict.set": "set the verdict on {account} from {old} to {new}",
    "verdicts.set": "set the verdict of {accounts} accounts to {new}",
    "verdicts.undone": "took back a decision about {accounts} accounts: each has its earlier verdict again",
    "judgement.made": "judged claim ({claim}): {likelihood}",
    "alternative.answered": "answered the alternative {alternative}: {state}",
    "evidence.added": "added exhibit {number}",
    "evidence.viewed": "read the content of exhibit {number}",
    "evidence.copied": "took a copy of exhibit {number}",
    "evidence.verification_failed": "found that exhibit {number} no longer has its bytes: {result}",
    "evidence.beside_failed": "found that {beside}, kept beside exhibit {number}, is not what was kept: {result}",
    "redaction.proposed": "proposed to redact exhibit {number} at {marks} places",
    "redaction.approved": "approved a redaction of exhibit {number} at {marks} places",
    "redaction.declined": "declined a redaction of exhibit {number}",
    "evidence.redacted": "made exhibit {made}, a redaction of exhibit {number}",
    "evidence.listed": "listed what is in exhibit {number}: {members} members, {flagged} with something to note",
    "custody.recorded": "recorded a custody event of exhibit {number}: {event}",
    "vault.compared": "compared {objects} stored files with their digests, {failed} failed",
    "counsel.opened": "opened the counsel track",
    "counsel.read": "read the counsel track: {page}",
    "counsel.noted": "wrote a note",
    "counsel.corrected": "corrected a note",
    "counsel.withdrawn": "took a note back",
    "counsel.member_added": "let {person} into the counsel track",
    "counsel.member_ended": "ended the membership of {person} in the counsel track",
    "counsel.exported": "exported the counsel track (number {number}, {notes} notes)",
    "exchange_set.made": "made exhibit {number}: {rows} exchanges at their source {source}",
    "exchange_set.compared": "asked the source of exhibit {number} again: {said}",
    "exchange_set.proved": "gave out the proof of one exchange of exhibit {number}",
    "sampling.planned": "drew {sampled} exchanges from exhibit {number} by plan {plan}, by the seed “{seed}”",
    "sampling.judged": "judged exchange {ordinal} of plan {plan} of exhibit {number}: {value}",
    "sampling.read": "read exchange {ordinal} of plan {plan} of exhibit {number}",
    "deconfliction.asked": "asked a broker whether {accounts} accounts are in a case that one cannot see",
    "deconfliction.compared": "compared a question with the cases its asker cannot see: {matches} matches",
    "deconfliction.read": "looked at a question",
    "deconfliction.answered": "answered a question of deconfliction: {answer}",
    "deconfliction.weighed": "wrote down why a question was answered so: {answer}",
    "deconfliction.approached": "asked whether this case agrees to be put in touch with another",
    "deconfliction.replied": "told the broker whether this case agrees to be put in touch",
    "deconfliction.introduced": "put this case in touch with somebody",
    "broker.designated": "designated {person} as broker of deconfliction",
    "broker.ended": "ended the term of the broker {person}",
    "testers.listed": "listed {accounts} accounts as sanctioned testers from {from} until {until}",
    "testers.ended": "ended a sanctioned test of {accounts} accounts",
    "job.stopped": "stopped work that was asked for: {kind}",
    "webhook.created": "set up the webhook {name} to {to}",
    "webhook.changed": "changed {fields} of the webhook {name}",
    "webhook.paused": "paused the webhook {name}",
    "webhook.resumed": "resumed the webhook {name}",
    "webhook.secret_made": "made a new secret for the webhook {name}; the old one signs for {hours} hours more",
    "webhook.tested": "sent a test to the webhook {name}",
    "webhook.sent_again": "sent an event of the type {type} again to the webhook {name}",
    "webhook.disabled": "disabled the webhook {name}: {why}",
    "webhook.removed": "removed the webhook {name}",
    "timeline.added": "added a timeline entry",
    "timeline.withdrawn": "withdrew a timeline entry",
    "preservation.requested": "asked {source} to preserve {what}",
    "preservation.answered": "wrote down the answer of {source} on {what}: {answer}",
    "preservation.explained": "explained why {source} was not asked to preserve anything",
    "hold.placed": "placed hold {number} on {scope}",
    "hold.custodian_added": "named a custodian of hold {number}",
    "hold.acknowledged": "acknowledged hold {number}",
    "hold.acknowledged_for": "recorded an acknowledgement of hold {number} from exhibit {exhibit}",
    "hold.reminded": "reminded a custodian of hold {number}",
    "hold.release_asked": "asked to release hold {number}",
    "hold.released": "released hold {number}, as {asker} had asked",
    "retention.policy_set": "set the retention of {what} {source} to {days} days ({state}): {basis}",
    "retention.ordered": "asked to destroy {count} things by a retention policy",
    "erasure.ordered": "asked to erase {count} things: {basis}",
    "destruction.granted": "granted the destruction of {count} things, as {asker} had asked",
    "destruction.declined": "declined the destruction of {count} things that {asker} had asked for",
    "destruction.done": "destroyed {kind} {key}: {basis}",
    "basis.saved": "changed {fields} of the legal basis {name}",
    "recipient.saved": "changed {fields} of the recipient {name}",
    "disclosure.asked": "asked to disclose version {number} of the {edition} dossier to {recipient} ({basis})",
    "disclosure.released": "released the disclosure of version {number} to {recipient}, as {asker} had asked",
    "disclosure.noted": "wrote down a {kind} on the disclosure of version {number} to {recipient}",
    "dossier.frozen": "froze version {number} of the {edition} dossier",
    "dossier.approved": "approved version {number} of the {edition} dossier",
    "dossier.sealed": "sealed version {number} of the {edition} dossier",
    "dossier.proved": "stored the proof of version {number} of the {edition} dossier",
    "dossier.downloaded": "downloaded version {number} of the {edition} dossier",
    "recall.flagged": "flagged the case: it rests on {findings} findings of {name} {version}, which is recalled",
    "recall.drafted": "drafted a notice to {recipient}: {dossier} leans on {name} {version}, which is recalled",
    "recall.answered": "said what follows from the recall of {name} {version}",
    "accounts.exported": "downloaded {count} accounts of {ref} by the provider's ids: {which}",
    "lead.accounts_exported": "downloaded the {count} accounts of a lead by the provider's ids",
    "finding.accounts_exported": "downloaded the {count} accounts of a finding from {detector} by the provider's ids",
    "accounts.listed": "downloaded what is known of {count} ids, {known} of them known",
}
# Details that are codes, each with the words people read; anything else stands as it is.
WORDS: dict[str, Mapping[Any, Any]] = {
    "likelihood": dict(vocabulary.Likelihood.choices),
    "confidence": dict(vocabulary.Confidence.choices),
    "alternative": vocabulary.ALTERNATIVES,
    "state": dict(vocabulary.AlternativeState.choices),
    "reason": dict(vocabulary.RejectReason.choices),
    "answer": dict(AnswerValue.choices),
    "lane": dict(vocabulary.Lane.choices),
    "value": dict(vocabulary.VerdictValue.choices),
    "event": dict(vocabulary.CustodyAction.choices),
    "result": dict(CheckResult.choices),
}
VERDICTS = {**dict(vocabulary.VerdictValue.choices), "": "no verdict"}
BY_ACTION: dict[str, Mapping[Any, Any]] = {
    "verdict.set": VERDICTS,
    "verdicts.set": VERDICTS,
    "lead.assigned": {"": "nobody"},
    "case.assigned": {"": "nobody"},
}


class _Details(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "–"


def tell(entry: LogEntry) -> str:
    """What an entry says, in words, without its actor. Raises LookupError for an action nobody wrote a sentence for."""
    worded = _Details()
    for key, value in entry.data.items():
        words = WORDS.get(key, {}) if key not in {"old", "new"} else BY_ACTION.get(entry.action, {})
        worded[key] = words.get(value, value) if isinstance(value, str) else value
    return log.sentence_of(entry.action).format_map(worded)
