"""Finds accounts that do the same thing at the same moments, over and over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, ClassVar

import ibis
import pyarrow as pa

from detection.detectors.base import Detector, as_rows, behaving, confidence_word, plural, volumes
from detection.detectors.linked import linked
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Number, Outcome, Window
from detection.telemetry.dataset import Dataset

PRIME = 2_147_483_647  # a product of two smaller numbers fits 64 bits on every engine
BANDS, ROWS = 10, 3


@dataclass(frozen=True)
class Kind:
    """What counts as an object, and how long a time bucket is."""

    name: str
    column: str | None
    seconds: int
    words: str


KINDS = (
    Kind("minute", None, 60, "the same minutes"),
    Kind("frame", "sketch_head", 3600, "the same prompt frames in the same hours"),
)


class SynchronisedActivity(Detector):
    """Jaccard similarity of sets of (object, time bucket), single linkage; candidates through MinHash, never all pairs.

    Objects are the model for buckets of a minute, and the prompt's frame for buckets of an hour. Minutes that a clock
    rounds to do not count, since unrelated schedules fire then, nor do elements that many accounts show.
    """

    name = "synchronised-activity"
    signal = "synchronised_activity"
    version = "1.1.0"
    title = "Accounts active at the same moments"
    idea = "Accounts that one scheduler drives act together again and again; people and unrelated programs do not."
    requires = ("ts",)
    uses = ("model", "prompt")
    parameters: ClassVar[Mapping[str, Number]] = {
        "fewest_accounts": 3,
        "fewest_elements": 12,
        "fewest_common": 10,
        "fewest_days": 2,
        "lowest_similarity": 0.4,
        "round_minutes": 5,
        "hub_share": 0.02,
        "hub_floor": 30,
        "bands": BANDS,
        "rows": ROWS,
        "most_compared": 40,
        "full_accounts": 20,
    }
    minimum_support = 500
    support_unit = "exchanges"
    innocent_explanations = (
        "jobs on one schedule: cron at the full hour, a release, an outage after which everybody tries again",
        "one customer that spreads its own load over several accounts",
        "a class or workshop that works through the same exercise together",
    )
    source = "Cao, Yang, Yu, Palow: Uncovering large groups of active malicious accounts (SynchroTrap), CCS 2014"
    techniques = ("AML.T0024.002",)

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        accounts = volumes(dataset, window)
        counts = {"exchanges_read": sum(a.exchanges for a in accounts.values()), "accounts": len(accounts)}
        if counts["exchanges_read"] < self.minimum_support:
            return self.could_not_tell(
                f"Only {counts['exchanges_read']:,} exchanges; {self.minimum_support:,} are needed.", counts
            )
        findings: list[FindingDraft] = []
        for kind in KINDS:
            elements = self._elements(dataset, window, kind, len(accounts))
            compared = self._compared(dataset, elements)
            counts[f"pairs_compared_by_{kind.name}"] = len(compared)
            close = [row for row in compared if self._is_close(row)]
            for group in linked((row["one"], row["other"]) for row in close):
                if len(group) >= self.parameters["fewest_accounts"]:
                    findings += self._finding(dataset, window, kind, elements, group, close, accounts)
        return self.outcome(findings, counts, (), "No three accounts are active at the same moments.")

    def _elements(self, dataset: Dataset, window: Window, kind: Kind, population: int) -> Any:
        """Give the distinct (account, element) of accounts that show enough; an element is a number below `PRIME`."""
        rows = dataset.within(window)
        bucket = rows.ts.epoch_seconds() // kind.seconds
        if kind.column is None:
            rows = rows.mutate(bucket=bucket, thing=rows.model)
            rows = rows.filter(rows.bucket % int(self.parameters["round_minutes"]) != 0)
        else:
            rows = rows.mutate(bucket=bucket, thing=rows[kind.column].cast("string"))
            rows = rows.filter(rows.thing.notnull())
        first = int(window.start.timestamp()) // kind.seconds
        seen = rows.group_by(["account_id", "thing", "bucket"]).aggregate(first=rows.ts.min(), last=rows.ts.max())
        spread = seen.group_by(["thing", "bucket"]).aggregate(holders=seen.count())
        limit = max(self.parameters["hub_floor"], self.parameters["hub_share"] * population)
        told = seen.inner_join(spread.filter(spread.holders <= limit), ["thing", "bucket"])
        enough = told.group_by("account_id").aggregate(elements=told.count())
        enough = enough.filter(enough.elements >= int(self.parameters["fewest_elements"]))
        told = told.inner_join(enough, "account_id")
        things = told.select("thing").distinct()
        numbered = things.mutate(number=ibis.row_number().over(ibis.window(order_by=things.thing)))
        told = told.inner_join(numbered, "thing")
        element = ((told.bucket - first) + (told.number + 1) * 48_271) % PRIME
        columns = told.select("account_id", "thing", "bucket", "elements", "first", "last", element=element)
        return dataset.keep(f"elements_{kind.name}", columns)

    def _compared(self, dataset: Dataset, elements: Any) -> list[dict[str, Any]]:
        """Give the pairs of accounts that share a MinHash band, with the size of both sets and of what is common."""
        hashes = {
            f"h{n}": ((elements.element * (16_807 + 7_919 * n) + 104_729 * (n + 1)) % PRIME).min()
            for n in range(BANDS * ROWS)
        }
        mark = ((elements.element * elements.element) % PRIME).sum()
        signed = elements.group_by("account_id").aggregate(elements=elements.count(), mark=mark, **hashes)
        signed = dataset.keep("signatures", signed)
        parts = ibis.union(
            *(
                signed.select(
                    "account_id",
                    "elements",
                    "mark",
                    band=ibis.literal(band, "int64"),
                    **{f"v{n}": signed[f"h{band * ROWS + n}"] for n in range(ROWS)},
                )
                for band in range(BANDS)
            )
        )
        key = ["band", *(f"v{n}" for n in range(ROWS))]
        shared = parts.group_by(key).aggregate(accounts=parts.count())
        met = parts.semi_join(shared.filter(shared.accounts >= 2), key)
        pairs = self._pairs(as_rows(dataset.arrow(met)), key)
        return self._common(dataset, elements, pairs) if pairs else []

    def _pairs(self, rows: Sequence[Mapping[str, Any]], key: Sequence[str]) -> list[tuple[str, str]]:
        """Pair the accounts of a bucket: all of a small one, of a large one each with the account that shows most.

        Of several that show as much, with the one that comes first by its mark, a sum over its elements. Accounts of
        one mark have, but for a chance of one in billions, the same elements, so that it does not matter which of them
        is taken: names decide nothing.
        """
        buckets: dict[tuple[int, ...], list[tuple[int, int, str]]] = defaultdict(list)
        for row in rows:
            buckets[tuple(row[name] for name in key)].append((-row["elements"], row["mark"], row["account_id"]))
        pairs: set[tuple[str, str]] = set()
        for members in buckets.values():
            names = [account for *_, account in sorted(members)]
            small = len(names) <= self.parameters["most_compared"]
            met = combinations(names, 2) if small else ((names[0], other) for other in names[1:])
            pairs.update((min(pair), max(pair)) for pair in met)
        return sorted(pairs)

    def _common(self, dataset: Dataset, elements: Any, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        table = ibis.memtable(pa.table({"one": [a for a, _ in pairs], "other": [b for _, b in pairs]}))
        left = elements.select("element", "bucket", one="account_id", size="elements")
        right = elements.select("element", other="account_id", other_size="elements")
        both = table.inner_join(left, "one").inner_join(right, ["other", "element"])
        common = both.group_by(["one", "other"]).aggregate(
            common=both.count(),
            size=both["size"].max(),
            other_size=both.other_size.max(),
            earliest=both.bucket.min(),
            latest=both.bucket.max(),
        )
        enough = common.filter(common.common >= int(self.parameters["fewest_common"]))
        return sorted(as_rows(dataset.arrow(enough)), key=lambda row: (row["one"], row["other"]))

    def _is_close(self, row: Mapping[str, Any]) -> bool:
        return similarity(row) >= self.parameters["lowest_similarity"]

    def _finding(
        self,
        dataset: Dataset,
        window: Window,
        kind: Kind,
        elements: Any,
        group: Sequence[str],
        close: Sequence[Mapping[str, Any]],
        accounts: Mapping[str, AccountSeen],
    ) -> Iterator[FindingDraft]:
        inside = set(group)
        pairs = [row for row in close if row["one"] in inside]
        days = (max(row["latest"] for row in pairs) - min(row["earliest"] for row in pairs)) * kind.seconds / 86_400
        if days + 1 < self.parameters["fewest_days"]:
            return
        alike = sorted(similarity(row) for row in pairs)
        middle = alike[len(alike) // 2]
        number = len(group)
        name, held = self._held(dataset, elements, group)
        value = f"{kind.name}-{name}"
        seen = {
            row["account_id"]: AttributeSeen("x-synchronised", value, row["count"], row["first"], row["last"])
            for row in held
        }
        score = middle**0.5 * (0.5 + 0.5 * min(1.0, number / self.parameters["full_accounts"]))
        yield from self.drafts(
            window,
            (kind.name, name),
            behaving(accounts, seen),
            title=f"{plural(number, 'accounts')} active at {kind.words}",
            summary=(
                f"{number:,} of {len(accounts):,} active accounts; in half of {plural(len(pairs), 'pairs')} that were "
                f"compared, {middle:.0%} or more of what either account did falls into buckets of "
                f"{_bucket(kind.seconds)} that both share."
            ),
            score=score,
            confidence=confidence_word(score, number),
            support={
                "accounts": number,
                "population": len(accounts),
                "pairs": len(pairs),
                "similarity_median": round(middle, 4),
                "similarity_lowest": round(alike[0], 4),
                "bucket_seconds": kind.seconds,
                "days": round(days, 2),
            },
        )

    def _held(self, dataset: Dataset, elements: Any, group: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
        """Name a group by its first moment in common, and give when and how often each account was active."""
        own = elements.semi_join(ibis.memtable(pa.table({"account_id": list(group)})), "account_id")
        each = own.group_by("account_id").aggregate(count=own.count(), first=own["first"].min(), last=own["last"].max())
        shared = own.group_by(["thing", "bucket"]).aggregate(holders=own.count())
        shared = shared.filter(shared.holders >= 2)
        earliest = as_rows(dataset.arrow(shared.order_by(["bucket", "thing"]).limit(1)))[0]
        return f"{earliest['bucket']}-{earliest['thing']}", as_rows(dataset.arrow(each))


def similarity(row: Mapping[str, Any]) -> float:
    """Give the Jaccard similarity of a compared pair."""
    return float(row["common"] / (row["size"] + row["other_size"] - row["common"]))


def _bucket(seconds: int) -> str:
    return "a minute" if seconds == 60 else "an hour"
