"""Where a request comes from, as far as it can be believed."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "0.0.0.0"  # noqa: S104 - stands for no address; nothing listens on it


def address_of(request: HttpRequest) -> str:
    """The caller's IP address: the connection's, or behind a proxy the last one it wrote into `X-Forwarded-For`."""
    given = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        given = request.headers.get("X-Forwarded-For", given).rpartition(",")[2].strip()
    parsed = _parsed(given)
    return str(parsed) if parsed else UNKNOWN


def block_of(address: str) -> str:
    """What one caller can choose freely: an IPv4 address, or the 64 bits of an IPv6 network."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network(f"{parsed}/64", strict=False))
    return str(parsed or UNKNOWN)


def is_within(address: str, networks: Iterable[str]) -> bool:
    """Whether the address lies in one of the networks."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in ip_network(network) for network in networks)


def network(text: str) -> str:
    """A network or single address in one written form. Raises ValueError."""
    return str(ip_network(text.strip(), strict=False))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
