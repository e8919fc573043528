"""What a cluster's page draws: worked out by a job, stored, made again at will."""

from django.db import models
from django.utils import timezone


class ClusterDrawing(models.Model):
    """Hours of use, capabilities, template examples and link graph of a cluster, as `detection.drawing` made them.

    It proves nothing and is not protected: links and findings are, and a drawing is made again from them and from the
    telemetry. It names accounts and values by our own ids alone, so that what is erased is erased here too.
    """

    cluster = models.OneToOneField(
        "detection.Cluster", primary_key=True, on_delete=models.PROTECT, related_name="drawing"
    )
    version = models.CharField(max_length=30, help_text="of the program that drew it")
    hours = models.JSONField(null=True, help_text="exchanges by account and UTC hour; null: no telemetry was there")
    capabilities = models.JSONField(default=dict, help_text="what requests ask for, here and among all accounts")
    templates = models.JSONField(default=list, help_text="what the common templates look like, masked")
    graph = models.JSONField(default=dict, help_text="nodes with their places, edges, and the values by rank")
    made_at = models.DateTimeField(default=timezone.now)
