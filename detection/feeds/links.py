"""The Link header of HTTP (RFC 8288): where the next page is."""

import re

_ONE = re.compile(r"<([^<>]{0,2000})>([^<]{0,2000})")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]{0,200})\"|([^\s;,\"]{1,200}))", flags=re.IGNORECASE)


def next_of(header: str) -> str:
    """The target of the first link with the relation `next`; empty when there is none."""
    for target, parameters in _ONE.findall(header[:20_000]):
        found = _REL.search(parameters)
        if found and "next" in (found[1] or found[2] or "").lower().split():
            return str(target)
    return ""
