"""The native finding, version 1: its fields, and a JSON Pointer (RFC 6901) with a plain sentence for each bad one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from spine.strict_json import LARGEST, escape

SIGNALS = (
    "shared_attribute",
    "registration_burst",
    "template_reuse",
    "synchronised_activity",
    "load_balancing",
    "release_pivot",
    "replacement_after_ban",
    "reasoning_elicitation",
    "reasoning_block_replay",
    "reward_grading",
    "capability_sweep",
    "distribution_shift",
    "logit_probing",
    "no_human_cadence",
)
ATTRIBUTE_TYPES = (
    "payment_fingerprint",
    "ip",
    "subnet",
    "asn",
    "country",
    "user_agent",
    "ja4",
    "email_domain",
    "email_pattern",
    "phone_carrier",
    "programme",
    "org",
    "api_key",
    "template",
    "reasoning_block",
    "end_user",
)
_SIGNALS, _ATTRIBUTE_TYPES = dict.fromkeys(SIGNALS), dict.fromkeys(ATTRIBUTE_TYPES)  # looked up for every attribute
MOST_ACCOUNTS = 10_000
MOST_PROBLEMS = 100

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", flags=re.ASCII
)
OWN_WORD = re.compile(r"x-[a-z0-9][a-z0-9._-]*", flags=re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a document, and where: a JSON Pointer relative to it, empty for the whole."""

    pointer: str
    detail: str


def rfc3339(value: object) -> datetime:
    """A time of RFC 3339 in UTC, to the microsecond; a leap second becomes the first moment after it."""
    found = _TIME.fullmatch(value) if isinstance(value, str) and len(value) <= 64 else None
    if found is None:
        raise PydanticCustomError("time", "a time of RFC 3339 is accepted, such as 2026-05-04T00:00:00Z")
    date, minutes, seconds, fraction, offset = found.groups()
    offset = "+00:00" if offset in "Zz" else offset
    leap = seconds == "60"
    try:
        text = f"{date}T{minutes}:{'59' if leap else seconds}.{(fraction or '')[:6]:0<6}{offset}"
        moment = datetime.fromisoformat(text).astimezone(UTC)
        if not leap:
            return moment
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise PydanticCustomError("time", "there is no such time in the years 1 to 9999") from None
    if (moment.hour, moment.minute) != (0, 0):
        raise PydanticCustomError("time", "a leap second is the last one of a day in UTC")
    return moment


def _printable(value: str) -> str:
    if _CONTROL.search(value):
        raise PydanticCustomError("control", "control characters are not accepted here")
    return value


def _word_of(accepted: Mapping[str, None], value: str) -> str:
    if value not in accepted and not OWN_WORD.fullmatch(value):
        raise PydanticCustomError("word", f"accepted are {', '.join(accepted)}, and your own beginning with x-")
    return value


def _after(end: datetime, start: datetime | None, otherwise: str) -> datetime:
    if start is not None and end < start:
        raise PydanticCustomError("order", otherwise)
    return end


Time = Annotated[datetime, BeforeValidator(rfc3339)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$"), AfterValidator(str.lower)]
Signal = Annotated[str, Field(max_length=60), AfterValidator(lambda value: _word_of(_SIGNALS, value))]
AttributeType = Annotated[str, Field(max_length=40), AfterValidator(lambda value: _word_of(_ATTRIBUTE_TYPES, value))]


class Part(BaseModel):
    """Values must have their JSON type; unknown fields are no mistake, they stay in the received document."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class StatedBy(Part):
    """The detector that states the finding."""

    name: Annotated[Name, Field(max_length=120)]
    version: Annotated[Name, Field(max_length=60)]
    config_sha256: Sha256 | None = None


class Span(Part):
    """The time the statement is about; it may be a single moment."""

    start: Time
    end: Time

    @field_validator("end")
    @classmethod
    def _in_order(cls, end: datetime, info: ValidationInfo) -> datetime:
        return _after(end, info.data.get("start"), "the window ends before it starts")


class Seen(Part):
    """Something with a first and a last time it was seen."""

    first_seen: Time | None = None
    last_seen: Time | None = None

    @field_validator("last_seen")
    @classmethod
    def _in_order(cls, last: datetime | None, info: ValidationInfo) -> datetime | None:
        return last and _after(last, info.data.get("first_seen"), "last seen before it was first seen")


class SeenAttribute(Seen):
    """A typed value that an account has shown."""

    type: AttributeType
    value: Annotated[str, Field(min_length=1, max_length=500)]
    count: Count | None = None


class SeenAccount(Seen):
    """An account of the statement, by the provider's id."""

    id: Name
    exchanges: Count | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    attributes: list[SeenAttribute] = Field(default_factory=list, max_length=1000)


class Support(Part):
    """What the statement rests on, and how often the detector errs where that was measured."""

    exchanges: Count | None = None
    false_positive_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    measured_on: str | None = None


class EvidenceReference(Part):
    """Where rows behind the statement lie at their source."""

    kind: str | None = None
    uri: str | None = None
    query: str | None = None
    rows: Count | None = None
    sha256: Sha256 | None = None


class NativeFinding(Part):
    """A finding as a detector sends it."""

    uid: Name
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    detector: StatedBy
    signal: Signal
    title: Annotated[str, Field(min_length=1, max_length=300)]
    summary: str = ""
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    confidence: Literal["low", "moderate", "high"] | None = None
    window: Span
    observed_at: Time | None = None
    accounts: list[SeenAccount] = Field(min_length=1, max_length=MOST_ACCOUNTS)
    support: Support | None = None
    evidence: list[EvidenceReference] = Field(default_factory=list, max_length=1000)
    reproduction: dict[str, Any] | None = None
    techniques: list[Annotated[str, Field(max_length=60)]] = Field(default_factory=list, max_length=100)
    innocent_explanations: list[str] = Field(default_factory=list, max_length=100)
    tlp: Literal["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"] | None = None


def check(document: object, *, detector: str) -> NativeFinding | list[Problem]:
    """The finding in a parsed document, or everything that is wrong with it (the first hundred), never empty.

    `detector` is whom the sender may speak for.
    """
    if not isinstance(document, dict):
        return [Problem("", "a finding is a JSON object")]
    try:
        finding = NativeFinding.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True, include_input=False)
        return [Problem(_pointer(item), _sentence(item)) for item in found[:MOST_PROBLEMS]]
    return list(_across(finding, detector)) or finding


def _across(finding: NativeFinding, detector: str) -> Iterator[Problem]:
    """What no field shows by itself."""
    if finding.detector.name != detector:
        yield Problem("/detector/name", f"another detector's name: findings of {detector} alone are taken here")
    seen: set[str] = set()
    for index, account in enumerate(finding.accounts):
        if account.id in seen:
            yield Problem(f"/accounts/{index}/id", "this account stands in the finding twice")
        seen.add(account.id)


def _pointer(error: ErrorDetails) -> str:
    return "".join(f"/{escape(str(step))}" for step in error["loc"])


# Pydantic's own sentences speak of Python; these speak of JSON.
SENTENCES = {
    "missing": "this field is required",
    "model_type": "an object is accepted",
    "model_attributes_type": "an object is accepted",
    "dict_type": "an object is accepted",
    "list_type": "an array is accepted",
    "string_type": "a string is accepted",
    "int_type": "a whole number is accepted",
    "int_from_float": "a whole number is accepted",
    "float_type": "a number is accepted",
    "string_pattern_mismatch": "64 hexadecimal digits are accepted",
    "string_too_short": "this must not be empty",
    "string_too_long": "at most {max_length} characters are accepted",
    "greater_than_equal": "{ge} or more is accepted",
    "less_than_equal": "{le} or less is accepted",
    "too_short": "at least {min_length} is needed",
    "too_long": "at most {max_length} are accepted",
    "literal_error": "accepted are {expected}",
}


def _sentence(error: ErrorDetails) -> str:
    template = SENTENCES.get(error["type"])
    if template is None:
        return error["msg"]
    bounds = error.get("ctx", {})
    return template.format_map({n: int(v) if v in (0.0, 1.0) else v for n, v in bounds.items()})
