"""Fairness: how much a key that floods slows the pushes of another key, in the same run.

A quiet key pushes 200 findings twice a second, as a detector does; a steady one 1,000 at a time, one push after the
other. Each is measured alone and while a flooding key pushes new findings by sixteen connections without a pause,
turn by turn, so that what else the machine does meets both. The sender that floods is a process of its own and makes
its bodies at next to no cost. Throughput is findings a second while a push is under way.
Goal: latency and throughput of the quiet key beside the flood at most 20 % worse than alone.
Seen, with little else on the machine: the quiet key's latency beside the flood 0.92 (half) and 1.06 (95 in 100) of that
alone, its throughput 1.01; the steady key's 1.00, 1.15 and 0.98.
RETORT_BENCH_SECONDS is the length of each turn, RETORT_BENCH_ROUNDS their number, RETORT_BENCH_FLOOD the connections.
"""

import http.client
import itertools
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event

from benchmarks.apart import installation, web

SECONDS = float(os.environ.get("RETORT_BENCH_SECONDS", "15"))
ROUNDS = int(os.environ.get("RETORT_BENCH_ROUNDS", "3"))
CONNECTIONS = int(os.environ.get("RETORT_BENCH_FLOOD", "16"))
FLOOD_PUSH = 2_000
SETTLED = 3.0  # seconds until a flood that was turned on or off is at its level
IDLE = 3.0  # the server closes a connection that was idle for longer
MARK = b"@@@@@@@@"


@dataclass(frozen=True)
class Kind:
    """How a key pushes: so many findings, so many seconds from one push to the next (0: at once)."""

    push: int
    every: float


KINDS = {"quiet": Kind(200, 0.5), "steady": Kind(1_000, 0.0)}


@dataclass
class Seen:
    """What was measured of one kind in one state."""

    seconds: list[float] = field(default_factory=list)
    findings: int = 0

    def at(self, share: float) -> float:
        """The latency that this share of the pushes did not exceed."""
        return sorted(self.seconds)[min(len(self.seconds) - 1, int(len(self.seconds) * share))]

    @property
    def rate(self) -> float:
        """Findings a second while a push was under way."""
        return self.findings / sum(self.seconds)


def body_of(detector: str, count: int) -> bytes:
    """A body whose uids and values carry MARK, to be replaced by what no body had before."""
    mark = MARK.decode()
    lines = []
    for number in range(count):
        accounts = [
            {
                "id": f"acct_{(number * 2 + member) % 20_000:07d}",
                "exchanges": 26,
                "attributes": [
                    {"type": "payment_fingerprint", "value": f"pf_{mark}_{number}", "count": 1},
                    {"type": "ip", "value": f"2001:db8::{number % 65_536:x}", "count": 3},
                ],
            }
            for member in range(2)
        ]
        document = {
            "uid": f"{mark}-{number:06d}",
            "detector": {"name": detector, "version": "1.0.0"},
            "signal": "shared_attribute",
            "title": f"Accounts that share a payment fingerprint, group {number}",
            "score": 0.5,
            "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
            "accounts": accounts,
        }
        lines.append(json.dumps(document, separators=(",", ":")))
    return "\n".join(lines).encode()


class Pusher:
    """One connection with one key, which sends bodies that were never sent before."""

    def __init__(self, port: int, key: str, detector: str, push: int, first: int, step: int = 1) -> None:
        self.port, self.push = port, push
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self.body = body_of(detector, push)
        self.numbers = itertools.count(first, step)
        self.connection: http.client.HTTPConnection | None = None
        self.used = 0.0

    def send(self) -> int:
        """One push; gives how many findings it created. Refused for now, it comes again when it was asked to."""
        body = self.body.replace(MARK, b"%08x" % next(self.numbers))
        if time.monotonic() - self.used > IDLE:
            self.connection = None
        self.connection = self.connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            self.connection.request("POST", "/api/v1/findings/bulk/", body, self.headers)
            answer = self.connection.getresponse()
            counts = json.loads(answer.read())
        except (OSError, http.client.HTTPException):  # refused before all of the body was read
            self.connection.close()
            self.connection = None
            time.sleep(1)
            return 0
        self.used = time.monotonic()
        if answer.status in (429, 503):
            time.sleep(float(answer.headers["Retry-After"]))
        return int(counts["created"])


def flood(port: int, key: str, going: Event, created: "Synchronized[int]") -> None:
    """Send without a pause while `going`; a process of its own, which its parent ends."""
    os.setsid()  # or the kernel gives it and the one that measures one share of the processor between them

    def run(place: int) -> None:
        pusher = Pusher(port, key, "flood", FLOOD_PUSH, place, CONNECTIONS)
        while going.wait():
            count = pusher.send()
            with created.get_lock():
                created.value += count

    threads = [threading.Thread(target=run, args=[place], daemon=True) for place in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def flooding(port: int, key: str) -> Iterator[tuple[Callable[[bool], None], Callable[[], int]]]:
    """The sender that floods: turned on and off, and asked how many it has created."""
    apart = multiprocessing.get_context("spawn")
    going, created = apart.Event(), apart.Value("q", 0)
    process = apart.Process(target=flood, args=[port, key, going, created], daemon=True)
    process.start()

    def turn(on: bool) -> None:
        (going.set if on else going.clear)()
        time.sleep(SETTLED)
        before = -1
        while not on and before != created.value:  # until what was under way is over
            before = created.value
            time.sleep(SETTLED)

    try:
        yield turn, lambda: int(created.value)
    finally:
        process.terminate()
        process.join()


def measure(pusher: Pusher, kind: Kind, seen: Seen) -> None:
    """Push for the length of a turn."""
    ends = time.monotonic() + SECONDS
    while (begun := time.monotonic()) < ends:
        assert pusher.send() == kind.push, "the quiet key is to be taken whole"
        spent = time.monotonic() - begun
        seen.seconds.append(spent)
        seen.findings += kind.push
        time.sleep(max(0.0, kind.every - spent))


def main() -> None:
    """Measure and print."""
    found: dict[tuple[str, str], Seen] = {(name, state): Seen() for name in KINDS for state in ("alone", "beside")}
    flooded: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    with installation() as _:
        from detection.registry import create_detector

        keys = {name: create_detector(actor="system:benchmark", name=name)[1] for name in (*KINDS, "flood")}
        with web() as (url, _pid):
            port = int(url.rpartition(":")[2])
            pushers = {name: Pusher(port, keys[name], name, kind.push, 0) for name, kind in KINDS.items()}
            for pusher in pushers.values():  # plans and processes are warm afterwards
                for _ in range(20):
                    pusher.send()
            with flooding(port, keys["flood"]) as (turn, created):
                for _ in range(ROUNDS):
                    for name, kind in KINDS.items():
                        measure(pushers[name], kind, found[name, "alone"])
                    turn(True)
                    for name, kind in KINDS.items():
                        before = created()
                        measure(pushers[name], kind, found[name, "beside"])
                        flooded[name] += created() - before
                    turn(False)
    for name in KINDS:
        tell(name, found[name, "alone"], found[name, "beside"], flooded[name] / (SECONDS * ROUNDS))


def tell(name: str, alone: Seen, beside: Seen, flooded: float) -> None:
    """The figures of one kind."""
    size = f"{len(beside.seconds)} pushes beside {CONNECTIONS} connections"
    for state, seen in (("alone", alone), ("beside", beside)):
        print(f"fairness_{name}_p50_{state} {seen.at(0.5) * 1000:.1f} ms {len(seen.seconds)} pushes")
        print(f"fairness_{name}_p95_{state} {seen.at(0.95) * 1000:.1f} ms {len(seen.seconds)} pushes")
        print(f"fairness_{name}_rate_{state} {seen.rate:.0f} findings/s {len(seen.seconds)} pushes")
    print(f"fairness_{name}_p50_ratio {beside.at(0.5) / alone.at(0.5):.2f} ratio {size}")
    print(f"fairness_{name}_p95_ratio {beside.at(0.95) / alone.at(0.95):.2f} ratio {size}")
    print(f"fairness_{name}_rate_ratio {beside.rate / alone.rate:.2f} ratio {size}")
    print(f"fairness_flood_rate_beside_{name} {flooded:.0f} findings/s {size}")


if __name__ == "__main__":
    main()
