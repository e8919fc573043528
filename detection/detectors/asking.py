"""What detectors of one kind of request have in common: who asks so regularly, and in whose words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar

from detection.detectors.base import (
    Detector,
    as_rows,
    behaving,
    confidence_word,
    plural,
    rarity,
    volumes,
)
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Hub, Number, Outcome, Window
from detection.telemetry.dataset import Dataset

VIEWS = ("head", "tail")


@dataclass(frozen=True)
class Frame:
    """A prompt's opening or closing in which accounts ask, with what each of them asked in it."""

    view: str
    value: int
    exchanges: int
    fillings: int
    days: int
    holders: Mapping[str, AttributeSeen]

    @property
    def name(self) -> str:
        return f"{self.view}-{self.value & (2**64 - 1):016x}"


class AskingDetector(Detector):
    """Accounts that ask for one thing again and again: together in one frame, or each on its own.

    A prompt counts from the level `lowest_cue` of `column` on. A frame is the head or tail of such a prompt, with its
    filling masked; accounts that fill the same rare frame are one finding, those that ask regularly in words of their
    own are one more, with a low score.
    """

    column: ClassVar[str]
    behaviour: ClassVar[str]
    asks: ClassVar[str]
    requires = ("prompt",)
    uses = ("ts",)
    minimum_support = 500
    support_unit = "exchanges with a prompt that was read"
    techniques = ("AML.T0024.002",)
    parameters: ClassVar[Mapping[str, Number]] = {
        "lowest_cue": 2,
        "fewest_accounts": 3,
        "often": 3,
        "fewest_fillings": 8,
        "fewest_days": 2,
        "hub_share": 0.1,
        "hub_floor": 30,
        "part_share": 0.8,
        "full_accounts": 20,
        "full_days": 7,
        "alone_exchanges": 30,
        "alone_fillings": 20,
        "alone_share": 0.3,
        "alone_score": 0.3,
    }

    @abstractmethod
    def innocent(self) -> str:
        """Say in one sentence what looks the same and is ordinary."""

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        read = dataset.within(window).filter(lambda t: t[self.column].notnull())
        asked = read.filter(read[self.column] >= int(self.parameters["lowest_cue"]))
        number, counts = self._counts(dataset, read, asked)
        if number < self.minimum_support:
            return self.could_not_tell(
                f"Only {number:,} exchanges carry a prompt that was read; {self.minimum_support:,} are needed.",
                counts,
            )
        accounts = volumes(dataset, window)
        limit = max(self.parameters["hub_floor"], self.parameters["hub_share"] * len(accounts))
        frames = [frame for view in VIEWS for frame in self._frames(dataset, asked, view)]
        hubs = [self._hub(frame, limit, len(accounts)) for frame in frames if len(frame.holders) > limit]
        kept = self._without_parts([frame for frame in frames if len(frame.holders) <= limit])
        named = {account for frame in kept for account in frame.holders}
        alone = {a: seen for a, seen in self._regulars(dataset, read).items() if a not in named}
        findings = [draft for frame in kept for draft in self._together(window, frame, accounts)]
        findings += self._alone(window, alone, accounts)
        counts |= {"accounts": len(accounts), "frames": len(frames)}
        return self.outcome(findings, counts, hubs, f"No account asks {self.asks} regularly.")

    def _counts(self, dataset: Dataset, read: Any, asked: Any) -> tuple[int, dict[str, int]]:
        number = int(dataset.arrow(read.aggregate(n=read.count()))["n"][0].as_py())
        cued = dataset.arrow(asked.aggregate(n=asked.count(), accounts=asked.account_id.nunique()))
        counts = {"exchanges_asking": cued["n"][0].as_py(), "accounts_asking": cued["accounts"][0].as_py()}
        return number, {"exchanges_read": number, **counts}

    def _frames(self, dataset: Dataset, asked: Any, view: str) -> Iterator[Frame]:
        """Give the frames that enough accounts fill often, with many fillings, on several days, in a fixed order."""
        some = asked.filter(asked[f"sketch_{view}"].notnull()).rename(frame=f"sketch_{view}")
        whole = some.group_by("frame").aggregate(
            exchanges=some.count(), fillings=some.sketch_text.nunique(), days=some.ts.truncate("D").nunique()
        )
        held = some.group_by(["frame", "account_id"]).aggregate(
            count=some.count(), first=some.ts.min(), last=some.ts.max()
        )
        held = held.filter(held["count"] >= int(self.parameters["often"]))
        wide = held.group_by("frame").aggregate(holders=held.count())
        wide = wide.filter(wide.holders >= int(self.parameters["fewest_accounts"]))
        whole = whole.filter(
            (whole.fillings >= int(self.parameters["fewest_fillings"]))
            & (whole.days >= int(self.parameters["fewest_days"]))
        )
        held = held.semi_join(wide, "frame").inner_join(whole, "frame")
        rows = sorted(as_rows(dataset.arrow(held)), key=lambda row: (row["frame"], row["account_id"]))
        for value, group in groupby(rows, key=itemgetter("frame")):
            own = list(group)
            holders = {row["account_id"]: self._seen(row) for row in own}
            yield Frame(view, value, own[0]["exchanges"], own[0]["fillings"], own[0]["days"], holders)

    def _regulars(self, dataset: Dataset, read: Any) -> dict[str, AttributeSeen]:
        """Give the accounts that ask so in a good share of what they send, in many different prompts."""
        asks = read[self.column] >= int(self.parameters["lowest_cue"])
        each = read.group_by("account_id").aggregate(
            count=asks.sum(),
            prompts=read.count(),
            fillings=read.sketch_text.nunique(where=asks),
            first=read.ts.min(where=asks),
            last=read.ts.max(where=asks),
        )
        each = each.filter(
            (each["count"] >= int(self.parameters["alone_exchanges"]))
            & (each.fillings >= int(self.parameters["alone_fillings"]))
            & (each["count"] >= self.parameters["alone_share"] * each.prompts)
        )
        return {row["account_id"]: self._seen(row) for row in as_rows(dataset.arrow(each))}

    def _seen(self, row: Mapping[str, Any]) -> AttributeSeen:
        return AttributeSeen("x-behaviour", self.behaviour, int(row["count"]), row["first"], row["last"])

    def _hub(self, frame: Frame, limit: float, population: int) -> Hub:
        reason = f"asked in by more than {limit:,.0f} of {population:,} accounts, as with a popular client"
        return Hub("template", frame.name, len(frame.holders), reason)

    def _without_parts(self, frames: Sequence[Frame]) -> list[Frame]:
        """Drop a frame most of whose accounts stand in a larger one: they are named once."""
        kept: list[Frame] = []
        for frame in sorted(frames, key=lambda f: (-len(f.holders), -f.exchanges, f.name)):
            share = self.parameters["part_share"]
            own = frame.holders.keys()
            if all(len(own & other.holders.keys()) < share * len(own) for other in kept):
                kept.append(frame)
        return kept

    def _together(self, window: Window, frame: Frame, accounts: Mapping[str, AccountSeen]) -> Iterator[FindingDraft]:
        number, population = len(frame.holders), len(accounts)
        rare = rarity(number, population)
        breadth = min(1.0, number / self.parameters["full_accounts"])
        persistence = min(1.0, frame.days / self.parameters["full_days"])
        score = (breadth * persistence) ** 0.5 * rare
        yield from self.drafts(
            window,
            ("frame", frame.name),
            behaving(accounts, frame.holders),
            title=f"{plural(number, 'accounts')} asking {self.asks} in the same words",
            summary=(
                f"One frame, {frame.exchanges:,} exchanges with {frame.fillings:,} different fillings on "
                f"{plural(frame.days, 'days')}, by {number:,} of {population:,} active accounts. {self.innocent()}"
            ),
            score=score,
            confidence=confidence_word(score, number),
            support={
                "exchanges": frame.exchanges,
                "fillings": frame.fillings,
                "days": frame.days,
                "accounts": number,
                "population": population,
                "rarity": round(rare, 4),
                "frame": frame.name,
            },
        )

    def _alone(
        self, window: Window, holders: Mapping[str, AttributeSeen], accounts: Mapping[str, AccountSeen]
    ) -> Sequence[FindingDraft]:
        if not holders:
            return []
        number, exchanges = len(holders), sum(seen.count for seen in holders.values())
        return list(
            self.drafts(
                window,
                ("alone",),
                behaving(accounts, holders),
                title=f"{plural(number, 'accounts')} asking {self.asks} regularly, each in words of its own",
                summary=(
                    f"{exchanges:,} exchanges of {number:,} of {len(accounts):,} active accounts without a frame in "
                    f"common: nothing here ties them to one another. {self.innocent()}"
                ),
                score=self.parameters["alone_score"],
                confidence="low",
                support={"exchanges": exchanges, "accounts": number, "population": len(accounts)},
            )
        )
