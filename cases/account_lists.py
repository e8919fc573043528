"""Lists of accounts: what is known of ids somebody brings, and those of a case, a lead or a finding for enforcement.

Files are CSV by RFC 4180 in UTF-8. A text that a spreadsheet would take for a formula has an apostrophe before it
(`cases.dossier.schedules.unguarded` takes exactly these away again).
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Count, QuerySet

from cases import kept_apart, testers
from cases.access import Person, visible_cases, visible_leads
from cases.dossier import schedules
from cases.models import CaseAccount, Lead
from cases.models.lead import LeadState
from detection.models import Account, ClusterMember, Finding, FindingAccount

MOST_IDS = 10_000
LONGEST_ID = 200
CHUNK = 2000


@dataclass(frozen=True)
class Known:
    """What is known of one id: nothing, or an account with its findings, leads that wait, and cases with verdicts."""

    provider_id: str
    account: Account | None
    findings: int
    leads: int
    cases: tuple[tuple[str, str], ...]

    @property
    def in_words(self) -> str:
        """The cases with their verdicts, as a cell."""
        return "; ".join(f"{ref}: {verdict}" for ref, verdict in self.cases)


HEADINGS = {"account", "account_id", "id", "provider_id"}


def ids_in(text: str) -> dict[str, int]:
    """The ids of a pasted or uploaded list, each once, in order, with the line it stands in first (from 1).

    One a line, the first cell of each. A first line that says one of HEADINGS is a heading.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        if one := _first_cell(line):
            found.setdefault(one, number)
    first = next(iter(found), "")
    if first.lower() in HEADINGS:
        del found[first]
    return found


def _first_cell(line: str) -> str:
    """The line itself where it is none of a CSV file, which is longer than any id."""
    try:
        return next(iter(next(csv.reader([line]), [])), "").strip()
    except csv.Error:
        return line


def is_id(text: str) -> bool:
    """Whether an account can have this id."""
    return len(text) <= LONGEST_ID and "\x00" not in text


def known(person: Person, provider_ids: Iterable[str], namespace: str = "default") -> list[Known]:
    """What is known of each id, in the order given; cases and leads are those this person may know of.

    A fixed number of queries.
    """
    wanted = list(provider_ids)
    accounts = {one.provider_id: one for one in Account.objects.filter(namespace=namespace, provider_id__in=wanted)}
    pks = [one.pk for one in accounts.values()]
    findings = _counted(FindingAccount.objects.filter(account__in=pks))
    waiting = visible_leads(person).filter(state=LeadState.WAITING)
    leads = _leads(waiting, pks)
    held: dict[UUID, list[tuple[str, str]]] = {}
    rows = CaseAccount.objects.filter(account__in=pks, case__in=visible_cases(person).values("pk"))
    for row in rows.select_related("case").order_by("case__ref"):
        held.setdefault(row.account_id, []).append((row.case.ref, row.get_value_display() or "no verdict"))
    return [_known(name, accounts.get(name), findings, leads, held) for name in wanted]


def _known(
    name: str,
    account: Account | None,
    findings: Mapping[UUID, int],
    leads: Mapping[UUID, int],
    held: Mapping[UUID, list[tuple[str, str]]],
) -> Known:
    if account is None:
        return Known(name, None, 0, 0, ())
    return Known(name, account, findings.get(account.pk, 0), leads.get(account.pk, 0), tuple(held.get(account.pk, ())))


def _counted(rows: QuerySet[FindingAccount]) -> dict[UUID, int]:
    return dict(rows.order_by().values_list("account").annotate(n=Count("finding")))


def _leads(waiting: QuerySet[Lead], accounts: list[UUID]) -> dict[UUID, int]:
    members = ClusterMember.objects.filter(account__in=accounts, cluster__in=waiting.values("cluster"))
    return dict(members.order_by().values_list("account").annotate(n=Count("cluster")))


KNOWN_COLUMNS = ("provider_id", "known", "pseudonym", "first_seen", "last_seen", "findings", "leads", "cases")


def known_rows(found: Iterable[Known]) -> Iterator[list[Any]]:
    """The rows of the file on ids."""
    for one in found:
        account = one.account
        yield [
            one.provider_id,
            account is not None,
            account.pseudonym if account else None,
            _when(account.first_seen if account else None),
            _when(account.last_seen if account else None),
            one.findings,
            one.leads,
            one.in_words,
        ]


CASE_COLUMNS = (
    *("provider_id", "namespace", "pseudonym", "verdict", "decided_by", "decided_at", "strength"),
    *("exchanges", "input_tokens", "output_tokens", "first_seen", "last_seen"),
)


def case_rows(rows: QuerySet[CaseAccount]) -> Iterator[list[Any]]:
    """The rows of the file on a case's accounts, in the order of their pseudonyms."""
    found = rows.select_related("account", "member", "verdict__decided_by").order_by("account__pseudonym", "pk")
    for row in found.iterator(chunk_size=CHUNK):
        verdict, member = row.verdict, row.member
        yield [
            row.account.provider_id,
            row.account.namespace,
            row.account.pseudonym,
            row.get_value_display() or "no verdict",
            str(verdict.decided_by) if verdict and row.value else None,
            _when(verdict.at if verdict and row.value else None),
            round(member.strength, 4),
            member.exchanges,
            member.input_tokens,
            member.output_tokens,
            _when(member.first_seen),
            _when(member.last_seen),
        ]


MEMBER_COLUMNS = (
    *("provider_id", "namespace", "pseudonym", "strength", "exchanges", "input_tokens", "output_tokens"),
    *("first_seen", "last_seen", "sanctioned_tester", "kept_apart"),
)


def member_rows(person: Person, lead: Lead) -> Iterator[list[Any]]:
    """The rows of the file on a lead's members, in the order of their pseudonyms.

    Whether an account is marked as a sanctioned tester's, or was said not to be of the same operation, stands last.
    """
    decisions = kept_apart.on_lead(person, lead)
    members = lead.cluster.members.select_related("account").order_by("account__pseudonym", "pk")
    found = members.iterator(chunk_size=CHUNK)
    while rows := list(islice(found, CHUNK)):
        marked = testers.marks(rows)
        apart = kept_apart.marks(decisions, [one.account_id for one in rows])
        for member in rows:
            mark, decision = marked.get(member.account_id), apart.get(member.account_id)
            yield [
                member.account.provider_id,
                member.account.namespace,
                member.account.pseudonym,
                round(member.strength, 4),
                member.exchanges,
                member.input_tokens,
                member.output_tokens,
                _when(member.first_seen),
                _when(member.last_seen),
                mark.words if mark else None,
                decision.reason if decision else None,
            ]


STATED_COLUMNS = ("provider_id", "namespace", "pseudonym", "exchanges", "input_tokens", "output_tokens")


def stated_rows(finding: Finding) -> Iterator[list[Any]]:
    """The rows of the file on a finding's accounts, in the order of their pseudonyms."""
    rows = finding.accounts.select_related("account").order_by("account__pseudonym", "account")
    for one in rows.iterator(chunk_size=CHUNK):
        account = one.account
        volume = [one.exchanges, one.input_tokens, one.output_tokens]
        yield [account.provider_id, account.namespace, account.pseudonym, *volume]


def as_csv(columns: Iterable[str], rows: Iterable[list[Any]]) -> BytesIO:
    """The file, from its beginning: some two hundred bytes an account."""
    text = io.StringIO(newline="")
    schedules.write(text, columns, rows)
    return BytesIO(text.getvalue().encode())


def _when(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
