"""Metrics of jobs, workers, follow-ups, the schedule and the log. docs/operate.md has the table for people."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from spine import conditions, counting, operations

STATES = ("queued", "running", "failed", "parked")


def families() -> Iterator[Metric]:
    """Every family of the spine; eight queries."""
    yield from _of_jobs(operations.queues(), counting.totals())
    yield from _of_workers(*operations.silent_seconds())
    yield from _of_follow_ups(operations.follow_ups())
    yield from _of_schedule(operations.schedule())
    yield from _of_the_log(operations.head())
    yield from _of_conditions()


def gauge(name: str, what: str, value: float | None) -> Metric:
    """One figure; without a sample while there is none."""
    family = GaugeMetricFamily(f"retort_{name}", what)
    if value is not None:
        family.add_metric([], value)
    return family


def gauges(name: str, what: str, label: str, values: Iterable[tuple[str, float | None]]) -> Metric:
    """A figure for each value of a label; without a sample where there is none."""
    family = GaugeMetricFamily(f"retort_{name}", what, labels=[label])
    for one, value in values:
        if value is not None:
            family.add_metric([one], value)
    return family


def _of_jobs(queues: tuple[operations.Queue, ...], totals: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "retort_jobs", "Jobs that wait, run, or failed and wait for a person.", labels=["kind", "state"]
    )
    for queue in queues:
        for state in STATES:
            family.add_metric([queue.kind, state], getattr(queue, state))
    yield family
    ages = [(queue.kind, queue.oldest_seconds or 0.0) for queue in queues]
    yield gauges(
        "jobs_oldest_queued_seconds", "How long the oldest job of a kind has waited; 0: none waits.", "kind", ages
    )
    finished = CounterMetricFamily("retort_jobs_finished", "Jobs that ended, by how.", labels=["kind", "state"])
    for label, total in totals[counting.FINISHED].items():
        finished.add_metric(label.split(" ", 1), total)
    yield finished
    expired = CounterMetricFamily(
        "retort_job_leases_expired", "Leases that ran out: a worker died with the job.", labels=["kind"]
    )
    for queue in queues:
        expired.add_metric([queue.kind], totals[counting.EXPIRED].get(queue.kind, 0))
    yield expired


def _of_workers(alive: int, silent: float | None) -> Iterator[Metric]:
    yield gauge("workers", "Workers that have shown themselves just now.", alive)
    yield gauge("worker_silent_seconds", "Since the last sign of life of any worker.", silent)


def _of_follow_ups(topics: tuple[operations.FollowUps, ...]) -> Iterator[Metric]:
    waiting = [(one.topic, one.waiting) for one in topics]
    yield gauges("outbox_waiting", "Follow-ups that wait, by topic.", "topic", waiting)
    failing = [(one.topic, one.failing) for one in topics]
    yield gauges("outbox_failing", "Of these, those that failed and are tried again.", "topic", failing)
    oldest = [(one.topic, one.oldest_seconds or 0.0) for one in topics]
    yield gauges("outbox_oldest_seconds", "How long the oldest has waited; 0: none waits.", "topic", oldest)


def _of_schedule(tasks: tuple[operations.Scheduled, ...]) -> Iterator[Metric]:
    ages = [(one.task, one.seconds) for one in tasks]
    yield gauges("schedule_last_run_seconds", "Since scheduled work was done last.", "task", ages)


def _of_the_log(head: operations.Head) -> Iterator[Metric]:
    yield gauge("log_entries", "Entries of the log that have their number.", head.entries)
    yield gauge("log_head_seconds", "Age of the newest numbered entry.", head.head_seconds)
    yield gauge("log_unnumbered", "Entries that wait for their number.", head.unnumbered)
    yield gauge("log_unnumbered_oldest_seconds", "Age of the oldest of them; 0: none.", head.unnumbered_seconds or 0.0)
    yield gauge("log_unsigned", "Entries numbered that no signed checkpoint covers.", head.unsigned)
    yield gauge("log_checkpoint_seconds", "Age of the newest entry under a signed checkpoint.", head.checkpoint_seconds)
    yield gauge("log_departed_seconds", "Since a copy of a checkpoint left this site.", head.departed_seconds)


def _of_conditions() -> Iterator[Metric]:
    counted: dict[str, int] = {}
    for one in conditions.standing():
        name = one.name.partition(":")[0]  # what follows is the id of a feed
        counted[name] = counted.get(name, 0) + 1
    yield gauges("conditions", "What is wrong now and lasts, by its name.", "name", counted.items())
