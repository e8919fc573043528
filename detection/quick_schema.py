"""The native finding, version 1, checked many times as fast as by `finding_schema`, and only where it is acceptable.

It knows the same rules without a sentence for any. What it accepts is accepted there with the same values; about the
rest it says nothing, also where it is not sure, such as texts with characters that are not printed.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from pydantic_core import PydanticCustomError

from detection.finding_schema import ATTRIBUTE_TYPES, MOST_ACCOUNTS, OWN_WORD, SIGNALS, rfc3339
from spine.strict_json import LARGEST

_SIGNALS, _ATTRIBUTE_TYPES = frozenset(SIGNALS), frozenset(ATTRIBUTE_TYPES)

Count = Annotated[int, Meta(ge=0, le=LARGEST)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{64}\Z")]


class StatedBy(Struct, gc=False):
    """Fields as in `finding_schema.StatedBy`."""

    name: Annotated[str, Meta(min_length=1, max_length=120)]
    version: Annotated[str, Meta(min_length=1, max_length=60)]
    config_sha256: Sha256 | None = None


class Span(Struct, gc=False):
    """Fields as in `finding_schema.Span`; times are read afterwards."""

    start: str
    end: str


class SeenAttribute(Struct, gc=False):
    """Fields as in `finding_schema.SeenAttribute`."""

    type: Annotated[str, Meta(max_length=40)]
    value: Annotated[str, Meta(min_length=1, max_length=500)]
    count: Count | None = None
    first_seen: str | None = None
    last_seen: str | None = None


class SeenAccount(Struct, gc=False):
    """Fields as in `finding_schema.SeenAccount`."""

    id: Name
    exchanges: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    attributes: Annotated[list[SeenAttribute], Meta(max_length=1000)] = []


class Support(Struct, gc=False):
    """Fields as in `finding_schema.Support`."""

    exchanges: Count | None = None
    false_positive_rate: Annotated[float, Meta(ge=0, le=1)] | None = None
    measured_on: str | None = None


class EvidenceReference(Struct, gc=False):
    """Fields as in `finding_schema.EvidenceReference`."""

    kind: str | None = None
    uri: str | None = None
    query: str | None = None
    rows: Count | None = None
    sha256: Sha256 | None = None


class Finding(Struct, gc=False):
    """Fields as in `finding_schema.NativeFinding`."""

    uid: Name
    detector: StatedBy
    signal: Annotated[str, Meta(max_length=60)]
    title: Annotated[str, Meta(min_length=1, max_length=300)]
    score: Annotated[float, Meta(ge=0, le=1)]
    window: Span
    accounts: Annotated[list[SeenAccount], Meta(min_length=1, max_length=MOST_ACCOUNTS)]
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] = 1
    summary: str = ""
    confidence: Literal["low", "moderate", "high"] | None = None
    observed_at: str | None = None
    support: Support | None = None
    evidence: Annotated[list[EvidenceReference], Meta(max_length=1000)] = []
    reproduction: dict[str, Any] | None = None
    techniques: Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(max_length=100)] = []
    innocent_explanations: Annotated[list[str], Meta(max_length=100)] = []
    tlp: Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"] | None = None


moment = lru_cache(4096)(rfc3339)  # most findings of a batch speak of the same windows


def check(document: object, *, detector: str) -> Finding | None:
    """The finding in a parsed document where it is certainly acceptable."""
    try:
        finding = msgspec.convert(document, Finding)
        certain = finding.detector.name == detector and _is_plain(finding)
    except (msgspec.ValidationError, PydanticCustomError):
        return None
    return finding if certain else None


def _is_plain(finding: Finding) -> bool:
    """What no field's type says: words, printable names, accounts that stand there once, and times in their order."""
    stated, window, accounts = finding.detector, finding.window, finding.accounts
    if not (finding.uid.isprintable() and stated.name.isprintable() and stated.version.isprintable()):
        return False
    if not _is_word(finding.signal, _SIGNALS) or moment(window.start) > moment(window.end):
        return False
    if finding.observed_at is not None:
        moment(finding.observed_at)
    return len({account.id for account in accounts}) == len(accounts) and all(map(_is_plain_account, accounts))


def _is_plain_account(account: SeenAccount) -> bool:
    if not account.id.isprintable() or not _in_order(account.first_seen, account.last_seen):
        return False
    for attribute in account.attributes:
        if not _is_word(attribute.type, _ATTRIBUTE_TYPES) or not _in_order(attribute.first_seen, attribute.last_seen):
            return False
    return True


def _is_word(word: str, accepted: Collection[str]) -> bool:
    return word in accepted or OWN_WORD.fullmatch(word) is not None


def _in_order(first: str | None, last: str | None) -> bool:
    begins = moment(first) if first is not None else None
    ends = moment(last) if last is not None else None
    return begins is None or ends is None or begins <= ends
