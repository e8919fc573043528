"""Telemetry: adapters that read usage logs into the normalised Parquet dataset, and the dataset itself."""
