"""The built-in detectors, in the order they run. To add one see docs/how-to/add-a-detector.md."""

from __future__ import annotations

from detection.detectors.base import Detector
from detection.detectors.capability_sweep import CapabilitySweep
from detection.detectors.distribution_shift import DistributionShift
from detection.detectors.load_balancing import LoadBalancing
from detection.detectors.logit_probing import LogitProbing
from detection.detectors.no_human_cadence import NoHumanCadence
from detection.detectors.pool import PoolDetector
from detection.detectors.reasoning_block_replay import ReasoningBlockReplay
from detection.detectors.reasoning_elicitation import ReasoningElicitation
from detection.detectors.registration_burst import RegistrationBurst
from detection.detectors.release_pivot import ReleasePivot
from detection.detectors.replacement_after_ban import ReplacementAfterBan
from detection.detectors.reward_grading import RewardGrading
from detection.detectors.shared_attribute import SharedAttribute
from detection.detectors.synchronised_activity import SynchronisedActivity
from detection.detectors.template_reuse import TemplateReuse

DETECTORS: tuple[Detector, ...] = (
    SharedAttribute(),
    TemplateReuse(),
    RegistrationBurst(),
    SynchronisedActivity(),
    ReasoningElicitation(),
    ReasoningBlockReplay(),
    RewardGrading(),
    LogitProbing(),
    NoHumanCadence(),
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
