"""What the second wall costs, and whether a restricted case can be told from a missing one by the clock.

Prediction before the first run: counting 50,000 account rows costs at most a tenth more behind the wall, because the
list of hidden cases is made once a query; in the form "is one of the visible cases" it costs several times as much,
because PostgreSQL goes through that list row by row. Answers about a restricted and a missing case take the same time.
Seen: 3.8 with the hidden cases as an array, 0.95 to 1.8 as a hash table; answers within 6 % of each other.

Of the log: hiding the entries of hidden leads costs at most 1.3 times what hiding those of hidden cases costs, over
300,000 entries of which half are about leads. Seen: 1.0 to 1.5 (three runs on a loaded machine).
"""

import http.client
import statistics
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from benchmarks.apart import installation, web
from config.embedded import postgres

CASES, RESTRICTED, ACCOUNTS, REQUESTS = 2_000, 40, 50_000, 300
LEADS, ENTRIES = 20_000, 300_000
FILL = f"""
SET session_replication_role = replica;
INSERT INTO cases_case (id, ref, title, summary, status, closing_reason, marking, restricted, created_at, updated_at)
SELECT gen_random_uuid(), 'RT-2026-' || lpad(n::text, 5, '0'), 'A case', '', 'open', '', 'TLP:AMBER', n <= {RESTRICTED},
       now(), now()
FROM generate_series(1, {CASES}) n;
INSERT INTO cases_caseaccount (id, case_id, account_id, member_id, value, exchanges)
SELECT gen_random_uuid(), (SELECT id FROM cases_case WHERE ref = 'RT-2026-00100'), gen_random_uuid(),
       gen_random_uuid(), '', n
FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO cases_lead (id, cluster_id, state, why_now, raised_at, changed_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'in_case', '', now(), now() FROM generate_series(1, {LEADS});
INSERT INTO cases_leaddecision
       (id, entry_id, place, lead_id, cluster_id, kind, case_id, decided_by_id, reason, note, at)
SELECT gen_random_uuid(), gen_random_uuid(), 0, l.id, gen_random_uuid(), 'opened', c.id, gen_random_uuid(), '', '',
       now()
FROM (SELECT id, row_number() OVER () n FROM cases_lead) l
JOIN (SELECT id, row_number() OVER () n FROM cases_case) c ON c.n = l.n % {CASES} + 1;
INSERT INTO spine_logentry (id, at, actor, action, about, scope, data, salt, row_count, row_digests, rows_root)
SELECT gen_random_uuid(), now() - n * interval '1 second', 'system:leads', 'lead.seen_again', about, scope, '{{}}', '',
       0, '', ''
FROM (
    SELECT 'cases.lead:' || l.id about, NULL::uuid scope, n
    FROM (SELECT id, row_number() OVER () n FROM cases_lead) l, generate_series(1, {ENTRIES // 2 // LEADS})
    UNION ALL
    SELECT 'cases.case:' || c.id, c.id, n
    FROM (SELECT id, row_number() OVER () n FROM cases_case) c, generate_series(1, {ENTRIES // 2 // CASES})
) entries;
SET session_replication_role = origin;
ANALYZE;
"""
LOG_COUNT = "SELECT count(*) FROM spine_logentry WHERE row_count >= 0"
COUNT = "SELECT count(*) FROM cases_caseaccount WHERE exchanges > 0"
SEEN = "case_id = ANY (ARRAY(SELECT id FROM cases_case))"


def main() -> None:
    """Measure and print."""
    with installation() as home:
        from cases import walls_apart
        from people.actions import create_token, create_user
        from people.models import Role
        from spine.principal import acting_as

        with acting_as("system:benchmark"):
            create_user(actor="system:benchmark", username="reader", role=Role.READER, password="a long passphrase 1")
            token = create_token(actor="system:benchmark", username="reader")
        with postgres.connect(home) as owner:
            owner.execute(FILL)
            open_to_all = median(lambda: owner.execute(COUNT).fetchone())
        behind = counted("user:reader", COUNT)
        by_seen = counted("user:reader", f"{COUNT} AND {SEEN}")
        print(f"wall_count_over_no_wall {behind / open_to_all:.3f} ratio {ACCOUNTS}")
        print(f"wall_by_visible_list_over_no_wall {by_seen / open_to_all:.3f} ratio {ACCOUNTS}")
        with_leads = counted("user:reader", LOG_COUNT)
        with postgres.connect(home) as owner:
            rewrite = "ALTER POLICY retort_need_to_know ON spine_logentry USING ({})"
            owner.execute(rewrite.format(walls_apart.SCOPE.sql))
            scope_alone = counted("user:reader", LOG_COUNT)
            owner.execute(rewrite.format(walls_apart.ENTRIES.sql))
        print(f"wall_log_with_leads_over_scope_alone {with_leads / scope_alone:.3f} ratio {ENTRIES}")
        with web() as (url, _):
            hidden, missing = answered(url, token)
        print(f"restricted_over_missing_median {hidden / missing:.4f} ratio {REQUESTS}")


def median(ask: Callable[[], object], times: int = 15) -> float:
    """The median time of a question, in seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def counted(principal: str, query: str) -> float:
    """The median time of a query as the application role, for this principal."""
    from django.db import connection

    from spine.principal import acting_as

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute(query)
            cursor.fetchone()

    with acting_as(principal):
        return median(ask)


def answered(url: str, token: str) -> tuple[float, float]:
    """Median seconds of answers about a restricted and about a missing case, asked in turn on one connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    taken: dict[str, list[float]] = {"RT-2026-00001": [], "RT-2026-ZZZZZ": []}
    for _ in range(REQUESTS):
        for ref, times in taken.items():
            start = time.perf_counter()
            connection.request("GET", f"/api/v1/cases/{ref}/", headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
            times.append(time.perf_counter() - start)
            assert response.status == 404, response.status
    hidden, missing = (statistics.median(times) for times in taken.values())
    return hidden, missing


if __name__ == "__main__":
    main()
