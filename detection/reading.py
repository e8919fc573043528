"""A received document as a finding: read, checked, and given the digest by which its content is compared."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

from detection import ocsf, quick_schema
from detection.finding_schema import Problem, check
from detection.stated import Stated, stated
from detection.streams import Line, Unreadable
from spine import received, strict_json

# What documents are: native findings, OCSF, or each what it says of itself.
Form = Literal["native", "ocsf", "either"]


class Read(Struct, gc=False, frozen=True):
    """A finding that was read and found acceptable, with its received bytes, their digest and that of its content."""

    line: int
    raw: bytes
    finding: Stated
    payload_sha256: str
    content_sha256: str
    uid_at: str = "/uid"


@dataclass(frozen=True, slots=True)
class Unacceptable:
    """A line that is not kept, and why."""

    line: int
    problems: list[Problem]


def read(line: int, document: Line, *, detector: str, form: Form) -> Read | Unacceptable:
    """The finding in a line, or what is wrong with it; touches no database."""
    if isinstance(document, Unreadable):
        return Unacceptable(line, [Problem("", document.reason)])
    try:
        value, canonical = received.read(document)
    except strict_json.NotAccepted as refused:
        return Unacceptable(line, [Problem(refused.pointer, refused.reason)])
    foreign = form == "ocsf" or (form == "either" and ocsf.is_detection_finding(value))
    finding = _checked(value, foreign, detector)
    if isinstance(finding, list):
        return Unacceptable(line, finding)
    payload, content = hashlib.sha256(document).hexdigest(), hashlib.sha256(canonical).hexdigest()
    return Read(line, document, finding, payload, content, ocsf.UID_AT if foreign else "/uid")


def _checked(value: Any, foreign: bool, detector: str) -> Stated | list[Problem]:
    """What the document states; the exact schema is asked where the quick one does not accept it."""
    quickly = None if foreign else quick_schema.check(value, detector=detector)
    if quickly is not None:
        return stated(quickly, quick_schema.moment)
    exactly = (ocsf.check_ocsf if foreign else check)(value, detector=detector)
    return exactly if isinstance(exactly, list) else stated(exactly, lambda time: time)
