"""R1, R2: findings from four senders while PostgreSQL, web and worker are killed; what is stored against ledgers.

Each sender has a ledger of its own: new findings, repeats, higher versions, conflicts, other senders' findings, broken
lines. What is not answered is sent again, as a client does. At the end nothing that was acknowledged may be missing,
nothing may stand twice, and the log must verify. RETORT_BENCH_KILLS is the number of kills, RETORT_BENCH_LINES how many
lines a sender has at least; it goes on sending until the last kill.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks import apart
from config import embedded
from config.home import CHECKOUT, Home

KILLS = int(os.environ.get("RETORT_BENCH_KILLS", "100"))
LINES = int(os.environ.get("RETORT_BENCH_LINES", "20000"))
SENDERS, CHUNK, PATIENCE = 4, 500, 300
VICTIMS = tuple(os.environ.get("RETORT_BENCH_VICTIMS", "postgres,web,worker").split(","))
SCORES = (0.125, 0.25, 0.5)
COUNTED = ("received", "created", "duplicate", "superseded", "rejected")
Key = tuple[str, int]


def main() -> int:
    """Send, kill, compare, and print; 1 when anything is lost, doubled or wrong."""
    with apart.installation() as home:
        from detection.registry import create_detector

        _, key = create_detector(actor="system:benchmark", name="bench")
        site = Site(home)
        try:
            senders = [Sender(number, site.port, key) for number in range(SENDERS)]
            killed = site.kill_while([threading.Thread(target=sender.run) for sender in senders], senders)
            faults = compare(senders)
        finally:
            site.end()
        if any(sender.problems for sender in senders):
            log = (home.logs / "web.log").read_text(encoding="utf-8").splitlines(keepends=True)
            sys.stderr.writelines([line for line in log if "not reached" not in line and "Unavailable" not in line])
        faults += verify()
    lines, answers = sum(s.sent for s in senders), sum(s.answers for s in senders)
    print(f"ingest_kills {sum(killed.values())} kills {lines}")
    for victim, times in killed.items():
        print(f"ingest_kills_of_{victim} {times} kills {lines}")
    print(f"ingest_lines_acknowledged {lines} lines {answers}")
    print(f"ingest_lines_sent_again {sum(s.again for s in senders)} lines {answers}")
    print(f"ingest_lost_or_doubled {len(faults)} findings {lines}")
    for fault in [*faults, *(problem for s in senders for problem in s.problems)][:20]:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if faults or any(s.problems for s in senders) else 0


class Site:
    """The programs that die: each in a process group of its own, and the servers of the home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.port = apart.free_port()
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("web", "worker"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start one of the programs, as the supervisor would."""
        self.programs[name] = apart.begin(name, port=self.port, log=self.home.logs / f"{name}.log")

    def kill(self, victim: str) -> None:
        """SIGKILL, and start it again."""
        if victim == "postgres":
            pid = embedded.status(self.home).postgres
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            embedded.start(self.home)
            return
        apart.end(self.programs[victim], at_once=True)
        self.start(victim)

    def kill_while(self, threads: list[threading.Thread], senders: list["Sender"]) -> dict[str, int]:
        """Kill one after the other while the threads send; then let them finish. Gives how often each was killed."""
        chance, killed = random.Random(7), dict.fromkeys(VICTIMS, 0)
        for thread in threads:
            thread.start()
        for number in range(KILLS):
            before = sum(sender.answers for sender in senders)
            time.sleep(chance.uniform(0.1, 1.5))
            victim = VICTIMS[number % len(VICTIMS)]
            self.kill(victim)
            killed[victim] += 1
            self._await(lambda before=before: sum(s.answers for s in senders) > before, senders)
        for sender in senders:
            sender.enough.set()
        for thread in threads:
            thread.join()
        return killed

    def _await(self, moved: Callable[[], bool], senders: list["Sender"]) -> None:
        """Until something is acknowledged again, or nobody sends any more."""
        deadline = time.monotonic() + PATIENCE
        while not moved() and not all(sender.finished for sender in senders):
            if time.monotonic() > deadline:
                raise TimeoutError("nothing was acknowledged any more")
            time.sleep(0.05)

    def end(self) -> None:
        """Stop the programs; the installation stops the servers."""
        for program in self.programs.values():
            apart.end(program, at_once=True)


@dataclass
class Sender:
    """One who sends lines in chunks until each chunk is answered, and keeps a ledger of what was acknowledged."""

    number: int
    port: int
    key: str
    enough: threading.Event = field(default_factory=threading.Event)
    acknowledged: dict[Key, set[float]] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    problems: list[str] = field(default_factory=list)
    sent: int = 0
    again: int = 0
    answers: int = 0
    finished: bool = False

    def run(self) -> None:
        """Send until there were enough lines and enough kills."""
        try:
            chance = random.Random(self.number)
            while self.sent < LINES or not self.enough.is_set():
                self._send([self._line(chance) for _ in range(CHUNK)])
        except Exception as error:  # noqa: BLE001 - whatever it is, the benchmark tells it
            self.problems.append(f"sender {self.number}: {error!r}")
        finally:
            self.finished = True

    def _line(self, chance: random.Random) -> tuple[Key, float] | None:
        """A new finding, one that was sent before, another's, another version or content; or None, a broken line."""
        if chance.random() < 0.03:
            return None
        number = self.sent + chance.randrange(CHUNK) if chance.random() < 0.6 else chance.randrange(self.sent + CHUNK)
        owner = self.number if chance.random() < 0.8 else chance.randrange(SENDERS)
        version = 1 if chance.random() < 0.8 else chance.randrange(1, 4)
        score = SCORES[0] if chance.random() < 0.9 else chance.choice(SCORES)
        return (f"s{owner}-{number}", version), score

    def _send(self, lines: list[tuple[Key, float] | None]) -> None:
        body = b"\n".join(document(*line) if line else b'{"uid": 1}' for line in lines)
        deadline = time.monotonic() + PATIENCE
        while (counts := self._post(body)) is None:
            self.again += len(lines)
            if time.monotonic() > deadline:
                raise TimeoutError("a chunk was never acknowledged")
            time.sleep(0.1)
        self.sent += len(lines)
        self.answers += 1
        self._note(lines, counts)

    def _post(self, body: bytes) -> dict[str, Any] | None:
        """The counts, None when the connection broke or the server asks to come again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-ndjson"}
        try:
            connection.request("POST", "/api/v1/findings/bulk/", body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if answer.status in (201, 207, 400):
            found: dict[str, Any] = json.loads(text)
            return found
        if answer.status not in (429, 503):  # away, starting, or too many connections that are still open: nothing else
            self.problems.append(f"status {answer.status}: {text[:200]!r}")
        return None

    def _note(self, lines: list[tuple[Key, float] | None], counts: dict[str, Any]) -> None:
        for name in COUNTED:
            self.counted[name] += counts[name]
        if counts["received"] != len(lines) or counts["received"] != sum(counts[name] for name in COUNTED[1:]):
            self.problems.append(f"counts that do not add up: {counts}")
        for line in lines:
            if line:
                self.acknowledged.setdefault(line[0], set()).add(line[1])


def document(key: Key, score: float) -> bytes:
    """A finding of two accounts and three sightings."""
    uid, version = key
    accounts = [
        {"id": f"acct-{uid}", "attributes": [{"type": "ip", "value": "203.0.113.7"}, {"type": "org", "value": uid}]},
        {"id": "acct-all", "attributes": [{"type": "ip", "value": "203.0.113.7"}]},
    ]
    return json.dumps(
        {
            "uid": uid,
            "version": version,
            "detector": {"name": "bench", "version": "1.0.0"},
            "signal": "shared_attribute",
            "title": f"Finding {uid}",
            "score": score,
            "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
            "accounts": accounts,
        }
    ).encode()


def compare(senders: list[Sender]) -> list[str]:
    """What the database holds against everything that was acknowledged."""
    from django.db import connection

    from detection.models import Finding, FindingAccount, Sighting
    from spine.models import LogEntry

    connection.close()
    stored: dict[Key, float] = {}
    faults = []
    for uid, version, score in Finding.objects.values_list("uid", "version", "score").iterator():
        if (uid, version) in stored:
            faults.append(f"twice: {uid} {version}")
        stored[uid, version] = score
    sent: dict[Key, set[float]] = {}
    for sender in senders:
        for key, scores in sender.acknowledged.items():
            sent.setdefault(key, set()).update(scores)
    faults += [f"lost: {key}" for key in sent if key not in stored]
    faults += [f"nobody sent: {key}" for key, score in stored.items() if score not in sent.get(key, set())]
    rows = sum(LogEntry.objects.filter(action="findings.received").values_list("row_count", flat=True))
    joined = (rows, FindingAccount.objects.count(), Sighting.objects.count())
    if joined != (len(stored), 2 * len(stored), 3 * len(stored)):
        faults.append(f"of {len(stored)} findings: rows in the log, accounts, sightings are {joined}")
    created = sum(sender.counted["created"] + sender.counted["superseded"] for sender in senders)
    if created > len(stored):
        faults.append(f"{created} were counted as created or superseded, {len(stored)} are stored")
    return faults


def verify() -> Iterator[str]:
    """What `verify_log` finds."""
    argv = [sys.executable, "manage.py", "verify_log"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"verify_log: {done.stdout[-500:]} {done.stderr[-500:]}"


if __name__ == "__main__":
    sys.exit(main())
