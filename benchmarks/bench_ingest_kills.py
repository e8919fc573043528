"""R1, R2: findings from four senders while PostgreSQL, web and worker are killed; what is stored against ledgers.

Each sender has a key and a ledger of its own: new findings, repeats, higher versions, conflicts, other senders'
findings, broken lines; in native form and in OCSF, each chunk in one of them, plain, gzip or zstd. What is not answered
is sent again, as a client does. At the end nothing that was acknowledged may be missing, nothing may stand twice, the
bytes must be those that were sent, every sender's counts must be what its ledger says now that it is known what was
kept, and the log must verify. RETORT_BENCH_KILLS is the number of kills, spread over all lines, RETORT_BENCH_LINES how
many lines a sender has at least; it goes on sending until the last kill.

Prediction before the first run in both forms: nothing lost, doubled or counted otherwise, since the two forms meet in
the same classification; the same finding in the other form is a conflict. Seen with 102 kills and 1,033,500 lines
acknowledged in 1,383 answers (47 minutes beside some fifteen other programs on the two cores): nothing. 658,890
findings are stored, 325,397 in native form and 333,493 in OCSF; answers counted 554,575 lines as created, 80,612 as
superseding and 305,230 as duplicates, together to the line what each ledger had to have kept, and 93,083 as rejected,
to the line what it had to have refused. 23,703 findings were kept of chunks whose answer never came, and were
duplicates when they were sent again. What answers cannot show is how many lines that was: between tally and answers
there may be as many as were sent again (6.9 million). Where a sender gave up after 300 seconds without an answer, on
cores that others had, its chunk was in part stored and in no ledger: its patience is 900 seconds now.
"""

import gzip
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

import zstandard

from benchmarks import apart
from benchmarks.ledgers import BROKEN, COUNTED, DETECTOR, FORMS, SCORES, Ledger, Line, Stored, compare, document
from config import embedded
from config.home import CHECKOUT, Home

KILLS = int(os.environ.get("RETORT_BENCH_KILLS", "100"))
LINES = int(os.environ.get("RETORT_BENCH_LINES", "20000"))
SENDERS, PATIENCE = 4, 900
CHUNKS = (*[500] * 7, 2500)  # the last is stored in two batches: a kill between them leaves a part of it
VICTIMS = tuple(os.environ.get("RETORT_BENCH_VICTIMS", "postgres,web,worker").split(","))
DOORS = {"native": "/api/v1/findings/bulk/", "ocsf": "/api/v1/findings/ocsf/"}
ENCODED: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}


def main() -> int:
    """Send, kill, compare, and print; 1 when anything is lost, doubled or wrong."""
    with apart.installation() as home:
        from detection.registry import create_detector

        keys = [create_detector(actor="system:benchmark", name=DETECTOR)[1] for _ in range(SENDERS)]
        site = Site(home)
        try:
            senders = [Sender(number, site.port, key) for number, key in enumerate(keys)]
            killed = site.kill_while([threading.Thread(target=sender.run, daemon=True) for sender in senders], senders)
            stored, faults = compare([sender.ledger for sender in senders], sum(sender.again for sender in senders))
        finally:
            site.end()
        if any(sender.problems for sender in senders):
            log = (home.logs / "web.log").read_text(encoding="utf-8").splitlines(keepends=True)
            sys.stderr.writelines([line for line in log if "not reached" not in line and "Unavailable" not in line])
        faults += verify()
    report(senders, killed, stored, len(faults))
    for fault in [*faults, *(problem for s in senders for problem in s.problems)][:20]:
        print(f"fault: {fault}", file=sys.stderr)
    return 1 if faults or any(s.problems for s in senders) else 0


def report(senders: list["Sender"], killed: dict[str, int], stored: Stored, faults: int) -> None:
    """A line for each figure."""
    lines, answers = sum(s.sent for s in senders), sum(s.answers for s in senders)
    print(f"ingest_kills {sum(killed.values())} kills {lines} lines")
    for victim, times in killed.items():
        print(f"ingest_kills_of_{victim} {times} kills {lines} lines")
    print(f"ingest_lines_acknowledged {lines} lines {answers} answers")
    for name in COUNTED[1:]:
        print(f"ingest_lines_{name} {sum(s.ledger.counted[name] for s in senders)} lines {lines} lines")
    print(f"ingest_lines_sent_again {sum(s.again for s in senders)} lines {answers} answers")
    for form in FORMS:
        print(f"ingest_stored_{form} {stored.forms[form]} findings {stored.findings} findings")
    print(f"ingest_lost_or_doubled {faults} findings {lines} lines")


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
        """Kill one after the other, spread over all lines, while the threads send; then let them finish.

        Gives how often each was killed. Between two kills something is acknowledged.
        """
        chance, killed = random.Random(7), dict.fromkeys(VICTIMS, 0)
        for thread in threads:
            thread.start()
        for number in range(KILLS):
            due = number * SENDERS * LINES // KILLS
            _await(lambda due=due: sum(s.sent for s in senders) >= due, senders)
            time.sleep(chance.uniform(0.1, 1.5))
            before = sum(sender.answers for sender in senders)
            victim = VICTIMS[number % len(VICTIMS)]
            self.kill(victim)
            killed[victim] += 1
            _await(lambda before=before: sum(s.answers for s in senders) > before, senders)
        for sender in senders:
            sender.enough.set()
        for thread in threads:
            thread.join()
        return killed

    def end(self) -> None:
        """Stop the programs; the installation stops the servers."""
        for program in self.programs.values():
            apart.end(program, at_once=True)


def _await(moved: Callable[[], bool], senders: list["Sender"]) -> None:
    """Until it is so, or nobody sends any more; raises TimeoutError when nothing is acknowledged for long."""
    answers, since = 0, time.monotonic()
    while not moved() and not all(sender.finished for sender in senders):
        if (now := sum(sender.answers for sender in senders)) > answers:
            answers, since = now, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            raise TimeoutError("nothing was acknowledged any more")
        time.sleep(0.05)


@dataclass
class Sender:
    """One who sends lines in chunks until each chunk is answered, and keeps a ledger of what was acknowledged."""

    number: int
    port: int
    key: str
    enough: threading.Event = field(default_factory=threading.Event)
    ledger: Ledger = field(default_factory=Ledger)
    problems: list[str] = field(default_factory=list)
    sent: int = 0
    tried: int = 0
    answers: int = 0
    finished: bool = False

    @property
    def again(self) -> int:
        """Lines that a server was given and did not answer for: they may have been kept all the same."""
        return self.tried - self.sent

    def run(self) -> None:
        """Send until there were enough lines and enough kills."""
        try:
            chance = random.Random(self.number)
            while self.sent < LINES or not self.enough.is_set():
                form, size = chance.choice(list(FORMS)), chance.choice(CHUNKS)
                self._send(form, chance.choice(list(ENCODED)), [self._line(chance, form, size) for _ in range(size)])
        except Exception as error:  # noqa: BLE001 - whatever it is, the benchmark tells it
            self.problems.append(f"sender {self.number}: {error!r}")
        finally:
            self.finished = True

    def _line(self, chance: random.Random, form: str, size: int) -> Line | None:
        """A new finding, one that was sent before, another's, another version or content; or None, a broken line."""
        if chance.random() < 0.03:
            return None
        number = self.sent + chance.randrange(size) if chance.random() < 0.6 else chance.randrange(self.sent + size)
        if chance.random() < 0.9:  # each finding has a form that it mostly goes out in: else all repeats were conflicts
            number += (number + list(FORMS).index(form)) % len(FORMS)
        owner = self.number if chance.random() < 0.8 else chance.randrange(SENDERS)
        version = 1 if chance.random() < 0.8 else chance.randrange(1, 4)
        score = SCORES[0] if chance.random() < 0.9 else chance.choice(SCORES)
        return Line(owner, number, version, score, form)

    def _send(self, form: str, encoding: str, lines: list[Line | None]) -> None:
        body = ENCODED[encoding](b"\n".join(document(line) if line else BROKEN[form] for line in lines))
        deadline = time.monotonic() + PATIENCE
        while (counts := self._post(DOORS[form], encoding, body, len(lines))) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("a chunk was never acknowledged")
            time.sleep(0.1)
        self.sent += len(lines)
        self.answers += 1
        if wrong := self.ledger.note(lines, counts):
            self.problems.append(wrong)

    def _post(self, door: str, encoding: str, body: bytes, lines: int) -> dict[str, Any] | None:
        """The counts, None when the connection broke or the server asks to come again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE / 3)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-ndjson"}
        headers |= {"Content-Encoding": encoding} if encoding else {}
        try:
            connection.connect()
            self.tried += lines
            connection.request("POST", door, body, headers)
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


def verify() -> Iterator[str]:
    """What `verify_log` finds."""
    argv = [sys.executable, "manage.py", "verify_log"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"verify_log: {done.stdout[-500:]} {done.stderr[-500:]}"


if __name__ == "__main__":
    sys.exit(main())
