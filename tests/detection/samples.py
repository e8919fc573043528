"""Findings as detectors send them, for tests of every door."""

import json
from typing import Any

DETECTOR = "reasoning-elicitation"


def finding(uid: str = "cot-1", **changes: Any) -> dict[str, Any]:
    """A finding document with two accounts; `changes` replace whole fields."""
    document: dict[str, Any] = {
        "uid": uid,
        "version": 1,
        "detector": {"name": DETECTOR, "version": "3.2.0", "config_sha256": "ab" * 32},
        "signal": "reasoning_elicitation",
        "title": "Asks for inner reasoning",
        "score": 0.93,
        "confidence": "high",
        "window": {"start": "2026-05-04T00:00:00Z", "end": "2026-05-05T00:00:00Z"},
        "accounts": [
            {
                "id": "acct_1",
                "exchanges": 412,
                "attributes": [
                    {"type": "ip", "value": "203.0.113.7", "count": 120},
                    {"type": "payment_fingerprint", "value": "pf_1", "first_seen": "2026-04-30T10:00:00Z"},
                ],
            },
            {"id": "acct_2", "attributes": [{"type": "ip", "value": "203.0.113.7"}]},
        ],
        "x_own_field": {"kept": [1, 2.5]},
    }
    return document | changes


def line(uid: str = "cot-1", **changes: Any) -> bytes:
    """The finding as one line of NDJSON."""
    return json.dumps(finding(uid, **changes)).encode()
