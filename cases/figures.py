"""The headline figures of a case: computed from verdicts and members, each printed with its rule."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Count, Max, Min, Sum

from cases import history, testers
from cases.history import Cut
from cases.models import Case, CaseAccount
from cases.vocabulary import VerdictValue

Value = int | datetime | None


@dataclass
class Sums:
    """What the accounts with one verdict come to, each account counted once."""

    accounts: int = 0
    exchanges: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None

    def add(self, other: "Sums") -> None:
        """Take these accounts in."""
        self.accounts += other.accounts
        self.exchanges += other.exchanges
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.first_seen = _pick(min, self.first_seen, other.first_seen)
        self.last_seen = _pick(max, self.last_seen, other.last_seen)


@dataclass(frozen=True)
class Totals:
    """The sums of a case by newest verdict; none stands under the empty text. `sanctioned`: how many are listed."""

    by_verdict: dict[str, Sums] = field(default_factory=dict)
    sanctioned: int = 0

    def of(self, *verdicts: str) -> Sums:
        """The sums over these verdicts, over all accounts when none is named."""
        total = Sums()
        for value in verdicts or self.by_verdict:
            total.add(self.by_verdict.get(value, Sums()))
        return total


@dataclass(frozen=True)
class Figure:
    """One line of the table: what it is called, the rule printed beside it, and how it comes from the totals.

    `verdict` is the filter that shows the counted rows on the Accounts tab: a verdict, `none`, or empty for all;
    `tester` likewise, `yes` for those on the list of sanctioned testers.
    """

    key: str
    label: str
    unit: str
    rule: str
    compute: Callable[[Totals], Value]
    verdict: str = ""
    tester: str = ""


@dataclass(frozen=True)
class Computed:
    """A figure with its value for one case at one cut."""

    figure: Figure
    value: Value


ACTOR = VerdictValue.ACTOR_CONTROLLED.value
_VOLUME = "each account once, by its membership in the held cluster of the newest run"


def _counted(value: str, meaning: str) -> Figure:
    label = f"accounts: {VerdictValue(value).label}"
    rule = f"accounts of this case whose newest verdict is {VerdictValue(value).label} ({meaning})"
    return Figure(f"accounts_{value}", label, "accounts", rule, lambda totals: totals.of(value).accounts, value)


FIGURES: tuple[Figure, ...] = (
    Figure(
        "accounts_actor_controlled",
        "accounts assessed as actor-controlled",
        "accounts",
        "accounts of this case whose newest verdict is actor-controlled",
        lambda totals: totals.of(ACTOR).accounts,
        ACTOR,
    ),
    Figure(
        "exchanges_actor_controlled",
        "exchanges of accounts assessed as actor-controlled",
        "exchanges",
        f"sum of exchanges of the accounts whose newest verdict is actor-controlled, {_VOLUME}",
        lambda totals: totals.of(ACTOR).exchanges,
        ACTOR,
    ),
    Figure(
        "input_tokens_actor_controlled",
        "input tokens of accounts assessed as actor-controlled",
        "tokens",
        f"sum of input tokens of the accounts whose newest verdict is actor-controlled, {_VOLUME}",
        lambda totals: totals.of(ACTOR).input_tokens,
        ACTOR,
    ),
    Figure(
        "output_tokens_actor_controlled",
        "output tokens of accounts assessed as actor-controlled",
        "tokens",
        f"sum of output tokens of the accounts whose newest verdict is actor-controlled, {_VOLUME}",
        lambda totals: totals.of(ACTOR).output_tokens,
        ACTOR,
    ),
    Figure(
        "first_activity_actor_controlled",
        "first activity of accounts assessed as actor-controlled",
        "UTC",
        f"earliest exchange of the accounts whose newest verdict is actor-controlled, {_VOLUME}",
        lambda totals: totals.of(ACTOR).first_seen,
        ACTOR,
    ),
    Figure(
        "last_activity_actor_controlled",
        "last activity of accounts assessed as actor-controlled",
        "UTC",
        f"latest exchange of the accounts whose newest verdict is actor-controlled, {_VOLUME}",
        lambda totals: totals.of(ACTOR).last_seen,
        ACTOR,
    ),
    Figure(
        "accounts_in_case",
        "accounts in the case",
        "accounts",
        "accounts that are members of a cluster this case holds and were not detached, whatever their verdict",
        lambda totals: totals.of().accounts,
    ),
    Figure(
        "exchanges_in_case",
        "exchanges of all accounts in the case",
        "exchanges",
        f"sum of exchanges of all accounts in the case, whatever their verdict, {_VOLUME}",
        lambda totals: totals.of().exchanges,
    ),
    _counted("reseller_pool", "customers of somebody who resells access"),
    _counted("victim", "taken over: the owner did not act"),
    _counted("benign", "unconnected with the operation"),
    _counted("unknown", "looked at, and not decidable on what is known"),
    Figure(
        "accounts_without_verdict",
        "accounts without a verdict",
        "accounts",
        "accounts of this case nobody has decided about, or whose only decision was taken back",
        lambda totals: totals.of("").accounts,
        "none",
    ),
    Figure(
        "accounts_sanctioned_testers",
        "accounts on the list of sanctioned testers",
        "accounts",
        "accounts of this case that the list of authorised tests names, where their activity and the test's window "
        "overlap, whatever their verdict",
        lambda totals: totals.sanctioned,
        tester="yes",
    ),
)


def compute(case: Case, at: Cut | None = None) -> list[Computed]:
    """Every figure of the table, for the present or for a cut."""
    sums = replace(totals(case, at), sanctioned=testers.count_at(case, at))
    return [Computed(figure, figure.compute(sums)) for figure in FIGURES]


def totals(case: Case, at: Cut | None = None) -> Totals:
    """The sums by newest verdict: from the index for the present, from the protected rows for a cut."""
    return _present(case) if at is None else _at_cut(case, at)


def _present(case: Case) -> Totals:
    groups = CaseAccount.objects.filter(case=case).values("value").order_by("value")
    sums = groups.annotate(
        accounts=Count("id"),
        sum_exchanges=Sum("exchanges"),
        sum_input=Sum("member__input_tokens"),
        sum_output=Sum("member__output_tokens"),
        first=Min("member__first_seen"),
        last=Max("member__last_seen"),
    )
    return Totals(
        {
            row["value"]: Sums(
                row["accounts"],
                int(row["sum_exchanges"]),
                int(row["sum_input"]),
                int(row["sum_output"]),
                row["first"],
                row["last"],
            )
            for row in sums
        }
    )


def _at_cut(case: Case, at: Cut) -> Totals:
    verdicts = dict(history.verdicts_at(case, at).values_list("account_id", "value"))
    columns = ("account_id", "exchanges", "input_tokens", "output_tokens", "first_seen", "last_seen")
    result = Totals()
    for account, *volume in history.members_at(case, at).values_list(*columns):
        sums = result.by_verdict.setdefault(verdicts.get(account, ""), Sums())
        sums.add(Sums(1, *volume))
    return result


def _pick(choose: Callable[[Iterable[datetime]], datetime], *moments: datetime | None) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return choose(known) if known else None
