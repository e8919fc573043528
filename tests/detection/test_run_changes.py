"""What changed between two runs, by overlap of members: each kind of change, counted and named."""

import pytest

from detection import run_changes
from detection.models import Run, TelemetrySource
from detection.run_changes import ChangeKind
from spine.errors import Refused
from tests.factories import make_run, provider_ids

pytestmark = pytest.mark.django_db


def ids(*ranges: tuple[int, int]) -> list[str]:
    return [one for start, end in ranges for one in provider_ids(end - start, start=start)]


def told(run: Run, since: Run) -> list[tuple[str, int, int, int]]:
    return [(one.kind.value, one.stayed, one.joined, one.left) for one in run_changes.changes(run, since)]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([[(0, 10)]], [[(0, 10)]], [("same", 10, 0, 0)]),
        ([[(0, 10)]], [[(0, 14)]], [("joined", 10, 4, 0)]),
        ([[(0, 10)]], [[(0, 7)]], [("left", 7, 0, 3)]),
        ([[(0, 10)]], [[(2, 12)]], [("joined_and_left", 8, 2, 2)]),
        ([[(0, 10)]], [[(0, 6)], [(6, 10)]], [("split", 10, 0, 0)]),
        ([[(0, 6)], [(6, 10)]], [[(0, 11)]], [("merged", 10, 1, 0)]),
        ([[(0, 10)]], [], [("gone", 0, 0, 10)]),
        ([], [[(0, 10)]], [("new", 0, 10, 0)]),
        ([[(0, 10)]], [[(8, 30)]], [("new", 0, 22, 0), ("gone", 0, 0, 10)]),  # two in common carry nothing on
        ([[(0, 6)], [(6, 12)]], [[(0, 3), (6, 9)], [(3, 6), (9, 12)]], [("regrouped", 12, 0, 0)]),
    ],
)
def test_each_kind_of_change(
    before: list[list[tuple[int, int]]], now: list[list[tuple[int, int]]], expected: list[tuple[str, int, int, int]]
) -> None:
    since = make_run(*[ids(*one) for one in before])
    run = make_run(*[ids(*one) for one in now])
    assert told(run, since) == expected


def test_two_runs_are_compared_in_three_queries_and_name_fifty(django_assert_num_queries: object) -> None:
    since = make_run(ids((0, 100)), ids((200, 204)))
    run = make_run(ids((0, 170)), ids((200, 204)))
    with django_assert_num_queries(3):  # type: ignore[operator]
        found = run_changes.changes(run, since)
    assert [one.kind for one in found] == [ChangeKind.JOINED, ChangeKind.SAME]
    assert (found[0].joined, len(found[0].joined_accounts), found[0].left_accounts) == (70, 50, ())
    assert list(found[0].joined_accounts) == sorted(found[0].joined_accounts)
    assert run_changes.counts(found)["accounts_joined"] == 70
    rows = list(run_changes.account_rows(run, since))
    assert {row[2] for row in rows} == set(ids((100, 170)))
    assert {tuple(row[:2]) for row in rows} == {("joined", "joined")}


def test_a_run_is_compared_with_the_one_before_or_another_of_its_source() -> None:
    first, second, third = (make_run(ids((0, 4 + number))) for number in range(3))
    assert run_changes.compared_with(third, None) == second
    assert run_changes.compared_with(third, first.pk) == first
    assert run_changes.compared_with(first, None) is None
    other = TelemetrySource.objects.create(name="elsewhere")
    for wrong in (third.pk, other.pk):
        with pytest.raises(Refused):
            run_changes.compared_with(third, wrong)
