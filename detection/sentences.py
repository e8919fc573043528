"""What the log says about telemetry, detectors, findings and runs."""

SENTENCES = {
    "detector.registered": "registered the detector {name}",
    "telemetry.added": "added {file} to the telemetry source {source}: {rows} rows, {bad} bad lines",
    "telemetry.retention_set": "stated that {source} keeps {what} {kept}",
    "findings.received": "received {count} findings from {detector}",
    "run.finished": "finished a detection run over {source}: {clusters} clusters",
}
