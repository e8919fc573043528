"""The seal: a package's digests as a row of the log, made once; and the proof that leads from it to a checkpoint."""

from cases.dossier.bag import BagPlan
from cases.models import DossierSeal, DossierVersion
from spine import proofs, sequencer, signing, timestamps
from spine.errors import Refused
from spine.models import Checkpoint, Sequence, TimeStampChain


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


def chain_for(version: DossierVersion) -> bytes | None:
    """The certificates that the version's package carries with its time stamp; None when it carries none.

    What was sealed stays; a package that is not sealed yet will carry a time stamp where an authority is configured.
    """
    seal = DossierSeal.objects.filter(version=version).first()
    if seal is None:
        return timestamps.chain() if timestamps.is_configured() else None
    if seal.chain_sha256 is None:
        return None
    return TimeStampChain.objects.get(sha256=seal.chain_sha256).pem.encode()


def token_for(note: str, chain: bytes | None) -> bytes | None:
    """The time stamp over the checkpoint in a package; None for a package that carries none."""
    if chain is None:
        return None
    token = timestamps.token_of(note, chain)
    if token is None:
        raise timestamps.NotStamped("The package's checkpoint has no time stamp that counts.")
    return bytes(token.response)


def proof_of(seal: DossierSeal) -> bytes:
    """The proof of the seal's row at a checkpoint that covers it, as it stands in `seal/log-proof.json`.

    Numbers what waits for the log first. Where the package carries a time stamp, the checkpoint is one that has one;
    when none has, the authority is asked now. Raises Refused while the signer or the authority does not answer.
    """
    sequencer.sequence()
    try:
        proof = proofs.proof_of(seal)
    except Refused:
        raise signing.SignerAway(
            "The log has no signed checkpoint that covers the seal yet: start this again later."
        ) from None
    return proof if seal.chain_sha256 is None else proofs.proof_of(seal, size=_stamped_size(seal, seal.chain_sha256))


def _stamped_size(seal: DossierSeal, chain_sha256: str) -> int:
    """The size of a checkpoint that covers the seal and has a time stamp by its chain, asked for if need be."""
    stamped = timestamps.covering(Sequence.objects.get(entry_id=seal.entry_id).index, chain_sha256)
    if stamped is not None:
        return stamped.size
    pem = TimeStampChain.objects.get(sha256=chain_sha256).pem.encode()
    return timestamps.stamp(Checkpoint.objects.latest("size"), actor="system:timestamp", pinned=pem).size
