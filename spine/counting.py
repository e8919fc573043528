"""Totals that only grow, kept in the database so that they hold over all processes and their restarts."""

from django.db import connection

from spine.models import Counted

FINISHED = "jobs.finished"  # by kind and state
EXPIRED = "leases.expired"  # by kind: a worker died with the job, or lost the database for too long

ADD = """
INSERT INTO spine_counted AS known (name, label, value) VALUES (%s, %s, %s)
ON CONFLICT (name, label) DO UPDATE SET value = known.value + excluded.value
"""


def add(name: str, label: str, amount: int = 1) -> None:
    """Count in the caller's transaction; one statement."""
    with connection.cursor() as cursor:
        cursor.execute(ADD, [name, label, amount])


def totals() -> dict[str, dict[str, int]]:
    """Every total, by name and label; one query."""
    found: dict[str, dict[str, int]] = {FINISHED: {}, EXPIRED: {}}
    for name, label, value in Counted.objects.order_by("name", "label").values_list("name", "label", "value"):
        found.setdefault(name, {})[label] = value
    return found
