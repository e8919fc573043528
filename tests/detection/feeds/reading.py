"""How the tests read a feed: to the end of a walk, from a cursor on."""

import json
import tempfile
from pathlib import Path
from typing import Any

from detection.feeds import FEEDS
from detection.feeds.base import Cursor, Known, Nothing, Opening, Page, Reach, Settings, Window, checked
from detection.streams import Unreadable
from spine.allowlist import parse
from spine.outgoing import Outgoing


def settings_of(kind: str, **given: Any) -> Settings:
    found = checked(FEEDS[kind].settings, given)
    assert isinstance(found, Settings), found
    return found


def opening(
    kind: str,
    *allowed: str,
    secret: str = "",
    window: Window | None = None,
    known: Known | None = None,
    reach: dict[str, Any] | None = None,
    **given: Any,
) -> Opening:
    out = Outgoing([parse(one) for one in allowed])
    found = Reach(out, Path(tempfile.gettempdir()), **{"seconds": 60.0, **(reach or {})})
    return Opening(settings_of(kind, **given), secret, found, window, known or Nothing())


def walk(kind: str, opened: Opening, cursor: Cursor | None = None, *, most: int = 50) -> list[Page]:
    """The pages of one pull."""
    pages: list[Page] = []
    with FEEDS[kind].open(opened) as source:
        while len(pages) < most:
            pages.append(source.fetch(pages[-1].cursor if pages else cursor or {}))
            if not pages[-1].more:
                break
    return pages


def uids(pages: list[Page]) -> list[str]:
    """What rows have in `uid`; what cannot be read stands with its reason."""
    rows = [row for page in pages for row in page.rows]
    return [row.reason if isinstance(row, Unreadable) else json.loads(row)["uid"] for row in rows]
