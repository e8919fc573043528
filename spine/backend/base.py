"""PostgreSQL as Django knows it, except that every transaction begins by naming its principal (`retort.principal`)."""

from django.db.backends.postgresql import base

from spine import principal


class DatabaseWrapper(base.DatabaseWrapper):
    """Sets the principal transaction-locally, so that nothing of it outlives the transaction in a pooled connection."""

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        if not autocommit:
            self.tell_principal()

    def tell_principal(self) -> None:
        """Name the current principal in the open transaction."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('retort.principal', %s, true)", [principal.current()])
