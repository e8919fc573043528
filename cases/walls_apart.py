"""The second wall around the places apart: the counsel track for its members, the brokers' desk for brokers.

`cases.walls` raises it; the first wall is `cases.counsel` and `cases.deconfliction`.
"""

from dataclasses import dataclass

from cases.access import LEAD_ENTRIES
from cases.deconfliction import DESK


def none_of(column: str, hidden: str) -> str:
    """The condition that a column is not in what the function `hidden` lists, and that it does not give NULL.

    The function is asked once a query; the list becomes a hash table, so that a row costs one look into it.
    """
    return f"(SELECT {hidden}()) IS NOT NULL AND {column} NOT IN (SELECT unnest({hidden}()))"


@dataclass(frozen=True)
class Apart:
    """A condition of its own, as it stands in the policy."""

    sql: str

    def condition(self, table: str) -> str:
        """The SQL condition under which a row is there."""
        return self.sql


TRACK = Apart(
    "case_id <> ALL ((SELECT retort_barred_from_counsel())::uuid[])"
    " OR id = ANY ((SELECT retort_named_tracks())::uuid[])"
)
# What was found is for brokers alone; a question, and what a case is told, for its case too.
BROKERS = Apart("(SELECT retort_is_broker())")
TOLD = Apart(f"({none_of('case_id', 'retort_hidden_cases')}) OR (SELECT retort_is_broker())")
# Entries of the log and jobs: neither of a case nor of a place apart that one may not know of.
SCOPE = Apart(f"scope IS NULL OR ({none_of('scope', 'retort_hidden_scopes')})")
# An entry about a lead belongs to no case; it goes with its lead.
ABOUT_LEADS = (
    f"about NOT LIKE '{LEAD_ENTRIES}%' OR ((SELECT retort_hidden_leads()) IS NOT NULL"
    f" AND about NOT IN (SELECT '{LEAD_ENTRIES}' || unnest(retort_hidden_leads())))"
)
ENTRIES = Apart(f"({SCOPE.sql}) AND ({ABOUT_LEADS})")

# Counsel is barred from the tracks of cases that are hidden, or read by breaking the glass; others from all of them
# (NULL) but those they are let into by name.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION retort_barred_from_counsel() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text := nullif(current_setting('retort.principal', true), '');
    hidden uuid[] := public.retort_hidden_cases();
    person uuid;
BEGIN
    IF hidden IS NULL OR starts_with(who, 'system:') THEN RETURN hidden; END IF;
    SELECT u.id INTO person FROM public.people_user u WHERE u.username = substr(who, 6) AND u.role = 'counsel';
    IF person IS NULL THEN RETURN NULL; END IF;
    RETURN hidden || ARRAY(
        SELECT m.case_id FROM public.cases_casemember m JOIN public.cases_case c ON c.id = m.case_id
        WHERE c.restricted AND m.person_id = person AND m.via = 'break_glass'
    );
END $$;
CREATE OR REPLACE FUNCTION retort_named_tracks() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text := nullif(current_setting('retort.principal', true), '');
    hidden uuid[] := public.retort_hidden_cases();
BEGIN
    IF hidden IS NULL OR NOT starts_with(who, 'user:') THEN RETURN '{}'; END IF;
    RETURN ARRAY(
        SELECT m.track_id FROM public.cases_counselmember m
        JOIN public.cases_counseltrack t ON t.id = m.track_id
        JOIN public.people_user u ON u.id = m.user_id
        WHERE u.username = substr(who, 6) AND NOT m.ended AND t.case_id <> ALL (hidden)
          AND NOT EXISTS (SELECT 1 FROM public.cases_counselmember later WHERE later.supersedes_id = m.id)
    );
END $$;
CREATE OR REPLACE FUNCTION retort_is_broker() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text := nullif(current_setting('retort.principal', true), '');
BEGIN
    IF public.retort_hidden_cases() IS NULL THEN RETURN false; END IF;
    RETURN starts_with(who, 'system:') OR EXISTS (
        SELECT 1 FROM public.cases_brokerterm t JOIN public.people_user u ON u.id = t.user_id
        WHERE u.username = substr(who, 6) AND NOT t.ended
          AND NOT EXISTS (SELECT 1 FROM public.cases_brokerterm later WHERE later.supersedes_id = t.id)
    );
END $$;
CREATE OR REPLACE FUNCTION retort_hidden_scopes() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden uuid[] := public.retort_hidden_cases();
    barred uuid[] := public.retort_barred_from_counsel();
    named uuid[] := public.retort_named_tracks();
BEGIN
    IF hidden IS NULL THEN RETURN NULL; END IF;
    RETURN hidden || CASE WHEN public.retort_is_broker() THEN '{}'::uuid[] ELSE '{DESK}'::uuid[] END || ARRAY(
        SELECT t.id FROM public.cases_counseltrack t
        WHERE NOT (coalesce(t.case_id <> ALL (barred), false) OR t.id = ANY (named))
    );
END $$;
""".replace("DESK", str(DESK))
