"""The addresses of detection, under /api/v1/."""

from django.urls import path

from detection.api import accounts, clusters, detectors, drawings, feeds, findings, intake, registry, telemetry

app_name = "detection-api"
urlpatterns = [
    path("findings/", findings.Findings.as_view(), name="findings"),
    path("findings/bulk/", intake.BulkFindings.as_view(), name="findings-bulk"),
    path("findings/ocsf/", intake.OcsfFindings.as_view(), name="findings-ocsf"),
    path("findings/<uuid:finding_id>/", findings.OneFinding.as_view(), name="finding"),
    path("findings/<uuid:finding_id>/accounts/", findings.FindingAccounts.as_view(), name="finding-accounts"),
    path("findings/<uuid:finding_id>/received/", findings.ReceivedBytes.as_view(), name="finding-received"),
    path("clusters/", clusters.Clusters.as_view(), name="clusters"),
    path("clusters/<uuid:cluster_id>/", clusters.OneCluster.as_view(), name="cluster"),
    path("clusters/<uuid:cluster_id>/members/", clusters.ClusterMembers.as_view(), name="cluster-members"),
    path("clusters/<uuid:cluster_id>/links/", clusters.ClusterLinks.as_view(), name="cluster-links"),
    path("clusters/<uuid:cluster_id>/findings/", clusters.ClusterFindings.as_view(), name="cluster-findings"),
    path("clusters/<uuid:cluster_id>/drawing/", drawings.ClusterDrawing.as_view(), name="cluster-drawing"),
    path("clusters/<uuid:cluster_id>/graph/", drawings.ClusterGraph.as_view(), name="cluster-graph"),
    path("clusters/<uuid:cluster_id>/hours/", drawings.ClusterHours.as_view(), name="cluster-hours"),
    path("clusters/<uuid:cluster_id>/templates/", drawings.ClusterTemplates.as_view(), name="cluster-templates"),
    path("accounts/", accounts.Accounts.as_view(), name="accounts"),
    path("accounts/lookup/", accounts.AccountLookup.as_view(), name="accounts-lookup"),
    path("accounts/<uuid:account_id>/", accounts.OneAccount.as_view(), name="account"),
    path("attributes/", accounts.Attributes.as_view(), name="attributes"),
    path("attributes/<uuid:attribute_id>/", accounts.OneAttribute.as_view(), name="attribute"),
    path("detectors/", detectors.Detectors.as_view(), name="detectors"),
    path("detectors/<uuid:detector_id>/", detectors.OneDetector.as_view(), name="detector"),
    path("attributes/excluded/", registry.ExcludedValues.as_view(), name="excluded-values"),
    path("attributes/excluded/<uuid:excluded_id>/", registry.OneExcludedValue.as_view(), name="excluded-value"),
    path("detectors/<uuid:detector_id>/canaries/", registry.Canaries.as_view(), name="detector-canaries"),
    path(
        "detectors/<uuid:detector_id>/canaries/<uuid:canary_id>/",
        registry.OneCanary.as_view(),
        name="detector-canary",
    ),
    path("detectors/<uuid:detector_id>/quarantines/", registry.Quarantines.as_view(), name="detector-quarantines"),
    path(
        "detectors/<uuid:detector_id>/quarantines/<uuid:quarantine_id>/lift/",
        registry.LiftQuarantine.as_view(),
        name="lift-quarantine",
    ),
    path("feeds/", feeds.Feeds.as_view(), name="feeds"),
    path("feeds/try/", feeds.TryFeed.as_view(), name="feed-try"),
    path("feeds/<uuid:feed_id>/", feeds.OneFeed.as_view(), name="feed"),
    path("feeds/<uuid:feed_id>/pull/", feeds.PullFeed.as_view(), name="feed-pull"),
    path("feeds/<uuid:feed_id>/backfill/", feeds.BackfillFeed.as_view(), name="feed-backfill"),
    path("feeds/<uuid:feed_id>/pulls/", feeds.FeedPulls.as_view(), name="feed-pulls"),
    path("telemetry/", telemetry.Sources.as_view(), name="sources"),
    path("telemetry/<uuid:source_id>/", telemetry.OneSource.as_view(), name="source"),
    path("telemetry/<uuid:source_id>/contents/", telemetry.Contents.as_view(), name="source-contents"),
    path("telemetry/<uuid:source_id>/stop/", telemetry.StopReading.as_view(), name="source-stop"),
    path("telemetry/<uuid:source_id>/retention/", telemetry.Retention.as_view(), name="source-retention"),
    path("telemetry/<uuid:source_id>/files/", telemetry.SourceFiles.as_view(), name="source-files"),
    path(
        "telemetry/<uuid:source_id>/files/<uuid:file_id>/bad-lines/",
        telemetry.FileBadLines.as_view(),
        name="file-bad-lines",
    ),
]
