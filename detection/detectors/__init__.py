"""The built-in detectors, in the order they run. To add one see docs/how-to/add-a-detector.md."""

from __future__ import annotations

from detection.detectors.base import Detector
from detection.detectors.capability_sweep import CapabilitySweep
from detection.detectors.distribution_shift import DistributionShift
from detection.detectors.load_balancing import LoadBalancing
from detection.detectors.pool import PoolDetector
from detection.detectors.release_pivot import ReleasePivot
from detection.detectors.replacement_after_ban import ReplacementAfterBan
from detection.detectors.shared_attribute import SharedAttribute
from detection.detectors.template_reuse import TemplateReuse

DETECTORS: tuple[Detector, ...] = (
    SharedAttribute(),
    TemplateReuse(),
)
# Asked after clustering, of the clusters that are worth a look.
POOL_DETECTORS: tuple[PoolDetector, ...] = (
    LoadBalancing(),
    ReleasePivot(),
    ReplacementAfterBan(),
    CapabilitySweep(),
    DistributionShift(),
)
BY_NAME = {detector.name: detector for detector in (*DETECTORS, *POOL_DETECTORS)}
