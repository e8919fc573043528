"""Evidence bytes in a bucket of an S3-compatible store, behind Django's storage API; locked where it is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from spine.errors import Refused, Unreachable
from spine.storages import About

PART = 16 * 1024 * 1024  # of an upload; a few of them are all that is kept in memory


class LockedBucket(S3Storage):  # type: ignore[misc]
    """A bucket. With a lock mode each object is written with a retention that its owner can not (compliance) or only
    with a special right (governance) shorten.

    What is read is the oldest version of a name, so that whoever writes over an object hides nothing.
    """

    def __init__(self, *, lock_mode: str = "", lock_days: int = 0, **options: Any) -> None:
        super().__init__(
            **options,
            default_acl=None,
            file_overwrite=True,
            querystring_auth=True,
            transfer_config=TransferConfig(
                multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=2, max_io_queue=4
            ),
            client_config=Config(
                signature_version="s3v4",
                s3={"addressing_style": options.get("addressing_style")},
                connect_timeout=5,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
            ),
        )
        self.lock_mode = lock_mode
        self.lock_days = lock_days

    @property
    def client(self) -> Any:
        """The bucket's own client."""
        return self.connection.meta.client

    def workshop(self) -> Path:
        """Where temporary files are made before they are sent."""
        folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def exists(self, name: str) -> bool:
        """Whether any version of it is there."""
        return self._oldest(name) is not None

    def size(self, name: str) -> int:
        """Bytes of what would be read."""
        found = self._oldest(name)
        if found is None:
            raise FileNotFoundError(name)
        return int(found["Size"])

    def _save(self, name: str, content: Any) -> str:
        key = self._key(name)
        extra: dict[str, Any] = {"ChecksumAlgorithm": "SHA256", "ContentType": "application/octet-stream"}
        if self.lock_mode:
            until = datetime.now(UTC) + timedelta(days=self.lock_days)
            extra |= {"ObjectLockMode": self.lock_mode, "ObjectLockRetainUntilDate": until}
        with _told():
            content.seek(0)
            self.client.upload_fileobj(content, self.bucket_name, key, ExtraArgs=extra, Config=self.transfer_config)
        return name

    def _open(self, name: str, mode: str = "rb") -> Any:
        found = self._oldest(name)
        if found is None:
            raise FileNotFoundError(name)
        with _told():
            answer = self.client.get_object(
                Bucket=self.bucket_name, Key=self._key(name), VersionId=found.get("VersionId", "null")
            )
        return File(answer["Body"], name=name)

    def _oldest(self, name: str) -> dict[str, Any] | None:
        """The first version that was written; later ones and delete markers change nothing."""
        key = self._key(name)
        pages = self.client.get_paginator("list_object_versions")
        with _told():
            found = [
                version
                for page in pages.paginate(Bucket=self.bucket_name, Prefix=key)
                for version in page.get("Versions", [])
                if version["Key"] == key
            ]
        return min(reversed(found), key=lambda version: version["LastModified"]) if found else None

    def destroy(self, name: str) -> None:
        """Remove every version of a name and its delete markers. Raises Refused while an object lock keeps one."""
        key = self._key(name)
        with _told():
            pages = list(
                self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket_name, Prefix=key)
            )
        found = [one for page in pages for part in ("Versions", "DeleteMarkers") for one in page.get(part, [])]
        for one in [one for one in found if one["Key"] == key]:
            try:
                self.client.delete_object(Bucket=self.bucket_name, Key=key, VersionId=one["VersionId"])
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == "AccessDenied":
                    raise Refused("The evidence store keeps these bytes locked: nothing was removed.") from None
                raise Unreachable("the evidence store refused to remove an object") from None

    def stored(self) -> Iterator[tuple[str, int]]:
        """Name and size of everything that lies here."""
        prefix = f"{self.location}/" if self.location else ""
        with _told():
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix=prefix):
                for found in page.get("Contents", []):
                    yield found["Key"].rpartition("/")[2], found["Size"]

    def about(self) -> About:
        """Kind, place and lock; raises Unreachable, also when a lock is demanded and the bucket cannot lock."""
        lock = f"{self.lock_mode.lower()}, {self.lock_days:,} days" if self.lock_mode else ""
        if self.lock_mode:
            with _told():
                answer = self.client.get_object_lock_configuration(Bucket=self.bucket_name)
            if answer["ObjectLockConfiguration"].get("ObjectLockEnabled") != "Enabled":
                raise Unreachable(f"the bucket {self.bucket_name} has no object lock")
        else:
            with _told():
                self.client.head_bucket(Bucket=self.bucket_name)
        return About("S3 bucket", f"{self.bucket_name}/{self.location}".rstrip("/"), lock, None)

    def _key(self, name: str) -> str:
        return f"{self.location}/{name}" if self.location else name


@contextmanager
def _told() -> Iterator[None]:
    """Say what a store refused without the request, its headers or its address."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise Unreachable(f"the evidence store refused: {code}") from None
    except BotoCoreError as error:
        raise Unreachable(f"the evidence store is not reached: {type(error).__name__}") from None
