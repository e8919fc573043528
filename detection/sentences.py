"""What the log says about telemetry, detectors, feeds, findings and runs."""

SENTENCES = {
    "detector.registered": "registered the detector {name}",
    "detector.changed": "changed {fields} of the detector {name}",
    "detector.moved": "moved the detector {name} from {old} to {new}: {reason}",
    "canary.planted": "planted a canary for {name}, to come back every {every_minutes} minutes",
    "canary.removed": "removed a canary of {name}",
    "quarantine.placed": "set aside what the key {prefix} of {name} sent since {since}, until {until}",
    "quarantine.lifted": "let what the key {prefix} of {name} sent count again",
    "version.recalled": "declared version {version} of {name} not to be relied on: {reason}",
    "version.reinstated": "let version {version} of {name} be relied on again: {reason}",
    "telemetry.added": "added {file} to the telemetry source {source}: {rows} rows, {bad} bad lines",
    "telemetry.retention_set": "stated that {source} keeps {what} {kept}",
    "feed.created": "set up the feed {name} of {detector}",
    "feed.changed": "changed {fields} of the feed {name}",
    "feed.paused": "paused the feed {name}",
    "feed.resumed": "resumed the feed {name}",
    "feed.backfill_asked": "asked for the past of the feed {name} from {from} until {until}",
    "findings.received": "received {count} findings from {detector}",
    "run.finished": "finished a detection run over {source}: {clusters} clusters",
}
