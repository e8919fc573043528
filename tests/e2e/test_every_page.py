"""Every page of the ladder, as a role that is served it: it fits a narrow and a wide window, and axe finds nothing."""

import pytest

from tests import test_roles_pages
from tests.e2e.browsing import Windows
from tests.e2e.test_accessibility import NO_MOTION, OPEN_FOLDS, violations
from tests.e2e.test_layout import overflows
from tests.e2e.test_payloads import goes, visits
from tests.factories import Cast

pytestmark = [pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])]
page_stage = test_roles_pages.stage  # fixture
NOT_OURS = {"GET api/v1/docs/"}  # Swagger UI, whose colours are its own; that it fits is in test_layout.py


def test_every_page_of_the_ladder_fits_and_has_no_violation(
    windows: Windows, committed_cast: Cast, no_broker: None, page_stage: dict[str, str]
) -> None:
    people = {person.role: windows.open(person, **NO_MOTION) for person in committed_cast.all()}
    found = []
    for line, role, address in visits(test_roles_pages, page_stage):
        page = people[role]
        if line not in NOT_OURS and goes(page, address) and page.evaluate("document.contentType") == "text/html":
            page.evaluate(OPEN_FOLDS)
            found += [*overflows(page, line), *violations(page, line)]
    assert not found, "\n".join(found)
