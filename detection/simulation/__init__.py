"""The parts of the telemetry generator: words and templates written for this project, and the cast of accounts."""
