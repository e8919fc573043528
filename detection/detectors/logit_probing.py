"""Finds accounts that read a model's output layer: biased or detailed token probabilities, one token at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import ibis

from detection.detectors.base import Detector, as_rows, behaving, confidence_word, plural, volumes
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Number, Outcome, Window
from detection.telemetry.dataset import Dataset


class LogitProbing(Detector):
    """Rules and rate after arXiv 2403.06634: many biased tokens, or most probabilities for a single token, repeated.

    A probe is an exchange with a large logit bias, or with detailed probabilities for one or two tokens of output. A
    classifier constrained to a few labels sends a small bias with many different prompts; probing sends few prompts
    many times. Without a prompt column only the large bias counts.
    """

    name = "logit-probing"
    signal = "logit_probing"
    version = "1.0.0"
    title = "Accounts that often ask for token probabilities or biases"
    idea = "The width and weights of the last layer follow from the probabilities of many tokens after few prompts."
    requires_any = ("logit_bias_count", "top_logprobs")
    uses = ("max_tokens", "output_tokens", "model", "prompt", "prompt_sha256")
    parameters: ClassVar[Mapping[str, Number]] = {
        "large_bias": 20,
        "detailed": 5,
        "most_tokens": 2,
        "fewest_probes": 50,
        "lowest_share": 0.2,
        "highest_distinct_share": 0.5,
        "full_probes": 2000,
    }
    minimum_support = 500
    support_unit = "exchanges that state a logit bias or probabilities"
    innocent_explanations = (
        "a classifier that reads the probabilities of a few labels",
        "research on calibration or uncertainty",
        "a client library that asks for probabilities by default",
    )
    source = "Carlini et al., Stealing part of a production language model, arXiv 2403.06634 (2024)"
    techniques = ("AML.T0024.002",)

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        rows = dataset.within(window)
        stated = rows.filter(rows.logit_bias_count.notnull() | rows.top_logprobs.notnull())
        read = int(dataset.arrow(stated.aggregate(n=stated.count()))["n"][0].as_py())
        counts = {"exchanges_read": read}
        if read < self.minimum_support:
            return self.could_not_tell(
                f"Only {read:,} exchanges state a logit bias or probabilities; {self.minimum_support:,} are needed.",
                counts,
            )
        accounts = volumes(dataset, window)
        probing = self._probing(dataset, rows, accounts)
        findings = [
            draft for model in sorted(probing) for draft in self._finding(window, model, probing[model], accounts)
        ]
        counts |= {"accounts": len(accounts)}
        return self.outcome(findings, counts, (), "No account probes token probabilities.")

    def _probing(
        self, dataset: Dataset, rows: Any, accounts: Mapping[str, AccountSeen]
    ) -> dict[str, dict[str, Mapping[str, Any]]]:
        """Give for each model the accounts that probe it."""
        p = self.parameters
        biased = (rows.logit_bias_count >= int(p["large_bias"])).fill_null(False)
        tokens = ibis.coalesce(rows.max_tokens, rows.output_tokens)
        detailed = ((rows.top_logprobs >= int(p["detailed"])) & (tokens <= int(p["most_tokens"]))).fill_null(False)
        text = ibis.coalesce(rows.prompt_sha256, rows.sketch_text.cast("string"))
        probes = rows.mutate(biased=biased, detailed=detailed, text=text)
        probes = probes.filter(probes.biased | probes.detailed)
        each = probes.group_by(["model", "account_id"]).aggregate(
            count=probes.count(),
            biased=probes.biased.sum(),
            detailed=probes.detailed.sum(),
            texts=probes.text.nunique(),
            told=probes.text.count(),
            first=probes.ts.min(),
            last=probes.ts.max(),
        )
        each = each.filter(each["count"] >= int(p["fewest_probes"]))
        found: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        for row in as_rows(dataset.arrow(each)):
            share = row["count"] / accounts[row["account_id"]].exchanges
            if share >= p["lowest_share"] and self._repeats(row):
                found[row["model"]][row["account_id"]] = row
        return found

    def _repeats(self, row: Mapping[str, Any]) -> bool:
        """Tell whether few prompts were sent many times; where prompts are not known, whether the bias was large."""
        if not row["told"]:
            return bool(row["biased"] >= self.parameters["fewest_probes"])
        return bool(row["texts"] <= self.parameters["highest_distinct_share"] * row["told"])

    def _finding(
        self,
        window: Window,
        model: str,
        rows: Mapping[str, Mapping[str, Any]],
        accounts: Mapping[str, AccountSeen],
    ) -> Iterator[FindingDraft]:
        number, probes = len(rows), sum(row["count"] for row in rows.values())
        score = 0.4 + 0.5 * min(1.0, probes / self.parameters["full_probes"])
        seen = {
            account: AttributeSeen("x-behaviour", f"logit-probing:{model}", row["count"], row["first"], row["last"])
            for account, row in rows.items()
        }
        yield from self.drafts(
            window,
            ("model", model),
            behaving(accounts, seen),
            title=f"{plural(number, 'accounts')} probing the token probabilities of one model",
            summary=(
                f"{probes:,} probes of {model} by {number:,} of {len(accounts):,} active accounts: "
                f"{sum(int(row['biased']) for row in rows.values()):,} with a large logit bias, "
                f"{sum(int(row['detailed']) for row in rows.values()):,} for the probabilities of a token or two. "
                "A classifier with a large label set can look the same."
            ),
            score=score,
            confidence=confidence_word(score, number),
            support={
                "accounts": number,
                "population": len(accounts),
                "probes": probes,
                "with_large_bias": sum(int(row["biased"]) for row in rows.values()),
                "detailed": sum(int(row["detailed"]) for row in rows.values()),
                "model": model,
            },
        )
