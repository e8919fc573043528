"""Finds opaque reasoning blocks that were issued to one account and presented by another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from detection.detectors.base import Detector, as_rows, plural, volumes, with_attributes
from detection.detectors.linked import linked
from detection.records import AccountSeen, AttributeSeen, FindingDraft, Hub, Number, Outcome, Window
from detection.telemetry.dataset import Dataset


class ReasoningBlockReplay(Detector):
    """Nearly deterministic: a block is made once, so that whoever presents it got it from whom it was issued to.

    A relay that moves a conversation between accounts does so all the time. Blocks within one organisation are counted
    and left out; a block that very many accounts present stands in some published conversation and is set aside.
    """

    name = "reasoning-block-replay"
    signal = "reasoning_block_replay"
    version = "1.0.0"
    title = "Reasoning blocks presented by accounts they were not issued to"
    idea = "An encrypted reasoning block that another account presents was handed over, as a pool or relay does."
    requires = ("issued_block_hashes", "presented_block_hashes")
    uses = ("ts", "model", "org_id")
    parameters: ClassVar[Mapping[str, Number]] = {
        "fewest_blocks": 3,
        "hub_accounts": 50,
        "most_blocks_shown": 20,
        "full_blocks": 20,
        "lowest_score": 0.5,
    }
    minimum_support = 20
    support_unit = "blocks that were presented"
    innocent_explanations = (
        "a conversation that was shared or published and continued by others",
        "one person or team with several accounts",
        "a product that moves its customers' conversations between its own accounts",
    )
    source = "arXiv 2608.09867 (10 August 2026): reasoning blocks interchange across users and models"
    techniques = ("AML.T0024.002",)

    def detect(self, dataset: Dataset, window: Window, background: Dataset | None = None) -> Outcome:
        if reason := self.missing(dataset):
            return self.could_not_tell(reason)
        rows = dataset.within(window)
        issued = _blocks(rows, "issued_block_hashes").group_by("block")
        issued = issued.aggregate(
            issuer=lambda t: t.account_id.min(),
            issuers=lambda t: t.account_id.nunique(),
            org=lambda t: t.org_id.min(),
            issuing_model=lambda t: t.model.min(),
            issued_at=lambda t: t.ts.min(),
        )
        presented = _blocks(rows, "presented_block_hashes")
        read = dataset.arrow(presented.aggregate(n=presented.count(), blocks=presented.block.nunique()))
        counts = {"presentations": read["n"][0].as_py(), "blocks_presented": read["blocks"][0].as_py()}
        if counts["blocks_presented"] < self.minimum_support:
            return self.could_not_tell(
                f"Only {counts['blocks_presented']:,} blocks were presented; {self.minimum_support} are needed.", counts
            )
        moved = self._moved(dataset, issued, presented)
        within = [row for row in moved if row["org"] is not None and row["org"] == row["presenting_org"]]
        across = [row for row in moved if row["org"] is None or row["org"] != row["presenting_org"]]
        hubs = self._hubs(across)
        set_aside = {hub.value for hub in hubs}
        across = [row for row in across if row["block"] not in set_aside]
        accounts = volumes(dataset, window)
        findings = [draft for group in self._groups(across) for draft in self._finding(window, group, accounts)]
        counts |= {"moved_within_one_organisation": len(within), "moved_across_accounts": len(across)}
        return self.outcome(findings, counts, hubs, "No block was presented by an account it was not issued to.")

    def _moved(self, dataset: Dataset, issued: Any, presented: Any) -> list[dict[str, Any]]:
        """Give each block and account that presented it after it was issued to another, in a fixed order."""
        shown = presented.group_by(["block", "account_id"]).aggregate(
            count=presented.count(),
            first=presented.ts.min(),
            last=presented.ts.max(),
            model=presented.model.min(),
            presenting_org=presented.org_id.min(),
        )
        both = shown.inner_join(issued.filter(issued.issuers == 1), "block")
        both = both.filter((both.account_id != both.issuer) & (both["last"] >= both.issued_at))
        return sorted(as_rows(dataset.arrow(both)), key=lambda row: (row["first"], row["block"], row["account_id"]))

    def _hubs(self, moved: Sequence[Mapping[str, Any]]) -> list[Hub]:
        holders: dict[str, int] = defaultdict(int)
        for row in moved:
            holders[row["block"]] += 1
        most = self.parameters["hub_accounts"]
        reason = f"presented by more than {most} accounts, as a block in a published conversation is"
        return [Hub("reasoning_block", block, n, reason) for block, n in sorted(holders.items()) if n > most]

    def _groups(self, moved: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
        """Give the rows of each group of accounts that blocks moved between, where enough blocks did."""
        group_of = {
            account: place
            for place, group in enumerate(linked((row["issuer"], row["account_id"]) for row in moved))
            for account in group
        }
        groups: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for row in moved:
            groups[group_of[row["issuer"]]].append(row)
        for rows in groups.values():
            if len({row["block"] for row in rows}) >= self.parameters["fewest_blocks"]:
                yield rows

    def _finding(
        self, window: Window, rows: Sequence[Mapping[str, Any]], accounts: Mapping[str, AccountSeen]
    ) -> Iterator[FindingDraft]:
        blocks = sorted({row["block"] for row in rows})
        seen = self._seen(rows)
        other_model = len({row["block"] for row in rows if row["model"] != row["issuing_model"]})
        low = self.parameters["lowest_score"]
        score = low + (0.98 - low) * min(1.0, len(blocks) / self.parameters["full_blocks"])
        yield from self.drafts(
            window,
            ("blocks", blocks[0]),
            [with_attributes(accounts[account], seen[account]) for account in sorted(seen)],
            title=f"Reasoning blocks moved between {plural(len(seen), 'accounts')}",
            summary=(
                f"{plural(len(blocks), 'blocks')} issued to one account were presented by another; {other_model:,} of "
                f"them to another model than the one that issued them. Moves within an organisation do not count."
            ),
            score=score,
            confidence="high" if len(blocks) >= self.parameters["full_blocks"] else "moderate",
            support={
                "accounts": len(seen),
                "blocks": len(blocks),
                "blocks_to_another_model": other_model,
                "presentations": sum(row["count"] for row in rows),
                "population": len(accounts),
            },
        )

    def _seen(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[AttributeSeen]]:
        """Give for each account the first blocks that went from it or came to it."""
        seen: dict[str, dict[str, AttributeSeen]] = defaultdict(dict)
        for row in rows:
            for account, first in ((row["issuer"], row["issued_at"]), (row["account_id"], row["first"])):
                if len(seen[account]) < self.parameters["most_blocks_shown"]:
                    attribute = AttributeSeen("reasoning_block", row["block"], row["count"], first, row["last"])
                    seen[account].setdefault(row["block"], attribute)
        return {account: list(shown.values()) for account, shown in seen.items()}


def _blocks(rows: Any, column: str) -> Any:
    """Give one row a block of a list column."""
    some = rows.filter(rows[column].notnull())
    return some.select("account_id", "ts", "model", "org_id", block=some[column].unnest())
