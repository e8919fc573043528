"""Verbs on the list of sanctioned testers: list a test with its accounts, end it before its time."""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from cases import testers
from cases.actions import base
from cases.models import SanctionedAccount, SanctionedTest, SanctionedTestEnd
from people.models import User
from spine import log
from spine.errors import Conflict, Refused

MOST = 5000
LONGEST = 200
LOCK = 0x7E57E125  # one listing at a time, so that the same one twice is seen


@transaction.atomic
def list_test(
    *,
    actor: User,
    organisation: str,
    purpose: str,
    authorised_by: str,
    authorisation: str,
    starts_at: datetime,
    ends_at: datetime,
    provider_ids: Iterable[str],
    namespace: str = "default",
) -> SanctionedTest:
    """Put the accounts of an authorised test on the list, for its window.

    Side effects: the test; a row an account; one log entry. Verdicts are not touched. Raises Conflict when the same
    test with the same accounts stands on the list, Refused for a window that is none or too many accounts.
    """
    base.require(actor, "testers.write")
    ids = checked_ids(provider_ids)
    test = SanctionedTest(
        organisation=base.clean(organisation, field="organisation", label="The organisation", limit=200),
        purpose=base.clean(purpose, field="purpose", label="What the test may do", limit=500),
        authorised_by=base.clean(authorised_by, field="authorised_by", label="Who authorised it", limit=200),
        authorisation=base.clean(authorisation, field="authorisation", label="The authorisation", limit=300),
        starts_at=_aware(starts_at, "starts_at"),
        ends_at=_aware(ends_at, "ends_at"),
        accounts=len(ids),
        listed_by=actor,
    )
    if test.ends_at <= test.starts_at:
        raise Refused("The window ends before it starts.", field="ends_at")
    namespace = base.clean(namespace, field="namespace", label="The namespace", limit=60)
    _one_at_a_time()
    _refuse_the_same(test, set(ids), namespace)
    rows = [SanctionedAccount(test=test, namespace=namespace, provider_id=one) for one in ids]
    data = {"accounts": len(ids), "from": f"{test.starts_at:%Y-%m-%d}", "until": f"{test.ends_at:%Y-%m-%d}"}
    log.record(actor=actor.principal, action="testers.listed", about=test, data=data, rows=[test, *rows])
    return test


@transaction.atomic
def end_test(test: SanctionedTest, *, actor: User, reason: str) -> SanctionedTestEnd:
    """End a test now, before its time; what was covered until now stays covered.

    Side effects: the end; one log entry. Raises Conflict when it was ended before, Refused when its window is over.
    """
    base.require(actor, "testers.write")
    reason = base.clean(reason, field="reason", label="The reason", limit=500)
    _one_at_a_time()
    known = SanctionedTestEnd.objects.select_related("entry").filter(test=test).first()
    if known is not None:
        raise base.lost("This test was ended", known.entry)
    now = timezone.now()
    if test.ends_at <= now:
        raise Refused("The window of this test is over already.")
    end = SanctionedTestEnd(test=test, ended_at=now, reason=reason, ended_by=actor)
    data = {"test": str(test.pk), "accounts": test.accounts}
    log.record(actor=actor.principal, action="testers.ended", about=test, data=data, rows=[end])
    return end


def checked_ids(given: Iterable[str]) -> list[str]:
    """Provider ids as they are stored, each once, in order. A refusal names the line and never the id."""
    found: dict[str, None] = {}
    for number, text in enumerate(given, 1):
        word = text.strip()
        if not word:
            continue
        if len(word) > LONGEST or not word.isprintable():
            raise Refused(f"Line {number} is no account id: at most {LONGEST} printable characters.", field="accounts")
        found[word] = None
    if not found or len(found) > MOST:
        raise Refused(f"Between 1 and {MOST:,} account ids are taken, one a line.", field="accounts")
    return list(found)


def _refuse_the_same(test: SanctionedTest, ids: set[str], namespace: str) -> None:
    same = testers.tests().filter(organisation=test.organisation, starts_at=test.starts_at, ends_at=test.ends_at)
    for known in same.filter(accounts=test.accounts, end__isnull=True):
        listed = SanctionedAccount.objects.filter(test=known, namespace=namespace).values_list("provider_id", flat=True)
        if set(listed) == ids:
            raise Conflict(f"This test stands on the list since {known.at:%d %b %Y %H:%M} UTC ({known.listed_by}).")


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _aware(moment: datetime, field: str) -> datetime:
    if moment.tzinfo is None:
        raise Refused("A time needs its time zone.", field=field)
    return moment
