"""What every kind of feed shares: pages of raw rows, the cursor behind each, and what is said when a source fails."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from detection.finding_schema import SENTENCES, Problem, rfc3339
from detection.streams import LONGEST_LINE, TOO_LONG, Line
from spine.outgoing import Outgoing, asked_wait
from spine.strict_json import escape

Cursor = dict[str, Any]
# A moment this far ahead of our clock is a mistake of the source; a cursor is never moved by it.
AHEAD = timedelta(minutes=10)
_POINTER = re.compile(r"(/([^~/]|~0|~1)*)*")


class Broken(Exception):  # noqa: N818 - what the source is
    """Why a source cannot be followed now, in words without its address or secrets; `wait`: seconds it asked for."""

    def __init__(self, reason: str, *, wait: int = 0) -> None:
        super().__init__(reason)
        self.wait = wait


def wait_in(headers: Mapping[str, str]) -> int:
    """Seconds for which an answer asks to be left alone (Retry-After), whatever its status; 0 when it does not."""
    return asked_wait(headers.get("retry-after", ""))


@dataclass(frozen=True)
class Window:
    """A past stretch of time that is asked for again; the end is not in it."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class FileRead:
    """How far a file has been read. `stamp` changes when the file does; `repeated`: its bytes are known already."""

    name: str
    stamp: str
    sha256: str
    size: int
    rows: int
    done: bool
    repeated: bool = False


@dataclass(frozen=True)
class Page:
    """Rows as they came, in order, and the cursor that continues behind them: both are kept, or neither.

    `place` names where they stood, `first` the number of the first one there. `reached` is the newest moment the
    source has told of. `trouble` is what is wrong with the source although these rows can be used.
    """

    rows: tuple[Line, ...]
    cursor: Cursor
    more: bool
    place: str
    first: int = 1
    file: FileRead | None = None
    reached: datetime | None = None
    trouble: str = ""


class Known(Protocol):
    """What is remembered of files."""

    def stamp(self, name: str) -> str | None:
        """The stamp a file had when it was read to its end, None when it never was."""

    def digest(self, sha256: str) -> bool:
        """Whether these bytes were read to their end, under whatever name."""


class Nothing:
    """Nothing is remembered."""

    def stamp(self, name: str) -> str | None:
        return None

    def digest(self, sha256: str) -> bool:
        return False


@dataclass(frozen=True)
class Reach:
    """How a source may be reached, and what is taken of it at most."""

    outgoing: Outgoing
    spool: Path
    seconds: float = 60.0
    listing_seconds: float = 900.0
    file_seconds: float = 3600.0
    page_bytes: int = 64 * 1024 * 1024
    file_bytes: int = 8 * 1024**3
    rows: int = 1000


@dataclass(frozen=True)
class Opening:
    """Everything a source is opened with."""

    settings: Any
    secret: str
    reach: Reach
    window: Window | None = None
    known: Known = field(default_factory=Nothing)


class Source(Protocol):
    """A source that is open."""

    def fetch(self, cursor: Cursor) -> Page:
        """The page behind a cursor, {} for the beginning. Raises Broken, NoAnswer, NotAllowed."""


class Settings(BaseModel):
    """Settings of a kind; values have their JSON type and unknown names are refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", str_max_length=20_000)


@dataclass(frozen=True)
class Kind:
    """A kind of feed: what it is called, its settings, how it is opened.

    `secret` is what its secret is, in words. `place` names where a secret of these settings is sent to: a secret is
    not taken along when that changes. `start` has the settings on which a cursor rests.
    """

    name: str
    title: str
    meaning: str
    secret: str
    settings: type[Settings]
    open: Callable[[Opening], AbstractContextManager[Source]]
    check: Callable[[Any, Outgoing], None]
    place: Callable[[Any], str]
    start: tuple[str, ...]
    windowed: Callable[[Any], str] = lambda settings: ""


def _is_pointer(value: str) -> str:
    if not _POINTER.fullmatch(value):
        raise PydanticCustomError("pointer", "a JSON Pointer such as /data/items is accepted, or nothing for the whole")
    return value


def _is_plain(value: str) -> str:
    if not value.isprintable():
        raise PydanticCustomError("control", "control characters are not accepted here")
    return value


ACCEPTED: dict[str, str] = {}  # by the pattern of a setting, what it accepts, in a sentence


def written(pattern: str, accepted: str, *, least: int | None = None, most: int | None = None) -> Any:
    """A setting that is written as the pattern says; the sentence says it to people."""
    ACCEPTED[pattern] = accepted
    return Field(pattern=pattern, min_length=least, max_length=most)


Pointer = Annotated[str, Field(max_length=500), AfterValidator(_is_pointer)]
Plain = Annotated[str, Field(max_length=500), AfterValidator(_is_plain)]


def checked(model: type[Settings], given: Mapping[str, Any]) -> Settings | list[Problem]:
    """The settings, or everything that is wrong with them."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True, include_input=False)
        return [Problem("".join(f"/{escape(str(s))}" for s in one["loc"]), _sentence(one)) for one in found[:100]]


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    if error["type"] == "string_pattern_mismatch":
        return ACCEPTED[error["ctx"]["pattern"]]
    template = SENTENCES.get(error["type"])
    return template.format_map(error.get("ctx", {})) if template else str(error["msg"])


def at(document: Any, pointer: str) -> Any:
    """The value at a JSON Pointer (RFC 6901), None when nothing is there."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isascii() and name.isdigit() and len(name) < 9:
            document = document[int(name)] if int(name) < len(document) else None
        else:
            return None
    return document


def moment(value: Any) -> datetime | None:
    """A moment: a time of RFC 3339 (a space for the T is accepted), or seconds or milliseconds since 1970."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,17}(\.\d+)?", value, flags=re.ASCII):
        value = float(value)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 100_000_000_000 else value, UTC)
        text = str(value).replace(" ", "T", 1) if isinstance(value, str) else ""
        text = text if re.search(r"(?:[zZ]|[+-]\d\d:?\d\d|[+-]\d\d)$", text[10:]) else f"{text}Z"
        text = re.sub(r"([+-]\d\d)$", r"\1:00", text) if "T" in text else text
        return rfc3339(text)
    except (PydanticCustomError, ValueError, OverflowError, OSError):
        return None


def moves(value: datetime | None) -> bool:
    """Whether a moment may move a cursor: it is one, and not of the future."""
    return value is not None and value <= datetime.now(UTC) + AHEAD


def stamp_of(value: datetime) -> str:
    """A moment as text, to the microsecond."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def fitting(row: bytes) -> Line:
    """The row, or that it is too long for one document."""
    return row if len(row) <= LONGEST_LINE else TOO_LONG
