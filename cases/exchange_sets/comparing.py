"""What differs between the leaves of then and now, block by block (docs/formats/exchange-set.md, section 7)."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from detection.telemetry.exchange_rows import moment
from detection.telemetry.exchange_set import RECORD, Batch

EXAMPLES = 1000
Records = np.ndarray[Any, Any]


@dataclass
class Difference:
    """Counts, and the first thousand differences. Of the rows that are gone, those before `expired_before` expired."""

    expired_before: int | None = None
    kept: int = 0
    missing: int = 0
    expired: int = 0
    added: int = 0
    changed: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def show(self, what: str, ts: int, leaf: bytes, **more: Any) -> None:
        """Keep an example, while there is room."""
        if len(self.examples) < EXAMPLES:
            self.examples.append({"what": what, "ts": moment(ts), "leaf": leaf.hex(), **more})


class _Then:
    """The records of then, as they are asked for by time."""

    def __init__(self, blocks: Iterator[Records]) -> None:
        self._blocks = blocks
        self.waiting = np.empty(0, RECORD)
        self.index = 0
        self.ended = False

    def until(self, end: int | None) -> tuple[int, Records]:
        """Every record that waits with a time before `end`, or all of them; and the index of the first."""
        taken: list[Records] = []
        while not self.ended:
            if not len(self.waiting):
                block = next(self._blocks, None)
                self.ended = block is None
                self.waiting = self.waiting if block is None else block
                continue
            cut = len(self.waiting) if end is None else int(np.searchsorted(self.waiting["ts"], end))
            taken.append(self.waiting[:cut])
            self.waiting = self.waiting[cut:]
            if len(self.waiting):
                break
        found = np.concatenate(taken) if taken else np.empty(0, RECORD)
        first, self.index = self.index, self.index + len(found)
        return first, found


def compare(then: Iterator[Records], now: Iterator[Batch], found: Difference) -> Iterator[Batch]:
    """Fill `found` while the batches of now go through; the caller has to take them all.

    Memory holds a batch of each side, and the rows of one microsecond where those are more.
    """
    old = _Then(then)
    held, ids = np.empty(0, RECORD), pa.array([], pa.string())
    for batch in now:
        held = np.concatenate([held, batch.records])
        ids = pa.concat_arrays([ids, batch.request_ids])
        last = int(held["ts"][-1])
        cut = int(np.searchsorted(held["ts"], last))
        first, before = old.until(last)
        _differ(first, before, held[:cut], ids[:cut], found)
        held, ids = held[cut:], ids[cut:]
        yield batch
    first, before = old.until(None)
    _differ(first, before, held, ids, found)


def _differ(first: int, then: Records, now: Records, ids: pa.Array, found: Difference) -> None:
    """Two stretches of the same time, as multisets of leaves; what is left over is paired by time and tag."""
    if then.tobytes() == now.tobytes():
        found.kept += len(then)
        return
    gone, come = _left(then, now), _left(now, then)
    found.kept += len(then) - len(gone)
    by_tag: dict[bytes, list[int]] = defaultdict(list)
    for place in gone:
        by_tag[then[place].tobytes()[:16]].append(place)
    for place in come:
        same = by_tag[now[place].tobytes()[:16]]
        details = {"request_id": ids[place].as_py()}
        if same:
            found.changed += 1
            details["index"] = first + same.pop(0)
        else:
            found.added += 1
        what = "changed" if "index" in details else "added"
        found.show(what, int(now["ts"][place]), now["leaf"][place].tobytes(), **details)
    for place in sorted(place for places in by_tag.values() for place in places):
        ts = int(then["ts"][place])
        found.missing += 1
        found.expired += found.expired_before is not None and ts < found.expired_before
        found.show("missing", ts, then["leaf"][place].tobytes(), index=first + place)


def _left(some: Records, others: Records) -> list[int]:
    """The places of records that the others do not have, each as often as it is lacking."""
    have = Counter(bytes(record) for record in others)
    left = []
    for place, record in enumerate(some):
        key = bytes(record)
        if have[key]:
            have[key] -= 1
        else:
            left.append(place)
    return left
