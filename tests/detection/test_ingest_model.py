"""What is counted against a simple model: any lines, from any senders, in any order and batches, also at once."""

import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detection import ingest
from detection.ingest import Counts
from detection.models import Finding, FindingAccount, Sighting
from detection.repeats import Repeats
from spine.ids import new_id
from spine.models import LogEntry
from tests.detection.samples import DETECTOR, line

CALM = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
BROKEN = (b"", b"{", b"7", b'{"uid": 1}', b'{"a": 1, "a": 2}', b"\xff")


@dataclass(frozen=True)
class Sent:
    """A line: of which finding, in which version, with which content, spelt in which way; or one that is broken."""

    uid: int
    version: int
    content: int
    spelling: int
    broken: int | None = None

    def raw(self, prefix: str) -> bytes:
        if self.broken is not None:
            return BROKEN[self.broken]
        plain = line(f"{prefix}-{self.uid}", version=self.version, score=(0.1, 0.25, 0.5)[self.content])
        value = json.loads(plain)
        return (plain, json.dumps(value, indent=1).encode(), json.dumps(value, sort_keys=True).encode())[self.spelling]


LINES = st.lists(
    st.builds(Sent, st.integers(0, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))
    | st.builds(Sent, st.just(0), st.just(1), st.just(0), st.just(0), st.integers(0, len(BROKEN) - 1)),
    max_size=14,
)


@dataclass
class Model:
    """What the contract says, line by line, in some twenty words of code."""

    known: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, lines: Sequence[Sent]) -> tuple[Counter[str], list[int]]:
        counted, refused = Counter(received=len(lines)), []
        for number, sent in enumerate(lines, 1):
            outcome = self._outcome(sent)
            counted[outcome] += 1
            if outcome == "rejected":
                refused.append(number)
        return counted, refused

    def _outcome(self, sent: Sent) -> str:
        key = sent.uid, sent.version
        if sent.broken is not None or self.known.get(key, sent.content) != sent.content:
            return "rejected"
        if key in self.known:
            return "duplicate"
        seen = any(uid == sent.uid for uid, _ in self.known)
        self.known[key] = sent.content
        return "superseded" if seen else "created"


def send(prefix: str, lines: Sequence[Sent], batch: int = 100) -> Counts:
    return ingest.store(
        [sent.raw(prefix) for sent in lines], actor=f"detector:{DETECTOR}", detector=DETECTOR, batch=batch
    )


def figures(counts: Counts) -> dict[str, int]:
    names = ("received", "created", "duplicate", "superseded", "rejected")
    return {name: getattr(counts, name) for name in names if getattr(counts, name)}


def stored(prefix: str) -> dict[tuple[int, int], int]:
    rows = Finding.objects.filter(uid__startswith=f"{prefix}-").values_list("uid", "version", "score")
    return {(int(uid.rpartition("-")[2]), version): (0.1, 0.25, 0.5).index(score) for uid, version, score in rows}


def covered(prefix: str) -> bool:
    """Whether each stored finding stands once in an entry, with its accounts and what they have shown."""
    found = Finding.objects.filter(uid__startswith=f"{prefix}-")
    places = list(found.values_list("entry", "place"))
    entries = LogEntry.objects.filter(pk__in={entry for entry, _ in places})
    exact = sum(entry.row_count for entry in entries) == len(places) == len(set(places))
    joined = (
        FindingAccount.objects.filter(finding__in=found).count(),
        Sighting.objects.filter(finding__in=found).count(),
    )
    return exact and joined == (2 * len(places), 3 * len(places))


@pytest.mark.django_db
@CALM
@given(st.lists(st.tuples(LINES, st.integers(1, 5)), max_size=5))
def test_any_interleaving_of_senders_counts_and_stores_what_the_model_says(sends: Any) -> None:
    prefix, model = new_id().hex, Model()
    for lines, batch in sends:
        counted, refused = model.take(lines)
        counts = send(prefix, lines, batch)
        assert figures(counts) == +counted
        assert sorted({error.line for error in counts.errors}) == refused
    assert stored(prefix) == model.known
    assert covered(prefix)


@CALM
@given(st.lists(LINES, max_size=4))
def test_check_of_some_files_counts_what_repeats_in_them_as_the_model_does(files: list[list[Sent]]) -> None:
    model = Model()
    with Repeats() as repeats:
        for lines in files:
            counted, refused = model.take(lines)
            counts = ingest.validate([sent.raw("f") for sent in lines], detector=DETECTOR, repeats=repeats)
            assert figures(counts) == +counted
            assert sorted({error.line for error in counts.errors}) == refused


@pytest.mark.django_db(transaction=True)
@settings(CALM, max_examples=25)
@given(st.lists(LINES, min_size=2, max_size=4), st.integers(1, 6))
def test_senders_at_once_leave_what_some_order_of_them_would(sends: list[list[Sent]], batch: int) -> None:
    prefix = new_id().hex
    results: list[Counts] = [Counts() for _ in sends]

    def run(place: int) -> None:
        try:
            results[place] = send(prefix, sends[place], batch)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(sends))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    acceptable = [sent for lines in sends for sent in lines if sent.broken is None]
    kept, total = stored(prefix), Counter[str]()
    for counts in results:
        total.update(figures(counts))
    assert kept.keys() == {(sent.uid, sent.version) for sent in acceptable}
    assert all(content in {s.content for s in acceptable if (s.uid, s.version) == key} for key, content in kept.items())
    same = sum(sent.content == kept[sent.uid, sent.version] for sent in acceptable)
    assert +total == +Counter(
        received=sum(map(len, sends)),
        created=len({uid for uid, _ in kept}),
        superseded=len(kept) - len({uid for uid, _ in kept}),
        duplicate=same - len(kept),
        rejected=sum(map(len, sends)) - same,
    )
    assert covered(prefix)
