"""A PostgreSQL without room: tables in a tablespace on a file system of a few MiB, filled up and emptied at will.

Where no file system can be mounted (no root, or a container that refuses it), PostgreSQL refuses what is written by a
trigger, with the code of a full disk: then everything behind that refusal is tested, and not how it comes about.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from psycopg import sql

from config.embedded import postgres
from tests.servers import HOME

SIZE = 48 * 1024 * 1024
TABLES = ("detection_finding", "detection_findingaccount", "detection_sighting", "spine_logentry")


class Disk(Protocol):
    """What the tables lie on."""

    def fill(self, left: int = 0) -> None:
        """Leave room for about so many bytes."""

    def make_room(self) -> None:
        """Give back what was filled."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """The tables on a small disk while the block runs."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        refusing = Refusing()
        try:
            yield refusing
        finally:
            refusing.make_room()
        return
    mounted = Mounted(folder)
    try:
        (folder / "tables").mkdir(mode=0o700)
        _run("CREATE TABLESPACE small LOCATION {}", sql.Literal(str(folder / "tables")))
        _move("small")
        yield mounted
    finally:
        mounted.make_room()
        _move("pg_default")
        _run("DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _move(where: str) -> None:
    """Move the tables without the pages that earlier tests left: those are room too, and no full disk has it."""
    for table in TABLES:
        _run("VACUUM (FULL) {}", sql.Identifier(table))
        _run("ALTER TABLE {} SET TABLESPACE {}", sql.Identifier(table), sql.Identifier(where))


def _run(statement: str, *parts: sql.Composable) -> None:
    with postgres.connect(HOME) as connection:
        connection.execute("SET lock_timeout = '20s'")
        connection.execute(sql.SQL(statement).format(*parts))


class Mounted:
    """A file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ballast = folder, folder / "ballast"

    def fill(self, left: int = 0) -> None:
        self.ballast.unlink(missing_ok=True)
        # The server writes beside this: the last block may be gone before it is written here.
        with contextlib.suppress(OSError), self.ballast.open("wb", buffering=0) as ballast:
            size = shutil.disk_usage(self.folder).free - left
            for _ in range(size // 4096):
                ballast.write(b"\0" * 4096)

    def make_room(self) -> None:
        self.ballast.unlink(missing_ok=True)


class Refusing:
    """A trigger on the table that every act writes to."""

    def fill(self, left: int = 0) -> None:
        self.make_room()
        most = 2_000 if left else 0  # one batch
        _run(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF (SELECT count(*) FROM detection_finding) >= {} THEN RAISE EXCEPTION "
            "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END IF; RETURN NULL; "
            "END $$",
            sql.Literal(most),
        )
        _run("CREATE TRIGGER no_room AFTER INSERT ON spine_logentry FOR EACH STATEMENT EXECUTE FUNCTION no_room()")

    def make_room(self) -> None:
        _run("DROP FUNCTION IF EXISTS no_room() CASCADE")
