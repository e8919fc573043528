"""Holds: what they cover, who acknowledges, and that two people release them."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from cases import actions, holds
from cases.actions import Keeper
from cases.filters import AccountFilter
from cases.models import Case, Hold, HoldRelease, Notice
from detection.models import TelemetrySource
from spine import log
from spine.errors import Conflict, Refused
from spine.models import LogEntry
from tests.factories import START, Cast, add_exhibit, make_case, make_person


@pytest.fixture
def case(cast: Cast) -> Case:
    return make_case(cast)


def place(case: Case, cast: Cast, **fields: Any) -> Hold:
    given = {"matter": "A dispute", "trigger": "A letter came", "triggered_at": START, "scope": "case"}
    return actions.place_hold(case, actor=cast.counsel, **{**given, **fields})


def custody(case: Case) -> list[str]:
    return [
        event.action for item in case.evidence.all() for event in item.custody.order_by("at") if "hold" in event.action
    ]


def test_whole_case_is_counted_and_its_exhibits_get_an_event(case: Case, cast: Cast) -> None:
    add_exhibit(case, cast.analyst)
    hold = place(case, cast)

    assert hold.query == {"case": case.ref, "accounts": 4, "exhibits": 1, "dossiers": 0}
    assert custody(case) == ["hold_placed"]
    assert LogEntry.objects.get(action="hold.placed").row_count == 2


def test_custodians_who_sign_in_here_are_told_and_nobody_else(case: Case, cast: Cast) -> None:
    hold = place(case, cast, keepers=[Keeper(person=cast.reader), Keeper(name="The log team", contact="by phone")])
    actions.add_custodian(hold, actor=cast.counsel, keeper=Keeper(person=cast.analyst))
    told = {(one.recipient.username, one.text.partition(" Please")[0]) for one in Notice.objects.all()}
    words = "You are to keep what Hold 1 covers."
    assert told == {("reader", words), ("analyst", words)}


def test_notice_is_settled_by_acknowledging_and_by_the_release(case: Case, cast: Cast) -> None:
    hold = place(case, cast, keepers=[Keeper(person=cast.reader), Keeper(person=cast.analyst)])
    actions.acknowledge(hold.custodians.get(person=cast.reader), actor=cast.reader)
    assert {one.recipient for one in Notice.objects.filter(seen_at=None)} == {cast.analyst}

    asked = actions.ask_release(hold, actor=cast.counsel, reason="The dispute is settled.")
    actions.release_hold(hold, actor=cast.lead, ask=asked.pk)
    assert not Notice.objects.filter(seen_at=None).exists()


def test_custody_of_a_release_does_not_say_that_deletion_is_refused(case: Case, cast: Cast) -> None:
    item = add_exhibit(case, cast.analyst)
    hold = place(case, cast)
    asked = actions.ask_release(hold, actor=cast.counsel, reason="The dispute is settled.")
    actions.release_hold(hold, actor=cast.lead, ask=asked.pk)
    said = {event.action: event.how for event in item.custody.filter(action__startswith="hold_")}
    assert said["hold_placed"].endswith("deletion is refused by the database")
    assert said["hold_released"].endswith("this hold no longer refuses deletion")


def test_accounts_are_stored_as_a_filter_with_its_exact_count(case: Case, cast: Cast) -> None:
    hold = place(case, cast, scope="accounts", accounts=AccountFilter(verdict="none"))

    assert (hold.query, hold.count) == ({"accounts": {"verdict": "none"}}, 4)
    assert holds.scope_words(hold).startswith("4 accounts (no verdict)")


def test_source_needs_a_window_and_exhibit_a_number(case: Case, cast: Cast) -> None:
    source = TelemetrySource.objects.get()
    with pytest.raises(Refused):
        place(case, cast, scope="source", source=source)
    with pytest.raises(Refused):
        place(case, cast, scope="exhibit", exhibit=7)
    window = {"window_start": START, "window_end": START + timedelta(days=1)}
    assert place(case, cast, scope="source", source=source, **window).source == source


def test_a_closed_case_can_be_held(cast: Cast) -> None:
    assert place(make_case(cast, stage="closed"), cast).number == 1


def test_analysts_and_readers_place_none(case: Case, cast: Cast) -> None:
    for actor in (cast.analyst, cast.reader, cast.admin):
        with pytest.raises(PermissionDenied):
            actions.place_hold(case, actor=actor, matter="m", trigger="t", triggered_at=START, scope="case")


def test_custodian_acknowledges_in_person_once(case: Case, cast: Cast) -> None:
    hold = place(case, cast, keepers=[Keeper(cast.analyst)])
    custodian = hold.custodians.get()
    assert [one.pk for one in holds.mine(cast.analyst)] == [custodian.pk]
    with pytest.raises(Refused):
        actions.acknowledge(custodian, actor=cast.lead)
    actions.acknowledge(custodian, actor=cast.analyst)
    with pytest.raises(Conflict):
        actions.acknowledge(custodian, actor=cast.analyst)

    assert not holds.mine(cast.analyst).exists()


def test_for_somebody_outside_a_document_is_recorded(case: Case, cast: Cast) -> None:
    hold = place(case, cast, keepers=[Keeper(name="Gateway team")])
    custodian = hold.custodians.get()
    with pytest.raises(Refused, match="no exhibit 1"):
        actions.acknowledge_on_behalf(custodian, actor=cast.counsel, exhibit=1)
    add_exhibit(case, cast.analyst)
    made = actions.acknowledge_on_behalf(custodian, actor=cast.counsel, exhibit=1)

    assert made.document is not None and made.on_behalf


def test_who_cannot_read_the_case_is_no_custodian_by_sign_in(case: Case, cast: Cast) -> None:
    with pytest.raises(Refused, match="somebody outside"):
        place(case, cast, keepers=[Keeper(cast.admin)])


def test_acknowledgements_get_overdue_and_reminders_are_due_weekly(case: Case, cast: Cast) -> None:
    hold = place(case, cast, keepers=[Keeper(cast.analyst), Keeper(name="Gateway team")], days=1)
    later = timezone.now() + timedelta(days=2)
    actions.remind(hold.custodians.get(person=None), actor=cast.counsel, note="By mail")
    now, then = holds.standing(hold), holds.standing(holds.of_case(case)[0], later)

    assert (len(now.unacknowledged), len(now.overdue)) == (2, 0)
    assert (len(then.overdue), [one.name for one in then.to_remind]) == (2, ["analyst"])


def test_one_asks_and_another_releases(case: Case, cast: Cast) -> None:
    add_exhibit(case, cast.analyst)
    hold = place(case, cast)
    ask = actions.ask_release(hold, actor=cast.counsel, reason="It is settled")
    with pytest.raises(Refused, match="second person"):
        actions.release_hold(hold, actor=cast.counsel, ask=ask.pk)
    with pytest.raises(Refused, match="Nobody asked"):
        actions.release_hold(hold, actor=cast.lead, ask=case.pk)
    actions.release_hold(hold, actor=cast.lead, ask=ask.pk)
    with pytest.raises(Conflict, match="was released"):
        actions.release_hold(hold, actor=cast.lead, ask=ask.pk)

    assert custody(case) == ["hold_placed", "hold_released"]
    assert not holds.standing(Hold.objects.get()).holds


def test_the_database_refuses_one_person_for_both_however_it_is_told(case: Case, cast: Cast) -> None:
    hold = place(case, cast)
    ask = actions.ask_release(hold, actor=cast.counsel, reason="It is settled")
    other = place(case, cast)

    def insert(**fields: Any) -> None:
        row = HoldRelease(**{"hold": hold, "ask": ask, "asker": cast.counsel, "releaser": cast.lead, **fields})
        with transaction.atomic():
            log.record(actor="user:counsel", action="hold.released", about=hold, rows=[row])
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    for lie in ({"releaser": cast.counsel}, {"releaser": cast.counsel, "asker": cast.lead}, {"hold": other}):
        with pytest.raises(IntegrityError):
            insert(**lie)
    insert()


def test_a_hold_is_seen_by_who_sees_its_case(case: Case, cast: Cast) -> None:
    place(case, cast)
    stranger = make_person("admin2", "administrator")

    assert (holds.visible(cast.reader).count(), holds.visible(stranger).count()) == (1, 0)
    assert holds.counts(cast.reader) == {"standing": 1, "all": 1, "released": 0}
