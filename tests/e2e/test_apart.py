"""The places apart in the browser: counsel track, deconfliction, sanctioned testers, at every width, light and dark."""

import pytest
from django.urls import reverse

from cases.actions import deconfliction as verbs
from people.models import User
from tests.cases.deconflicting import ask, asking_case, compared, hidden_case, make_broker
from tests.cases.testers import list_test
from tests.cases.tracks import let_in, make_track, write_note
from tests.e2e.browsing import Windows
from tests.e2e.test_accessibility import NO_MOTION, OPEN_FOLDS, violations
from tests.e2e.test_layout import overflows
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


def test_every_page_apart_fits_and_has_no_violation(windows: Windows, committed_cast: Cast) -> None:
    cast = committed_cast
    broker, hidden, case = make_broker(cast), hidden_case(cast), asking_case(cast)
    track = make_track(case, cast)
    let_in(track, cast, cast.lead)
    write_note(track, cast.counsel)
    list_test(cast.lead)
    question = ask(case, cast.counsel)
    [match] = compared(question)
    verbs.approach(match, actor=broker, words="May I name you?")
    names = ("counsel", "counsel_members", "counsel_log", "counsel_exports", "case_deconfliction", "case_accounts")
    visits: list[tuple[User, str]] = [(cast.counsel, reverse(name, args=[case.ref])) for name in names]
    visits += [(cast.lead, reverse("case_deconfliction", args=[hidden.ref])), (cast.lead, reverse("testers"))]
    visits += [(broker, reverse("desk")), (broker, reverse("desk_question", args=[question.pk]))]
    visits += [(cast.admin, reverse("brokers")), (cast.admin, reverse("testers"))]
    found = []
    pages = {person: windows.open(person, **NO_MOTION) for person in {person for person, _ in visits}}
    for person, address in visits:
        page = pages[person]
        page.set_viewport_size({"width": 1280, "height": 800})
        assert page.goto(address)
        page.evaluate(OPEN_FOLDS)
        found += violations(page, address) + overflows(page, address)
    assert found == []
