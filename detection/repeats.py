"""Which findings came before, for a check that stores nothing: known by digests, in a file that goes by itself.

SQLite keeps it: 64 MiB in memory, the rest in a temporary file without a name, so that any number of lines is checked.
"""

import hashlib
import sqlite3
from types import TracebackType
from typing import Literal, Self

from spine.errors import Refused

Became = Literal["created", "superseded", "duplicate", "conflict"]
SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -65536")
TABLE = "CREATE TABLE seen (uid BLOB, version INTEGER, content BLOB, PRIMARY KEY (uid, version)) WITHOUT ROWID"


class Repeats:
    """The findings of one check, in the order in which they come. Raises Refused when the temporary file has no room.

    With `with`, it is forgotten at the end.
    """

    def __init__(self) -> None:
        self.kept = sqlite3.connect("", isolation_level=None)
        for setting in SETTINGS:
            self.kept.execute(f"PRAGMA {setting}")
        self.kept.execute("BEGIN")
        self.kept.execute(TABLE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kept.close()

    def take(self, uid: str, version: int, content_sha256: str) -> Became:
        """What would become of a finding if those before it were stored and no other; a new one is noted."""
        try:
            return self._take(hashlib.sha256(uid.encode()).digest(), version, bytes.fromhex(content_sha256))
        except sqlite3.OperationalError as error:
            raise Refused(f"The check needs more room for temporary files: {error}.") from None

    def _take(self, uid: bytes, version: int, content: bytes) -> Became:
        if self.kept.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (uid, version, content)).rowcount:
            known = self.kept.execute("SELECT 1 FROM seen WHERE uid = ? AND version <> ? LIMIT 1", (uid, version))
            return "created" if known.fetchone() is None else "superseded"
        (before,) = self.kept.execute(
            "SELECT content FROM seen WHERE uid = ? AND version = ?", (uid, version)
        ).fetchone()
        return "duplicate" if before == content else "conflict"
