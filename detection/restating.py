"""A run's findings on their way into the store: named by their source, and with a version of their own.

A detector says the same thing of the same window again and again: word for word it is known; where rows came late, or a
false-positive rate was measured since, it is a higher version of what was said before, which it supersedes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import rfc8785

from detection import queries
from detection.models import DetectorVersion, TelemetrySource
from detection.records import FindingDraft, Outcome, finding_document


def of_source(outcome: Outcome, source: TelemetrySource) -> Outcome:
    """Give the outcome with uids that no other source's findings have, and titles that say when it is simulated.

    Two sources may say the same of one window.
    """
    found = (replace(one, uid=_uid(one, source.name), title=source.marked(one.title)) for one in outcome.findings)
    return replace(outcome, findings=tuple(found))


def _uid(draft: FindingDraft, source: str) -> str:
    digest = sha256("\x1f".join([draft.uid, source]).encode()).hexdigest()
    return f"{draft.detector}-{digest[:24]}"


def documents(findings: Iterable[FindingDraft], version: DetectorVersion) -> Iterator[dict[str, Any]]:
    """Give the documents to store; where the uid is known with other content, one version above it."""
    findings = list(findings)
    said: dict[str, tuple[int, str]] = {}
    for uid, number, content in sorted(queries.contents(version.detector, {one.uid for one in findings})):
        said[uid] = number, content
    for one in findings:
        number, content = said.get(one.uid, (0, ""))
        document = finding_document(replace(one, version=max(one.version, number)))
        if number and document["version"] == number and sha256(rfc8785.dumps(document)).hexdigest() != content:
            document["version"] = number + 1
        yield document
