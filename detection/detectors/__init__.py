"""The built-in detectors, in the order they run. To add one see docs/how-to/add-a-detector.md."""

from __future__ import annotations

from detection.detectors.base import Detector
from detection.detectors.shared_attribute import SharedAttribute
from detection.detectors.template_reuse import TemplateReuse

DETECTORS: tuple[Detector, ...] = (
    SharedAttribute(),
    TemplateReuse(),
)
BY_NAME = {detector.name: detector for detector in DETECTORS}
