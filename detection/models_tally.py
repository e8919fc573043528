"""How many findings came in: rows that only grow, written by detection.tally alone.

A detector stands here by its name: what it sent and was not kept counts before it is registered.
"""

from django.db import models


class Received(models.Model):
    """What became of all a detector ever sent."""

    detector = models.CharField(max_length=120, primary_key=True)
    last_at = models.DateTimeField(help_text="of the last batch")
    created = models.BigIntegerField()
    duplicate = models.BigIntegerField()
    superseded = models.BigIntegerField()
    rejected = models.BigIntegerField()


class ReceivedHour(models.Model):
    """The same for what came in one hour (UTC)."""

    pk = models.CompositePrimaryKey("detector", "hour")
    detector = models.CharField(max_length=120)
    hour = models.DateTimeField()
    created = models.BigIntegerField()
    duplicate = models.BigIntegerField()
    superseded = models.BigIntegerField()
    rejected = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["hour"], name="received_by_hour")]
