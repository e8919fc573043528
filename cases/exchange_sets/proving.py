"""The proof that one exchange belongs to a set (docs/formats/exchange-set.md, section 5), and single rows of a set."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cases.exchange_sets import kept, making
from cases.models import ExchangeSet, SampledExchange
from detection.records import Window
from detection.telemetry import columns as columns_of
from detection.telemetry import exchange_rows, exchange_set
from spine import proofs, vault
from spine.canonical import canonical_json
from spine.errors import Refused

Row = Mapping[str, Any]


def question_of(held: ExchangeSet, labels: Mapping[str, str] | None = None) -> making.Question:
    """The set's question, asked of the source as it is now. `labels` by the provider's ids; empty otherwise."""
    known = {account.provider_id: "" for account in making.accounts_of(held.accounts_sha256)}
    window = Window(held.window_start, held.window_end)
    return making.ask(held.source, window, known | dict(labels or {}), bytes(held.key))


def row_named(held: ExchangeSet, request_id: str) -> dict[str, Any]:
    """The row of this request id as the source has it now. Raises Refused when it has none, or several."""
    asked = question_of(held)
    with making.reading():
        found = exchange_set.rows_of(asked.parts, asked.selection, [request_id])
    if not found:
        raise Refused("The source has no such exchange among those of this set.", field="request_id")
    if len({exchange_rows.canonical_row(row, bytes(held.key)) for row in found}) > 1:
        raise Refused("Several exchanges of this set have that id: one alone cannot be meant.", field="request_id")
    return found[0]


def proof(held: ExchangeSet, row: Row, columns: Iterable[str] = ()) -> bytes:
    """The proof for a row as the source has it, with these columns opened.

    Raises Refused when the row is not the one that was in the source when the set was made.
    """
    key = bytes(held.key)
    canonical = exchange_rows.canonical_row(row, key)
    opened = {name: exchange_rows.opening(row, key, name) for name in columns}
    return _proof(held, canonical, row["ts"], {name: one for name, one in opened.items() if one is not None})


def proof_of_sampled(sampled: SampledExchange) -> bytes:
    """The proof for a sampled row, from what was kept of it; nothing is opened and the source is not asked."""
    canonical = sampled.canonical.encode()
    return _proof(sampled.plan.exchange_set, canonical, microseconds(canonical), {}, sampled.index)


def microseconds(canonical: bytes) -> int:
    """The time in a canonical row, as microseconds since 1970."""
    return columns_of.microseconds(json.loads(canonical)["ts"], "ts")


def _proof(held: ExchangeSet, canonical: bytes, ts: int, opened: Row, index: int | None = None) -> bytes:
    try:
        with kept.opened(held.leaves_sha256, held.row_count) as leaves:
            at = leaves.find(ts, exchange_rows.leaf_hash(canonical)) if index is None else index
            if at is None:
                raise Refused("The source has this exchange otherwise than when the set was made: ask the set again.")
            path = kept.path(at, leaves, held.nodes_sha256)
        stated = vault.read(held.item.sha256)
    except vault.Missing as missing:
        raise Refused(f"The set cannot be proven from: {missing}.") from None
    return canonical_json(
        {
            "v": 1,
            "format": "retort-exchange-proof",
            "row": {"canonical": canonical.decode(), "index": at, "path": [step.hex() for step in path]},
            "opened": dict(opened),
            "statement": stated.decode(),
            "log": json.loads(proofs.proof_of(held.item)),
        }
    )
