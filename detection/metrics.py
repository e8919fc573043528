"""Metrics of what comes in: findings by detector, and feeds. docs/operate.md has the table for people."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from detection import feed_health, tally

STATES = ("paused", "stalled", "running", "failing", "new", "well")


def families() -> Iterator[Metric]:
    """Every family of detection; three queries."""
    yield from _of_findings()
    yield from _of_feeds()


def _of_findings() -> Iterator[Metric]:
    family = CounterMetricFamily(
        "retort_findings", "Findings that came in, by what became of them.", labels=["detector", "outcome"]
    )
    for one in tally.totals():
        for outcome in tally.OUTCOMES:
            family.add_metric([one.detector, outcome], getattr(one, outcome))
    yield family


def _of_feeds() -> Iterator[Metric]:
    running = set(feed_health.unfinished("feed.pull").values_list("key", flat=True))
    stands = GaugeMetricFamily("retort_feeds", "Feeds, by how they stand.", labels=["state"])
    lag = GaugeMetricFamily(
        "retort_feed_lag_seconds", "Since everything a feed's source had was here.", labels=["feed"]
    )
    failures = GaugeMetricFamily("retort_feed_failures", "Pulls that failed since one succeeded.", labels=["feed"])
    counted = dict.fromkeys(STATES, 0)
    for feed in feed_health.feeds().select_related(None).order_by("name"):
        health = feed_health.health(feed, running=str(feed.pk) in running)
        counted[health.state] += 1
        failures.add_metric([feed.name], feed.failures)
        if health.lag is not None:
            lag.add_metric([feed.name], max(0.0, health.lag.total_seconds()))
    for state, count in counted.items():
        stands.add_metric([state], count)
    yield from (stands, lag, failures)
