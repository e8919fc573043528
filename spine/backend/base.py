"""PostgreSQL as Django knows it, except that every transaction names its principal and unsafe servers are refused."""

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
    """Sets the principal transaction-locally, so that nothing of it outlives the transaction in a pooled connection."""

    def init_connection_state(self) -> None:
        super().init_connection_state()
        self.refuse_unsafe()

    def refuse_unsafe(self) -> None:
        """Raise ImproperlyConfigured on a server that could lose an acknowledged write or hide a damaged page."""
        names = [name for name, _, _ in UNSAFE]
        with self.connection.cursor() as cursor:
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
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('retort.principal', %s, true)", [principal.current()])
