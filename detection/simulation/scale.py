"""How much is made, of what kinds and in what form; and the constants that every part of the generator shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

START = datetime(2026, 3, 2, tzinfo=UTC)
SAMPLE_SEED = 20260302
MODELS = ("birch-1-mini", "birch-1", "birch-1-reason")
NEW_MODELS = ("birch-2", "birch-2-reason")
SPREAD = 0x9E3779B97F4A7C15  # odd, so that multiplication is a bijection of 64-bit numbers
FORMATS = ("ndjson", "parquet")
PACKINGS = ("gzip", "zstd")


@dataclass(frozen=True)
class Scale:
    """What to make. The defaults are the sample story: 1,500 accounts, about 60,000 exchanges, a campaign, 24 days.

    `kinds` names kinds of campaign (`simulation.kinds.CAMPAIGNS`), or is `("all",)`; without it the cast of the sample
    story is written, byte for byte, and the fields below it have no effect. `campaign_accounts` is a number of accounts
    when it is 1 or more, else a share; `campaign_exchanges` is a share. `campaigns` may be None: one of each kind.
    `linkage` holds for every campaign, whatever the seed and its kind say: (axis, word) of `kinds.LINKAGE`, or
    ("cover_share", number).
    """

    accounts: int = 1_500
    exchanges: int = 60_000
    campaigns: int | None = 1
    seed: int = SAMPLE_SEED
    days: int = 24
    campaign_accounts: float = 0.05
    campaign_exchanges: float = 0.12
    kinds: tuple[str, ...] = ()
    linkage: tuple[tuple[str, str], ...] = ()
    look_alikes: str = "all"
    prompt_length: str = "normal"
    columns: str = "core"
    format: str = "ndjson"
    packing: str = "gzip"
    files: str = "one"

    @property
    def release_day(self) -> int:
        """The day of the window on which the new models are released."""
        return self.days * 3 // 5

    @property
    def pooled(self) -> int:
        """How many accounts all campaigns have together."""
        if self.campaign_accounts >= 1:
            return int(self.campaign_accounts)
        return round(self.accounts * self.campaign_accounts)


CHOICES = {
    "look_alikes": ("few", "all", "none"),
    "prompt_length": ("short", "normal"),
    "columns": ("core", "all"),
    "format": FORMATS,
    "packing": PACKINGS,
    "files": ("one", "day"),
}


def check(scale: Scale) -> None:
    """Raise `ValueError`, in words for a person, when the numbers or words cannot be."""
    if scale.accounts < 1 or scale.exchanges < 1 or (scale.campaigns or 0) < 0 or scale.days < 7:
        raise ValueError("accounts and exchanges must be at least 1, campaigns at least 0, days at least 7")
    if not 0 <= scale.campaign_exchanges < 1 or scale.campaign_accounts < 0:
        raise ValueError("the campaigns' share of exchanges must be at least 0 and below 1, their accounts at least 0")
    for name, allowed in CHOICES.items():
        if getattr(scale, name) not in allowed:
            raise ValueError(f"{name.replace('_', ' ')} must be one of {', '.join(allowed)}")
