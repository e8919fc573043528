"""Exchange sets and samples, as they stand in a snapshot: what was asked, what was found, what became of it since.

Of the exchanges themselves a dossier has counts and hashes alone: no request id, no content, no reviewer's note.
"""

import json
from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from cases import history
from cases.dossier.reading import Reading, Row, item, person, section, when, window
from cases.exchange_sets import kept, results
from cases.models import ExchangeSet, ExchangeSetRerun, SampledExchange, SampleResult, SamplingPlan
from cases.vocabulary import VerdictValue
from detection.models import Account
from detection.telemetry.exchange_set import QUERY
from spine import merkle, vault

ROW_FORM = (
    "Each row is canonical JSON (RFC 8785) of its columns, hashed as a leaf of an RFC 6962 tree in the order of time, "
    "request id and leaf hash; in place of account ids, addresses, prompts and responses stand salted commitments "
    "(docs/formats/exchange-set.md)."
)
PLACES = 6  # decimals of a share: the same on every machine
MOST_PRINTED = {"sets": 20, "reruns": 6, "plans": 6, "strata": 12}


def sets(reading: Reading) -> Row:
    """Each set with its question in words and as it was asked, its count, its root, and when its rows go."""
    queryset = _sets(reading).order_by("item__number")
    withheld = history.withheld_at(reading.case, reading.cut)
    rows = [_set(held, open_=held.item_id not in withheld) for held in queryset]
    return section(rows, queryset, "the exchange sets of the case, by number of the exhibit", rule=ROW_FORM)


def _sets(reading: Reading) -> Any:
    held = history.before(ExchangeSet.objects.filter(case=reading.case), reading.cut)
    return held.select_related("item__added_by", "source")


def _set(held: ExchangeSet, *, open_: bool) -> Row:
    chosen = held.chosen if open_ else ""
    accounts = f"{held.account_count:,} account{'s' if held.account_count != 1 else ''}"
    span = f"from {when(held.window_start)} up to {when(held.window_end)}"
    return {
        "item": item(held),
        "exhibit": held.item.number,
        "title": held.item.title,
        "source": held.source.name,
        "asked": f"every exchange of {accounts}{f' ({chosen})' if chosen else ''} in {held.source.name} {span}",
        "query": QUERY,
        "window": window(held.window_start, held.window_end),
        "accounts": held.account_count,
        "rows": held.row_count,
        "first": when(held.first_ts),
        "last": when(held.last_ts),
        "input_tokens": held.input_tokens,
        "output_tokens": held.output_tokens,
        "root": held.root,
        "statement_sha256": held.item.sha256,
        "leaves_sha256": held.leaves_sha256,
        "nodes_sha256": held.nodes_sha256,
        "made_at": when(held.made_at),
        "made_by": person(held.item.added_by)["name"],
        "expire_at": _expire_at(held),
    }


def _expire_at(held: ExchangeSet) -> str | None:
    """When the set's oldest row goes at the source, as its statement says; None where no limit was known."""
    try:
        said = json.loads(vault.read(held.item.sha256))["originals"]["expire_at"]
    except vault.Missing:  # destroyed: the exhibit and its custody say so
        return None
    return None if said is None else str(said)


def reruns(reading: Reading) -> Row:
    """Each time a set was asked again: what the source gave then, and how that differs."""
    asked = history.before(ExchangeSetRerun.objects.filter(exchange_set__case=reading.case), reading.cut)
    queryset = asked.select_related("exchange_set__item", "asked_by").order_by("exchange_set__item__number", "at", "id")
    rows = [
        {
            "item": item(made),
            "exhibit": made.exchange_set.item.number,
            "at": when(made.at),
            "asked_by": person(made.asked_by)["name"],
            "rows": made.row_count,
            "root": made.root,
            "same": made.root == made.exchange_set.root,
            "missing": made.missing,
            "expired": made.expired,
            "added": made.added,
            "changed": made.changed,
            "retention_days": made.retention_days,
            "report_sha256": made.report_sha256,
        }
        for made in queryset
    ]
    return section(rows, queryset, "the sets asked again: missing, expired among them, added and changed rows")


def learn_names(reading: Reading) -> None:
    """Strata can go by account: their names have to be this recipient's."""
    drawn = SampledExchange.objects.filter(plan__in=_plans(reading).order_by().values("pk"))
    for account in Account.objects.filter(pk__in=drawn.order_by().values("account_id")):
        reading.names.account(account)


def _plans(reading: Reading) -> Any:
    plans = SamplingPlan.objects.filter(exchange_set__case=reading.case)
    return history.before(plans, reading.cut).order_by("exchange_set__item__number", "number")


def samples(reading: Reading) -> Row:
    """Each sampling plan with its frame, strata and seed, and what its judged rows say of the whole set."""
    queryset = _plans(reading).select_related("exchange_set__item", "planned_by")
    standing = _standing(reading)
    rows = [_sample(plan, results.of_plan(plan, standing), _judged(plan, standing)) for plan in queryset]
    return section(rows, queryset, "the sampling plans of the case's sets", rule=results.RULE)


def _standing(reading: Reading) -> Any:
    of_case = SampleResult.objects.filter(sampled__plan__exchange_set__case=reading.case)
    return history.newest(of_case, reading.cut)


def _judged(plan: SamplingPlan, standing: Any) -> Counter[str]:
    """How many rows of each stratum somebody judged."""
    rows = standing.filter(sampled__plan=plan).order_by().values_list("sampled_id", "sampled__stratum").distinct()
    return Counter(stratum for _, stratum in rows)


def _sample(plan: SamplingPlan, found: results.Results, judged: Counter[str]) -> Row:
    return {
        "item": item(plan),
        "exhibit": plan.exchange_set.item.number,
        "number": plan.number,
        "question": plan.question,
        "frame": plan.exchange_set.row_count,
        "seed": plan.seed,
        "strata_by": plan.get_strata_by_display(),
        "strata": [{**one, "judged": judged[one["name"][:120]]} for one in plan.strata],
        "per_stratum": plan.per_stratum,
        "sampled": found.total,
        "judged": found.judged,
        "differing": found.differing,
        "reviewers": len(found.reviewers),
        "confidence_level": plan.confidence_level,
        "results": [_line(line) for line in found.lines],
        "planned_by": person(plan.planned_by)["name"],
        "at": when(plan.at),
        "plan_sha256": plan.plan_sha256,
    }


def _line(line: results.Line) -> Row:
    known = line.estimate
    return {
        "result": line.label,
        "found": line.found,
        "judged": line.judged,
        "share": known and round(known.share, PLACES),
        "low": known and round(known.low, PLACES),
        "high": known and round(known.high, PLACES),
        "words": line.in_words,
    }


def sampled(reading: Reading) -> Row:
    """Every drawn row by its index in the set and its leaf hash, with what its reviewers settled on."""
    drawn = SampledExchange.objects.filter(plan__in=_plans(reading).order_by().values("pk"))
    queryset = drawn.select_related("plan__exchange_set__item").order_by(
        "plan__exchange_set__item__number", "plan__number", "ordinal"
    )
    said: dict[UUID, set[str]] = defaultdict(set)
    for sampled_id, value in _standing(reading).order_by().values_list("sampled_id", "value"):
        said[sampled_id].add(value)
    rows = [
        {
            "item": reading.names.item(one),
            "exhibit": one.plan.exchange_set.item.number,
            "sample": one.plan.number,
            "ordinal": one.ordinal,
            "stratum": one.stratum,
            "index": one.index,
            "at": when(one.ts),
            "leaf_sha256": one.leaf_sha256,
            "result": VerdictValue(results.settled_value(said[one.pk])).label if said[one.pk] else None,
        }
        for one in queryset
    ]
    return section(rows, queryset, "the drawn rows of the sampling plans, in the order of each plan")


def with_paths(reading: Reading, drawn: Row) -> Row:
    """The same list, each row with its audit path in the tree of its set: by that its membership can be checked."""
    found: dict[int, dict[int, list[str]]] = {}
    for held in _sets(reading):
        found[held.item.number] = _paths(held, [row for row in drawn["rows"] if row["exhibit"] == held.item.number])
    return {**drawn, "rows": [{**row, "path": found[row["exhibit"]].get(row["index"])} for row in drawn["rows"]]}


def _paths(held: ExchangeSet, rows: list[Row]) -> dict[int, list[str]]:
    """The paths that lead to the set's root, by index; of a set whose leaves are gone or damaged none does."""
    leaf = {row["index"]: bytes.fromhex(row["leaf_sha256"]) for row in rows}
    try:
        with kept.opened(held.leaves_sha256, held.row_count) as leaves:
            paths = kept.paths(leaf, leaves, held.nodes_sha256) if leaf else {}
    except vault.Missing:
        return {}
    root = bytes.fromhex(held.root)
    return {
        index: [step.hex() for step in path]
        for index, path in paths.items()
        if merkle.is_included(leaf[index], index, held.row_count, path, root)
    }


def printed(snapshot: Row) -> Row:
    """The same for paper: each set with its re-runs, newest first, and its samples; what is too long is counted."""
    held = _rows(snapshot, "exchange_sets")
    again, drawn = (_by_exhibit(_rows(snapshot, name)) for name in ("exchange_set_reruns", "samples"))
    most = MOST_PRINTED
    shown = [
        {
            **one,
            "reruns": again[one["exhibit"]][::-1][: most["reruns"]],
            "more_reruns": max(0, len(again[one["exhibit"]]) - most["reruns"]),
            "samples": [
                {
                    **plan,
                    "strata": plan["strata"][: most["strata"]],
                    "more_strata": len(plan["strata"][most["strata"] :]),
                }
                for plan in drawn[one["exhibit"]][: most["plans"]]
            ],
            "more_samples": max(0, len(drawn[one["exhibit"]]) - most["plans"]),
        }
        for one in held[: most["sets"]]
    ]
    rule = snapshot.get("exchange_sets", {}).get("rule", "")
    return {"rows": shown, "more": max(0, len(held) - most["sets"]), "rule": rule, "samples_rule": results.RULE}


def _rows(snapshot: Row, name: str) -> list[Row]:
    """A list's rows; snapshots older than these lists have none."""
    found: list[Row] = snapshot.get(name, {}).get("rows", [])
    return found


def _by_exhibit(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["exhibit"]].append(row)
    return found
