"""The counsel export: the whole track as text and as data in one ZIP (docs/formats/counsel-export.md)."""

import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rfc8785

from cases import counsel
from cases.dossier.package_files import verify
from cases.dossier.plain import visible
from cases.models import CounselExport, CounselMember, CounselNote, CounselTrack

FORMAT = "retort-counsel-track"
RULE = "-" * 80
Row = dict[str, Any]


@dataclass(frozen=True)
class Package:
    """The ZIP's bytes, their digest, and how many notes stand in it."""

    content: bytes
    sha256: str
    notes: int


def name(row: CounselExport) -> str:
    """`RT-2026-K7Q4M-counsel-track-1`: the folder in the ZIP, and the ZIP's name before its ending."""
    return f"{row.track.case.ref}-counsel-track-{row.number}"


def package(row: CounselExport) -> Package:
    """The track as it stands, for an export that is not written yet. The same rows give the same bytes."""
    document = build(row)
    files = {
        "counsel-track.json": rfc8785.dumps(document),
        "counsel-track.txt": _text(document).encode(),
    }
    lines = [f"{hashlib.sha256(content).hexdigest()}  {file}\n" for file, content in sorted(files.items())]
    files["manifest-sha256.txt"] = "".join(lines).encode()
    content = _zip(name(row), files)
    return Package(content, hashlib.sha256(content).hexdigest(), counsel.notes(row.track).count())


def build(row: CounselExport) -> Row:
    """The document of counsel-track.json."""
    track = row.track
    return {
        "format": FORMAT,
        "v": 1,
        "marking": track.marking,
        "case": track.case.ref,
        "track": str(track.pk),
        "purpose": track.purpose,
        "direction": track.direction,
        "opened_by": track.opened_by.username,
        "opened_at": _when(track.at),
        "members": [{"name": one.user.username, "why": one.why} for one in counsel.members(track.case, track)],
        "memberships": _memberships(track),
        "notes": _notes(track),
        "exports": [*(_export(one) for one in reversed(counsel.exports(track))), {**_export(row), "sha256": None}],
    }


def _memberships(track: CounselTrack) -> list[Row]:
    rows = CounselMember.objects.filter(track=track).select_related("user", "decided_by").order_by("at", "id")
    return [
        {
            "name": row.user.username,
            "ended": row.ended,
            "reason": row.reason,
            "by": row.decided_by.username,
            "at": _when(row.at),
        }
        for row in rows
    ]


def _notes(track: CounselTrack) -> list[Row]:
    rows = CounselNote.objects.filter(track=track).select_related("author").order_by("at", "id")
    return [
        {
            "id": str(row.pk),
            "at": _when(row.at),
            "author": row.author.username,
            "marking": row.marking,
            "topic": row.topic,
            "direction": row.direction,
            "text": row.text,
            "exhibits": row.exhibits,
            "supersedes": str(row.supersedes_id) if row.supersedes_id else None,
            "withdrawn": row.withdrawn,
        }
        for row in rows
    ]


def _export(row: CounselExport) -> Row:
    return {
        "number": row.number,
        "at": _when(row.at),
        "by": row.made_by.username,
        "recipient": row.recipient,
        "purpose": row.purpose,
        "sha256": row.sha256,
    }


def _text(document: Row) -> str:
    """The reading copy; invisible characters shown."""
    lines = [
        document["marking"],
        RULE,
        f"Counsel track of {document['case']}",
        f"Opened by {document['opened_by']}, {document['opened_at']}",
        f"Purpose: {document['purpose']}",
        f"At the direction of: {document['direction']}",
        "",
        "Members",
        *(f"  {one['name']}: {one['why']}" for one in document["members"]),
    ]
    for note in document["notes"]:
        lines += ["", RULE, note["marking"], *_note(note)]
    lines += ["", RULE, "Distribution log"]
    for one in document["exports"]:
        lines.append(f"  {one['number']}. {one['at']} by {one['by']}, to {one['recipient']}: {one['purpose']}")
        lines.append(f"     {one['sha256'] or 'this copy'}")
    return visible("\n".join([*lines, RULE, document["marking"], ""]))


def _note(note: Row) -> list[str]:
    what = "takes back" if note["withdrawn"] else "corrects"
    lines = [f"Note {note['id']}, {note['at']}, {note['author']}"]
    lines += [f"This {what} note {note['supersedes']}"] if note["supersedes"] else []
    lines += [f"At the direction of: {note['direction']}"] if note["direction"] else []
    lines += [f"Exhibits: {', '.join(map(str, note['exhibits']))}"] if note["exhibits"] else []
    return [*lines, f"Topic: {note['topic']}", "", note["text"]]


def _zip(folder: str, files: dict[str, bytes]) -> bytes:
    """The one form that packages have, so that every byte outside the files can be told too."""
    body = directory = b""
    for file, content in sorted(files.items()):
        facts = (f"{folder}/{file}".encode(), zlib.crc32(content), len(content))
        directory += verify.central_header(*facts, len(body))
        body += verify.local_header(*facts) + content
    return body + directory + verify.end_record(len(files), len(directory), len(body))


def _when(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
