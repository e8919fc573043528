"""Findings to Retort's bulk address (`POST /api/v1/findings/bulk/`), batch by batch, in constant memory.

A batch may be sent again whenever it is not known what became of it: the server knows a finding by (detector, uid,
version), which the sender chose, so the same finding is kept once however often it arrives.
"""

import gzip
import http.client
import json
import logging
import os
import random
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

logger = logging.getLogger("retort_client")

BULK = "/api/v1/findings/bulk/"
AGAIN = {429, 502, 503, 504}
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
IDLE = 2.0  # seconds after which a connection is made anew, before the server (5 s) closes it under a request
LONGEST_ANSWER = 1024 * 1024
SMALLEST_BATCH = 64 * 1024
KEPT_ERRORS = 1000
COUNTS = ("received", "created", "duplicate", "superseded", "rejected")
HEADERS = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip", "User-Agent": "retort-client"}
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Refusal:
    """Why a finding was not kept. `line` is its place in what was given to `push`, from 1; `pointer` is RFC 6901."""

    line: int
    pointer: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}{self.pointer and f', {self.pointer}'}: {self.detail}"


@dataclass
class Result:
    """What became of findings: received = created + duplicate + superseded + rejected, all of it durable.

    The counts are exact. `errors` are the first 1,000, and of one batch the server names a hundred. `last` is the
    place of the last finding that was answered for. `resent` counts requests beyond the first of a batch; unless it
    is 0, some of the duplicates may be findings that an earlier try of the same push brought in.
    """

    received: int = 0
    created: int = 0
    duplicate: int = 0
    superseded: int = 0
    rejected: int = 0
    errors: list[Refusal] = field(default_factory=list)
    last: int = 0
    resent: int = 0


class RetortError(Exception):
    """A push that ended early. `result` is what was answered for until then; what follows `result.last` is open."""

    def __init__(self, message: str, result: Result, status: int | None = None) -> None:
        super().__init__(message)
        self.result = result
        self.status = status


class Refused(RetortError):  # noqa: N818 - what happened
    """Sending the same again would not help: a key without the right, an address that is none, nothing acceptable."""


class Unavailable(RetortError):  # noqa: N818 - what happened
    """The server was not reached, or was too busy, until the time was up. Pushing the same again later is safe."""


class Client:
    """Sends findings with one detector's key. For one thread at a time; opens a connection when it needs one.

    `url` is Retort's address (https; plain http only to this machine, unless `allow_http`). `verify` is True for the
    system's certificate authorities, or the path of a PEM file with others; the check cannot be turned off. A batch
    has at most `batch` findings and about `batch_bytes`. `timeout` is for each step on the network; `give_up_after`
    for all tries of a batch, waits included (both in seconds). Redirects are not followed, proxies not used.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        verify: bool | str | os.PathLike[str] = True,
        batch: int = 1000,
        batch_bytes: int = 4 * 1024 * 1024,
        timeout: float = 60.0,
        give_up_after: float = 300.0,
        allow_http: bool = False,
    ) -> None:
        where = urlsplit(url)
        if where.scheme not in ("http", "https") or not where.hostname or where.query or "@" in where.netloc:
            raise ValueError("url: an address such as https://retort.example.org is accepted, with no password in it")
        if where.scheme == "http" and not (allow_http or where.hostname in THIS_MACHINE):
            raise ValueError("url: over http anybody on the way could read the key; use https, or allow_http=True")
        key = key.strip()
        if not key or not all("!" <= sign <= "~" for sign in key):  # the library's own error would show it
            raise ValueError("key: visible ASCII characters alone are accepted (not shown here)")
        if verify is False:
            raise ValueError("verify: True or the path of a PEM file; the check of certificates cannot be turned off")
        self._where, self._path, self._key = where, where.path.rstrip("/") + BULK, key
        self._tls = ssl.create_default_context(cafile=None if verify is True else os.fspath(verify))
        self._batch, self._batch_bytes = batch, batch_bytes
        self._timeout, self._give_up_after = timeout, give_up_after
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    def __repr__(self) -> str:
        return f"Client({self._where.geturl()!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one. The client can be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def push(self, findings: Iterable[Mapping[str, Any] | str | bytes]) -> Result:
        """Send findings (mappings, or lines of JSON such as an open file gives) and return what became of them.

        Takes them as they come and holds one batch. Blank lines are left out and keep their place in the numbering.
        Findings that the server rejects do not stop the others; when it rejects every one, Refused is raised, as for
        any other answer that more tries would not change. Unavailable is raised when the time is up.
        """
        if isinstance(findings, Mapping | str | bytes):
            raise TypeError("push takes several findings: put a single one in a list")
        result, held, size = Result(), list[tuple[int, bytes]](), 0
        for place, finding in enumerate(findings, 1):
            line = _line(place, finding, result)
            if held and line and (len(held) >= self._batch or size + len(line) > self._batch_bytes):
                self._deliver(held, result)
                held, size = [], 0
            if line:
                held.append((place, line))
                size += len(line) + 1
        if held:
            self._deliver(held, result)
        if result.received and result.rejected == result.received:
            first = str(result.errors[0]) if result.errors else "no reason was given"
            raise Refused(f"nothing was kept of {result.received:,}; {first}", result, 400)
        return result

    def _deliver(self, batch: list[tuple[int, bytes]], result: Result) -> None:
        """Send a batch, in halves where it is too large on the way, and add what became of it."""
        body = b"".join(line + b"\n" for _, line in batch)
        span = f"line {batch[0][0]}" if len(batch) == 1 else f"lines {batch[0][0]} to {batch[-1][0]}"
        status, answer = self._answered(gzip.compress(body, 4, mtime=0), span, result)
        counts = self._counts(answer, batch) if status in (201, 207, 400) else None
        if counts is not None and counts.received == len(batch):
            for name in COUNTS:
                setattr(result, name, getattr(result, name) + getattr(counts, name))
            result.errors += counts.errors[: KEPT_ERRORS - len(result.errors)]
            result.last = batch[-1][0]
        elif len(batch) > 1 and (status == 413 or counts is not None):  # what of it was kept will be a duplicate
            self._batch_bytes = min(self._batch_bytes, max(len(body) // 2, SMALLEST_BATCH))
            result.resent += 1
            self._deliver(batch[: len(batch) // 2], result)
            self._deliver(batch[len(batch) // 2 :], result)
        else:
            raise Refused(f"{span}: {self._reason(status, answer)}", result, status)

    def _answered(self, body: bytes, span: str, result: Result) -> tuple[int, bytes]:
        """Status and body of an answer that is not about another time; waits and tries again until there is one."""
        end, tries = time.monotonic() + self._give_up_after, 0
        status: int | None
        retry_after: str | None
        while True:
            status, retry_after = None, None
            try:
                status, retry_after, answer = self._exchange(body)
            except ssl.SSLCertVerificationError as error:
                raise Refused(f"{span}: the certificate is not accepted: {error.verify_message}", result) from None
            except (OSError, http.client.HTTPException) as error:
                reason = self._clean(f"{type(error).__name__}: {error}")
            else:
                if status not in AGAIN:
                    return status, answer
                reason = self._reason(status, answer)
            tries += 1
            backoff = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(tries - 1, 10))
            wait = max(_seconds(retry_after), backoff * random.uniform(0.5, 1.0))  # noqa: S311 - spreads senders out
            if time.monotonic() + wait > end:
                raise Unavailable(f"{span}: given up after {tries} tries; {reason}", result, status)
            logger.warning("%s: %s; trying again in %.1f s", span, reason, wait)
            time.sleep(wait)
            result.resent += 1

    def _exchange(self, body: bytes) -> tuple[int, str | None, bytes]:
        """One request: the answer's status, Retry-After and body. The connection is kept if it can be used again."""
        if time.monotonic() - self._used > IDLE:
            self.close()
        keep, connection = False, self._connection or self._connected()
        self._connection = connection
        try:
            # An answer that came before all was read (401, 413) is still an answer, though the rest cannot be sent.
            try:
                connection.request("POST", self._path, body, {"Authorization": f"Bearer {self._key}", **HEADERS})
            except (BrokenPipeError, ConnectionResetError):
                logger.debug("the server stopped reading")
            with connection.getresponse() as response:
                answer = response.read(LONGEST_ANSWER)
                if response.length and len(answer) < LONGEST_ANSWER:
                    raise http.client.IncompleteRead(b"", response.length)
                keep = response.isclosed() and not response.will_close
                return response.status, response.headers.get("Retry-After"), answer
        finally:
            self._used = time.monotonic()
            if not keep:
                self.close()

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._where.hostname or "", self._where.port
        made = http.client.HTTPConnection(host, port, timeout=self._timeout)
        if self._where.scheme == "https":
            made = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        made.connect()  # apart from the request: an answer counts only on a connection that is whole
        return made

    def _counts(self, answer: bytes, batch: list[tuple[int, bytes]]) -> Result | None:
        """The counts of an answer with the caller's line numbers; None when it is not one of Retort's."""
        try:
            told, counts = json.loads(answer), Result()
            for name in COUNTS:
                setattr(counts, name, int(told[name]))
            for one in told["errors"]:
                place = batch[max(int(one["line"]), 1) - 1][0]
                counts.errors.append(Refusal(place, self._clean(one["pointer"]), self._clean(one["detail"])))
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            return None
        whole = counts.created + counts.duplicate + counts.superseded + counts.rejected
        return counts if whole == counts.received and min(getattr(counts, name) for name in COUNTS) >= 0 else None

    def _reason(self, status: int, answer: bytes) -> str:
        """The status and, where the answer is a problem (RFC 9457), its words."""
        if 300 <= status < 400:
            return f"status {status}: redirects are not followed; give the address it leads to"
        try:
            told = json.loads(answer)["detail"]
        except (ValueError, TypeError, KeyError, RecursionError):
            told = "no answer of Retort's findings API"
        return f"status {status}: {self._clean(told)}"

    def _clean(self, text: object) -> str:
        """Words from outside, fit to be shown: without the key, control characters and great length."""
        shown = str(text)[:2000].replace(self._key, "[key]")
        return "".join(sign if sign.isprintable() else " " for sign in shown)[:500]


def _line(place: int, finding: Mapping[str, Any] | str | bytes, result: Result) -> bytes:
    """A finding as one line of JSON without its end; what JSON cannot hold is refused here, the rest by the server."""
    try:
        if isinstance(finding, Mapping):
            return json.dumps(dict(finding), separators=(",", ":")).encode()
        line = (finding.encode() if isinstance(finding, str) else finding).strip()
    except (TypeError, ValueError, RecursionError, AttributeError) as error:
        raise Refused(f"line {place}: cannot be written as JSON: {error}", result) from None
    if b"\n" in line:
        raise Refused(f"line {place}: has a line break inside; a finding is one line", result)
    return line


def _seconds(retry_after: str | None) -> float:
    """How long Retry-After asks to wait (RFC 9110, 10.2.3): seconds or a date; 0 when it says neither."""
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
