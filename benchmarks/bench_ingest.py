"""P1: findings through the bulk endpoint, as a share of raw COPY of the same payloads into a table with a unique index.

Prediction before set-wise writes: 0.15 with one sender, because the database then has some seven times the rows and
index entries of the limit to write. Seen: 0.02 to 0.04 on a machine busy with other work.
Prediction before the quick schema and rows in the database's own bytes, which took Python from 135 to 70 microseconds
of processor time a finding and PostgreSQL from 76 to 66: 0.10, because what stores a batch and the database (50 + 66)
still take turns, and only the reading of the next one (20) goes on beside them. Seen: 0.05 to 0.08 (3,800 to 6,300
findings/s, 263 MB) with five other programs on the two cores; not yet on an idle machine. Batches of 4,000 instead of
2,000: 281 MB, and a processor time 2 microseconds less.
Prediction before the three foreign keys of findings were checked by statement: 13 of PostgreSQL's 65 microseconds a
finding go at commit, where each key asks a query a row; without them about 52, and a tenth less wall time for one
sender. Seen (processor times, the two cores busy with twelve other programs): at commit 2.5 instead of 13.6. What is
left of one sender's 118 is Python's 50 (leaf hashes 10, rows of findings 7, accounts 9, attributes 7) and PostgreSQL's
54 taking turns.
Prediction before leaves and rows of a batch were made in the reading thread, while the database stores the one before:
12 of the 50 move there, another tenth of the wall time. Seen on a machine with nothing else to do: 0.043 to 0.051 of
COPY at 10,000 stored and 0.037 to 0.048 at 40,000 to 100,000 (8,100 to 9,500 findings/s beside 220,000 rows/s of COPY;
4,600 to 5,100 before); up to a million 0.056, 0.045 and 0.046, and as fast at the end as at the beginning (1.02). The
web process took 332 MB, 301 without what only simulations need. The goal of 0.15 is not within reach of this way:
PostgreSQL alone takes some 50 microseconds for the six rows of a finding with their indexes, where COPY writes one.
On another machine, faster in Python and slower in what the database writes: 0.054 at 10,000 and 0.037 at 100,000 stored
(6,200 and 4,900 findings/s beside 115,000 and 131,000 rows/s of COPY); the web process took 271 MB.
RETORT_BENCH_FINDINGS sets how many are stored at each point of measuring, RETORT_BENCH_SENDERS how many send at once
(the default is one, as the goal is stated).
"""

import json
import os
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

from benchmarks.apart import installation, peak_memory, web

STORED = [int(number) for number in os.environ.get("RETORT_BENCH_FINDINGS", "10000,100000").split(",")]
SENDERS = int(os.environ.get("RETORT_BENCH_SENDERS", "1"))
SHARE = 20_000  # sent for one measurement


def findings(start: int, count: int) -> Iterator[bytes]:
    """Findings of about 600 bytes with two accounts and four attributes."""
    for number in range(start, start + count):
        document = {
            "uid": f"bench-{number:09d}",
            "detector": {"name": "bench", "version": "1.0.0"},
            "signal": "shared_attribute",
            "title": f"Accounts that share a payment fingerprint, group {number}",
            "score": 0.5,
            "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
            "accounts": [
                {
                    "id": f"acct_{(number * 2 + member) % 250_000:07d}",
                    "exchanges": 26,
                    "attributes": [
                        {"type": "payment_fingerprint", "value": f"pf_{number:09d}", "count": 1},
                        {"type": "ip", "value": f"2001:db8::{number % 65_536:x}", "count": 3},
                    ],
                }
                for member in range(2)
            ],
        }
        yield json.dumps(document, separators=(",", ":")).encode()


def main() -> None:
    """Measure and print."""
    with installation() as _:
        from detection.registry import create_detector

        _, key = create_detector(actor="system:benchmark", name="bench")
        with web() as (url, pid):
            rate(url, key, 0, 2_000)  # processes and plans are warm afterwards
            sent, rates = 2_000, []
            for stored in STORED:
                if stored > sent:
                    rate(url, key, sent, stored - sent)
                    sent = stored
                rates.append((rate(url, key, sent, SHARE), copied()))
                sent += SHARE
            memory = peak_memory(pid)
    for stored, (ours, limit) in zip(STORED, rates, strict=True):
        print(f"ingest_share_of_copy {ours / limit:.4f} ratio {stored}")
        print(f"ingest_rate {ours:.0f} findings/s {stored}")
        print(f"copy_rate {limit:.0f} rows/s {stored}")
    print(f"ingest_rate_last_over_first {rates[-1][0] / rates[0][0]:.2f} ratio {STORED[-1]}")
    print(f"ingest_web_peak_memory {memory / 1e6:.0f} MB {STORED[-1]}")


def rate(url: str, key: str, start: int, count: int) -> float:
    """Findings a second, sent by so many at once, each one POST of its part; large numbers in several rounds."""
    most = 50_000 * SENDERS
    begun = time.perf_counter()
    for first in range(start, start + count, most):
        number = min(most, start + count - first)
        parts = [number // SENDERS + (sender < number % SENDERS) for sender in range(SENDERS)]
        bounds = list(accumulate(parts, initial=first))
        bodies = [b"\n".join(findings(begin, part)) for begin, part in zip(bounds, parts, strict=False)]
        with ThreadPoolExecutor(SENDERS) as pool:
            begun_sending = time.perf_counter()
            assert sum(pool.map(lambda body: post(url, key, body), bodies)) == number
            spent = time.perf_counter() - begun_sending
    return number / spent if count <= most else count / (time.perf_counter() - begun)


def post(url: str, key: str, body: bytes) -> int:
    """How many the server says it has created."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    request = urllib.request.Request(f"{url}/api/v1/findings/bulk/", body, headers)
    with urllib.request.urlopen(request, timeout=3600) as response:
        counts = json.load(response)
    assert counts["rejected"] == 0, counts
    return int(counts["created"])


def copied() -> float:
    """Rows a second by COPY of the same payloads into a table with a unique index, the limit of this machine."""
    import psycopg

    rows = [(f"bench-{number:09d}", payload) for number, payload in enumerate(findings(0, SHARE))]
    with psycopg.connect(os.environ["RETORT_OWNER_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bench_copy")
        connection.execute("CREATE TABLE bench_copy (uid text PRIMARY KEY, payload bytea)")
        begun = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy("COPY bench_copy FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return SHARE / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
