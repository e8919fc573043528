"""A feed tried before it is saved: one page is fetched and shown with what would become of it; nothing is stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detection import feed_verbs, ingest
from detection.feeds import FEEDS
from detection.feeds.base import Broken, Opening
from detection.feeds.mapping import form_of, mapped
from detection.models_feeds import Feed
from detection.pulling import reach
from detection.streams import Line, Unreadable
from spine.errors import Refused
from spine.outgoing import NoAnswer, NotAllowed

SHOWN = 5
LONGEST_SHOWN = 4000
SECONDS = 15.0


@dataclass(frozen=True)
class TriedRow:
    """A row as it came, the finding it becomes, and what is wrong with that; each cut to what a page can show."""

    line: int
    received: str
    finding: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What the first page had."""

    rows: tuple[TriedRow, ...]
    count: int
    accepted: int
    more: bool
    place: str
    trouble: str


def try_feed(
    *,
    kind: str,
    detector: str,
    settings: Mapping[str, Any],
    mapping: Mapping[str, Any],
    secret: str = "",
    feed: Feed | None = None,
) -> Trial:
    """Fetch one page as a pull would. Without a secret that of `feed` is used, at the same place only.

    Raises Refused with what is wrong with the settings, or with what the source did.
    """
    usable, rows = feed_verbs.understood(kind, settings, mapping)
    if not secret and feed is not None and feed.kind == kind and feed.secret:
        before, _ = feed_verbs.understood(kind, feed.settings, feed.mapping)
        if FEEDS[kind].place(before) != FEEDS[kind].place(usable):
            raise Refused("The feed would send its secret to another place: give the secret again.", field="secret")
        secret = feed_verbs.secret_of(feed)
    opening = Opening(usable, secret, reach(seconds=SECONDS, page_bytes=8 << 20, file_bytes=64 << 20, rows=SHOWN))
    try:
        with FEEDS[kind].open(opening) as source:
            page = source.fetch({})
    except (Broken, NoAnswer, NotAllowed) as trouble:
        raise Refused(f"The source was not read: {trouble}") from None
    documents = [mapped(row, rows, detector=detector) for row in page.rows]
    checked = ingest.validate(documents, detector=detector, form=form_of(rows))
    shown = []
    for number, (row, document) in enumerate(zip(page.rows, documents, strict=True), 1):
        if number > SHOWN:
            break
        problems = ingest.validate([document], detector=detector, form=form_of(rows)).errors
        told = tuple(f"{one.pointer or '/'}: {one.detail}" for one in problems)
        shown.append(TriedRow(page.first + number - 1, _shown(row), _shown(document), told))
    return Trial(tuple(shown), len(documents), checked.created, page.more, page.place, page.trouble)


def _shown(line: Line) -> str:
    if isinstance(line, Unreadable):
        return line.reason
    try:
        text = json.dumps(json.loads(line), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = line.decode("utf-8", "replace")
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} …"
