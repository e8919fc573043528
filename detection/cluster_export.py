"""The clusters of runs as one JSON array, with the provider's account ids: for enforcement, and to be scored."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import IO, Any

from detection.models import ClusterMember, Run

CHUNK = 2000
ORDER = ("cluster__place", "cluster", "place")
STATED = ("key", "assessment", "score", "signals", "first_seen", "last_seen")


@dataclass(frozen=True)
class Exported:
    """How much was written; an account counts once for each cluster it is in."""

    clusters: int
    accounts: int


def write(runs: Iterable[Run], out: IO[bytes]) -> Exported:
    """Write the clusters of these runs, a line each; memory holds the accounts of one cluster at a time."""
    clusters = accounts = 0
    out.write(b"[")
    for document in (one for run in runs for one in documents(run)):
        out.write(b",\n" if clusters else b"\n")
        out.write(json.dumps(document, ensure_ascii=False).encode())
        clusters += 1
        accounts += len(document["accounts"])
    out.write(b"\n]\n")
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
