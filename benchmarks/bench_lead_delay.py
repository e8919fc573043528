"""P8: from a finding's acknowledgement to its lead on the queue, while 1,000 findings a second arrive.

A thousand findings a second are sent in batches of a hundred by one sender; every second one pair of them shares a
payment fingerprint that only these two show. The moment the answer to the second of the pair arrives is the
acknowledgement; the lead is there when its row was committed. The worker that groups and raises leads is a real one.
Prediction: about a second, the time of one grouping and of the outbox; it grows with what the window holds only where
values are shared. Seen, with little else on the
machine: half of sixty leads after 0.08 s, 95 in 100 within 0.19. RETORT_BENCH_SECONDS sets how long it is sent.
"""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.apart import installation, web, worker

SECONDS = int(os.environ.get("RETORT_BENCH_SECONDS", "60"))
RATE, BATCH = 1000, 100


def finding(uid: str, account: str, fingerprint: str) -> bytes:
    """A finding about one account with its payment fingerprint."""
    document = {
        "uid": uid,
        "detector": {"name": "bench", "version": "1.0.0"},
        "signal": "shared_attribute",
        "title": "An account and how it pays",
        "score": 0.5,
        "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
        "accounts": [
            {"id": account, "attributes": [{"type": "payment_fingerprint", "value": fingerprint, "count": 1}]}
        ],
    }
    return json.dumps(document).encode()


def main() -> None:
    """Measure and print."""
    with installation() as _:
        from detection import detector_verbs
        from detection.registry import create_detector

        detector, key = create_detector(actor="system:benchmark", name="bench")
        rule = {"by": ["payment_fingerprint"], "least_findings": 2, "least_accounts": 2}
        detector_verbs.set_grouping(detector, actor="system:benchmark", revision=1, grouping=rule)
        with web() as (url, _pid), worker():
            send(url, key, [finding("warm-1", "warm-1", "warm"), finding("warm-2", "warm-2", "warm")])
            wait_for(1)
            begun = time.time()
            acknowledged, sent, late = stream(url, key)
            spent = time.time() - begun
            wait_for(1 + len(acknowledged))
            delays = sorted(delays_of(acknowledged))
    print(f"lead_delay_p50 {delays[len(delays) // 2]:.2f} s {len(delays)} leads")
    print(f"lead_delay_p95 {delays[int(len(delays) * 0.95)]:.2f} s {len(delays)} leads")
    print(f"lead_delay_most {delays[-1]:.2f} s {len(delays)} leads")
    print(f"lead_delay_sent {sent / spent:.0f} findings/s {sent}")
    print(f"lead_delay_batches_behind {late} count {sent // BATCH}")


def stream(url: str, key: str) -> tuple[dict[str, float], int, int]:
    """Send at the rate; gives when each pair was acknowledged, how many were sent, how many batches were late."""
    acknowledged: dict[str, float] = {}
    begun, late = time.time(), 0
    for batch in range(SECONDS * RATE // BATCH):
        due = begun + batch * BATCH / RATE
        late += time.time() > due + 1
        time.sleep(max(0.0, due - time.time()))
        lines = [finding(f"f-{batch}-{n}", f"a-{batch}-{n}", f"own-{batch}-{n}") for n in range(BATCH - 1)]
        pair, half = divmod(batch, 10)
        if half in (0, 5):
            lines.append(finding(f"p-{pair}-{half}", f"p-{pair}-{half}", f"pair-{pair}"))
        send(url, key, lines)
        if half == 5:
            acknowledged[f"pair-{pair}"] = time.time()
    return acknowledged, SECONDS * RATE // BATCH * (BATCH - 1), late


def send(url: str, key: str, lines: list[bytes]) -> None:
    """One POST to the bulk address, all of it kept."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    request = urllib.request.Request(f"{url}/api/v1/findings/bulk/", b"\n".join(lines), headers)
    with urllib.request.urlopen(request, timeout=600) as response:
        assert json.load(response)["created"] == len(lines)


def wait_for(leads: int) -> None:
    """Until so many leads are there."""
    from django.db import connection

    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('retort.principal', 'system:benchmark', false)")
            cursor.execute("SELECT count(*) FROM cases_lead")
            if cursor.fetchone()[0] >= leads:
                return
        time.sleep(0.2)
    raise TimeoutError("the leads did not come")


def delays_of(acknowledged: dict[str, float]) -> Iterator[float]:
    """Seconds from the acknowledgement of each pair to its lead; the lead's own time, by the same machine's clock."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.value, min(extract(epoch FROM lead.raised_at)) FROM cases_lead lead "
            "JOIN detection_clusterlink link ON link.cluster_id = lead.cluster_id "
            "JOIN detection_attribute t ON t.id = link.attribute_id GROUP BY t.value"
        )
        for value, raised in cursor.fetchall():
            if value in acknowledged:
                yield max(0.0, float(raised) - acknowledged[value])


if __name__ == "__main__":
    sys.exit(main())
