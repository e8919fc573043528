"""Finds prompt templates: a fixed frame filled again and again, thinly, by many accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, ClassVar

import ibis
import pyarrow as pa

from detection.detectors.base import Detector, as_rows, confidence_word, plural, rarity, volumes, with_attributes
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Hub, Number, Outcome, Window
from detection.telemetry import sketch
from detection.telemetry.dataset import Dataset

VIEWS = ("head", "tail", "twin")
EXAMPLE_WORDS = 24


class TemplateReuse(Detector):
    """Score = distinct accounts × persistence in days × rarity in the rest of traffic, each scaled to 0–1.

    A template is the head (up to the first colon or line break, else five words) or the tail (last line, else five
    words) of the masked prompt, with many different fillings; or near-identical prompts as a whole (`twin`): candidates
    share a band of their MinHash, and agreement in a second band verifies them.
    """

    name = "template-reuse"
    signal = "template_reuse"
    version = "1.0.0"
    title = "Accounts that fill the same rare prompt template"
    idea = (
        "A data set is collected by filling few frames many times; a pool spreads one frame thinly over its accounts."
    )
    requires = ("prompt",)
    uses = ("account_id", "ts")
    parameters: ClassVar[Mapping[str, Number]] = {
        "fewest_accounts": 3,
        "fewest_exchanges": 12,
        "fewest_days": 2,
        "fewest_words": 3,
        "often": 3,
        "lowest_regular_share": 0.2,
        "fewest_fillings": 8,
        "lowest_filling_share": 0.1,
        "hub_share": 0.1,
        "hub_floor": 30,
        "full_accounts": 20,
        "full_days": 7,
        "frame_words": sketch.FRAME_WORDS,
        "permutations": sketch.PERMUTATIONS,
        "bands": sketch.BANDS,
        "part_share": 0.8,
        "twin_bands": 2,
    }
    minimum_support = 500
    support_unit = "exchanges with a prompt"
    innocent_explanations = (
        "a published prompt library or framework that many customers use",
        "a course, hackathon or tutorial that hands out one prompt",
        "a benchmark or evaluation harness run by several people",
        "one company's product used through several accounts",
    )
    source = "Broder 1997 (resemblance); public reports of repeated prompts across account pools (2026)"
    techniques = ("AML.T0024.002",)

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        accounts = volumes(dataset, window)
        rows = self._with_twins(dataset, dataset.within(window).filter(lambda t: t.sketch_text.notnull()))
        read = int(dataset.arrow(rows.aggregate(n=rows.count()))["n"][0].as_py())
        counts = {"exchanges_read": read, "accounts": len(accounts)}
        if read < self.minimum_support:
            return self.could_not_tell(
                f"Only {read:,} exchanges carry a prompt; {self.minimum_support:,} are needed.", counts
            )
        frames = self._frames(dataset, rows)
        limit = max(self.parameters["hub_floor"], self.parameters["hub_share"] * len(accounts))
        hubs = [
            Hub(
                "template",
                template_id(row),
                row["accounts"],
                f"filled by more than {limit:,.0f} of {len(accounts):,} accounts",
            )
            for row in frames
            if row["accounts"] > limit
        ]
        kept = self._without_parts(dataset, rows, [row for row in frames if row["accounts"] <= limit])
        examples = self._examples(dataset, rows, kept)
        kept = [row for row in kept if self._says_something(examples[template_id(row)])]
        holders = self._holders(dataset, rows, kept)
        findings = [
            draft for row in kept for draft in self._finding(window, row, holders[template_id(row)], accounts, examples)
        ]
        counts |= {"candidates": len(frames)}
        return self.outcome(findings, counts, hubs, "No rare template is filled by three accounts.")

    def _with_twins(self, dataset: Dataset, rows: Any) -> Any:
        """Add `sketch_twin`: the smallest prompt hash that agrees in two bands, null for a prompt without a twin.

        Every prompt meets the leader of its bucket alone, so that the work stays in proportion to the prompts.
        """
        texts = rows.filter(rows.sketch_bands.notnull()).group_by("sketch_text")
        # One text has one set of bands; plain numbers, because an engine can put them aside where memory is short.
        texts = texts.aggregate(**{f"band_{n}": rows.sketch_bands[n].min() for n in range(sketch.BANDS)})
        texts = dataset.keep("template_texts", texts)
        met = dataset.keep("template_met", ibis.union(*(_led(texts, f"band_{n}") for n in range(sketch.BANDS))))
        agreed = met.group_by(["sketch_text", "leader"]).aggregate(bands=met.count())
        agreed = agreed.filter(agreed.bands >= self.parameters["twin_bands"])
        twins = agreed.group_by("sketch_text").aggregate(sketch_twin=agreed.leader.min())
        twins = dataset.keep("template_twins", twins)
        for name in ("template_met", "template_texts"):
            dataset.drop(name)  # the largest of all that is put aside: its room is for the detectors that follow
        columns = ["account_id", "ts", "prompt", "input_tokens", "sketch_text", "sketch_head", "sketch_tail"]
        return rows.select(*columns).left_join(twins, "sketch_text").select(*columns, "sketch_twin")

    def _frames(self, dataset: Dataset, rows: Any) -> list[dict[str, Any]]:
        """Give every frame with enough accounts, exchanges, days and different fillings, in a fixed order."""
        chosen: list[dict[str, Any]] = []
        for view in VIEWS:
            column = f"sketch_{view}"
            some = rows.filter(rows[column].notnull())
            frames = some.group_by(column).aggregate(
                exchanges=some.count(),
                accounts=some.account_id.nunique(),
                fillings=(some.sketch_text ^ some.input_tokens.fill_null(0)).nunique(),
                days=some.ts.truncate("D").nunique(),
            )
            by_account = some.group_by([column, "account_id"]).aggregate(times=some.count())
            often = by_account.filter(by_account.times >= self.parameters["often"])
            regulars = often.group_by(column).aggregate(regulars=often.count())
            frames = frames.inner_join(regulars, column)
            wanted = frames.filter(
                (frames.accounts >= self.parameters["fewest_accounts"])
                & (frames.exchanges >= self.parameters["fewest_exchanges"])
                & (frames.regulars >= self.parameters["fewest_accounts"])
                & (frames.regulars >= self.parameters["lowest_regular_share"] * frames.accounts)
                & (frames.days >= self.parameters["fewest_days"])
                & (frames.fillings >= self.parameters["fewest_fillings"])
                & (frames.fillings >= self.parameters["lowest_filling_share"] * frames.exchanges)
            ).rename(value=column)
            chosen += [{"view": view, **row} for row in as_rows(dataset.arrow(wanted))]
        return sorted(chosen, key=lambda row: (row["view"], row["value"]))

    def _without_parts(
        self, dataset: Dataset, rows: Any, frames: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """Drop a template that is mostly part of a larger one: head, tail and twin are views of the same prompts."""
        left = list(frames)
        for first, second in combinations(VIEWS, 2):
            ones = {row["value"]: row["exchanges"] for row in left if row["view"] == first}
            others = {row["value"]: row["exchanges"] for row in left if row["view"] == second}
            parts = self._parts(dataset, rows, (first, ones), (second, others)) if ones and others else set()
            left = [row for row in left if row["view"] != second or row["value"] not in parts]
        return left

    def _parts(
        self, dataset: Dataset, rows: Any, one: tuple[str, Mapping[int, int]], other: tuple[str, Mapping[int, int]]
    ) -> set[int]:
        """Give the tails that nearly always go with one head, and the twins that lie within one head or tail."""
        (first, ones), (second, others) = one, other
        mine, yours = f"sketch_{first}", f"sketch_{second}"
        pairs = rows.filter(rows[mine].isin(sorted(ones)) & rows[yours].isin(sorted(others)))
        counted = pairs.group_by([mine, yours]).aggregate(together=pairs.count())
        share = self.parameters["part_share"]
        return {
            row[yours]
            for row in as_rows(dataset.arrow(counted))
            if row["together"] >= share * max(others[row[yours]], 0 if second == "twin" else ones[row[mine]])
        }

    def _holders(
        self, dataset: Dataset, rows: Any, frames: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Mapping[str, AttributeSeen]]:
        """Give for each template the accounts that filled it."""
        found: dict[str, dict[str, AttributeSeen]] = defaultdict(dict)
        for view in VIEWS:
            chosen = _of(rows, view, frames)
            if chosen is None:
                continue
            grouped = chosen.group_by(["account_id", "value"]).aggregate(
                count=chosen.count(), first=chosen.ts.min(), last=chosen.ts.max()
            )
            for row in as_rows(dataset.arrow(grouped)):
                key = template_id({"view": view, "value": row["value"]})
                found[key][row["account_id"]] = AttributeSeen("template", key, row["count"], row["first"], row["last"])
        return found

    def _examples(self, dataset: Dataset, rows: Any, frames: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
        """Give each template in masked words, from the prompt that sorts first; fillings are not shown."""
        shown = {}
        for view in VIEWS:
            chosen = _of(rows, view, frames)
            if chosen is None:
                continue
            first = chosen.group_by("value").aggregate(prompt=chosen.prompt.min())
            for row in as_rows(dataset.arrow(first)):
                tokens = sketch.masked(row["prompt"])
                words = sketch.head(tokens) if view == "head" else sketch.tail(tokens) if view == "tail" else tokens
                shown[template_id({"view": view, "value": row["value"]})] = _shown(words, view)
        return shown

    def _says_something(self, example: str) -> bool:
        """Tell whether a template has words of its own; “… else” is a line of code, not a template."""
        words = [word for word in example.split() if word[0].isalpha() or word == "‹name›"]
        return len(words) >= self.parameters["fewest_words"] or (bool(words) and example.endswith(": …"))

    def _finding(
        self,
        window: Window,
        row: Mapping[str, Any],
        holders: Mapping[str, AttributeSeen],
        accounts: Mapping[str, AccountSeen],
        examples: Mapping[str, str],
    ) -> Sequence[FindingDraft]:
        key = template_id(row)
        rare = rarity(len(holders), len(accounts))
        breadth = min(1.0, len(holders) / self.parameters["full_accounts"])
        persistence = min(1.0, row["days"] / self.parameters["full_days"])
        score = (breadth * persistence) ** 0.5 * rare
        busiest = max(seen.count for seen in holders.values()) / row["exchanges"]
        return list(
            self.drafts(
                window,
                ("template", key),
                [with_attributes(accounts[account_id], [seen]) for account_id, seen in holders.items()],
                title=f"Prompt template filled by {plural(len(holders), 'accounts')}",
                summary=(
                    f"“{examples[key]}”: {row['exchanges']:,} exchanges, {row['fillings']:,} different fillings, on "
                    f"{plural(row['days'], 'days')}, by {len(holders):,} of {len(accounts):,} active accounts."
                ),
                score=score,
                confidence=confidence_word(score, len(holders)),
                support={
                    "exchanges": row["exchanges"],
                    "fillings": row["fillings"],
                    "days": row["days"],
                    "accounts": len(holders),
                    "population": len(accounts),
                    "rarity": round(rare, 4),
                    "busiest_account_share": round(busiest, 4),
                    "template": examples[key],
                },
            )
        )


def template_id(row: Mapping[str, Any]) -> str:
    """Name a template by its view and hash, for example `head-0f31…`."""
    return f"{row['view']}-{row['value'] & (2**64 - 1):016x}"


def _led(texts: Any, band: str) -> Any:
    """Give each text with the leader of its bucket, of buckets that hold another text too."""
    buckets = texts.group_by(band).aggregate(leader=texts.sketch_text.min(), texts=texts.count())
    return texts.inner_join(buckets.filter(buckets.texts >= 2), band).select("sketch_text", "leader")


def _of(rows: Any, view: str, frames: Sequence[Mapping[str, Any]]) -> Any:
    """Give the exchanges that fill a frame of the view, the frame in column `value`; None when there is none."""
    values = sorted(row["value"] for row in frames if row["view"] == view)
    if not values:
        return None
    chosen = ibis.memtable(pa.table({"value": pa.array(values, pa.int64())}))
    return rows.mutate(value=rows[f"sketch_{view}"]).semi_join(chosen, "value")


def _shown(words: Sequence[str], view: str) -> str:
    text = " ".join(word for word in words[:EXAMPLE_WORDS] if word != "\n")
    return f"… {text}" if view == "tail" else f"{text} …"
