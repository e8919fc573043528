"""PostgreSQL as Django knows it, except that every statement has a named principal and unsafe servers are refused."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base

from spine import principal

# A server setting, the value that would lose or hide damage, and what to do about it.
UNSAFE = (
    ("synchronous_commit", "off", "acknowledged findings could be lost in a crash; set it to on"),
    ("fsync", "off", "a crash could leave the database damaged; set it to on"),
    ("data_checksums", "off", "damaged pages would not be noticed; make them with pg_checksums --enable"),
)


class DatabaseWrapper(base.DatabaseWrapper):
    """Names the principal transaction-locally inside transactions, and to the session where there is none.

    Row-level security asks for it, so every statement is answered for whoever acts then and for nobody else.
    """

    # What the session itself names, for statements outside a transaction; None: not said yet.
    _told: str | None = None

    def init_connection_state(self) -> None:
        self._told = None
        super().init_connection_state()
        self.refuse_unsafe()

    def create_cursor(self, name: str | None = None) -> Any:
        if not self.in_atomic_block and self.get_autocommit():
            self._tell_session()
        return super().create_cursor(name)

    def _tell_session(self) -> None:
        """Outside a transaction the session names the principal, anew each time it has become another one."""
        who = principal.current()
        if who != self._told:
            with self.wrap_database_errors:
                self.connection.execute("SELECT set_config('retort.principal', %s, false)", [who])
            self._told = who

    def refuse_unsafe(self) -> None:
        """Raise ImproperlyConfigured on a server that could lose an acknowledged write or hide a damaged page."""
        names = [name for name, _, _ in UNSAFE]
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")
            found = cursor.fetchone()
        for (name, bad, why), value in zip(UNSAFE, found, strict=True):
            if value == bad:
                raise ImproperlyConfigured(f"PostgreSQL runs with {name} = {value}: {why}.")

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        if not autocommit:
            self.tell_principal()

    def tell_principal(self) -> None:
        """Name the current principal in the open transaction."""
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('retort.principal', %s, true)", [principal.current()])
