"""Objects below a prefix of a bucket, over the S3 protocol, through the one way out.

botocore is loaded where it is used: a web process without such feeds does not need its 20 MB.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import IO, Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from detection.feeds.base import Broken, Kind, Opening, Plain, Reach, wait_in, written
from detection.feeds.files import FileSettings, FilesSource, Listed
from spine.outgoing import Outgoing

MOST_LISTING = 16 * 1024 * 1024
MOST_PAGES = 1000
BUCKETS = "3 to 63 small letters, digits, dots and hyphens are accepted, at both ends a letter or digit"
REGIONS = "1 to 40 small letters, digits and hyphens are accepted"


class S3Settings(FileSettings):
    """Settings of a prefix; without `access_key` it is asked without a signature."""

    endpoint: Annotated[str, Field(min_length=1, max_length=300)]
    bucket: Annotated[str, written(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", BUCKETS)]
    prefix: Annotated[str, Field(max_length=500)] = ""
    region: Annotated[str, written(r"^[a-z0-9-]{1,40}$", REGIONS)] = "us-east-1"
    access_key: Plain = ""

    @model_validator(mode="after")
    def _whole(self) -> "S3Settings":
        parts = urlsplit(self.endpoint)
        if parts.path not in {"", "/"} or parts.query:
            raise PydanticCustomError("endpoint", "an endpoint is scheme, host and port alone")
        return self


@dataclass
class Bucket:
    """The objects of a prefix."""

    settings: S3Settings
    secret: str
    reach: Reach

    def listed(self) -> Iterator[Listed]:
        """Every object below the prefix whose name fits."""
        token, seen, ends = "", set(), time.monotonic() + self.reach.listing_seconds
        for _ in range(MOST_PAGES):
            if time.monotonic() > ends:
                raise Broken("the bucket's list takes too long")
            on = {"continuation-token": token} if token else {}
            part = self._part({"list-type": "2", "prefix": self.settings.prefix, **on})
            yield from (found for one in part.get("Contents", []) if (found := self._listed(one)))
            token = part.get("NextContinuationToken", "")
            if not token or not part.get("IsTruncated"):
                return
            if token in seen:
                raise Broken("the bucket gives the same part of its list again")
            seen.add(token)
        raise Broken("the bucket's list does not end")

    def _listed(self, one: dict[str, Any]) -> Listed | None:
        key, modified = one.get("Key", ""), one.get("LastModified")
        name = key.rpartition("/")[2]
        if not name or modified is None or not fnmatchcase(name, self.settings.pattern or "*") or len(key) > 1024:
            return None
        if not key.startswith(self.settings.prefix):
            return None
        return Listed(key, f"{one.get('Size')}:{one.get('ETag', '')[:100]}", modified, one.get("Size"))

    def copy(self, one: Listed, to: IO[bytes]) -> None:
        """The bytes of an object of the list."""
        self.take(one.name, to, size=one.size)

    def take(self, name: str, to: IO[bytes], *, size: int | None = None) -> None:
        """The bytes of an object, as many as its list said when that is known. Raises Broken, NoAnswer."""
        url, total = f"{self._address()}/{quote(name, safe='/-._~')}", 0
        seconds = self.reach.file_seconds
        with self.reach.outgoing.opened("GET", url, headers=self._signed(url), seconds=seconds) as response:
            if response.status != 200:
                raise _refused(response.status, response.headers)
            for chunk in response.chunks(largest=self.reach.file_bytes):
                total += to.write(chunk)
            packed = response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}
        if size is not None and size != total and not packed:
            raise Broken(f"it came with {total:,} bytes, where the list says {size:,}")

    def _part(self, query: dict[str, str]) -> dict[str, Any]:
        """A part of the list, read by botocore as its own clients do."""
        from botocore.parsers import ResponseParserError, RestXMLParser

        url = f"{self._address()}?{urlencode(sorted(query.items()), quote_via=quote, safe='-._~')}"
        answer = self.reach.outgoing.send(
            "GET", url, headers=self._signed(url), largest=MOST_LISTING, seconds=self.reach.seconds
        )
        if answer.status != 200:
            raise _refused(answer.status, answer.headers)
        if b"<!" in answer.body or b"ListBucketResult" not in answer.body:  # no declaration, so no entity
            raise Broken("the bucket's list is not what is expected")
        try:
            received = {"status_code": 200, "headers": dict(answer.headers), "body": answer.body}
            part: dict[str, Any] = RestXMLParser().parse(received, _listing())
        except (ResponseParserError, ValueError, TypeError):
            raise Broken("the bucket's list is not what is expected") from None
        return part

    def _address(self) -> str:
        return f"{self.settings.endpoint.rstrip('/')}/{self.settings.bucket}"

    def _signed(self, url: str) -> dict[str, str]:
        """Headers of a signature, version 4; the bytes are asked for as they are stored."""
        plain = {"Accept-Encoding": "identity"}
        if not self.settings.access_key:
            return plain
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest("GET", url)
        S3SigV4Auth(Credentials(self.settings.access_key, self.secret), "s3", self.settings.region).add_auth(request)
        return {**plain, **dict(request.headers.items())}


def _refused(status: int, headers: Mapping[str, str]) -> Broken:
    wait = wait_in(headers)
    if 300 <= status < 400:
        return Broken("the bucket answers with a redirect, which is not followed", wait=wait)
    if status in {401, 403}:
        return Broken(f"the bucket refuses the key (status {status})", wait=wait)
    if status == 429:
        return Broken("the bucket asks to come less often (status 429)", wait=wait)
    return Broken(f"the bucket answers with status {status}", wait=wait)


@cache
def _listing() -> Any:
    """The shape of a list of objects, as the S3 protocol is described in botocore."""
    from botocore.session import get_session

    return get_session().get_service_model("s3").operation_model("ListObjectsV2").output_shape


@contextmanager
def _open(opening: Opening) -> Iterator[FilesSource]:
    source = FilesSource(opening.settings, Bucket(opening.settings, opening.secret, opening.reach), opening)
    try:
        yield source
    finally:
        source.close()


def _check(settings: S3Settings, outgoing: Outgoing) -> None:
    outgoing.place(settings.endpoint)


KIND = Kind(
    name="s3",
    title="S3 prefix",
    meaning="NDJSON, JSON, CSV or Parquet objects of an S3-compatible store",
    secret="secret access key",  # noqa: S106 - what it is called
    settings=S3Settings,
    open=_open,
    check=_check,
    place=lambda settings: settings.endpoint.lower(),
    start=(),
)
