"""Rendering: every file under `data/` of a version's package, always from the frozen snapshot, never from the case."""

from collections.abc import Mapping

from cases.dossier.bag import Source
from cases.dossier.document import document_bytes, snapshot_bytes
from cases.dossier.pdf import pdf
from cases.dossier.reading import Row
from cases.dossier.sample_proofs import proofs
from cases.dossier.schedules import schedules
from cases.models import DossierVersion
from spine import vault


def payload(version: DossierVersion, whole: Row) -> Mapping[str, Source]:
    """The files by their path in the package; exhibits as files of the vault, checked against the digests frozen.

    Raises spine.vault.Missing when an exhibit or the snapshot is gone or altered.
    """
    snapshot = whole["snapshot"]
    files: dict[str, Source] = {
        "data/dossier.pdf": pdf(whole),
        "data/dossier.json": document_bytes(whole),
        "data/snapshot.json": snapshot_bytes(version),
        **schedules(snapshot),
        **proofs(snapshot),
    }
    for exhibit in [row for row in snapshot["exhibits"]["rows"] if row["file"]]:
        files[f"data/evidence/{exhibit['file']}"] = _exhibit(exhibit)
    return files


def bag_info(version: DossierVersion, whole: Row) -> dict[str, str]:
    """The lines of bag-info.txt, in order; nothing in it that a person typed."""
    snapshot = whole["snapshot"]
    return {
        "Bag-Software-Agent": f"Retort {version.release}",
        "Bagging-Date": snapshot["cut"]["at"][:10],
        "External-Identifier": whole["package"]["name"],
        "External-Description": f"Case dossier {snapshot['case']['ref']}, {version.edition} edition",
        "Marking": snapshot["marking"]["value"],
        "Snapshot-SHA256": version.snapshot_sha256,
    }


def _exhibit(exhibit: Row) -> Source:
    if not vault.check(exhibit["sha256"]):
        raise vault.Missing(f"exhibit {exhibit['number']} no longer has the bytes it was hashed with")
    return vault.Stored(exhibit["sha256"])
