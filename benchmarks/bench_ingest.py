"""P1: findings through the bulk endpoint, as a share of raw COPY of the same payloads into a table with a unique index.

Prediction before the first run: about 0.01, because each finding is validated, deduplicated, linked and made a leaf in
Python; COPY into staging and set-based writes are a later step. Seen: 0.02 at 10,000 stored.
RETORT_BENCH_FINDINGS sets how many are stored first.
"""

import json
import os
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.apart import installation, peak_memory, web

SMALL = 2_000
STORED = int(os.environ.get("RETORT_BENCH_FINDINGS", "10000"))


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
            early = rate(url, key, 0, SMALL)
            rate(url, key, SMALL, STORED)
            late = rate(url, key, SMALL + STORED, SMALL)
            memory = peak_memory(pid)
        limit = copied(SMALL + STORED)
    print(f"ingest_share_of_copy {late / limit:.4f} ratio {STORED}")
    print(f"ingest_rate {late:.0f} findings/s {STORED}")
    print(f"copy_rate {limit:.0f} rows/s {STORED}")
    print(f"ingest_rate_late_over_early {late / early:.2f} ratio {STORED}")
    print(f"ingest_web_peak_memory {memory / 1e6:.0f} MB {STORED}")


def rate(url: str, key: str, start: int, count: int) -> float:
    """Findings a second through one POST."""
    body = b"\n".join(findings(start, count))
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    request = urllib.request.Request(f"{url}/api/v1/findings/bulk/", body, headers)
    begun = time.perf_counter()
    with urllib.request.urlopen(request, timeout=3600) as response:
        counts = json.load(response)
    assert counts["created"] == count, counts
    return count / (time.perf_counter() - begun)


def copied(count: int) -> float:
    """Rows a second by COPY of the same payloads into a table with a unique index, the limit of this machine."""
    import psycopg

    rows = [(f"bench-{number:09d}", payload) for number, payload in enumerate(findings(0, count))]
    with psycopg.connect(os.environ["RETORT_OWNER_DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE bench_copy (uid text PRIMARY KEY, payload bytea)")
        begun = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy("COPY bench_copy FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return count / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
