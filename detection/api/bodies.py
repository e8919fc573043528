"""A request's body as a stream: its encoding, its length, and what is said when either is wrong."""

from collections.abc import Iterator
from typing import Any

from rest_framework import exceptions
from rest_framework.request import Request

from detection import streams
from detection.streams import BrokenStream
from spine.api import TooLarge


def require_type(request: Request, *accepted: str) -> None:
    """Raise 415 unless the body's content type is one of these."""
    given = (request.content_type or "").partition(";")[0].strip().lower()
    if not given and not request.META.get("CONTENT_LENGTH") and not request.headers.get("Transfer-Encoding"):
        return  # no body at all, which is told as such
    if given not in accepted:
        raise exceptions.UnsupportedMediaType(
            given, f"Content-Type {given or '(none)'} is not accepted here: send {' or '.join(accepted)}."
        )


def decoded(request: Request, *, limit: int) -> Iterator[bytes]:
    """The body's bytes behind its Content-Encoding, as they come; the iterator raises BrokenStream.

    Raises 415 for an encoding that is not known, and 413 when the declared length alone is over the limit.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding == "identity":
        encoding = ""
    if encoding and encoding not in streams.ENCODINGS:
        raise exceptions.UnsupportedMediaType(
            encoding, f"Content-Encoding {encoding} is not accepted: send {' or '.join(streams.ENCODINGS)}, or none."
        )
    declared = int(request.META.get("CONTENT_LENGTH") or 0)
    if declared > limit:
        raise TooLarge(f"At most {limit:,} bytes are accepted here.")
    return streams.decoded(_received(request, declared), encoding, limit=limit)


def _received(request: Request, declared: int) -> Iterator[bytes]:
    """What arrives on the connection; breaks when less arrives than was declared."""
    source: Any = request._request
    chunked = not declared and bool(request.META.get("wsgi.input_terminated"))
    if chunked:  # Django takes a body without a length for empty; the server knows where it ends
        source = request.META["wsgi.input"]
    total = 0
    while True:
        try:
            chunk = source.read(streams.CHUNK)
        except Exception as error:  # noqa: BLE001 - servers have no common class for a connection that broke
            raise BrokenStream(f"the connection broke after {total:,} bytes ({type(error).__name__})") from None
        if not chunk:
            break
        total += len(chunk)
        yield chunk
    if total < declared:
        raise BrokenStream(f"the body ended after {total:,} of {declared:,} bytes")
