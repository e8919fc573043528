"""Turns: what a key that floods may have of threads and of the database, and that it gives way to others."""

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.db import OperationalError, connection
from django.db.models.functions import Now

from config.embedded import postgres
from detection import registry, turns
from detection.models import Finding
from people.models import DetectorKey
from people.quotas import OverLimit
from tests.detection.samples import line
from tests.servers import HOME

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nobody_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_sending", {})


def key_of(detector: str) -> str:
    registry.create_detector(actor="system:test", name=detector)
    return str(DetectorKey.objects.get(detector=detector).pk)


def taken(stack: ExitStack, key: str, requests: int) -> int:
    """How many of so many requests of a key get a thread."""
    for number in range(requests):
        try:
            stack.enter_context(turns.place(key))
        except OverLimit as over:
            assert over.seconds == 1
            return number
    return requests


def test_key_gets_half_of_the_threads_and_less_beside_others_and_a_first_request_always() -> None:
    with ExitStack() as flooding, ExitStack() as other:
        assert taken(flooding, "flood", 20) == 4
        assert taken(other, "other", 20) == 3
        assert [taken(other, f"key-{number}", 20) for number in range(6)] == [2, 1, 1, 1, 1, 1]
    assert turns._sending == {}
    with ExitStack() as again:
        assert taken(again, "flood", 20) == 4


class Storing:
    """A batch of a key that is stored in a thread until it may end."""

    def __init__(self, key: str, connections: int = 1) -> None:
        self.turn = turns.Turn(key, turns._sending.setdefault(key, turns._Sending(connections)))
        self.begun, self.end = threading.Event(), threading.Event()
        self.failed: list[Exception] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self.turn.transaction():
                self.begun.set()
                self.end.wait(30)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.failed.append(error)
        finally:
            connection.close()

    def done(self) -> None:
        self.end.set()
        self.thread.join(30)


@pytest.fixture
def storing() -> Iterator[Callable[..., Storing]]:
    every: list[Storing] = []

    def begin(key: str, connections: int = 1) -> Storing:
        every.append(Storing(key, connections))
        return every[-1]

    yield begin
    for one in every:  # one may wait for another's turn
        one.end.set()
    for one in every:
        one.done()


def begins(one: Storing, seconds: float = 10) -> bool:
    return one.begun.wait(seconds)


def test_one_batch_of_a_key_is_stored_at_a_time_and_other_keys_do_not_wait(storing: Callable[..., Storing]) -> None:
    first = storing("flood")
    assert begins(first)
    second = storing("flood")
    assert begins(storing("other"))
    assert not begins(second, 0.3)
    first.done()
    assert begins(second)


def test_turn_of_a_process_that_was_killed_is_the_next_ones(storing: Callable[..., Storing]) -> None:
    first = storing("flood")
    assert begins(first)
    second = storing("flood")
    with postgres.connect(HOME) as owner:  # what the server does when a process is gone
        holds = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = %s::oid AND granted"
        owner.execute(holds, [turns.LOCKS])
    assert begins(second)
    first.done()
    assert isinstance(first.failed[0], OperationalError)


@pytest.fixture
def beside(storing: Callable[..., Storing]) -> tuple[Storing, list[Storing]]:
    """A quiet key that stores, and a key with two connections more that has just stored."""
    quiet_key, flood_key = key_of("quiet"), key_of("flood")
    flood = [storing(flood_key, 3) for _ in range(3)]
    until(lambda: waiting() == 2)
    DetectorKey.objects.update(last_used_at=Now())
    quiet = storing(quiet_key)
    assert begins(quiet)
    [first] = [one for one in flood if one.begun.is_set()]
    first.done()
    return quiet, [one for one in flood if one is not first]


def waiting() -> int:
    """How many connections wait for their key's turn."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE classid = %s::oid AND NOT granted", [turns.LOCKS])
        return int(cursor.fetchone()[0])


def test_key_of_many_connections_waits_while_one_of_few_stores_and_then_stores_in_pieces(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 20.0)
    quiet, flood = request.getfixturevalue("beside")
    assert not any(begins(one, 0.2) for one in flood)
    quiet.done()
    until(lambda: any(one.begun.is_set() for one in flood))
    assert [len(part) for part in flood[0].turn.parts(range(600))] == [250, 250, 100]
    assert [len(part) for part in quiet.turn.parts(range(600))] == [600]


def test_key_of_many_connections_does_not_wait_for_ever(beside: tuple[Storing, list[Storing]]) -> None:
    quiet, flood = beside
    until(lambda: any(one.begun.is_set() for one in flood))
    assert quiet.thread.is_alive()


def test_keys_that_send_alike_do_not_wait_for_each_other(storing: Callable[..., Storing]) -> None:
    keys = [key_of("one"), key_of("two")]
    DetectorKey.objects.update(last_used_at=Now())
    both = [storing(key, 2) for key in keys for _ in range(2)]
    until(lambda: sum(one.begun.is_set() for one in both) == 2)


def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_flood_of_slow_connections_is_told_to_come_again_and_another_key_is_served(live_site: str) -> None:
    keys = {name: registry.create_detector(actor="system:test", name=name)[1] for name in ("flood", "quiet")}
    where = urlsplit(live_site)
    head = f"POST /api/v1/findings/bulk/ HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {keys['flood']}\r\n"
    head += "Content-Type: application/x-ndjson\r\nContent-Length: 100000\r\n\r\n"
    with contextlib.ExitStack() as stack:
        open_ones = [
            stack.enter_context(socket.create_connection((where.hostname, where.port), timeout=30)) for _ in range(14)
        ]
        for one in open_ones:
            one.sendall(head.encode() + line("slow", detector={"name": "flood", "version": "1"}) + b"\n")
        until(lambda: len(select.select(open_ones, [], [], 0)[0]) >= 14 - 8)
        answers = [one.recv(65536) for one in select.select(open_ones, [], [], 0)[0]]
        assert all(b" 429 " in answer and b"Retry-After: 1\r\n" in answer for answer in answers)
        assert b"application/problem+json" in answers[0]
        sent = line("q-1", detector={"name": "quiet", "version": "1"})
        headers = {"Authorization": f"Bearer {keys['quiet']}", "Content-Type": "application/x-ndjson"}
        answer = requests.post(f"{live_site}/api/v1/findings/bulk/", data=sent, headers=headers, timeout=30)
        assert answer.status_code == 201
        for one in open_ones:  # what broke off keeps its whole lines, and ends within this test
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_WR)
            while one.recv(65536):
                pass
    assert set(Finding.objects.values_list("uid", flat=True)) == {"slow", "q-1"}
