"""Freezing: the snapshot of a case at a cut, read in one REPEATABLE READ transaction and stored under its digest."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from psycopg import IsolationLevel

from cases import history
from cases.dossier import snapshot
from cases.history import Cut
from cases.models import Case, DossierVersion
from spine import sequencer, vault
from spine.canonical import canonical_json


@dataclass(frozen=True)
class Frozen:
    """A cut, and the digest of what was true at it; the digest is empty when a version of this cut is there already."""

    cut: Cut
    snapshot_sha256: str
    version: DossierVersion | None = None


def take_snapshot(case: Case, *, edition: str, recipient: str, basis: str, as_of: datetime | None) -> Frozen:
    """Find the cut and read everything at it; what is stored is the same for the same case, cut and recipient.

    Numbers what waits for the log first. Must not be called inside a transaction. Raises Refused for a time before the
    case's first act.
    """
    sequencer.sequence()
    with one_state():
        cut = history.cut(case, as_of)
        known = find(case, edition=edition, recipient=recipient, basis=basis, cut=cut)
        if known is not None:
            return Frozen(cut, known.snapshot_sha256, known)
        document = snapshot.build(case, cut, edition=edition, recipient=recipient, basis=basis)
        content = canonical_json(document)
    return Frozen(cut, vault.put_bytes(content).sha256)


def find(case: Case, *, edition: str, recipient: str, basis: str, cut: Cut) -> DossierVersion | None:
    """The version that was frozen at this cut for this recipient and basis, if there is one."""
    same = DossierVersion.objects.filter(case=case, edition=edition, recipient=recipient, basis=basis)
    return same.select_related("case", "preparer").filter(log_size=cut.log_size).first()


def existing(case: Case, *, edition: str, recipient: str, basis: str, as_of: datetime | None) -> DossierVersion | None:
    """The version a freeze would find now, if there is one. Raises Refused as `take_snapshot` does."""
    sequencer.sequence()
    cut = history.cut(case, as_of)
    return find(case, edition=edition, recipient=recipient, basis=basis, cut=cut)


@contextmanager
def one_state() -> Iterator[None]:
    """A transaction in which every query sees the same state of the database.

    The isolation is set on the connection: the transaction's first statement names the principal, after which it would
    be too late to set it inside.
    """
    connection.ensure_connection()
    raw = connection.connection
    before = raw.isolation_level
    raw.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with transaction.atomic(durable=True):
            yield
    finally:
        raw.isolation_level = before
