"""Which accounts of a case are meant: the same few conditions for the list, for a bulk decision and for its job."""

from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models import Q, QuerySet

from cases import history, testers
from cases.models import Case, CaseAccount
from cases.vocabulary import VerdictValue
from detection.models import ClusterLink, ClusterMember
from spine.errors import Refused

NO_VERDICT = "none"


@dataclass(frozen=True)
class AccountFilter:
    """Conditions on the accounts of a case; what is empty does not restrict.

    `verdict` is one of the vocabulary or `none`; `text` is part of a pseudonym or of a shared attribute value;
    `cluster` is a held cluster's id; `min_exchanges` counts in the newest held run's window;
    `tester` is `yes` or `no`: on the list of sanctioned testers or not.
    """

    verdict: str = ""
    text: str = ""
    cluster: str = ""
    min_exchanges: int = 0
    tester: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in {"", NO_VERDICT, *VerdictValue.values}:
            raise Refused(f"No verdict {self.verdict!r}.", field="verdict")
        if self.tester not in {"", "yes", "no"}:
            raise Refused("Whether they are sanctioned testers is yes or no.", field="tester")
        if len(self.text) > 200 or "\x00" in self.text:
            raise Refused("The words to look for are too long or contain control characters.", field="text")
        if self.cluster and not _is_uuid(self.cluster):
            raise Refused("The cluster is named by its id.", field="cluster")
        if self.min_exchanges < 0 or self.min_exchanges > 2**62:
            raise Refused("The least number of exchanges is 0 or more.", field="min_exchanges")

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """The filter from the arguments of a job or the parameters of a page; unknown names are left out."""
        names = {name: given[name] for name in ("verdict", "text", "cluster", "tester") if given.get(name)}
        least = given.get("min_exchanges") or 0
        if not str(least).isdecimal():
            raise Refused("The least number of exchanges is a whole number.", field="min_exchanges")
        return cls(**names, min_exchanges=int(least))

    def as_args(self) -> dict[str, Any]:
        """The conditions that restrict, as JSON values."""
        return {name: value for name, value in asdict(self).items() if value}

    def in_words(self) -> str:
        """The filter as people read it."""
        words = []
        if self.verdict:
            label = "no verdict" if self.verdict == NO_VERDICT else f"verdict {VerdictValue(self.verdict).label}"
            words.append(label)
        if self.text:
            words.append(f"“{self.text}” in pseudonym or shared value")
        if self.cluster:
            words.append("in one of its clusters")
        if self.tester:
            words.append(f"{'' if self.tester == 'yes' else 'not '}on the list of sanctioned testers")
        if self.min_exchanges:
            words.append(f"at least {self.min_exchanges:,} exchanges")
        return ", ".join(words) or "every account of the case"


def matching(case: Case, wanted: AccountFilter) -> QuerySet[CaseAccount]:
    """The accounts of the case that meet every condition, in no particular order."""
    rows = CaseAccount.objects.filter(case=case)
    if wanted.verdict:
        rows = rows.filter(value="" if wanted.verdict == NO_VERDICT else wanted.verdict)
    if wanted.text:
        held = history.held_at(case).values("cluster_id")
        sharing = ClusterLink.objects.filter(cluster__in=held, attribute__value__icontains=wanted.text)
        rows = rows.filter(
            Q(account__pseudonym__icontains=wanted.text) | Q(account_id__in=sharing.values("account_id"))
        )
    if wanted.cluster:
        members = ClusterMember.objects.filter(cluster_id=wanted.cluster).values("account_id")
        rows = rows.filter(account_id__in=members)
    if wanted.min_exchanges:
        rows = rows.filter(exchanges__gte=wanted.min_exchanges)
    if wanted.tester:
        listed = testers.among(rows)
        rows = listed if wanted.tester == "yes" else rows.exclude(pk__in=listed.values("pk"))
    return rows


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
