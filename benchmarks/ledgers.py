"""What the senders of bench_ingest_kills.py send, what each notes of the answers, and what is stored against that.

A finding goes out in native form or as an OCSF Detection Finding. Content is compared as it was received, so that the
same uid and version in the other form is a conflict, as another score is. Which content of a key is kept is settled
once: whatever an answer said of a line, afterwards it shows whether that line had to be kept or had to be refused.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

COUNTED = ("received", "created", "duplicate", "superseded", "rejected")
SCORES = (25, 50, 75)  # in percent, as OCSF has them
ACCOUNTS, SIGHTINGS = 2, 3  # of each finding
DETECTOR = "bench"


class Line(NamedTuple):
    """A finding as it is sent: whose it is and which of theirs, its version, and its content."""

    owner: int
    number: int
    version: int
    score: int
    form: str

    @property
    def uid(self) -> str:
        """What it is known by, together with its version."""
        return f"s{self.owner}-{self.number}"

    def contents(self) -> Iterator["Line"]:
        """The same finding with every content that is ever sent, its own among them."""
        return (self._replace(score=score, form=form) for form in FORMS for score in SCORES)


def native(line: Line) -> dict[str, Any]:
    """A finding of two accounts and three sightings."""
    address = {"type": "ip", "value": "203.0.113.7"}
    accounts = [
        {"id": f"acct-{line.uid}", "attributes": [address, {"type": "org", "value": line.uid}]},
        {"id": "acct-all", "attributes": [address]},
    ]
    return {
        "uid": line.uid,
        "version": line.version,
        "detector": {"name": DETECTOR, "version": "1.0.0"},
        "signal": "shared_attribute",
        "title": f"Finding {line.uid}",
        "score": line.score / 100,
        "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
        "accounts": accounts,
    }


def ocsf(line: Line) -> dict[str, Any]:
    """The same statement as an OCSF Detection Finding."""
    address = {"src_endpoint": {"ip": "203.0.113.7"}}
    return {
        "class_uid": 2004,
        "metadata": {"sequence": line.version, "product": {"name": DETECTOR, "version": "1.0.0"}},
        "finding_info": {"uid": line.uid, "title": f"Finding {line.uid}", "types": ["shared_attribute"]},
        "confidence_score": line.score,
        "start_time": 1777852800000,
        "end_time": 1777939200000,
        "evidences": [
            {"actor": {"user": {"uid": f"acct-{line.uid}", "org": {"uid": line.uid}}}, **address},
            {"actor": {"user": {"uid": "acct-all"}}, **address},
        ],
    }


FORMS = {"native": native, "ocsf": ocsf}
BROKEN = {"native": b'{"uid": 1}', "ocsf": b'{"class_uid": 2004}'}


def document(line: Line) -> bytes:
    """The bytes of a line."""
    return json.dumps(FORMS[line.form](line)).encode()


@dataclass
class Ledger:
    """What one sender noted of the chunks that were acknowledged: each line, and the sums of the counts."""

    lines: Counter[Line] = field(default_factory=Counter)
    broken: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    kept: int = 0  # found out afterwards: lines whose content is the one that is stored
    refused: int = 0  # and those whose content is not

    def note(self, lines: Sequence[Line | None], counts: dict[str, Any]) -> str:
        """Enter a chunk (None for a broken line) with its answer; gives what does not add up, empty for nothing."""
        self.counted.update({name: counts[name] for name in COUNTED})
        self.broken += lines.count(None)
        self.lines.update(line for line in lines if line)
        if counts["received"] != len(lines) or counts["received"] != sum(counts[name] for name in COUNTED[1:]):
            return f"counts that do not add up: {counts} for {len(lines)} lines"
        return ""

    def settle(self, stored: Line) -> int:
        """Take out all lines of a finding, now that it is known which content is stored; gives how many had that."""
        times = self.lines.pop(stored, 0)
        self.kept += times
        self.refused += sum(self.lines.pop(line, 0) for line in stored.contents())
        return times

    def differences(self) -> Iterator[str]:
        """Where the answers said otherwise than what is stored."""
        kept = self.counted["created"] + self.counted["superseded"] + self.counted["duplicate"]
        if (kept, self.counted["rejected"]) != (self.kept, self.refused + self.broken):
            yield (
                f"answers counted {kept} lines as kept and {self.counted['rejected']} as rejected; by what is stored "
                f"{self.kept} had to be kept, {self.refused} refused as conflicts, and {self.broken} were broken"
            )


def compare(ledgers: Sequence[Ledger], sent_again: int) -> tuple["Stored", list[str]]:
    """What the database holds, and every fault of it against all ledgers; the ledgers are used up on the way.

    `sent_again` is how many lines were in chunks that were not answered: they may have been kept all the same.
    """
    from django.db import connection, transaction

    from detection.models import Finding

    connection.close()
    with transaction.atomic():
        # In the order of the index over all three, so that no million of documents is sorted.
        found = Finding.objects.order_by("detector", "uid", "version")
        rows = found.values_list("uid", "version", "score", "payload").iterator(chunk_size=2000)
        stored = Stored()
        faults = list(stored.against(rows, ledgers))
    faults += [f"lost: {line}" for ledger in ledgers for line in ledger.lines]
    faults += [f"sender {n}: {said}" for n, ledger in enumerate(ledgers) for said in ledger.differences()]
    return stored, faults + list(stored.sums(ledgers, sent_again))


@dataclass
class Stored:
    """How many findings there are, how many uids, and how many in each form."""

    findings: int = 0
    uids: int = 0
    forms: Counter[str] = field(default_factory=Counter)

    def against(self, rows: Iterable[tuple[str, int, float, bytes]], ledgers: Sequence[Ledger]) -> Iterator[str]:
        """Settle every row, in the order of uids; gives those that nobody sent so, or that stand twice."""
        before = ""
        for uid, version, score, payload in rows:
            owner, _, number = uid.removeprefix("s").partition("-")
            form = "ocsf" if b'"class_uid"' in bytes(payload) else "native"
            line = Line(int(owner), int(number), version, round(score * 100), form)
            self.findings += 1
            self.uids += uid != before
            self.forms[form] += 1
            before = uid
            if not sum(ledger.settle(line) for ledger in ledgers):
                yield f"nobody sent it, or it stands twice: {line}"
            if bytes(payload) != document(line):
                yield f"other bytes than were sent: {line}"

    def sums(self, ledgers: Sequence[Ledger], sent_again: int) -> Iterator[str]:
        """Where rows in other tables, the detector's tally or the sum of all answers are not what is stored."""
        from detection.models import FindingAccount, Sighting
        from detection.tally import totals
        from spine.models import LogEntry

        entries = LogEntry.objects.filter(action="findings.received").values_list("row_count", flat=True)
        joined = (sum(entries), FindingAccount.objects.count(), Sighting.objects.count())
        if joined != (self.findings, ACCOUNTS * self.findings, SIGHTINGS * self.findings):
            yield f"of {self.findings} findings: rows in the log, accounts, sightings are {joined}"
        (tally,) = totals()
        if (tally.created, tally.superseded) != (self.uids, self.findings - self.uids):
            yield f"{self.findings} findings with {self.uids} uids are stored, the detector's tally says {tally}"
        for name in COUNTED:
            unanswered = getattr(tally, name) - sum(ledger.counted[name] for ledger in ledgers)
            if not 0 <= unanswered <= sent_again:
                yield f"{name}: {unanswered} more in the tally than in answers, {sent_again} lines were sent again"
