"""The snapshot: one JSON document of everything a dossier says, read at a cut, under one recipient's names."""

from typing import Any

from cases import gate, history
from cases.dossier import detected, judged, kept, sets
from cases.dossier.limits import limits
from cases.dossier.names import Names
from cases.dossier.reading import Reading, Row, item, when
from cases.history import Cut
from cases.models import Case
from cases.vocabulary import Marking
from spine import checkpoint, merkle, sequencer, signing
from spine.models import Checkpoint

FORMAT = "retort-dossier-snapshot"
MARKING_RULE = "the highest of the case's marking and those of its findings (TLP 2.0)"


def build(case: Case, cut: Cut, *, edition: str, recipient: str, basis: str) -> Row:
    """Read the whole document. The caller holds one REPEATABLE READ transaction, so that all parts see one state.

    The same case, cut, edition, recipient and basis give the same document, whatever was recorded since.
    """
    reading = Reading(case, cut, Names(recipient))
    detected.learn_names(reading)
    sets.learn_names(reading)
    document: Row = {
        "format": FORMAT,
        "v": 1,
        "edition": edition,
        "recipient": _recipient(recipient, basis),
        "cut": _cut(cut),
        "case": _case(reading),
        **_people(reading),
        **_detection(reading),
        **_accounts(reading),
    }
    document["marking"] = _marking(document)
    document["limits"] = limits(document)
    return document


def _recipient(recipient: str, basis: str) -> Row:
    """Whom it is for, and whether the registers know both: only then can it be disclosed (cases.gate)."""
    known = gate.registered(recipient, basis)
    return {
        "name": recipient,
        "basis": basis,
        "internal": not recipient,
        "recipient_registered": known.recipient is not None,
        "basis_registered": known.basis is not None,
    }


def _cut(cut: Cut) -> Row:
    first = Checkpoint.objects.order_by("size").values_list("note", flat=True).first()
    return {
        "item": f"spine.logentry:{cut.entry_id}",
        "at": when(cut.at),
        "log_size": cut.log_size,
        "origin": checkpoint.parse(first).origin if first else "",
        "root": merkle.root_at(cut.log_size, sequencer.stored_node).hex(),
        "key_fingerprint": signing.current_key().fingerprint,
    }


def _case(reading: Reading) -> Row:
    header = history.header_at(reading.case, reading.cut)
    return {
        "item": item(reading.case),
        "ref": reading.case.ref,
        "title": reading.names.clean(header.title),
        "summary": reading.names.clean(header.summary),
        "status": header.status,
        "marking": header.marking,
        "opened_at": when(reading.case.created_at),
    }


def _people(reading: Reading) -> Row:
    parts: dict[str, Any] = {
        "claims": judged.claims(reading),
        "alternatives": judged.alternatives(reading),
        "verdict_history": judged.verdict_history(reading),
        "timeline": judged.timeline(reading),
        "exhibits": judged.exhibits(reading),
        "custody": judged.custody(reading),
        "exchange_sets": sets.sets(reading),
        "exchange_set_reruns": sets.reruns(reading),
        "samples": sets.samples(reading),
        "sampled_exchanges": sets.sampled(reading),
        "preservation": kept.preservation(reading),
        "holds": kept.holds_placed(reading),
        "disclosures": kept.disclosures(reading),
    }
    cleaned = {"ladder": judged.ladder(), **_cleaned(reading, parts)}
    return {**cleaned, "sampled_exchanges": sets.with_paths(reading, cleaned["sampled_exchanges"])}


def _detection(reading: Reading) -> Row:
    shared, links = detected.links(reading)
    parts: dict[str, Any] = {
        "clusters": detected.clusters(reading),
        "runs": detected.runs(reading),
        "answers": detected.answers(reading),
        "shared_values": shared,
        "links": links,
        "findings": detected.findings(reading),
        "telemetry": detected.telemetry(reading),
    }
    fixed = {"volume": detected.volume(reading), "releases": detected.releases(reading)}
    return {**fixed, **_cleaned(reading, parts)}


def _accounts(reading: Reading) -> Row:
    members = list(history.members_at(reading.case, reading.cut).select_related("account"))
    newest = history.verdicts_at(reading.case, reading.cut).select_related("account", "decided_by")
    verdicts = {verdict.account_id: verdict for verdict in newest}
    return {
        "figures": judged.figures(reading),
        "verdicts": judged.verdict_summary(reading),
        **_cleaned(reading, {"accounts": detected.accounts(reading, members, verdicts)}),
    }


def _cleaned(reading: Reading, parts: Row) -> Row:
    cleaned: Row = reading.names.clean_all(parts)
    return cleaned


def _marking(document: Row) -> Row:
    """The highest marking wins; what carries it is named."""
    found = {document["case"]["item"]: document["case"]["marking"]}
    for finding in document["findings"]["rows"]:
        word = finding["tlp"].upper().removeprefix("TLP:")
        if f"TLP:{word}" in Marking.values:
            found[finding["item"]] = f"TLP:{word}"
    highest = max(found.values(), key=Marking.values.index)
    return {
        "value": highest,
        "rule": MARKING_RULE,
        "items": sorted(i for i, value in found.items() if value == highest),
    }
