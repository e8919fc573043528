"""One request to an address that an administrator configured: no other host, no redirect, no proxy, bounded."""

import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO

SECONDS = 10.0
WHOLE_SECONDS = 20.0
CHUNK = 8192


class NoAnswer(Exception):  # noqa: N818 - what happened
    """Why there is no usable answer, in words without the address."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would lead to an address that nobody configured."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def post(url: str, body: bytes, *, kind: str, largest: int) -> bytes:
    """POST and the answer's body. Raises NoAnswer on any status but 200, on too many bytes, when it takes too long."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind, "User-Agent": "Retort"})  # noqa: S310 - checked by config.environment
    deadline = time.monotonic() + WHOLE_SECONDS
    try:
        with _OPENER.open(request, timeout=SECONDS) as response:
            if response.status != 200:
                raise NoAnswer(f"status {response.status}")
            content = b""
            while chunk := response.read1(CHUNK):
                content += chunk
                if len(content) > largest:
                    raise NoAnswer("it is too long")
                if time.monotonic() > deadline:
                    raise NoAnswer("it takes too long")
            return content
    except urllib.error.HTTPError as error:
        with error:
            raise NoAnswer(f"status {error.code}") from None
    except TimeoutError:
        raise NoAnswer("it takes too long") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None)
        late = isinstance(reason, TimeoutError)
        raise NoAnswer(
            "it takes too long" if late else f"the connection failed ({type(reason or error).__name__})"
        ) from None
