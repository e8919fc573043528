"""A database beside the tests' own, reached over TCP through a line that can be cut or can stall."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from config.embedded import postgres
from config.home import POSTGRES_SOCKET
from tests.servers import HOME

NAME, ROLE, PASSWORD = "findings_elsewhere", "feed_reader", "read-only-please"


@dataclass
class Line:
    """A TCP port that leads to the tests' PostgreSQL. `mood`: "", "stall" or "cut", after `after` bytes of answers."""

    port: int
    mood: str = ""
    after: int = 0
    passed: int = 0
    held: list[socket.socket] = field(default_factory=list)


@contextmanager
def database() -> Iterator[psycopg.Connection]:
    """The other database, with a role that may read its tables; a connection of its owner."""
    with postgres.connect(HOME) as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(NAME)))
        admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(ROLE)))
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), PASSWORD))
        try:
            with postgres.connect(HOME, database=NAME) as owner:
                owner.execute(f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO {ROLE}")
                yield owner
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(NAME)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(ROLE)))


@contextmanager
def line() -> Iterator[Line]:
    """The port, until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Line(listener.getsockname()[1])

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(HOME.sockets / POSTGRES_SOCKET))
            made.held += [client, server]
            threading.Thread(target=_pass, args=(client, server, None), daemon=True).start()
            threading.Thread(target=_pass, args=(server, client, made), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield made
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for one in made.held:  # a thread that waits in recv keeps a socket open that is only closed
            _end(one)
            one.close()


def _pass(source: socket.socket, target: socket.socket, answers: Line | None) -> None:
    try:
        while chunk := source.recv(4096):
            if answers is not None:
                answers.passed += len(chunk)
                if answers.mood and answers.passed > answers.after:
                    if answers.mood == "cut":
                        break
                    continue  # it never arrives
            target.sendall(chunk)
    except OSError:
        pass
    for one in (source, target):
        _end(one)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
