"""One finding as it was received, under pseudonyms: what its drawer shows, wherever it is opened."""

import json
from typing import Any

from cases.dossier.names import Names
from detection.queries import versions_of

SHOWN_ACCOUNTS, SHOWN_CHARACTERS = 25, 20_000
Stated = dict[str, Any]


def told(finding: Any, close: str) -> dict[str, Any]:
    """What cases/_finding_drawer.html needs of a finding with its payload, `is_set_aside` and `is_recalled`."""
    stated = json.loads(bytes(finding.payload))
    known = dict(finding.accounts.values_list("account__provider_id", "account__pseudonym"))
    names = Names("", raw=known)
    plain = _renamed(stated, known)
    return {
        "finding": finding,
        "title": names.clean(finding.title),
        "summary": names.clean(finding.summary),
        "support": _scalars(names, plain.get("support")),
        "explanations": _texts(names, plain.get("innocent_explanations")),
        "techniques": _texts(names, plain.get("techniques")),
        "reproduction": _scalars(names, plain.get("reproduction")),
        "payload": names.clean(json.dumps(plain, indent=2, ensure_ascii=False)[:SHOWN_CHARACTERS]),
        "left_out": max(0, len(known) - SHOWN_ACCOUNTS),
        "history": [one for one in versions_of(finding) if one.pk != finding.pk],
        "close": close,
    }


def _renamed(stated: Stated, known: dict[str, str]) -> Stated:
    """The document with pseudonyms instead of the provider's ids, and the first of its accounts only."""
    listed = stated.get("accounts")
    if not isinstance(listed, list):
        return stated
    shown = [
        {**one, "id": known.get(str(one.get("id")), "–")} if isinstance(one, dict) else "–"
        for one in listed[:SHOWN_ACCOUNTS]
    ]
    return {**stated, "accounts": shown}


def _scalars(names: Names, stated: object) -> list[tuple[str, str]]:
    """The plain members of what a detector wrote; nested ones stay in the document below."""
    if not isinstance(stated, dict):
        return []
    plain = [(key, value) for key, value in stated.items() if isinstance(value, str | int | float)]
    return [(names.clean(str(key)), names.clean(str(value))[:500]) for key, value in plain]


def _texts(names: Names, stated: object) -> list[str]:
    return [names.clean(str(text))[:500] for text in stated] if isinstance(stated, list) else []
