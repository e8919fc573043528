"""A received document as a finding: read, checked, and given the digest by which its content is compared."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from detection import ocsf
from detection.finding_schema import NativeFinding, Problem, check
from detection.streams import Line, Unreadable
from spine import received, strict_json

# What documents are: native findings, OCSF, or each what it says of itself.
Form = Literal["native", "ocsf", "either"]


@dataclass(frozen=True, slots=True)
class Read:
    """A finding that was read and found acceptable, with its received bytes and the digest of its content."""

    line: int
    raw: bytes
    finding: NativeFinding
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
    finding = (ocsf.check_ocsf if foreign else check)(value, detector=detector)
    if isinstance(finding, list):
        return Unacceptable(line, finding)
    content = hashlib.sha256(canonical).hexdigest()
    return Read(line, document, finding, content, ocsf.UID_AT if foreign else "/uid")
