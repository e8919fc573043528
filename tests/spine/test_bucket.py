"""Evidence in a bucket with object lock, on a real S3-compatible server process."""

import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import ImproperlyConfigured

from config import evidence
from spine import vault
from spine.bucket import LockedBucket
from spine.errors import Unreachable
from tests.servers import HOME

KEYS = {"AWS_ACCESS_KEY_ID": "vault", "AWS_SECRET_ACCESS_KEY": "vault-secret"}
CONTENT = b"request_id,model\nr-1,aster-2\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server process with two buckets: `locked`, which can lock objects, and `plain`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    variables = {**os.environ, **KEYS}
    process = subprocess.Popen(program, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        client = client_of(url)
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="plain")
        yield url
    finally:
        process.kill()
        process.wait()


def client_of(url: str) -> Any:
    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)


@pytest.fixture
def chosen(server: str, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Any:
    """Chooses a bucket as an operator does, by the variable; gives a client of the store's owner."""

    def choose(bucket: str = "locked", lock: str = "compliance:3650d", url: str = server) -> Any:
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(evidence.NAME, f"s3://{bucket}/evidence?endpoint={url}&region=us-east-1&object_lock={lock}")
        settings.STORAGES = {**settings.STORAGES, "evidence": evidence.storage(HOME.path / "vault")}
        settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
        return client_of(url)

    return choose


def key_of(digest: str) -> str:
    return f"evidence/{digest[:2]}/{digest[2:4]}/{digest}"


def test_content_is_kept_under_its_digest_and_locked(chosen: Any, tmp_path: Path) -> None:
    owner = chosen()
    blob = vault.put([CONTENT[:5], CONTENT[5:]])
    held = owner.head_object(Bucket="locked", Key=key_of(DIGEST))

    assert (blob, vault.read(DIGEST), vault.has(DIGEST)) == (vault.Blob(DIGEST, len(CONTENT)), CONTENT, True)
    assert held["ObjectLockMode"] == "COMPLIANCE"
    assert held["ObjectLockRetainUntilDate"].year >= 2035
    assert (DIGEST, len(CONTENT)) in set(vault.stored())
    assert (vault.about().kind, vault.about().lock) == ("S3 bucket", "compliance, 3,650 days")
    assert list((tmp_path / "incoming").iterdir()) == []


def test_who_writes_over_an_object_or_removes_it_hides_nothing(chosen: Any) -> None:
    owner = chosen()
    content = os.urandom(2000)
    digest = vault.put_bytes(content).sha256
    first = owner.list_object_versions(Bucket="locked", Prefix=key_of(digest))["Versions"][0]["VersionId"]
    owner.put_object(Bucket="locked", Key=key_of(digest), Body=b"something else")
    owner.delete_object(Bucket="locked", Key=key_of(digest))
    with pytest.raises(ClientError, match="AccessDenied"):
        owner.delete_object(Bucket="locked", Key=key_of(digest), VersionId=first)

    assert vault.read(digest) == content
    assert vault.compare(digest) == vault.Compared("same", digest, 2000)


def test_same_content_again_and_large_content_in_parts(chosen: Any, tmp_path: Path) -> None:
    chosen()
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1024) * 20 * 1024)
    digest = hashlib.sha256(large.read_bytes()).hexdigest()
    for _ in range(2):
        vault.put_file(large, vault.Blob(digest, 20 * 1024 * 1024))

    assert vault.compare(digest) == vault.Compared("same", digest, 20 * 1024 * 1024)
    assert large.exists()


def test_changed_object_in_a_bucket_without_lock_is_noticed(chosen: Any) -> None:
    owner = chosen("plain", "none")
    digest = vault.put_bytes(b"as received").sha256
    assert vault.about().lock == ""
    owner.put_object(Bucket="plain", Key=key_of(digest), Body=b"as changed")
    assert vault.compare(digest).result == "differs"
    owner.delete_object(Bucket="plain", Key=key_of(digest))
    assert vault.compare(digest).result == "missing"
    with pytest.raises(vault.Missing):
        vault.read(digest)


def test_bucket_that_cannot_lock_is_refused_before_and_when_written(chosen: Any) -> None:
    chosen("plain")
    with pytest.raises(Unreachable):
        vault.about()


def test_store_that_does_not_answer_is_told_without_its_address_or_keys(chosen: Any) -> None:
    chosen(url="http://127.0.0.1:9")
    with pytest.raises(Unreachable) as told:
        vault.put_bytes(b"x")
    assert "127.0.0.1" not in str(told.value)
    assert "vault-secret" not in str(told.value)


@pytest.mark.parametrize(
    "value",
    [
        "relative/folder",
        "gs://bucket/prefix",
        "s3://",
        "s3://key:secret@bucket/prefix",
        "s3://Bucket/prefix",
        "s3://bucket?endpoint=ftp://example.com",
        "s3://bucket?object_lock=compliance",
        "s3://bucket?object_lock=compliance:0d",
        "s3://bucket?lock=compliance:10d",
        "s3://bucket?;",
    ],
)
def test_setting_that_cannot_be_used_is_refused_by_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(evidence.NAME, value)
    with pytest.raises(ImproperlyConfigured, match=r"RETORT_EVIDENCE_STORAGE=.*accepted are") as refused:
        evidence.storage(HOME.path / "vault")
    assert "secret@" not in str(refused.value)


def test_half_a_key_is_refused_and_a_key_may_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(evidence.NAME, "s3://bucket/prefix")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "vault")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(ImproperlyConfigured, match="AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is"):
        evidence.storage(HOME.path / "vault")
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "key"))
    options = evidence.storage(HOME.path / "vault")["OPTIONS"]

    assert (options["access_key"], options["secret_key"]) == ("vault", "from a file")
    assert isinstance(LockedBucket(**options), LockedBucket)
