"""`/metrics` for Prometheus: to who has its token, or comes from a listed address; to everybody else a missing page.

What has to be right over all processes is asked of the database at each scrape (settings.METRICS), with a fixed number
of queries of which none reads findings. Counts of requests are this web server's own (config.measures).
"""

import logging
from collections.abc import Iterator
from hmac import compare_digest
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from config import measures
from people.addresses import address_of, is_within
from people.policy import public, while_unfinished
from spine.principal import acting_as

logger = logging.getLogger(__name__)
MOST_MILLISECONDS = 5000  # a database that takes longer for these questions has other worries


@csrf_exempt
@public("Prometheus asks with a token of its own")
@while_unfinished
@transaction.non_atomic_requests
def metrics(request: HttpRequest) -> HttpResponse:
    """Every metric, in the text form or in OpenMetrics, as is asked for."""
    if request.method not in {"GET", "HEAD"} or not _admitted(request):
        raise Http404("There is no such page.")
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(_registry()), content_type=kind)


def _admitted(request: HttpRequest) -> bool:
    """By token, or by an address that can be believed; a token in the clear only on this machine itself."""
    address = address_of(request)
    forwarded = any(name in request.headers for name in ("X-Forwarded-For", "Forwarded"))
    believed = settings.BEHIND_PROXY or not forwarded
    if settings.METRICS_FROM and believed and is_within(address, settings.METRICS_FROM):
        return True
    in_the_clear = settings.SECURE and not request.is_secure()
    if not settings.METRICS_TOKEN or (in_the_clear and not (believed and ip_address(address).is_loopback)):
        return False
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    return kind.lower() == "bearer" and compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())


def _registry() -> CollectorRegistry:
    whole = CollectorRegistry()
    whole.register(_Everything())
    return whole


class _Everything:
    """What prometheus_client asks for families of metrics."""

    def collect(self) -> Iterator[Metric]:
        """Each family once."""
        yield InfoMetricFamily("retort_build", "The release that answers.", {"version": settings.VERSION})
        stored = _stored()
        yield GaugeMetricFamily("retort_database_up", "1 while the database answers.", int(stored is not None))
        yield from stored or []
        yield from measures.registry().collect()


def _stored() -> list[Metric] | None:
    """What the database knows; None when it does not answer."""
    try:
        with acting_as("system:metrics"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(MOST_MILLISECONDS)])
            return [family for ask in settings.METRICS for family in import_string(ask)()]
    except (DatabaseError, InterfaceError) as error:
        logger.warning("metrics: the database does not answer: %s", type(error).__name__)
        return None
