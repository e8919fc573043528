"""The seal: a package's digests as a row of the log, made once; and the proof that leads from it to a checkpoint."""

from cases.dossier.bag import BagPlan
from cases.models import DossierSeal
from spine import proofs, sequencer, signing
from spine.errors import Refused


def demand_same(seal: DossierSeal, plan: BagPlan) -> None:
    """Refuse a rendering that is not the one that was sealed, with both digests: another release renders otherwise."""
    if seal.manifest_sha256 != plan.manifest_sha256:
        raise Refused(
            "This release renders the version differently from the package that was sealed; render it with the release "
            f"that sealed it. Manifest sealed: {seal.manifest_sha256}. Manifest now: {plan.manifest_sha256}."
        )
    if seal.statement_sha256 != plan.statement_sha256:
        raise Refused(
            "The files beside the payload differ from those that were sealed; render the version with the release that "
            f"sealed it. Statement sealed: {seal.statement_sha256}. Statement now: {plan.statement_sha256}."
        )


def proof_of(seal: DossierSeal) -> bytes:
    """The proof of the seal's row at the newest checkpoint, as it stands in `seal/log-proof.json`.

    Numbers what waits for the log first, so that there is a checkpoint that covers the seal.
    """
    sequencer.sequence()
    try:
        return proofs.proof_of(seal)
    except Refused:
        raise signing.SignerAway(
            "The log has no signed checkpoint that covers the seal yet: start this again later."
        ) from None
