"""P4: queue, case list and findings list at 1 M findings, under every filter that is offered; server time, p95.

Each address is asked for once and then twenty times, through a real web process, as an analyst; the API's list of
findings as well. Deep pages are those after a tenth of the list. RETORT_BENCH_FINDINGS sets the number. Beside the time
that a client waits stands the processor time that web process and database spent: what is waited for where nothing else
runs, since all of it is in memory and one after the other.

Prediction before the first run: with indexes in the order of ids every page of findings costs under 60 ms, of which 30
are the page itself; the slowest is the account that is in 20,000 findings, and groups by account, near 100 ms. The
queue and the case list do not look at findings and stay under 80 ms, counting included.

Seen, with some ten other programs on the two cores (load 11): no address of 106 takes more processor time than 71 ms
(queue 65, cases 37, findings 71, groups 71, API 47); p95 of what was waited for 106, 81, 132, 103 and 68 ms. Not as
predicted: the queue took 340 ms, because it made a preservation clock for each open case; it makes them for those that
may lose something soon. NOT IN over the batches in quarantine was paid for at every step of a nested loop (153 ms for
an account in 20,000 findings; 53 as NOT EXISTS). Four indexes in the order of ids in place of two in that of arrival
cost the database less than its noise: 32 against 31 microseconds a finding.
On a machine with little else to do: p95 of queue, cases, findings, groups and API 85, 31, 47, 52 and 34 ms; two of 106
addresses, both of the queue, are above 100 ms in waiting (at most 112), none in processor time.

Windows by day, prediction: like the other filters under 60 ms of processor time, since two look-ups (two steps in an
index for each day) say between which ids the list has to be read. Queue: some 10 ms less than 65, for nine queries over
what cases miss are asked only of cases that somebody works on, and here nobody does. Seen of windows are plans alone,
over a million rows: a page reads 51 to 160 of them (0.1 to 0.4 ms) under every pair of days and with a rare signal, a
common one or a rare score; but where twenty findings over a day three weeks ago came only now, the page of that day
reads past the 607,000 that came in between. Measured since, with windows by day, on a slow machine with
nothing else to do (twenty million additions in a loop of Python take 3.1 s there): p95 of queue, cases, findings,
groups and API 221, 123, 189, 170 and 97 ms; 110 of 176 addresses are above the goal in waiting, 82 in processor time.
The slowest address of each kind takes 2.3 to 2.6 times the processor time of before, also of the API, which does what
it did, and the queue 2.9 times. That is consistent with the machine alone, the queue apart; the two were not run side
by side on one machine.
The same pages a day later, on such a machine in a quicker hour (2.2 s for that loop): 133, 90, 102, 104 and 59 ms; 23
of 176 addresses above the goal in waiting, 11 in processor time, the queue's and those of one busy account.
On a machine twice as fast (1.1 s for that loop): 77, 39, 57, 70 and 41 ms; one of 176 addresses, the queue of what
waits, is above the goal in waiting (106 ms), none in processor time (at most 88).
The two indexes by day cost the database 45 and 51 microseconds a row where it took 32 and 34 without them (rows of
findings alone, on busy cores): more than the four before them.
"""

import http.client
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benchmarks import lists
from benchmarks.apart import installation, web
from config.embedded import postgres

FINDINGS = int(os.environ.get("RETORT_BENCH_FINDINGS", "1000000"))
TIMES, GOAL = 20, 100


def main() -> None:
    """Measure and print."""
    with installation() as home:
        from people.actions import create_token, create_user
        from people.models import Role, User
        from spine.principal import acting_as

        with acting_as("system:benchmark"):
            create_user(actor="system:benchmark", username="analyst", role=Role.ANALYST, password="a long passphrase 1")
            token = create_token(actor="system:benchmark", username="analyst")
        begun = time.monotonic()
        with postgres.connect(home) as owner:
            for script in (lists.FUNCTIONS, lists.FINDINGS, lists.JUDGED):
                owner.execute(script.format(size=FINDINGS) if script is not lists.FUNCTIONS else script)
            owner.commit()
            owner.autocommit = True
            owner.execute("VACUUM (ANALYZE)")
        sys.stderr.write(f"filled in {time.monotonic() - begun:.0f} s; {home.path}\n")
        with acting_as("system:benchmark"):
            cookie = session_of(User.objects.get(username="analyst"))
            asked = list(addresses())
        with web() as (url, pid):
            taken = answered(url, cookie, token, asked, Spent(pid, home.path))
    report(taken)


def session_of(person: object) -> str:
    """The cookie of somebody who is signed in."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(person)  # type: ignore[arg-type]
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def addresses() -> Iterator[tuple[str, str]]:
    """What is asked for, by name: every filter with a value that many rows have and one that few have."""
    yield from (("queue", f"/?{urlencode(one)}") for one in queue())
    yield from (("cases", f"/cases/?{urlencode(one)}") for one in cases())
    yield from (("findings", f"/findings/?{urlencode(one)}") for one in findings())
    yield from (("groups", f"/findings/?{urlencode(one)}") for one in groups())
    yield from (("findings_api", f"/api/v1/findings/?{urlencode(one)}") for one in findings_api())


def queue() -> Iterator[dict[str, str]]:
    from cases.models.lead import LeadState
    from detection.models import AssessmentLabel

    yield from ({"state": state} for state in [*LeadState.values, "all"])
    yield from ({"kind": kind} for kind in AssessmentLabel.values)
    yield from ({"state": "all", "q": "alike"}, {"state": "all", "q": "none has it"})


def cases() -> Iterator[dict[str, str]]:
    from cases.models.case import CaseStatus

    yield from ({"status": status} for status in ["", *CaseStatus.values])
    yield from ({"q": "alike"}, {"q": "RT-2026-00777"}, {"q": "none has it"})


def findings() -> Iterator[dict[str, str]]:
    from detection.models import Account, Attribute

    pseudonyms = Account.objects.filter(provider_id__in=["acct-1", "acct-7"]).order_by("provider_id")
    values = Attribute.objects.filter(value__in=["value-1", f"value-{lists.TEMPLATES}"]).order_by("value")
    spans = [("since", 1 / 24), ("since", 29), ("until", 1), ("until", 29)]
    conditions: list[tuple[str, object]] = [
        *(("signal", f"signal_{n}") for n in (1, lists.SIGNALS)),
        *(("detector", f"detector-{n}") for n in (1, lists.DETECTORS)),
        *(("version", version) for version in ("1.0.0", "3.0.0")),
        *(("account", one.pseudonym) for one in pseudonyms),
        *(("attribute", one.pk) for one in values),
        *(("min_score", score) for score in (0.1, 0.9, 0.9999)),
        *((name, time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() - days * 86400))) for name, days in spans),
        *((name, day(ago)) for name in ("window_from", "window_until") for ago in (1, 15, 29)),
        *(("standing", standing) for standing in ("counts", "superseded", "set_aside", "recalled")),
    ]
    alone = [{name: str(value)} for name, value in conditions]
    yield {}
    yield {"cursor": deep()}
    yield from alone
    yield from ({**one, "cursor": deep()} for one in alone if "standing" not in one)
    common = {"signal": "signal_1", "detector": "detector-1", "min_score": "0.5", "standing": "counts"}
    rare = {"signal": f"signal_{lists.SIGNALS}", "detector": f"detector-{lists.DETECTORS}"}
    yield from (common, rare, {**common, **rare}, {**rare, "version": "2.0.0"}, {**common, "account": "A-000001"})
    yield {"signal": "signal_1", "detector": f"detector-{lists.DETECTORS}", "min_score": "0.2"}  # none at all
    for first, last in ((1, 0), (15, 15), (21, 15), (29, 28), (99, 90), (29, 0)):
        yield {"window_from": day(first), "window_until": day(last)}
        yield {"window_from": day(first), "window_until": day(last), **rare}
        yield {"window_from": day(first), "window_until": day(last), "min_score": "0.9999"}
        yield {"window_from": day(first), "window_until": day(last), "account": "A-000001"}


def day(ago: int) -> str:
    """The day (UTC) of so many days ago."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago * 86400))


def deep() -> str:
    """The cursor of a page after a tenth of the list."""
    from cases.paging import _write
    from detection.models import Finding

    ids = Finding.objects.order_by("-id").only("id")
    return _write("a", ids[FINDINGS // 10], ["-id"])


def groups() -> Iterator[dict[str, str]]:
    from detection.finding_groups import BY

    for by in BY:
        yield {"by": by}
        yield {"by": by, "detector": "detector-1"}
        yield {"by": by, "account": "A-000001"}
        yield {"by": by, "window_from": day(15), "window_until": day(14)}


def findings_api() -> Iterator[dict[str, str]]:
    from cases.forms_findings import STANDINGS
    from detection.models import Account, Attribute

    account = Account.objects.get(provider_id="acct-1")
    names = {"A-000001": str(account.pk), "A-000007": str(Account.objects.get(provider_id="acct-7").pk)}
    for one in findings():
        given = {name: names.get(value, value) for name, value in one.items() if name not in {"standing", "cursor"}}
        for name, value in STANDINGS.get(one.get("standing", ""), {}).items():
            given[name] = str(value).lower()
        for name in ("since", "until"):
            if name in given:
                given[name] += ":00Z"
        yield given
    assert Attribute.objects.exists()


class Spent:
    """Processor time of the web process and of the database, with all that they have started."""

    def __init__(self, web: int, home: Path) -> None:
        postmaster = next(home.rglob("postmaster.pid")).read_text(encoding="utf-8").split()[0]
        self.parents, self.tick = {web, int(postmaster)}, os.sysconf("SC_CLK_TCK")

    def milliseconds(self) -> float:
        """So far, those that have ended included."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                text = stat.read_text()
            except OSError:
                continue
            fields = text.rpartition(")")[2].split()
            if int(stat.parent.name) in self.parents or int(fields[1]) in self.parents:
                total += sum(map(int, fields[11:13]))
                total += sum(map(int, fields[13:15])) if int(stat.parent.name) in self.parents else 0
        return 1000 * total / self.tick


@dataclass(frozen=True)
class Taken:
    """Milliseconds that a client waited for each answer, and of processor time on average."""

    waited: list[float]
    worked: float


def answered(
    url: str, cookie: str, token: str, asked: list[tuple[str, str]], spent: Spent
) -> dict[tuple[str, str], Taken]:
    """What each address took."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    taken = {}
    for name, address in asked:
        times, before = [], 0.0
        for turn in range(TIMES + 1):
            before = spent.milliseconds() if turn == 1 else before
            who = {"Authorization": f"Bearer {token}"} if name.endswith("api") else {"Cookie": cookie}
            start = time.perf_counter()
            connection.request("GET", address, headers=who)
            response = connection.getresponse()
            body = response.read()
            waited = 1000 * (time.perf_counter() - start)
            assert response.status == 200, (address, response.status, body[:500])
            if turn:
                times.append(waited)
        taken[name, address] = Taken(times, (spent.milliseconds() - before) / TIMES)
    return taken


def report(taken: dict[tuple[str, str], Taken]) -> None:
    """Lines for each list with all its filters and for its slowest filter; on stderr each address."""
    for (name, address), one in sorted(taken.items(), key=lambda one: -one[1].worked):
        sys.stderr.write(f"{one.worked:6.1f} ms worked {p95(one.waited):7.1f} ms p95 {name} {address}\n")
    for name in dict.fromkeys(name for name, _ in taken):
        each = [one for (of, _), one in taken.items() if of == name]
        size = f"{len(each)} filters over {FINDINGS} findings"
        print(f"lists_{name}_p95 {p95([time for one in each for time in one.waited]):.1f} ms {size}")
        print(f"lists_{name}_slowest_filter_p95 {max(p95(one.waited) for one in each):.1f} ms {size}")
        print(f"lists_{name}_slowest_filter_worked {max(one.worked for one in each):.1f} ms {size}")
    addresses = f"count of {len(taken)} addresses"
    print(f"lists_over_goal {sum(p95(one.waited) > GOAL for one in taken.values())} {addresses}")
    print(f"lists_over_goal_worked {sum(one.worked > GOAL for one in taken.values())} {addresses}")


def p95(times: list[float]) -> float:
    """What 19 of 20 stay under."""
    return sorted(times)[max(0, round(0.95 * len(times)) - 1)]


if __name__ == "__main__":
    main()
