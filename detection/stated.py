"""What is stored of a finding besides its bytes: its own values, and the accounts with what each has shown, in plain
records that the collector of cycles need not look at. Times of accounts are `copying.micros`.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from msgspec import Struct

from spine.copying import micros

Time = int | None
NEVER = (None, None)


class Attribute(Struct, gc=False):
    """A value, known by type and value together, with how often and when the account has shown it."""

    key: tuple[str, str]
    count: int | None
    first: Time
    last: Time


class Account(Struct, gc=False):
    """An account; seen as stated for it, else by its attributes, else in the finding's window."""

    id: str
    exchanges: int | None
    input_tokens: int | None
    output_tokens: int | None
    first: int
    last: int
    attributes: list[Attribute]


class Stated(Struct, gc=False):
    """A finding that was found acceptable; `speaker` is the detector's version and the digest of its parameters."""

    uid: str
    version: int
    speaker: tuple[str, str]
    signal: str
    title: str
    summary: str
    score: float
    confidence: str
    start: datetime
    end: datetime
    observed_at: datetime | None
    accounts: list[Account]


def stated(finding: Any, moment: Callable[[Any], datetime]) -> Stated:
    """The same from a finding of `finding_schema` or `quick_schema`, whose times `moment` reads."""
    detector, start, end = finding.detector, moment(finding.window.start), moment(finding.window.end)
    window = micros(start), micros(end)
    return Stated(
        finding.uid,
        finding.version,
        (detector.version, (detector.config_sha256 or "").lower()),
        finding.signal,
        finding.title,
        finding.summary,
        float(finding.score),
        finding.confidence or "",
        start,
        end,
        None if finding.observed_at is None else moment(finding.observed_at),
        [_account(account, window, moment) for account in finding.accounts],
    )


def _account(account: Any, window: tuple[int, int], moment: Callable[[Any], datetime]) -> Account:
    first, last = _seen(account, moment)
    attributes = [Attribute((one.type, one.value), one.count, *_seen(one, moment)) for one in account.attributes]
    if len(attributes) > 1:
        attributes = _merged(attributes)
    for one in attributes:
        if one.first is not None or one.last is not None:
            first, last = _earliest(first, one.first), _latest(last, one.last)
    return Account(
        account.id,
        account.exchanges,
        account.input_tokens,
        account.output_tokens,
        window[0] if first is None else first,
        window[1] if last is None else last,
        attributes,
    )


def _seen(part: Any, moment: Callable[[Any], datetime]) -> tuple[Time, Time]:
    first, last = part.first_seen, part.last_seen
    if first is None and last is None:  # as nearly always
        return NEVER
    return None if first is None else micros(moment(first)), None if last is None else micros(moment(last))


def _merged(attributes: list[Attribute]) -> list[Attribute]:
    """Each value once: stated several times for an account, its counts add up and its times widen."""
    if len({attribute.key for attribute in attributes}) == len(attributes):
        return attributes
    found: dict[tuple[str, str], Attribute] = {}
    for attribute in attributes:
        before = found.setdefault(attribute.key, attribute)
        if before is not attribute:
            counted = [count for count in (before.count, attribute.count) if count is not None]
            before.count = sum(counted) if counted else None
            before.first = _earliest(before.first, attribute.first)
            before.last = _latest(before.last, attribute.last)
    return list(found.values())


def _earliest(one: Time, other: Time) -> Time:
    return other if one is None else one if other is None else min(one, other)


def _latest(one: Time, other: Time) -> Time:
    return other if one is None else one if other is None else max(one, other)
