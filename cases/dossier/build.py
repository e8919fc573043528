"""Building a package from a version: render, seal if it is approved, prove, write. Safe to repeat and to be killed.

What is sealed is fixed by rows written once; a build that finds them uses them and must come to the same bytes.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from cases.actions import dossiers
from cases.dossier import bag
from cases.dossier.document import document
from cases.dossier.package_files import verify
from cases.dossier.render import bag_info, payload
from cases.dossier.seal import chain_for, proof_of, token_for
from cases.models import DossierProof, DossierVersion
from spine.errors import Refused

STEPS = 5
WORKSHOP = ".build-"
ABANDONED_SECONDS = 3600
Report = Callable[[int, int, str], None]
Confirm = Callable[[], None]


def _quiet(done: int, total: int, note: str) -> None:
    """Nobody is watching."""


def build(
    version: DossierVersion,
    folder: Path,
    *,
    actor: str,
    report: Report = _quiet,
    confirm: Confirm = dossiers.no_lease,
) -> bag.Package:
    """Render the version from its snapshot and write `<bag folder>.zip` and `.zip.sha256` into `folder`.

    A version that nobody approved becomes a draft without a seal. Raises Refused when the rendering is not the one that
    was sealed, spine.vault.Missing when an exhibit or the snapshot is damaged.
    """
    report(0, STEPS, "reading the frozen snapshot")
    whole = document(version)
    report(1, STEPS, "laying out the document")
    files = payload(version, whole)
    chain = None if whole["package"]["draft"] else chain_for(version)
    info = bag_info(version, whole) | (bag.time_stamp_info(chain) if chain else {})
    plan = bag.plan_bag(whole["package"]["name"], version.snapshot_sha256, files, info)
    with _workshop(folder) as workshop:
        target = workshop / f"{plan.name}.zip"
        if whole["package"]["draft"]:
            package = bag.write_zip(plan, {}, target)
        else:
            package = _sealed(version, plan, chain, target, actor, report, confirm)
        report(4, STEPS, "putting the package in its place")
        return _moved(package, folder)


def _sealed(
    version: DossierVersion,
    plan: bag.BagPlan,
    chain: bytes | None,
    target: Path,
    actor: str,
    report: Report,
    confirm: Confirm,
) -> bag.Package:
    report(2, STEPS, "sealing")
    seal = dossiers.seal(version, plan, chain=chain, actor=actor, confirm=confirm)
    report(3, STEPS, "proving the seal")
    known = DossierProof.objects.filter(seal=seal).first()
    proof = known.proof.encode() if known else proof_of(seal)
    files = _seal_files(plan, proof, chain)
    package = bag.write_zip(plan, files, target)
    if known is None:
        note = files[verify.CHECKPOINT].decode()
        known = dossiers.prove(
            seal, proof=proof.decode(), checkpoint=note, package=package, actor=actor, confirm=confirm
        )
        if known.proof.encode() != proof:  # another build was faster: its proof is the one that stands
            package = bag.write_zip(plan, _seal_files(plan, known.proof.encode(), chain), target)
    if package.sha256 != known.package_sha256:
        raise Refused(f"The package is not the one that was proved: {package.sha256}, not {known.package_sha256}.")
    return package


def _seal_files(plan: bag.BagPlan, proof: bytes, chain: bytes | None) -> dict[str, bytes]:
    note: str = json.loads(proof)["checkpoint"]
    return bag.seal_files(plan, proof, token_for(note, chain), chain)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A folder of this build's own beside the target, where nothing half-made is taken for a package."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(f"{WORKSHOP}*"):  # by a build that was killed
        if left.stat().st_mtime < time.time() - ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    own = Path(tempfile.mkdtemp(prefix=WORKSHOP, dir=folder))
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _moved(package: bag.Package, folder: Path) -> bag.Package:
    """The finished package in its folder: the digest's file first, so that a package never stands without it."""
    beside = package.path.with_name(f"{package.path.name}.sha256")
    beside.replace(folder / beside.name)
    package.path.replace(folder / package.path.name)
    return bag.Package(folder / package.path.name, package.sha256, package.size)


def folder_of(version: DossierVersion) -> Path:
    """Where the worker keeps what it rendered of a version. Anything in it can be deleted and built again."""
    return Path(settings.RENDER_ROOT) / str(version.id)


def rendered(version: DossierVersion) -> Path | None:
    """The package that lies ready, the sealed one if there is a seal; None when it has to be built (again)."""
    sealed = DossierProof.objects.filter(seal__version=version).exists()
    name = version.bag_name if sealed else f"{version.bag_name}-draft"
    path = folder_of(version) / f"{name}.zip"
    return path if path.is_file() else None
