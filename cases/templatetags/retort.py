"""The few display filters of the templates: numbers, shares, hashes, markings and the likelihood ladder."""

from collections.abc import Sequence
from typing import Literal

from django import template

from cases.actions.base import name_of
from cases.dossier import plain
from cases.vocabulary import LIKELIHOOD_RANGES

register = template.Library()
NOTHING = "–"


@register.filter
def count(value: int | Literal[""] | None) -> str:
    """A whole number with its thousands set apart: `28,800,000`; a dash for nothing known."""
    return NOTHING if value is None or value == "" else f"{int(value):,}"


@register.filter
def compact(value: int | Literal[""] | None) -> str:
    """A number from a million on in three figures: `28.8 M`. For places where the exact figure stands elsewhere."""
    if value is None or value == "":
        return NOTHING
    for size, unit in ((1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"{int(value):,}"


@register.filter
def lasting(seconds: float | Literal[""] | None) -> str:
    """A span of time in its largest unit: `40 s`, `12 min`, `3 h`, `5 d`."""
    if seconds is None or seconds == "":
        return NOTHING
    for size, unit in ((172_800, "d"), (7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{int(seconds // {'d': 86_400, 'h': 3600, 'min': 60}[unit]):,} {unit}"
    return f"{int(seconds)} s"


@register.filter
def percent(share: float | Literal[""] | None) -> str:
    """A share 0–1 as whole percent, never rounded up to 100 or down to 0."""
    if share is None or share == "":
        return NOTHING
    whole = round(share * 100)
    if whole == 100 and share < 1:
        return "> 99 %"
    if whole == 0 and share > 0:
        return "< 1 %"
    return f"{whole} %"


@register.filter
def points(share: float | None) -> str:
    """A share 0–1 as a length out of 100, for the width of a drawn bar."""
    return f"{min(1.0, max(0.0, share or 0.0)) * 100:.1f}"


@register.filter
def short_hash(value: str) -> str:
    """The first and last eight characters of a digest; the whole of it is always within a click."""
    return value if len(value) <= 20 else f"{value[:8]}…{value[-8:]}"


@register.filter
def words(slug: str) -> str:
    """A slug as people write it: `shared_attribute` → `shared attribute`."""
    return str(slug).replace("_", " ")


@register.filter
def named(principal: str) -> str:
    """A principal as people read it: `user:lead` → `lead`."""
    return name_of(str(principal))


@register.filter
def tlp(marking: str) -> str:
    """The class name of a TLP marking: `TLP:AMBER+STRICT` → `amber-strict`."""
    return str(marking).removeprefix("TLP:").lower().replace("+", "-")


@register.filter
def rungs(likelihood: str) -> list[bool]:
    """The seven rungs of the ladder, lit up to this word."""
    place = list(LIKELIHOOD_RANGES).index(str(likelihood))
    return [rung <= place for rung in range(len(LIKELIHOOD_RANGES))]


@register.filter
def likelihood_range(likelihood: str) -> str:
    """The range of a likelihood word: `80–95 %`."""
    low, high = LIKELIHOOD_RANGES[str(likelihood)]
    return f"{low}–{high} %"


@register.filter
def at(row: Sequence[object], place: int) -> object:
    """The value of a row at a place counted from 0; tables of charts are lists of lists."""
    return row[place]


@register.filter
def visible(text: object) -> str:
    """Text from outside with what is invisible or turns its neighbours round shown as `⟨U+202E⟩`."""
    return plain.visible(str(text))
