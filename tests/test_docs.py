"""The documents stay true: links lead somewhere, and the example finding is one the product accepts."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from cases.webhook_events import EVENTS
from detection import ingest
from spine import standard_webhooks

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_example_finding_of_the_how_to_is_accepted() -> None:
    text = (ROOT / "docs" / "how-to" / "push-findings.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", text, re.S)
    assert example is not None

    counts = ingest.validate([example[1].encode()], detector="api-gateway")

    assert (counts.received, counts.rejected, counts.errors) == (1, 0, [])


WEBHOOKS = (ROOT / "docs" / "how-to" / "receive-a-webhook.md").read_text(encoding="utf-8")


def test_table_of_the_how_to_is_the_table_of_events() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \| ([^|]+) \|$", WEBHOOKS, re.MULTILINE)
    told = [(name, when, tuple(re.findall(r"`(\w+)`", data))) for name, when, data in rows]
    assert told == [(one.name, one.meaning, one.fields) for one in EVENTS.values()]


def test_verification_of_the_how_to_takes_what_we_sign_and_nothing_else() -> None:
    example = re.search(r"```python\n(.*?)```", WEBHOOKS, re.S)
    assert example is not None
    names: dict[str, Any] = {}
    exec(example[1], names)
    verified, secret, other = names["verified"], standard_webhooks.fresh_secret(), standard_webhooks.fresh_secret()

    def signed(*by: str, at: int = 0) -> dict[str, str]:
        return standard_webhooks.headers(by, message_id="msg_1", timestamp=int(time.time()) - at, body=b"{}")

    assert verified(secret, signed(secret), b"{}")
    assert verified(secret, signed(other, secret), b"{}")
    assert not verified(secret, signed(other), b"{}")
    assert not verified(secret, signed(secret), b"{ }")
    assert not verified(secret, signed(secret, at=301), b"{}")
    assert not verified(secret, {**signed(secret), "webhook-id": "msg_2"}, b"{}")
