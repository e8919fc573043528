"""Helper programs that read and sketch pieces of a file beside the one that stores them, in order and bounded memory.

A helper is a Python of its own with no settings and no secrets; it ends when its input does, so also when the program
that started it is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import msgspec

from detection.telemetry.made import Made, make

MOST = 4
AHEAD = 2  # pieces handed out for each helper: one it works on, one that waits
PIPE = 1024 * 1024
_ROOT = Path(__file__).resolve().parents[2]
_SIZE = 8


class _Answer(msgspec.Struct):
    """What a piece came to, or why it could not be made."""

    made: Made | None
    error: str = ""


def useful() -> int:
    """How many helpers are of use here: none on a single processor."""
    count = len(os.sched_getaffinity(0))
    return min(MOST, count) if count > 1 else 0


def made_by(adapter: str, pieces: Iterable[Any], count: int) -> Iterator[Made]:
    """Make every piece by `count` helpers; gives the results in the order of the pieces.

    Raises `OSError` when a helper ended before its time (out of memory, killed).
    """
    with _started(adapter, count) as helpers, ThreadPoolExecutor(count) as threads:
        waiting: deque[Future[Made]] = deque()
        try:
            for piece in pieces:
                waiting.append(threads.submit(_ask, helpers, piece))
                if len(waiting) >= AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _started(adapter: str, count: int) -> Iterator[SimpleQueue[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    try:
        for _ in range(count):
            running.append(_start(adapter))
            free.put(running[-1])
        yield free
    finally:
        for helper in running:
            _end(helper)


def _start(adapter: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "detection.telemetry.helpers", adapter],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pipesize=PIPE,
        env={"PYTHONPATH": str(_ROOT), "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"},
    )


def _end(helper: subprocess.Popen[bytes]) -> None:
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.kill()  # it holds nothing that is not handed over
    helper.wait()
    helper.stdout.close()
    with suppress(BrokenPipeError):
        helper.stdin.close()


def _ask(free: SimpleQueue[subprocess.Popen[bytes]], piece: Any) -> Made:
    helper = free.get()
    assert helper.stdin is not None
    assert helper.stdout is not None
    try:
        _send(helper.stdin, piece)
        answer: _Answer = _receive(helper.stdout, _Answer)
    except (BrokenPipeError, EOFError):
        raise OSError("a helper that reads telemetry ended before its time") from None
    finally:
        free.put(helper)
    if answer.made is None:
        raise RuntimeError(answer.error)
    return answer.made


def _send(stream: IO[bytes], value: Any) -> None:
    data = msgspec.msgpack.encode(value)
    stream.write(len(data).to_bytes(_SIZE, "big"))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes], kind: type[Any]) -> Any:
    head = stream.read(_SIZE)
    if len(head) < _SIZE:
        raise EOFError
    size = int.from_bytes(head, "big")
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return msgspec.msgpack.decode(data, type=kind)


def main(adapter: str) -> None:
    """Make pieces from standard input to standard output until the input ends."""
    from detection.telemetry.adapters import ADAPTERS

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the program that started us
    chosen = ADAPTERS[adapter]
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    while True:
        try:
            piece = _receive(sys.stdin.buffer, chosen.piece)
        except EOFError:
            return
        try:
            _send(answers, _Answer(make(chosen.read, piece)))
        except Exception as error:  # noqa: BLE001 - it is raised where the piece came from
            _send(answers, _Answer(None, f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main(sys.argv[1])
