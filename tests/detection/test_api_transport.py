"""The doors on a real server: lengths that lie, bodies in pieces, senders that go away, senders at once."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from detection import registry
from detection.models import Finding, FindingAccount, Sighting
from spine import verification
from spine.models import LogEntry
from tests.detection.samples import DETECTOR, line

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
BULK = "/api/v1/findings/bulk/"
FIGURES = ("received", "created", "duplicate", "superseded", "rejected")


@pytest.fixture
def key(live_site: str) -> str:
    return registry.create_detector(actor="user:admin", name=DETECTOR)[1]


def post(site: str, key: str, body: Any, **headers: str) -> requests.Response:
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"} | headers
    return requests.post(f"{site}{BULK}", data=body, headers=given, timeout=60)


def figures(answer: Any) -> tuple[int, ...]:
    return tuple(answer[name] for name in FIGURES)


def by_hand(site: str, key: str, head: str, body: bytes, path: str = BULK, kind: str = "application/x-ndjson") -> bytes:
    """Send these bytes, say that no more will come, and give what is answered."""
    where = urlsplit(site)
    with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
        lines = [f"POST {path} HTTP/1.1", f"Host: {where.netloc}", f"Authorization: Bearer {key}"]
        lines += [f"Content-Type: {kind}", "Connection: close", head]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def body_of(answer: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


def test_body_shorter_than_declared_keeps_whole_lines_and_names_the_broken_one(live_site: str, key: str) -> None:
    sent = b"\n".join([line("a"), line("b"), line("c")])[:-10]
    answer = by_hand(live_site, key, f"Content-Length: {len(sent) + 500}", sent)
    assert answer.startswith(b"HTTP/1.1 207 ")
    assert figures(body_of(answer)) == (3, 2, 0, 0, 1)
    assert body_of(answer)["errors"][0]["line"] == 3
    assert sorted(Finding.objects.values_list("uid", flat=True)) == ["a", "b"]


def test_document_shorter_than_declared_is_not_kept(live_site: str, key: str) -> None:
    head = f"Content-Length: {len(line()) + 1}"
    answer = by_hand(live_site, key, head, line(), "/api/v1/findings/", "application/json")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert figures(body_of(answer)) == (1, 0, 0, 0, 1)
    assert not Finding.objects.exists()


def test_body_longer_than_declared_is_read_to_its_declared_end(live_site: str, key: str) -> None:
    sent = line("a") + b"\n"
    answer = by_hand(live_site, key, f"Content-Length: {len(sent)}", sent + line("b"))
    assert figures(body_of(answer)) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize("length", ["abc", "-1", "1, 2"])
def test_length_that_is_no_number_is_refused(live_site: str, key: str, length: str) -> None:
    assert by_hand(live_site, key, f"Content-Length: {length}", line()).startswith(b"HTTP/1.1 400 ")
    assert not Finding.objects.exists()


def test_body_without_length_is_read_as_it_comes(live_site: str, key: str) -> None:
    def pieces() -> Iterator[bytes]:
        for number in range(30):
            yield line(f"f{number}") + b"\n"

    answer = post(live_site, key, pieces())
    assert (answer.status_code, *figures(answer.json())) == (201, 30, 30, 0, 0, 0)


def test_chunk_that_is_damaged_breaks_the_body_where_the_server_notices(live_site: str, key: str) -> None:
    first = line("a") + b"\n"
    sent = f"{len(first):x}\r\n".encode() + first + b"\r\nzz\r\n"
    answer = by_hand(live_site, key, "Transfer-Encoding: chunked", sent)
    kept = Finding.objects.count()
    assert figures(body_of(answer)) == (kept + 1, kept, 0, 0, 1)
    assert body_of(answer)["errors"][0]["line"] == kept + 1


def test_sender_that_goes_away_leaves_whole_findings_alone(live_site: str, key: str) -> None:
    where = urlsplit(live_site)
    sent = b"\n".join(line(f"f{number}") for number in range(1500))
    with socket.create_connection((where.hostname, where.port), timeout=60) as connection:
        head = f"POST {BULK} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/jsonl\r\nContent-Length: {len(sent) * 2}\r\n\r\n"
        connection.sendall(head.encode() + sent[:-20])
    settled(lambda: Finding.objects.count() == 1499)
    assert (FindingAccount.objects.count(), Sighting.objects.count()) == (2 * 1499, 3 * 1499)
    assert sum(LogEntry.objects.filter(action="findings.received").values_list("row_count", flat=True)) == 1499


def settled(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_same_file_by_two_senders_at_once_is_stored_once(live_site: str, key: str, checkpoints_apart: Any) -> None:
    body = b"\n".join(line(f"f{number}") for number in range(400))
    with ThreadPoolExecutor(3) as senders:
        answers = [a.json() for a in senders.map(lambda _: post(live_site, key, body), range(3))]

    assert sum(answer["created"] for answer in answers) == 400
    assert sum(answer["duplicate"] for answer in answers) == 800
    assert sum(answer["rejected"] for answer in answers) == 0
    assert Finding.objects.count() == 400
    assert [str(problem) for problem in verification.verify().problems] == []


def test_conflicting_files_at_once_have_one_winner_for_each_line(live_site: str, key: str) -> None:
    bodies = [b"\n".join(line(f"f{n}", title=f"by {who}") for n in range(50)) for who in "ab"]
    with ThreadPoolExecutor(2) as senders:
        answers = [a.json() for a in senders.map(lambda body: post(live_site, key, body), bodies)]

    assert sum(answer["created"] for answer in answers) == sum(answer["rejected"] for answer in answers) == 50
    for who, answer in zip("ab", answers, strict=True):
        assert Finding.objects.filter(title=f"by {who}").count() == answer["created"]
