"""Counts of requests and their durations, by process; added up over the processes of this web server when asked."""

import os

from django.http import HttpRequest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

from config import logs

OWN = CollectorRegistry()  # where no folder is set, as in tests: this process alone
BUCKETS = (0.025, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
REQUESTS = Counter("retort_http_requests", "Answers by this web server.", ["method", "path", "status"], registry=OWN)
SECONDS = Histogram(
    "retort_http_request_duration_seconds",
    "Seconds until the first byte of an answer could leave.",
    ["path"],
    buckets=BUCKETS,
    registry=OWN,
)


def count(request: HttpRequest, status: int, seconds: float) -> None:
    """One answer. The path is the address's pattern, so that there are as many series as addresses."""
    path = logs.route_of(request) or "/"
    REQUESTS.labels(logs.method_of(request), path, str(status)).inc()
    SECONDS.labels(path).observe(seconds)


def registry() -> CollectorRegistry:
    """What was counted, over all processes of this web server."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return OWN
    whole = CollectorRegistry()
    MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
    return whole
