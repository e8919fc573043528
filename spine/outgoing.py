"""The one way out over HTTP: to places on the list of allowed ones, at the address that was looked up and checked.

A name is resolved once; the connection goes to that address while the certificate is checked for the name. No
redirect is followed, no proxy is asked, the answer is capped by bytes produced and by time as a whole.
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import RemoteDisconnected
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from spine import allowlist
from spine.allowlist import Entry, NotAllowed, Place, Resolve
from spine.web import NoAnswer

__all__ = ["Answer", "NoAnswer", "NotAllowed", "Outgoing", "Response", "asked_wait"]

CONNECT_SECONDS = 10.0
CHUNK = 64 * 1024
ENCODINGS = {"", "identity", "gzip", "deflate", "zstd"}
LATE = "it takes too long"
LONGEST_WAIT = 24 * 3600


def asked_wait(said: str) -> int:
    """Seconds of a Retry-After header, at most a day; 0 for what cannot be read."""
    if said.isascii() and said.isdigit():
        return min(int(said[:9]), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(said)
        return max(0, min(int((until - datetime.now(UTC)).total_seconds()), LONGEST_WAIT))
    except (ValueError, TypeError):
        return 0


@dataclass(frozen=True)
class Answer:
    """A whole answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Guard:
    """Cuts the connection when its time is over, in whatever it is doing: connecting, shaking hands, reading."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._held: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connected: socket.socket) -> None:
        self._held = connected.dup()
        if self.late:
            self._cut()

    def _cut(self) -> None:
        self.late = True
        if self._held is not None:
            try:
                self._held.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def release(self) -> None:
        self._timer.cancel()
        self._timer.join(timeout=1)
        if self._held is not None:
            self._held.close()


class _Pinned:
    """A connection that goes to addresses given to it, whatever its host's name would resolve to by then."""

    addresses: Sequence[str]
    guard: _Guard

    def _new_conn(self) -> socket.socket:
        trouble: OSError | None = None
        for address in self.addresses:
            try:
                connected = socket.create_connection((address, self.port), timeout=CONNECT_SECONDS)  # type: ignore[attr-defined]
            except OSError as error:
                trouble = error
                continue
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.guard.watch(connected)
            return connected
        raise NoAnswer(f"the connection failed ({type(trouble).__name__})")


class _Plain(_Pinned, HTTPConnection):
    pass


class _Secure(_Pinned, HTTPSConnection):
    pass


@dataclass
class Response:
    """An answer whose body has not been read yet."""

    status: int
    headers: Mapping[str, str]
    _raw: Any = field(repr=False)
    _guard: _Guard = field(repr=False)

    def chunks(self, *, largest: int) -> Iterator[bytes]:
        """The body behind its content encoding, at most `largest` bytes of it; raises NoAnswer."""
        total = 0
        while True:
            with _told(self._guard):
                chunk = self._raw.read(CHUNK, decode_content=True)
            if not chunk:
                break
            total += len(chunk)
            if total > largest:
                raise NoAnswer(f"it is longer than {largest:,} bytes")
            yield chunk
        if self._guard.late:
            raise NoAnswer(LATE)


@dataclass(frozen=True)
class Outgoing:
    """The way out with its list; `ca_file` has certificates of authorities that are trusted beside the system's."""

    allowed: Sequence[Entry]
    ca_file: str = ""
    resolve: Resolve = socket.getaddrinfo

    def place(self, url: str) -> Place:
        """What the address names, when it is allowed. Raises NotAllowed."""
        return allowlist.permitted(self.allowed, url)

    @contextmanager
    def opened(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float = 30.0,
    ) -> Iterator[Response]:
        """One request, its answer open inside the block; everything has to be over within so many seconds.

        Raises NotAllowed before anything is sent, NoAnswer in words that name no address and repeat no header.
        """
        place = self.place(url)
        guard = _Guard(seconds)
        connection = self._connection(place, guard, seconds)
        raw: Any = None
        try:
            with _told(guard):
                sent = {"User-Agent": "Retort", "Accept-Encoding": "gzip", **(headers or {})}
                connection.request(method, place.target or "/", body=body, headers=sent, preload_content=False)
                raw = connection.getresponse()
            if guard.late:  # cut among the headers, which then look as if they had ended
                raise NoAnswer(LATE)
            found = {name.lower(): value for name, value in raw.headers.items()}
            if found.get("content-encoding", "").strip().lower() not in ENCODINGS:
                raise NoAnswer("its content encoding is not known here")
            yield Response(raw.status, found, raw, guard)
        finally:
            guard.release()
            if raw is not None:  # its body may not have been read to the end
                raw.close()
            connection.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        largest: int,
        seconds: float = 30.0,
    ) -> Answer:
        """The same with the whole body, at most `largest` bytes of it."""
        with self.opened(method, url, headers=headers, body=body, seconds=seconds) as response:
            content = b"".join(response.chunks(largest=largest))
            return Answer(response.status, response.headers, content)

    def _connection(self, place: Place, guard: _Guard, seconds: float) -> Any:
        addresses = allowlist.resolved(place, self.resolve)
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds)
        connection: _Plain | _Secure
        if place.scheme == "https":
            trust = ssl.create_default_context()
            if self.ca_file:
                trust.load_verify_locations(self.ca_file)
            connection = _Secure(place.host, place.port, timeout=timeout.read_timeout, ssl_context=trust)
        else:
            connection = _Plain(place.host, place.port, timeout=timeout.read_timeout)
        connection.addresses, connection.guard = addresses, guard
        return connection


@contextmanager
def _told(guard: _Guard) -> Iterator[None]:
    """What went wrong on the way, as NoAnswer."""
    try:
        yield
    except NoAnswer:
        raise
    except ssl.SSLCertVerificationError:
        raise NoAnswer("its certificate does not hold") from None
    except urllib3.exceptions.SSLError as error:
        held = "certificate" in str(error)
        raise NoAnswer("its certificate does not hold" if held else "the secure connection failed") from None
    except (TimeoutError, urllib3.exceptions.TimeoutError):
        raise NoAnswer(LATE) from None
    except urllib3.exceptions.DecodeError:
        raise NoAnswer("its compression is damaged") from None
    except (RemoteDisconnected, urllib3.exceptions.ProtocolError):
        raise NoAnswer(LATE if guard.late else "the answer ends too early") from None
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        raise NoAnswer(LATE if guard.late else f"the connection failed ({type(error).__name__})") from None
    except Exception as error:  # noqa: BLE001 - http.client has classes of its own for every bad answer
        raise NoAnswer(LATE if guard.late else f"it is no proper answer ({type(error).__name__})") from None
