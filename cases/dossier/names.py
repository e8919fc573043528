"""Names under which a dossier speaks of accounts and personal values, and the removal of raw ones from free text.

A pseudonym is keyed per recipient, so that two recipients cannot join what they hold. An internal copy, which has no
recipient, uses the names the pages show.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Model

from detection.models import Account

# Types whose values point at nobody by themselves. All others, unknown ones too, are shown as a keyed pseudonym.
SHOWN_TYPES = frozenset(
    {"asn", "country", "user_agent", "ja4", "template", "reasoning_block", "programme", "phone_carrier"}
)
LETTERS = 12  # 60 bits: among 100,000 accounts, two alike are a matter of one in 200 million
SHORTEST = 5  # a raw value shorter than this cannot be told from an ordinary word or number


@dataclass(frozen=True)
class Value:
    """An attribute value as this recipient sees it; `shown` is false when `text` is a pseudonym."""

    text: str
    shown: bool


@dataclass
class Names:
    """The names for one recipient; remembers every raw value it replaced, to take it out of free text too."""

    recipient: str
    raw: dict[str, str] = field(default_factory=dict)
    lengths: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for value, name in list(self.raw.items()):
            self._remember(value, name)

    def account(self, account: Account) -> str:
        """What this recipient's dossier calls the account, such as `acc-k7m2qxa4npt3`."""
        name = f"acc-{self._keyed('account', account.namespace, account.provider_id)}"
        shown = name if self.recipient else account.pseudonym
        self._remember(account.provider_id, shown)
        self._remember(account.pseudonym, shown)
        return shown

    def value(self, kind: str, value: str) -> Value:
        """The attribute value itself where its type points at nobody, else a pseudonym such as `ip-3f…`."""
        if kind in SHOWN_TYPES:
            return Value(value, True)
        name = f"{kind.replace('_', '-')}-{self._keyed('attribute', kind, value)}"
        if not value.isalpha():  # a bare word also stands for itself in a sentence
            self._remember(value, name)
        return Value(name, False)

    def item(self, row: Model) -> str:
        """The name of a record about one account or one value: keyed too, or it would join two recipients' copies."""
        return self.item_of(row._meta.label_lower, str(row.pk))

    def item_of(self, label: str, key: str) -> str:
        """The same from the record's label and key."""
        return f"{label}:{self._keyed('item', label, key)}" if self.recipient else f"{label}:{key}"

    def clean(self, text: str) -> str:
        """The text with every raw value known so far replaced; values inside a longer word are not touched."""
        return _replaced(text, self.raw, self.lengths)

    def clean_all(self, value: Any) -> Any:
        """A JSON value with every string in it cleaned, keys included."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, list):
            return [self.clean_all(item) for item in value]
        if isinstance(value, dict):
            return {self.clean(key): self.clean_all(item) for key, item in value.items()}
        return value

    def _remember(self, value: str, name: str) -> None:
        self.raw[value] = name
        if len(value) >= SHORTEST and len(value) not in self.lengths:
            self.lengths = sorted([*self.lengths, len(value)], reverse=True)

    def _keyed(self, *parts: str) -> str:
        message = "\x1f".join(["retort/dossier/1", self.recipient, *parts])
        digest = hmac.digest(_key(settings.PSEUDONYM_KEY_FILE), message.encode(), "sha256")
        return base64.b32encode(digest).decode().lower()[:LETTERS]


@cache
def _key(path: str) -> bytes:
    return Path(path).read_text(encoding="ascii").strip().encode()


def _replaced(text: str, raw: Mapping[str, str], lengths: Sequence[int]) -> str:
    """Longest match first, only where no letter or digit touches the match on either side."""
    out, at, done = [], 0, 0
    while at < len(text):
        found = ""
        if at == 0 or not text[at - 1].isalnum():
            whole = (text[at : at + length] for length in lengths if _is_whole(text, at, length))
            found = next((value for value in whole if value in raw), "")
        if found:
            out += [text[done:at], raw[found]]
            done = at + len(found)
        at += len(found) or 1
    return "".join([*out, text[done:]])


def _is_whole(text: str, at: int, length: int) -> bool:
    end = at + length
    return end <= len(text) and (end == len(text) or not text[end].isalnum())
