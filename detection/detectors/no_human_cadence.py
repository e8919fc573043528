"""Finds accounts behind which nobody seems to sit, and above all those that work off one numbered list together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar

import ibis

from detection.detectors.base import Detector, as_rows, behaving, confidence_word, plural, rarity, volumes
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Hub, Number, Outcome, Window
from detection.telemetry.dataset import Dataset

VIEWS = ("head", "tail")


@dataclass(frozen=True)
class Series:
    """A prompt's frame whose fillings are numbered, and the accounts that share the numbers out among themselves."""

    name: str
    items: int
    span: int
    holders: Mapping[str, AttributeSeen]


class NoHumanCadence(Detector):
    """Two statements: several accounts share one numbered list out, and single accounts work like a clock.

    Sharing out: under one frame the item numbers of the accounts cover a range densely and hardly overlap. A clock:
    gaps between exchanges are even, and no short follow-up comes, or numbered items come in order. Where most prompts
    of an account are not known, whether it follows up is not either, and the finding says so. Machine use of an API is
    ordinary: the second statement has a low score, and is there for what stands beside it.

    Without any prompt numbered lists cannot be seen: then it cannot tell, unless gaps are even.
    """

    name = "no-human-cadence"
    signal = "no_human_cadence"
    version = "1.1.0"
    title = "Accounts with evenly timed or numbered requests"
    idea = "A data set is fetched in its own order, without pauses or follow-up questions, its items shared out."
    requires = ("ts",)
    uses = ("prompt",)
    parameters: ClassVar[Mapping[str, Number]] = {
        "fewest_accounts": 3,
        "fewest_items": 30,
        "fewest_own_items": 5,
        "lowest_cover": 0.5,
        "highest_overlap": 1.3,
        "hub_share": 0.1,
        "hub_floor": 30,
        "fewest_exchanges": 60,
        "fewest_days": 2,
        "even_share": 0.5,
        "fewest_gap_seconds": 2,
        "longest_gap_seconds": 7200,
        "highest_follow_up_share": 0.01,
        "lowest_prompt_share": 0.5,
        "in_order_share": 0.8,
        "full_accounts": 10,
        "clock_score": 0.2,
    }
    minimum_support = 500
    support_unit = "exchanges"
    innocent_explanations = (
        "a batch job, a monitor or a pipeline of one customer, which is what an API is for",
        "an evaluation harness that runs a published benchmark in its order",
        "exercises of a course, which are numbered the same for everybody",
    )
    source = "research/domain.md 2.2: dataset order and absence of a human cadence; rules of our own"
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
        limit = max(self.parameters["hub_floor"], self.parameters["hub_share"] * len(accounts))
        shared = self._distinct([one for view in VIEWS for one in self._series(dataset, window, view)])
        reason = f"numbered in by more than {limit:,.0f} of {len(accounts):,} accounts"
        hubs = [Hub("x-series", s.name, len(s.holders), reason) for s in shared if len(s.holders) > limit]
        kept = [series for series in shared if len(series.holders) <= limit]
        findings = [draft for series in kept for draft in self._sharing(window, series, accounts)]
        named = {account for series in kept for account in series.holders}
        clocks = {account: row for account, row in self._clocks(dataset, window).items() if account not in named}
        findings += self._clockwork(window, clocks, accounts)
        counts |= {"lists_shared_out": len(kept), "clocks": len(clocks)}
        if not findings and not self._any_prompt(dataset, window):
            return self.could_not_tell(
                "No account leaves even gaps; without prompts neither numbered lists nor follow-ups can be seen.",
                counts,
            )
        return self.outcome(findings, counts, hubs, "No account works off a list like a clock.")

    def _any_prompt(self, dataset: Dataset, window: Window) -> bool:
        rows = dataset.within(window)
        return bool(dataset.arrow(rows.aggregate(n=rows.sketch_text.count()))["n"][0].as_py())

    def _series(self, dataset: Dataset, window: Window, view: str) -> Iterator[Series]:
        """Give the frames whose item numbers several accounts share out, in a fixed order."""
        p = self.parameters
        rows = dataset.within(window)
        some = rows.filter(rows.cue_item.notnull() & rows[f"sketch_{view}"].notnull()).rename(frame=f"sketch_{view}")
        held = some.group_by(["frame", "account_id"]).aggregate(
            count=some.count(), items=some.cue_item.nunique(), first=some.ts.min(), last=some.ts.max()
        )
        held = held.filter(held["items"] >= int(p["fewest_own_items"]))
        own = some.semi_join(held, ["frame", "account_id"])
        whole = own.group_by("frame").aggregate(
            holders=own.account_id.nunique(),
            all_items=own.cue_item.nunique(),
            lowest=own.cue_item.min(),
            highest=own.cue_item.max(),
        )
        whole = whole.filter(
            (whole.holders >= int(p["fewest_accounts"]))
            & (whole.all_items >= int(p["fewest_items"]))
            & (whole.all_items >= p["lowest_cover"] * (whole.highest - whole.lowest + 1))
        )
        rows_ = sorted(
            as_rows(dataset.arrow(held.inner_join(whole, "frame"))), key=lambda row: (row["frame"], row["account_id"])
        )
        for value, group in groupby(rows_, key=itemgetter("frame")):
            members = list(group)
            items = members[0]["all_items"]
            if sum(row["items"] for row in members) <= p["highest_overlap"] * items:
                name = f"{view}-{value & (2**64 - 1):016x}"
                holders = {
                    row["account_id"]: AttributeSeen("x-series", name, row["count"], row["first"], row["last"])
                    for row in members
                }
                yield Series(name, items, members[0]["highest"] - members[0]["lowest"] + 1, holders)

    def _distinct(self, found: Sequence[Series]) -> list[Series]:
        """Keep one of two frames, head and tail of the same prompts, that name the same accounts."""
        kept: list[Series] = []
        for series in sorted(found, key=lambda s: (-len(s.holders), -s.items, s.name)):
            if all(series.holders.keys() != other.holders.keys() for other in kept):
                kept.append(series)
        return kept

    def _clocks(self, dataset: Dataset, window: Window) -> dict[str, dict[str, Any]]:
        """Give the accounts with even gaps and no follow-up that was seen, or with numbered items in order."""
        p = self.parameters
        each = self._used(dataset, window)
        gaps = self._even(dataset, window)
        joined = each.left_join(gaps, "account_id").drop("account_id_right")
        found = {}
        for row in as_rows(dataset.arrow(joined)):
            gaps_seen = row["gaps"] or 0
            even = gaps_seen > 0 and row["commonest"] >= p["even_share"] * gaps_seen
            follow_ups = (row["shorts"] or 0) > p["highest_follow_up_share"] * row["prompts"]
            told = row["prompts"] >= p["lowest_prompt_share"] * row["count"]
            ordered = (row["steps"] or 0) >= p["fewest_items"] and row["forward"] >= p["in_order_share"] * row["steps"]
            if (even and not follow_ups) or ordered:
                found[row["account_id"]] = row | {
                    "even": even and told,
                    "untold": even and not told,
                    "ordered": ordered,
                }
        return found

    def _used(self, dataset: Dataset, window: Window) -> Any:
        """Give how much each account did, how many prompts were short, and how many items came after a smaller one."""
        rows = dataset.within(window)
        before = ibis.window(group_by="account_id", order_by=[rows.ts, rows.request_id])
        rows = rows.mutate(item_before=rows.cue_item.lag().over(before))
        step = rows.cue_item - rows.item_before
        short = rows.sketch_text.notnull() & rows.sketch_head.isnull()
        each = rows.group_by("account_id").aggregate(
            count=rows.count(),
            prompts=rows.sketch_text.count(),
            shorts=short.sum(),
            steps=step.count(),
            forward=((step > 0) & (step <= 100)).sum(),
            days=rows.ts.truncate("D").nunique(),
            first=rows.ts.min(),
            last=rows.ts.max(),
        )
        return each.filter(
            (each["count"] >= int(self.parameters["fewest_exchanges"]))
            & (each.days >= int(self.parameters["fewest_days"]))
        )

    def _even(self, dataset: Dataset, window: Window) -> Any:
        """Give for each account its gaps of a plausible length and how many fall into the commonest length."""
        p = self.parameters
        rows = dataset.within(window)
        rows = rows.select("account_id", second=rows.ts.epoch_seconds())
        before = ibis.window(group_by="account_id", order_by="second")
        rows = rows.mutate(gap=rows.second - rows.second.lag().over(before))
        rows = rows.filter((rows.gap >= int(p["fewest_gap_seconds"])) & (rows.gap <= int(p["longest_gap_seconds"])))
        length = ibis.cases(
            (rows.gap < 60, rows.gap), (rows.gap < 600, 60 + rows.gap // 10), else_=120 + rows.gap // 60
        )
        counted = rows.mutate(length=length).group_by(["account_id", "length"]).aggregate(times=lambda t: t.count())
        return counted.group_by("account_id").aggregate(gaps=counted.times.sum(), commonest=counted.times.max())

    def _sharing(self, window: Window, series: Series, accounts: Mapping[str, AccountSeen]) -> Iterator[FindingDraft]:
        number = len(series.holders)
        rare = rarity(number, len(accounts))
        score = (0.5 + 0.5 * min(1.0, number / self.parameters["full_accounts"])) * rare**0.5
        yield from self.drafts(
            window,
            ("series", series.name),
            behaving(accounts, series.holders),
            title=f"{plural(number, 'accounts')} sharing one numbered list out among themselves",
            summary=(
                f"Under one frame, {number:,} of {len(accounts):,} active accounts send {series.items:,} of "
                f"{series.span:,} consecutive numbers, hardly any of them twice."
            ),
            score=score,
            confidence=confidence_word(score, number),
            support={
                "accounts": number,
                "population": len(accounts),
                "items": series.items,
                "range": series.span,
                "cover": round(series.items / series.span, 4),
                "frame": series.name,
            },
        )

    def _clockwork(
        self, window: Window, rows: Mapping[str, Mapping[str, Any]], accounts: Mapping[str, AccountSeen]
    ) -> Sequence[FindingDraft]:
        if not rows:
            return []
        number = len(rows)
        seen = {
            account: AttributeSeen("x-behaviour", "no-human-cadence", row["count"], row["first"], row["last"])
            for account, row in rows.items()
        }
        even, untold, ordered = (sum(row[sign] for row in rows.values()) for sign in ("even", "untold", "ordered"))
        unknown = f"{untold:,} leave even gaps and it is not known whether they follow up, " if untold else ""
        return list(
            self.drafts(
                window,
                ("clock",),
                behaving(accounts, seen),
                title=f"{plural(number, 'accounts')} with evenly timed or numbered requests",
                summary=(
                    f"Of {len(accounts):,} active accounts, {even:,} leave even gaps and hardly ever follow up, "
                    f"{unknown}{ordered:,} send numbered items in order. Batch jobs do both; nothing here ties the "
                    "accounts to one another."
                ),
                score=self.parameters["clock_score"],
                confidence="low",
                support={
                    "accounts": number,
                    "population": len(accounts),
                    "even_gaps": even,
                    "even_gaps_follow_ups_unknown": untold,
                    "items_in_order": ordered,
                },
            )
        )
