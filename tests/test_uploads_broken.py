"""Uploads to a real server whose process, sender or disk fails half-way: what arrived counts, nothing is half."""

import contextlib
import hashlib
import http.client
import os
import resource
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from cases.models import Case, EvidenceItem, Upload
from config import launch
from people.actions import create_token
from spine import vault
from spine.errors import NoRoom
from spine.models import Job
from tests.factories import Cast, make_case, run_job
from tests.servers import Program

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]
MB = 1024 * 1024
CONTENT = os.urandom(MB) * 40
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.INCOMING_ROOT = str(tmp_path / "disk")
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk"


@pytest.fixture
def site(committed_cast: Cast, folder: Path) -> Iterator["Site"]:
    """A web server of this test's own, so that it can be killed."""
    case = make_case(committed_cast)
    found = Site(case, create_token(actor="system:test", username=committed_cast.analyst.username), folder)
    try:
        found.start()
        yield found
    finally:
        found.program.kill()


class Site:
    """A server, and one person's upload to it."""

    def __init__(self, case: Case, token: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        variables = {"PORT": str(self.port), "RETORT_PUBLIC_URL": self.url, "RETORT_UPLOAD_FOLDER": str(folder)}
        self.program = Program("web", launch.command("web", port=self.port), variables)
        self.case = case
        self.token = token

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.program.start(self._answers)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def begin(self) -> str:
        body = (
            '{"title": "Log", "source": "Gateway", "acquired_at": "2026-05-12T00:00:00Z", "file_name": "log.bin", '
            f'"size": {len(CONTENT)}, "sha256": "{DIGEST}"}}'
        )
        answer = self.ask(
            "POST", f"/api/v1/cases/{self.case.ref}/uploads/", body.encode(), Content_Type="application/json"
        )
        assert answer.status == 201
        return urlsplit(answer.headers["Location"]).path

    def send_some(self, path: str, size: int) -> socket.socket:
        """Promise everything, send `size` bytes of it, and leave the connection open."""
        head = (
            f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
            "Content-Type: application/offset+octet-stream\r\n"
            f"Upload-Offset: 0\r\nContent-Length: {len(CONTENT)}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(head.encode() + CONTENT[:size])
        return connection

    def offset(self, path: str) -> int:
        return int(self.ask("HEAD", path).headers["Upload-Offset"])

    def send_rest(self, path: str, offset: int) -> http.client.HTTPResponse:
        kind = "application/offset+octet-stream"
        return self.ask("PATCH", path, CONTENT[offset:], Content_Type=kind, Upload_Offset=str(offset))


def until(condition: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def taken_in(site: Site, path: str) -> EvidenceItem:
    answer = site.ask("POST", f"{path}complete/")
    assert answer.status == 202
    job = run_job(Job.objects.get(kind="evidence.take_in"))
    assert job.result is not None
    assert job.result["state"] == "done", job.result
    return EvidenceItem.objects.get()


def test_upload_survives_its_server_killed_half_way_and_its_sender_gone(site: Site, folder: Path) -> None:
    path = site.begin()
    with site.send_some(path, 37 * MB):
        until(lambda: Upload.objects.get().offset >= 32 * MB)
        site.program.kill()
    kept = Upload.objects.get().offset
    assert (kept, vault.has(DIGEST)) == (32 * MB, False)
    site.start()
    assert site.offset(path) == kept

    gone = site.ask("PATCH", path, b"", Content_Type="application/offset+octet-stream", Upload_Offset="0")
    assert (gone.status, gone.headers["Upload-Offset"]) == (409, str(kept))
    assert site.send_rest(path, kept).status == 204
    item = taken_in(site, path)
    assert (item.sha256, item.size, vault.compare(DIGEST).result) == (DIGEST, len(CONTENT), "same")
    assert list(folder.iterdir()) == []


def test_what_a_sender_sent_before_it_broke_off_is_kept_to_the_byte(site: Site) -> None:
    path = site.begin()
    site.send_some(path, 5 * MB + 123).close()
    until(lambda: site.offset(path) == 5 * MB + 123)
    assert site.send_rest(path, 5 * MB + 123).status == 204
    assert taken_in(site, path).sha256 == DIGEST


def test_full_disk_is_told_leaves_nothing_half_and_mends_itself(site: Site, folder: Path) -> None:
    path = site.begin()
    with full_at(24 * MB, site, folder) as make_room:
        answer = site.send_rest(path, 0)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        kept = int(answer.headers["Upload-Offset"])
        assert kept == site.offset(path) == 16 * MB
        assert Path(folder, f"{Upload.objects.get().id}.part").stat().st_size == kept
        assert site.send_rest(path, kept).status == 503
        assert site.offset(path) == kept
        make_room()
        assert site.send_rest(path, kept).status == 204
        assert taken_in(site, path).sha256 == DIGEST


@contextlib.contextmanager
def full_at(size: int, site: Site, folder: Path) -> Iterator[Any]:
    """A disk of so many bytes for uploads: a file system of its own where one can be mounted, else a limit on files."""
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode == 0:
        try:
            yield lambda: subprocess.run(["mount", "-o", f"remount,size={8 * size}", str(folder)], check=True)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
        return
    server = psutil.Process(site.program.pid)
    processes = [server.pid, *(child.pid for child in server.children(recursive=True))]

    def limit(most: int) -> None:
        for pid in processes:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    limit(size)
    yield lambda: limit(resource.RLIM_INFINITY)


def test_full_vault_keeps_no_file_and_takes_the_same_content_when_there_is_room(settings: Any, tmp_path: Path) -> None:
    root = tmp_path / "vault"
    options = {"BACKEND": "spine.storages.Folder", "OPTIONS": {"location": root}}
    settings.STORAGES = {**settings.STORAGES, "evidence": options}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MB, before[1]))
    try:
        with pytest.raises(NoRoom):
            vault.put([CONTENT[: 8 * MB]])
        assert [found for found in root.rglob("*") if found.is_file()] == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert vault.put([CONTENT[: 8 * MB]]).size == 8 * MB
