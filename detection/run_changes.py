"""What changed from one run of a source to another: which clusters stayed, grew, shrank, split, merged, came and went.

A cluster is carried on by another when they share at least half of either one's accounts. Clusters that carry each
other on, before and now, make one **change**. Everything is counted in the database, in time linear in memberships.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import TextChoices

from detection import run_reading
from detection.models import Cluster, Run
from spine.errors import Refused

SAME = 0.5
SHOWN = 50


class ChangeKind(TextChoices):
    """What became of clusters, in the order they are shown."""

    MERGED = "merged", "merged"
    SPLIT = "split", "split"
    REGROUPED = "regrouped", "split and merged"
    JOINED_AND_LEFT = "joined_and_left", "accounts joined and left"
    JOINED = "joined", "accounts joined"
    LEFT = "left", "accounts left"
    NEW = "new", "new"
    GONE = "gone", "gone"
    SAME = "same", "the same"


@dataclass(frozen=True)
class Change:
    """Clusters before and now that belong together; the accounts of each list are the first fifty by pseudonym."""

    kind: ChangeKind
    before: tuple[Cluster, ...]
    now: tuple[Cluster, ...]
    stayed: int
    joined: int
    left: int
    joined_accounts: tuple[str, ...]
    left_accounts: tuple[str, ...]

    @property
    def size(self) -> int:
        return sum(one.account_count for one in self.now or self.before)


@dataclass(frozen=True)
class Moved:
    """An account that stands in the clusters of a change on one side alone."""

    place: int
    which: str
    count: int
    namespace: str
    provider_id: str
    pseudonym: str


def compared_with(run: Run, since: UUID | None) -> Run | None:
    """The run to compare with: the one named, of the same source, or the one before; None when there is none before."""
    if since is None:
        return run_reading.before(run)
    found = Run.objects.filter(pk=since, source=run.source_id).exclude(pk=run.pk).first()
    if found is None:
        raise Refused("No such run of the same source.", field="since")
    return found


def changes(run: Run, since: Run) -> list[Change]:
    """Every change from `since` to `run`, by kind and then by size; three queries."""
    groups, clusters = _groups(run, since)
    lists: dict[tuple[int, str], list[Moved]] = {}
    for one in _moved(run, groups, SHOWN):
        lists.setdefault((one.place, one.which), []).append(one)
    found = [_change(place, group, run, clusters, lists) for place, group in enumerate(groups)]
    order = list(ChangeKind)
    return sorted(found, key=lambda one: (order.index(one.kind), -one.size, str((one.now or one.before)[0].pk)))


def counts(found: Iterable[Change]) -> dict[str, int]:
    """How many changes there are of each kind, and how many accounts joined and left clusters in all."""
    rows = list(found)
    kinds = {kind.value: sum(one.kind == kind for one in rows) for kind in ChangeKind}
    return {**kinds, "accounts_joined": sum(o.joined for o in rows), "accounts_left": sum(o.left for o in rows)}


COLUMNS = ("change", "account", "provider_id", "namespace", "pseudonym", "cluster_before", "cluster_now")


def account_rows(run: Run, since: Run) -> Iterator[list[Any]]:
    """The rows of the file: every account that joined or left, with the clusters of its change by our own ids."""
    groups, clusters = _groups(run, since)
    for one in _moved(run, groups, None):
        olds, news = _sides(groups[one.place], run, clusters)
        kind = _kind(len(olds), len(news), 1, 1).value if len(olds) + len(news) != 2 else one.which
        ids = ["; ".join(str(cluster.pk) for cluster in side) for side in (olds, news)]
        yield [kind, one.which, one.provider_id, one.namespace, one.pseudonym, *ids]


PAIRS = """
SELECT old.cluster_id, new.cluster_id, count(*)
FROM (SELECT m.account_id, m.cluster_id FROM detection_clustermember m
      JOIN detection_cluster c ON c.id = m.cluster_id WHERE c.run_id = %(since)s) old
JOIN (SELECT m.account_id, m.cluster_id FROM detection_clustermember m
      JOIN detection_cluster c ON c.id = m.cluster_id WHERE c.run_id = %(run)s) new USING (account_id)
GROUP BY old.cluster_id, new.cluster_id
"""


def _groups(run: Run, since: Run) -> tuple[list[tuple[UUID, ...]], dict[UUID, Cluster]]:
    """The clusters of both runs in groups that carry each other on, in a fixed order."""
    rows = Cluster.objects.filter(run__in=[run.pk, since.pk]).defer("assessment_detail", "volume").order_by("id")
    clusters = {one.pk: one for one in rows}
    parent = {pk: pk for pk in clusters}

    def root(pk: UUID) -> UUID:
        while parent[pk] != pk:
            parent[pk] = parent[parent[pk]]
            pk = parent[pk]
        return pk

    with connection.cursor() as cursor:
        cursor.execute(PAIRS, {"run": run.pk, "since": since.pk})
        for old, new, shared in cursor.fetchall():
            if shared >= SAME * min(clusters[old].account_count, clusters[new].account_count):
                parent[root(new)] = root(old)
    groups: dict[UUID, list[UUID]] = {}
    for pk in clusters:
        groups.setdefault(root(pk), []).append(pk)
    return [tuple(group) for group in groups.values()], clusters


# An account is told of where it stands on one side of a change and not on the other, whatever cluster it moved to.
MOVED = """
WITH placed AS (
    SELECT * FROM unnest(%(clusters)s::uuid[], %(places)s::int[]) AS given (cluster_id, place)
), stands AS (
    SELECT DISTINCT placed.place, m.account_id, c.run_id = %(run)s AS is_new
    FROM placed JOIN detection_cluster c ON c.id = placed.cluster_id
    JOIN detection_clustermember m ON m.cluster_id = placed.cluster_id
), moved AS (
    SELECT place, account_id, bool_or(is_new) AS joined
    FROM stands GROUP BY place, account_id HAVING count(*) = 1
), numbered AS (
    SELECT moved.place, moved.joined, a.namespace, a.provider_id, a.pseudonym,
           count(*) OVER (PARTITION BY moved.place, moved.joined) AS n,
           row_number() OVER (PARTITION BY moved.place, moved.joined ORDER BY a.pseudonym) AS number
    FROM moved JOIN detection_account a ON a.id = moved.account_id
)
SELECT place, joined, n, namespace, provider_id, pseudonym FROM numbered
WHERE %(most)s::int IS NULL OR number <= %(most)s
ORDER BY place, joined DESC, number
"""


def _moved(run: Run, groups: list[tuple[UUID, ...]], most: int | None) -> list[Moved]:
    """Who joined or left each group, the first `most` by pseudonym, with how many there are in all."""
    placed = [(pk, place) for place, group in enumerate(groups) for pk in group]
    given: dict[str, Any] = {"clusters": [pk for pk, _ in placed], "places": [place for _, place in placed]}
    with connection.cursor() as cursor:
        cursor.execute(MOVED, {**given, "run": run.pk, "most": most})
        return [Moved(place, "joined" if joined else "left", *rest) for place, joined, *rest in cursor.fetchall()]


def _sides(group: Iterable[UUID], run: Run, clusters: Mapping[UUID, Cluster]) -> tuple[list[Cluster], list[Cluster]]:
    rows = [clusters[pk] for pk in group]
    return [one for one in rows if one.run_id != run.pk], [one for one in rows if one.run_id == run.pk]


def _change(
    place: int,
    group: tuple[UUID, ...],
    run: Run,
    clusters: Mapping[UUID, Cluster],
    lists: Mapping[tuple[int, str], list[Moved]],
) -> Change:
    olds, news = _sides(group, run, clusters)
    joined, left = lists.get((place, "joined"), []), lists.get((place, "left"), [])
    came, went = (rows[0].count if rows else 0 for rows in (joined, left))
    return Change(
        kind=_kind(len(olds), len(news), came, went),
        before=tuple(olds),
        now=tuple(news),
        stayed=sum(one.account_count for one in news) - came,
        joined=came,
        left=went,
        joined_accounts=tuple(one.pseudonym for one in joined),
        left_accounts=tuple(one.pseudonym for one in left),
    )


def _kind(before: int, now: int, joined: int, left: int) -> ChangeKind:
    if not before or not now:
        return ChangeKind.GONE if before else ChangeKind.NEW
    if before > 1 and now > 1:
        return ChangeKind.REGROUPED
    if before > 1 or now > 1:
        return ChangeKind.MERGED if before > 1 else ChangeKind.SPLIT
    if joined and left:
        return ChangeKind.JOINED_AND_LEFT
    return ChangeKind.JOINED if joined else ChangeKind.LEFT if left else ChangeKind.SAME
