"""`migrate` as the owner role, followed by the grants and triggers of the application and audit roles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections

from spine import protection


class Command(migrate.Command):
    """Bring the database up to date, as its owner."""

    help = (
        "Bring the database up to date as the owner role (RETORT_OWNER_DATABASE_URL), then give the application and "
        "audit roles exactly what they may do."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != "owner":
            raise CommandError("migrations run as the owner role: leave --database out")
        if "owner" not in settings.DATABASES:
            raise CommandError("RETORT_OWNER_DATABASE_URL is not set: migrations run as the owner of the database")
        with _rare_collections():
            super().handle(*args, **options)
        if options.get("check_unapplied") or options.get("plan"):
            return
        protection.apply(
            "owner",
            application=connections["default"].settings_dict["USER"],
            audit=connections["audit"].settings_dict["USER"],
        )


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Half the time: each step makes model classes anew, and the collector goes through all that live each time."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
