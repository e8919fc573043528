"""`dossier.json`: the frozen snapshot with what is known of its version, and of its approval when there is one."""

import json
from typing import Any

from cases.dossier.reading import Row, item, person, when
from cases.models import DossierApproval, DossierVersion
from spine import vault

FORMAT = "retort-dossier"


def document(version: DossierVersion) -> Row:
    """The whole document, from rows that never change: once a version is approved, it is always the same.

    Raises spine.vault.Missing when the snapshot is gone from the vault or altered there.
    """
    approval = approval_of(version)
    return {
        "format": FORMAT,
        "v": 1,
        "package": {"name": package_name(version), "draft": approval is None},
        "version": {
            "item": item(version),
            "number": version.number,
            "supersedes": _superseded(version),
            "prepared_by": person(version.preparer),
            "frozen_at": when(version.frozen_at),
            "release": version.release,
            "snapshot_sha256": version.snapshot_sha256,
        },
        "approval": approval and _approval(approval),
        "snapshot": json.loads(snapshot_bytes(version)),
    }


def snapshot_bytes(version: DossierVersion) -> bytes:
    """The snapshot as it was frozen and approved, byte for byte. Raises spine.vault.Missing."""
    return vault.read(version.snapshot_sha256)


def approval_of(version: DossierVersion) -> DossierApproval | None:
    """The approval of a version, None while nobody has approved it."""
    return DossierApproval.objects.filter(version=version).select_related("approver").first()


def package_name(version: DossierVersion) -> str:
    """The bag's folder name; of a draft it says so."""
    return version.bag_name if approval_of(version) else f"{version.bag_name}-draft"


def document_bytes(whole: Row) -> bytes:
    """The file: indented for people, keys in order, one form."""
    return (json.dumps(whole, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _superseded(version: DossierVersion) -> int | None:
    """The newest earlier version for the same recipient and basis; one for somebody else is not replaced."""
    same = DossierVersion.objects.filter(
        case=version.case, edition=version.edition, recipient=version.recipient, basis=version.basis
    )
    return same.filter(number__lt=version.number).order_by("-number").values_list("number", flat=True).first()


def _approval(approval: DossierApproval) -> dict[str, Any]:
    return {
        "item": item(approval),
        "approved_by": person(approval.approver),
        "at": when(approval.at),
        "snapshot_sha256": approval.snapshot_sha256,
    }
