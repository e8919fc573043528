"""The clusters of runs as one JSON array, with the provider's account ids: for enforcement, and to be scored."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from typing import IO, Any

from django.db import transaction

from detection.models import ClusterMember, Run
from spine import log

CHUNK = 2000
ORDER = ("cluster__place", "cluster", "place")
STATED = ("key", "assessment", "score", "signals", "first_seen", "last_seen")


@dataclass(frozen=True)
class Exported:
    """How much was written; an account counts once for each cluster it is in."""

    clusters: int
    accounts: int


@transaction.atomic(savepoint=False)
def write(runs: Iterable[Run], out: IO[bytes], *, actor: str) -> Exported:
    """Write the clusters of these runs, a line each; memory holds the accounts of one cluster at a time.

    Side effects: what is written to `out`; one log entry for each run with how many, never with an id of an account.
    """
    total = Exported(0, 0)
    out.write(b"[")
    for run in runs:
        written = _write(run, out, first=not total.clusters)
        data = {"source": run.source.name, "run": str(run.pk), **asdict(written)}
        log.record(actor=actor, action="run.clusters_exported", about=run, data=data)
        total = Exported(total.clusters + written.clusters, total.accounts + written.accounts)
    out.write(b"\n]\n")
    return total


def _write(run: Run, out: IO[bytes], *, first: bool) -> Exported:
    clusters = accounts = 0
    for document in documents(run):
        out.write(b"\n" if first and not clusters else b",\n")
        out.write(json.dumps(document, ensure_ascii=False).encode())
        clusters += 1
        accounts += len(document["accounts"])
    return Exported(clusters, accounts)


def documents(run: Run) -> Iterator[dict[str, Any]]:
    """Each cluster of a run with the provider's ids of its accounts, in the order the run wrote them; one query."""
    rows = ClusterMember.objects.filter(cluster__run=run).order_by(*ORDER)
    read = rows.values_list("cluster", *(f"cluster__{name}" for name in STATED), "account__provider_id")
    for _, held in groupby(read.iterator(chunk_size=CHUNK), key=itemgetter(0)):
        members = list(held)
        _, key, assessment, score, signals, first_seen, last_seen, _ = members[0]
        yield {
            "cluster": key,
            "assessment": assessment,
            "score": score,
            "accounts": [member[-1] for member in members],
            "signals": signals,
            "first_seen": first_seen.isoformat(),
            "last_seen": last_seen.isoformat(),
        }
