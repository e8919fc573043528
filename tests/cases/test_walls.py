"""The second wall: with no question asked at all, the database shows nobody a restricted case but its members."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from cases import access
from cases.models import Case, CaseMember, Lead
from cases.walls import POLICY, WALLED
from detection.models import Finding
from people.models import User
from spine import log
from spine.models import Job, LogEntry
from spine.principal import acting_as
from tests.factories import Cast, make_case, provider_ids

pytestmark = pytest.mark.django_db
# Tables that name a case and still need no wall, with the reason.
OPEN: dict[str, str] = {}


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def restricted(cast: Cast, *members: object) -> Case:
    """A judged case that only these people are members of, and its lead."""
    case = make_case(cast, stage="judged")
    for person in members:
        CaseMember.objects.create(case=case, person=person)
    Case.objects.filter(pk=case.pk).update(restricted=True)
    return case


def about_leads() -> QuerySet[LogEntry]:
    """The entries about leads, which have no scope."""
    return LogEntry.objects.filter(about__startswith="cases.lead:")


def test_every_model_with_a_way_to_a_case_is_behind_the_wall() -> None:
    found = {"cases_case"}
    while True:  # whatever points at a walled table belongs behind the wall too
        more = {
            model._meta.db_table
            for model in apps.get_models()
            for field in model._meta.concrete_fields
            if isinstance(field, models.ForeignKey) and field.related_model._meta.db_table in found
        }
        if more <= found:
            break
        found |= more
    assert found - set(WALLED) - set(OPEN) == set()
    assert set(WALLED) & set(OPEN) == set()


def test_no_walled_table_is_written_by_copy_which_knows_no_policy() -> None:
    copied = {model._meta.db_table for model in apps.get_models() if getattr(model, "COPIED", False)}
    assert copied
    assert copied & set(WALLED) == set()


def test_every_walled_table_has_its_policy_in_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_policies WHERE policyname = %s", [POLICY])
        armed = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT relname FROM pg_class WHERE relrowsecurity")
        enabled = {name for (name,) in cursor.fetchall()}
    assert armed == set(WALLED)
    assert enabled == set(WALLED)


def test_nobody_sees_no_row_of_any_case(cast: Cast) -> None:
    make_case(cast, stage="judged")
    with acting_as(""):
        counts = {table: rows(table) for table in WALLED if not table.startswith("spine_")}
        assert counts == dict.fromkeys(counts, 0)
        assert not LogEntry.objects.exclude(scope=None).exists()
        assert not about_leads().exists()
        assert Finding.objects.exists()


@pytest.mark.parametrize("principal", ["user:admin", "user:nobody-of-that-name", "detector:api-gateway", "user:"])
def test_who_has_no_business_with_cases_sees_no_row(cast: Cast, principal: str) -> None:
    make_case(cast, stage="judged")
    with acting_as(principal):
        assert not Case.objects.exists()
        assert not Lead.objects.exists()
        assert not about_leads().exists()
        assert not LogEntry.objects.exclude(scope=None).exists()


def test_stranger_sees_nothing_of_a_restricted_case_and_everything_of_another(cast: Cast) -> None:
    open_case = make_case(cast, stage="judged", accounts=provider_ids(3, "open"))
    hidden = restricted(cast, cast.lead)
    assert about_leads().count() == 2
    Job.objects.create(kind="dossier.freeze", key="hidden", actor="user:lead", scope=hidden.pk)
    Job.objects.create(kind="dossier.freeze", key="open", actor="user:lead", scope=open_case.pk)
    everything = {table: rows(table) for table in WALLED}
    with acting_as("user:lead"):
        assert {table: rows(table) for table in WALLED} == everything
    with acting_as("user:analyst"):
        seen = {table: rows(table) for table in WALLED}
        assert list(Case.objects.all()) == [open_case]
        assert Lead.objects.get().decisions.get().case == open_case
        assert Job.objects.get().scope == open_case.pk
        assert {entry.about for entry in about_leads()} == {f"cases.lead:{Lead.objects.get().pk}"}
        assert set(LogEntry.objects.values_list("scope", flat=True)) == {None, open_case.pk}
    empty_anyway = {table for table, count in everything.items() if not count}
    assert {t for t in WALLED if seen[t] >= everything[t]} - empty_anyway == set()


def test_stranger_cannot_change_or_add_a_row_of_a_restricted_case(cast: Cast) -> None:
    hidden = restricted(cast, cast.lead)
    with acting_as("user:analyst"):
        assert Case.objects.filter(pk=hidden.pk).update(title="changed") == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            CaseMember.objects.create(case=hidden, person=cast.analyst)
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            log.record(actor="user:analyst", action="case.edited", scope=hidden.pk)


def test_membership_that_has_ended_opens_nothing(cast: Cast) -> None:
    hidden = restricted(cast, cast.lead)
    until = timezone.now() + timedelta(hours=1)
    CaseMember.objects.create(case=hidden, person=cast.analyst, via="break_glass", until=until)
    with acting_as("user:analyst"):
        assert Case.objects.filter(pk=hidden.pk).exists()
    CaseMember.objects.filter(person=cast.analyst).update(until=timezone.now() - timedelta(seconds=1))
    with acting_as("user:analyst"):
        assert not Case.objects.filter(pk=hidden.pk).exists()


def test_person_who_was_switched_off_sees_nothing(cast: Cast) -> None:
    make_case(cast, stage="open")
    cast.analyst.is_active = False
    cast.analyst.save(update_fields=["is_active"])
    with acting_as("user:analyst"):
        assert not Case.objects.exists()


def test_program_alone_hides_the_entries_of_a_hidden_lead(cast: Cast) -> None:
    open_case = make_case(cast, stage="open", accounts=provider_ids(3, "open"))
    hidden = restricted(cast, cast.lead)
    leads = {case.pk: f"cases.lead:{Lead.objects.get(decisions__case=case).pk}" for case in (open_case, hidden)}

    def told(person: User) -> set[str]:  # as a system principal, from whom the database hides nothing
        return set(access.visible_entries(person).filter(about__in=leads.values()).values_list("about", flat=True))

    assert told(cast.lead) == set(leads.values())
    assert told(cast.analyst) == {leads[open_case.pk]}
    assert told(cast.admin) == set()


def test_systems_own_work_sees_every_case(cast: Cast) -> None:
    hidden = restricted(cast, cast.lead)
    with acting_as("system:jobs"):
        assert Case.objects.filter(pk=hidden.pk).exists()
