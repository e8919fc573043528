"""The API of detection: findings in; findings, clusters, accounts, attributes, detectors and telemetry to read."""
