"""Whether the process lives, and whether it could serve: database, broker, migrations, evidence store."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu import Connection

from people.policy import public
from spine import conditions, departures, vault

logger = logging.getLogger(__name__)
BROKER_SECONDS = 2


@public("a supervisor asks before anybody has signed in")
@never_cache
@transaction.non_atomic_requests
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Nothing else is asked, so that a broken database does not restart the web."""
    return JsonResponse({"status": "ok"})


@public("a load balancer asks before anybody has signed in")
@never_cache
@transaction.non_atomic_requests
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when all four are as they must be; else 503 with the one that is not.

    `conditions` names what is wrong and lasts, such as a signer that is away; requests are served all the same.
    """
    found = {name: _ask(name, check) for name, check in CHECKS.items()}
    ready = all(answer == "ok" for answer in found.values())
    state = {"status": "ok" if ready else "not ready", **found, "conditions": _conditions() if ready else []}
    return JsonResponse(state, status=200 if ready else 503)


def _conditions() -> list[str]:
    try:
        found = {row.name for row in conditions.standing()}
        if departures.state().is_alarming:  # also when the process that would say so is dead
            found.add(departures.CONDITION)
        return sorted(found)
    except DatabaseError:
        return []


def _ask(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is that it is not ready
        logger.warning("not ready: %s: %s", name, type(error).__name__)
        return "not reached"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _broker() -> str:
    options = {"socket_connect_timeout": BROKER_SECONDS, "socket_timeout": BROKER_SECONDS}
    with Connection(settings.BROKER_URL, transport_options=options) as broker:
        broker.ensure_connection(max_retries=1, timeout=BROKER_SECONDS)
    return "ok"


def _migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
    except DatabaseError:
        return "not reached"
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} to be applied" if missing else "ok"


def _evidence() -> str:
    vault.about()
    return "ok"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "broker": _broker,
    "migrations": _migrations,
    "evidence": _evidence,
}
