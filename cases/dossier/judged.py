"""What people judged, as it stands in a snapshot: claims, alternatives, verdicts, exhibits and their custody."""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cases import figures as case_figures
from cases import history
from cases import timeline as case_timeline
from cases.chains import gaps_of
from cases.dossier.reading import Reading, Row, item, person, section, source, when
from cases.models import Citation, CustodyEvent, EvidenceItem, Judgement, Verdict
from cases.vocabulary import (
    ALTERNATIVES,
    LIKELIHOOD_RANGES,
    REQUIRED_CLAIMS,
    VERDICT_MEANINGS,
    Claim,
    CustodyAction,
    Lane,
    Likelihood,
    Side,
    VerdictValue,
)

# What a timeline entry's item is, by its kind.
KINDS = {
    "activity": "detection.clustermember",
    "release": "detection.modelrelease",
    "findings": "detection.detectorversion",
    "decision": "spine.logentry",
    "note": "cases.timelinenote",
}
UNSAFE = re.compile(r"[^A-Za-z0-9._]+")
VERDICT_RULE = "The newest verdict on each account at the cut; volumes are those of the run's window."


def ladder() -> list[Row]:
    """The seven likelihood words with their ranges in percent, and where they come from."""
    words = Likelihood.choices
    return [
        {"word": word, "range": list(LIKELIHOOD_RANGES[value]), "source": "ICD 203, Analytic Standards (2015)"}
        for value, word in words
    ]


def claims(reading: Reading) -> list[Row]:
    """The six claims in order, judged or not."""
    judgements = history.judgements_at(reading.case, reading.cut)
    cited: dict[Any, list[Citation]] = defaultdict(list)
    for citation in history.citations_of(judgements):
        cited[citation.judgement_id].append(citation)
    by_claim = {judgement.claim: judgement for judgement in judgements}
    return [
        {
            "claim": claim,
            "text": text,
            "required": claim in REQUIRED_CLAIMS,
            "judgement": _judgement(by_claim[claim], cited[by_claim[claim].id]) if claim in by_claim else None,
        }
        for claim, text in Claim.choices
    ]


def _judgement(judgement: Judgement, citations: list[Citation]) -> Row:
    low, high = LIKELIHOOD_RANGES[judgement.likelihood]
    return {
        "item": item(judgement),
        "likelihood": {"word": judgement.get_likelihood_display(), "range": [low, high]},
        "confidence": judgement.confidence,
        "rationale": judgement.rationale,
        "alternatives": judgement.alternatives,
        "author": person(judgement.author),
        "at": when(judgement.at),
        "for": [_citation(citation) for citation in citations if citation.side == Side.FOR],
        "against": [_citation(citation) for citation in citations if citation.side == Side.AGAINST],
    }


def _citation(citation: Citation) -> Row:
    cited: Any = citation.finding or citation.evidence or citation.cluster or citation.timeline_note
    if isinstance(cited, EvidenceItem):
        label = f"{cited.exhibit}: {cited.title}"
    else:
        label = getattr(cited, "title", "") or cited.text
    return {"item": item(cited), "label": label, "note": citation.note, "citation": item(citation)}


def alternatives(reading: Reading) -> list[Row]:
    """Every innocent explanation with its state; `state` is None where nobody answered."""
    answers = {answer.alternative: answer for answer in history.answers_at(reading.case, reading.cut)}
    rows: list[Row] = []
    for code, text in ALTERNATIVES.items():
        answer = answers.get(code)
        said = answer and {
            "item": item(answer),
            "state": answer.get_state_display(),
            "reason": answer.reason,
            "author": person(answer.author),
            "at": when(answer.at),
        }
        rows.append({"alternative": code, "text": text, **(said or {"state": None})})
    return rows


def figures(reading: Reading) -> list[Row]:
    """The headline figures, each with the rule it is counted by and the query over what is counted."""
    members = history.members_at(reading.case, reading.cut)
    decided = history.verdicts_at(reading.case, reading.cut)
    asked = {"what": "verdicts and memberships at the cut", "query": f"{decided.query};\n{members.query}"}
    return [
        {
            "key": found.figure.key,
            "label": found.figure.label,
            "value": when(found.value) if isinstance(found.value, datetime) else found.value,
            "unit": found.figure.unit,
            "rule": found.figure.rule,
            "source": asked,
        }
        for found in case_figures.compute(reading.case, reading.cut)
    ]


def verdict_summary(reading: Reading) -> Row:
    """Accounts and volume by verdict, accounts without one included; the rows add up to all accounts."""
    totals = case_figures.totals(reading.case, reading.cut)
    meanings = {**VERDICT_MEANINGS, "": "not decided at the cut"}
    labels = {**dict(VerdictValue.choices), "": "no verdict"}
    names = ("accounts", "exchanges", "input_tokens", "output_tokens")
    rows = [
        {
            "verdict": value,
            "label": labels[value],
            "meaning": meaning,
            **{name: getattr(totals.of(value), name) for name in names},
        }
        for value, meaning in meanings.items()
    ]
    asked = source(history.verdicts_at(reading.case, reading.cut), "the newest verdict of each account of the case")
    return {"rule": VERDICT_RULE, "source": asked, "rows": rows}


def verdict_history(reading: Reading) -> Row:
    """Every verdict up to the cut, oldest first: what was thought before is part of the record."""
    queryset = history.before(Verdict.objects.filter(case=reading.case), reading.cut)
    ordered = queryset.select_related("account", "decided_by").order_by("entry__sequence__index", "place")
    rows = [
        {
            "item": reading.names.item(verdict),
            "account": reading.names.account(verdict.account),
            "verdict": verdict.get_value_display() if verdict.value else "taken back",
            "reason": verdict.reason,
            "by": person(verdict.decided_by)["name"],
            "at": when(verdict.at),
        }
        for verdict in ordered
    ]
    return section(rows, ordered, "all verdicts of the case, in the order of the log")


def timeline(reading: Reading) -> Row:
    """The three lanes merged, oldest first; an entry without an item of its own is counted from the accounts."""
    acts = history.acts_at(reading.case, reading.cut)
    rows = [
        {
            "item": reading.names.item_of(KINDS[entry.kind], str(entry.item_id)) if entry.item_id else "",
            "kind": entry.kind,
            "lane": Lane(entry.lane).label,
            "starts_at": when(entry.at),
            "ends_at": when(entry.until),
            "text": entry.text,
            "source_words": entry.source,
            "confidence": entry.confidence,
        }
        for entry in case_timeline.entries(reading.case, reading.cut)
    ]
    return section(rows, acts, "activity, releases, findings, decisions in the log, and manual entries")


def exhibits(reading: Reading) -> Row:
    """Every exhibit with its digest and the name of its file in the package, empty when its bytes were destroyed."""
    queryset = history.evidence_at(reading.case, reading.cut)
    kept = history.withheld_at(reading.case, reading.cut)
    # Bytes that are gone are gone, wherever in the log that stands: an order of destruction is no act of one case.
    destroyed = history.custody_at(reading.case).filter(action=CustodyAction.DESTROYED)
    gone = set(destroyed.order_by().values_list("item_id", flat=True))
    rows = [
        {
            "item": item(exhibit),
            "number": exhibit.number,
            "title": exhibit.title,
            "source": exhibit.source,
            "kind": exhibit.kind_words,
            "file": "" if exhibit.id in kept or exhibit.pk in gone else file_name(exhibit),
            "withheld": _withheld(kept[exhibit.id]) if exhibit.id in kept else "",
            "media_type": exhibit.media_type,
            "size": exhibit.size,
            "sha256": exhibit.sha256,
            "acquired_at": when(exhibit.acquired_at),
            "added_by": person(exhibit.added_by)["name"],
            "added_at": when(exhibit.added_at),
        }
        for exhibit in queryset
    ]
    return section(rows, queryset, "the exhibits of the case")


def _withheld(redaction: int | None) -> str:
    if redaction is None:
        return "its content stays in: it is redacted, or was made from what is"
    return f"its content stays in: Exhibit {redaction} is its redaction"


def file_name(exhibit: EvidenceItem) -> str:
    """`exhibit-007-<name>` in plain ASCII, so that every system unpacks it alike."""
    plain = UNSAFE.sub("-", exhibit.file_name).replace("-.", ".")
    stem, dot, ending = plain.rpartition(".")
    short = f"{stem[:60]}.{ending[:12]}" if dot and stem else plain[:72]
    return f"exhibit-{exhibit.number:03d}-{short.strip('.-') or 'file'}"


def custody(reading: Reading) -> Row:
    """Who did what with each exhibit, in order."""
    queryset = history.custody_at(reading.case, reading.cut)
    rows = [
        {
            "item": item(event),
            "exhibit": event.item.number,
            "action": event.get_action_display(),
            "who": event.who,
            "at": when(event.at),
            "clock": event.clock,
            "where": event.where_at,
            "why": event.why,
            "how": event.how,
            "sha256": event.sha256,
        }
        for event in queryset
    ]
    return {**section(rows, queryset, "the custody events of all exhibits"), "gaps": _gaps(queryset)}


def _gaps(events: Iterable[CustodyEvent]) -> list[Row]:
    """What is missing in the chain of each exhibit, by number."""
    chains: dict[EvidenceItem, list[CustodyEvent]] = defaultdict(list)
    for event in events:
        chains[event.item].append(event)
    return [
        {"item": item(exhibit), "exhibit": exhibit.number, "code": gap.code, "text": gap.text}
        for exhibit, chain in chains.items()
        for gap in gaps_of(exhibit, chain)
    ]
