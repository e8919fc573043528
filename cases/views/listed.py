"""What an exhibit's page shows of the archive it is: a page of its members, in the archive's own order."""

from datetime import datetime
from typing import Any

from django.http import QueryDict

from cases import archives
from cases.models import EvidenceItem
from cases.models.archive import newest_of

SHOWN = 100


def for_page(item: EvidenceItem, query: QueryDict) -> dict[str, Any] | None:
    """What cases/_archive_listing.html needs; None for what is no archive. `from` in the address: a place."""
    if item.media_type in archives.NOT_READ:
        return {"not_read": archives.NOT_READ[item.media_type]}
    if not archives.is_archive(item.media_type):
        return None
    listing = newest_of(item.id)
    if listing is None:
        return {"listing": None}
    first = _place(query.get("from", ""), listing.count)
    rows = listing.members[first : first + SHOWN]
    last = first + len(rows)
    return {
        "listing": listing,
        "rows": [
            {**member, "modified": _told(member["modified"]), "words": archives.words_of(member)} for member in rows
        ],
        "pages": {
            "first": first + 1,
            "last": last,
            "total": listing.count,
            "noun": "members",
            "previous_url": f"?from={max(0, first - SHOWN)}#listing" if first else "",
            "next_url": f"?from={last}#listing" if last < listing.count else "",
        },
    }


def _told(modified: str | None) -> str:
    """A time of the archive as pages show times; what is no such time stays as it is."""
    try:
        at = datetime.fromisoformat(modified or "")
    except ValueError:
        return modified or ""
    zone = " UTC" if at.tzinfo else ""
    return f"{at.day} {at:%b %Y %H:%M:%S}{zone}"


def _place(text: str, count: int) -> int:
    place = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0
    return place if place < count else 0
