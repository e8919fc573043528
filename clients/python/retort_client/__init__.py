"""Sends findings of detectors to Retort. `Client(url, key).push(findings)` is all there is to know."""

from retort_client.client import Client, Refusal, Refused, Result, RetortError, Unavailable

__all__ = ["Client", "Refusal", "Refused", "Result", "RetortError", "Unavailable"]
__version__ = "0.1.0"
