"""Which places outside this product may be reached at all, and whether an address found for a name is one of them.

RETORT_OUTGOING_ALLOWED lists them, separated by spaces; empty means none. An entry is one of

    https://api.example.com              that host, at that port, over TLS, at addresses of the public internet
    https://api.internal:8443=10.1.0.0/16   the same where the name may have addresses of this network, and no other
    http://10.1.2.3:8080                 that address itself
    postgresql://db.internal=10.2.0.0/24 a database
    file:///mnt/findings                 a folder and what is in it

Nothing here knows a framework. Link-local and metadata addresses are reached by no entry.
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ACCEPTED = (
    "https://HOST, http://HOST, postgresql://HOST (each with :PORT and =NETWORK where needed) and file:///FOLDER "
    "are accepted"
)
PORTS = {"https": 443, "http": 80, "postgresql": 5432}
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[..., Sequence[Any]]
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?P<host>\[[0-9a-f:.]{{2,45}}\]|{_LABEL}(?:\.{_LABEL})*)"
_URL = re.compile(rf"(?P<scheme>[a-z]+)://{_HOST}(?::(?P<port>[0-9]{{1,5}}))?(?P<target>[/?].*)?", flags=re.ASCII)
# What may stand in a path or query as it is; everything else has to come percent-encoded.
_TARGET = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]]*", flags=re.ASCII)
# Never reached, whatever an entry says: the link's own addresses, what clouds serve to their machines, many at once.
NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "100.100.100.200/32", "192.0.0.192/32"),
        *("168.63.129.16/32", "::/128", "fe80::/10", "fec0::/10", "ff00::/8", "fd00:ec2::254/128", "fd20:ce::254/128"),
    )
)
# Addresses that carry another one inside, which a router or the system may unpack.
CARRIERS = tuple(
    IPv6Network(text)
    for text in (
        "::ffff:0:0/96",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
    )
)


class NotAllowed(Exception):  # noqa: N818 - what happened
    """The place is not on the list, in a sentence for who configures it."""


@dataclass(frozen=True)
class Entry:
    """One line of the list; `host` is empty for a folder."""

    scheme: str
    host: str = ""
    port: int = 0
    network: Network | None = None
    folder: Path | None = None

    def admits(self, address: Address) -> bool:
        """Whether this entry lets an address be reached."""
        if any(address in network for network in NEVER if network.version == address.version):
            return False
        if isinstance(address, IPv6Address) and any(address in network for network in CARRIERS):
            return self.network is not None and self.network == ip_network(address)  # this very one, written down
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return address.is_global and not address.is_multicast and not address.is_reserved


@dataclass(frozen=True)
class Place:
    """A place that is on the list: `target` is path and query, as they were given."""

    entry: Entry
    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{shown}" + ("" if self.port == PORTS[self.scheme] else f":{self.port}")


def parse(text: str) -> Entry:
    """The entry a word of the setting stands for. Raises ValueError with what is accepted."""
    if text.startswith("file:///") and not set("?#") & set(text):
        folder = Path(unquote(text.removeprefix("file://")))
        if ".." not in folder.parts and folder != Path("/"):
            return Entry("file", folder=folder)
        raise ValueError("a folder below the root is accepted, without dots")
    address, equals, network = text.partition("=")
    found = _split(address)
    if found is None or found[3] not in {"", "/"}:
        raise ValueError(ACCEPTED)
    scheme, host, port, _ = found
    literal = _literal(host)
    return Entry(scheme, host, port, _network(network) if equals else ip_network(literal) if literal else None)


def permitted(allowed: Sequence[Entry], url: str, *, schemes: Sequence[str] = ("https", "http")) -> Place:
    """The place an address names, when it is on the list; nothing is resolved here. Raises NotAllowed.

    An address is read in one strict way: no user part, no fragment, no character that another reader might take
    otherwise, numbers for hosts only as a plain address. What does not fit is refused and never repaired.
    """
    found = _split(url)
    if found is None or found[0] not in schemes:
        raise NotAllowed(
            f"This is no plain address: {' or '.join(schemes)}, a host, perhaps a port, a path and a query; without "
            "user part, fragment, spaces or unusual characters."
        )
    scheme, host, port, target = found
    for entry in allowed:
        if (entry.scheme, entry.host, entry.port) == (scheme, host, port):
            return Place(entry, scheme, host, port, target)
    raise NotAllowed("This destination is not on the list of allowed ones (RETORT_OUTGOING_ALLOWED).")


def permitted_folder(allowed: Sequence[Entry], folder: str) -> Path:
    """The real path of a folder that is on the list, links followed. Raises NotAllowed."""
    if not folder.startswith("/") or "\x00" in folder:
        raise NotAllowed("A folder is named by its whole path.")
    real = Path(folder).resolve()
    if any(entry.folder is not None and real.is_relative_to(entry.folder.resolve()) for entry in allowed):
        return real
    raise NotAllowed("This folder is not on the list of allowed destinations (RETORT_OUTGOING_ALLOWED).")


def resolved(place: Place, resolve: Resolve = socket.getaddrinfo) -> list[str]:
    """The addresses of a place, in the order to try them. Raises NotAllowed when one of them may not be reached.

    A name with one address too many is refused as a whole: which of them a later question would give is not known.
    """
    literal = _literal(place.host)
    if literal is not None:
        texts = [place.host]
    else:
        try:
            found = resolve(place.host, place.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise NotAllowed("The name of this destination has no address.") from None
        texts = list(dict.fromkeys(str(one[4][0]) for one in found))
    for text in texts:
        try:
            admitted = "%" not in text and place.entry.admits(ip_address(text))
        except ValueError:
            admitted = False
        if not admitted:
            raise NotAllowed("The name of this destination has an address that may not be reached.")
    if not texts:
        raise NotAllowed("The name of this destination has no address.")
    return texts


def _split(url: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port, target of an address that is written plainly."""
    if len(url) > 2000 or not url.isascii() or not url.isprintable():
        return None
    head, slashes, rest = url.partition("://")
    cut = min((place for place in (rest.find("/"), rest.find("?")) if place >= 0), default=len(rest))
    found = _URL.fullmatch(f"{head.lower()}{slashes}{rest[:cut].lower()}{rest[cut:]}")
    if found is None or found["scheme"] not in PORTS or not _TARGET.fullmatch(found["target"] or ""):
        return None
    host, port = found["host"].strip("[]"), int(found["port"] or PORTS[found["scheme"]])
    if not 1 <= port <= 65535 or not _host_is_plain(host, bracketed=found["host"].startswith("[")):
        return None
    return found["scheme"], host, port, found["target"] or ""


def _host_is_plain(host: str, *, bracketed: bool) -> bool:
    """A name, or an address in its one usual form: no octal, hexadecimal, single number or shortened form."""
    last = host.rpartition(".")[2]
    if bracketed or last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        literal = _literal(host)
        return literal is not None and (literal.version == 6) == bracketed
    return len(host) <= 253


def _literal(host: str) -> Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return address if str(address) == host else None


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"{text!r} is no network such as 10.1.0.0/16") from None
    if any(network.version == one.version and network.subnet_of(one) for one in NEVER):  # type: ignore[arg-type]
        raise ValueError("this network is never reached")
    return network
