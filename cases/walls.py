"""The second wall: row-level security in PostgreSQL, so that a query that forgot to ask shows nothing it should not.

The first wall is `cases.access`. This one holds for the application role whatever the program asks: a row that belongs
to a restricted case is there for its members and for the system's own work, nothing is there for nobody
(docs/decisions/0008-row-level-security.md). The owner of the tables and the audit role see every row.
"""

from dataclasses import dataclass

from django.db import connections, transaction

from cases import walls_apart
from cases.walls_apart import Apart, none_of

POLICY, AUDIT_POLICY = "retort_need_to_know", "retort_audit_reads"


@dataclass(frozen=True)
class Own:
    """The table names its case in this column."""

    column: str = "case_id"

    def condition(self, table: str) -> str:
        """The SQL condition under which a row is there."""
        return none_of(self.column, "retort_hidden_cases")


@dataclass(frozen=True)
class Through:
    """The table's rows belong to rows of another walled table: they are there when those are."""

    column: str
    parent: str

    def condition(self, table: str) -> str:
        """The SQL condition under which a row is there; the parent's own policy holds inside it."""
        parent = f"SELECT 1 FROM {self.parent} parent WHERE parent.id = {table}.{self.column}"  # noqa: S608 - our names
        return f"EXISTS ({parent})"


@dataclass(frozen=True)
class HiddenLeads:
    """A lead that went into a case one may not know of is not there either."""

    def condition(self, table: str) -> str:
        """The SQL condition under which a row is there."""
        return none_of("id", "retort_hidden_leads")


# A notice belongs to a case or to none; that it is somebody's own is asked by the program.
OR_NONE = Apart(f"case_id IS NULL OR ({none_of('case_id', 'retort_hidden_cases')})")
# Every table with rows under a case. A test demands that no model with a way to a case is missing.
WALLED: dict[str, Own | Through | HiddenLeads | Apart] = {
    "cases_case": Own("id"),
    "cases_casemember": Own(),
    "cases_membershipchange": Own(),
    "cases_notice": OR_NONE,
    "cases_casecluster": Own(),
    "cases_caseaccount": Own(),
    "cases_detachment": Own(),
    "cases_detachedaccount": Through("detachment_id", "cases_detachment"),
    "cases_reattachment": Through("detachment_id", "cases_detachment"),
    "cases_verdict": Own(),
    "cases_judgement": Own(),
    "cases_citation": Through("judgement_id", "cases_judgement"),
    "cases_alternativeanswer": Own(),
    "cases_timelinenote": Own(),
    "cases_evidenceitem": Own(),
    "cases_custodyevent": Through("item_id", "cases_evidenceitem"),
    "cases_archivelisting": Through("item_id", "cases_evidenceitem"),
    "cases_redactionproposal": Through("item_id", "cases_evidenceitem"),
    "cases_redactiondecision": Through("proposal_id", "cases_redactionproposal"),
    "cases_redacted": Through("item_id", "cases_evidenceitem"),
    "cases_upload": Own(),
    "cases_uploadpart": Through("upload_id", "cases_upload"),
    "cases_exchangeset": Own(),
    "cases_exchangesetrerun": Through("exchange_set_id", "cases_exchangeset"),
    "cases_samplingplan": Through("exchange_set_id", "cases_exchangeset"),
    "cases_sampledexchange": Through("plan_id", "cases_samplingplan"),
    "cases_sampleresult": Through("sampled_id", "cases_sampledexchange"),
    "cases_dossierversion": Own(),
    "cases_dossierapproval": Through("version_id", "cases_dossierversion"),
    "cases_dossierseal": Through("version_id", "cases_dossierversion"),
    "cases_dossierproof": Through("seal_id", "cases_dossierseal"),
    "cases_preservationrequest": Own(),
    "cases_preservationanswer": Through("request_id", "cases_preservationrequest"),
    "cases_preservationabsence": Own(),
    "cases_hold": Own(),
    "cases_holdcustodian": Through("hold_id", "cases_hold"),
    "cases_holdacknowledgement": Through("custodian_id", "cases_holdcustodian"),
    "cases_holdreminder": Through("custodian_id", "cases_holdcustodian"),
    "cases_holdreleaseask": Through("hold_id", "cases_hold"),
    "cases_holdrelease": Through("hold_id", "cases_hold"),
    "cases_disclosureask": Through("version_id", "cases_dossierversion"),
    "cases_disclosurerelease": Through("ask_id", "cases_disclosureask"),
    "cases_disclosurenote": Through("ask_id", "cases_disclosureask"),
    "cases_newerversion": Own(),
    "cases_newerversionanswer": Through("version_id", "cases_newerversion"),
    "cases_leadmatch": Own(),
    "cases_recallflag": Own(),
    "cases_recallanswer": Through("flag_id", "cases_recallflag"),
    "cases_recalldraft": Through("ask_id", "cases_disclosureask"),
    "cases_lead": HiddenLeads(),
    "cases_leadsighting": Through("lead_id", "cases_lead"),
    "cases_leadsnooze": Through("lead_id", "cases_lead"),
    "cases_leaddecision": Through("lead_id", "cases_lead"),
    "detection_keptapart": Apart(none_of("id", "retort_hidden_decisions")),
    "detection_keptapartaccount": Through("decision_id", "detection_keptapart"),
    "detection_keptapartlifted": Through("decision_id", "detection_keptapart"),
    "detection_keptaparteffect": Through("decision_id", "detection_keptapart"),
    "cases_counseltrack": walls_apart.TRACK,
    "cases_counselmember": Through("track_id", "cases_counseltrack"),
    "cases_counselnote": Through("track_id", "cases_counseltrack"),
    "cases_counselexport": Through("track_id", "cases_counseltrack"),
    "cases_question": walls_apart.TOLD,
    "cases_approach": walls_apart.TOLD,
    "cases_introduction": walls_apart.TOLD,
    "cases_reply": Through("approach_id", "cases_approach"),
    "cases_brokeranswer": Through("question_id", "cases_question"),
    "cases_comparison": walls_apart.BROKERS,
    "cases_match": walls_apart.BROKERS,
    "cases_brokerreason": walls_apart.BROKERS,
    "cases_webhookevent": walls_apart.ENTRIES,
    "spine_logentry": walls_apart.ENTRIES,
    "spine_job": walls_apart.SCOPE,
}

# NULL, for nobody and for who has no business with cases, makes every comparison unknown: no row is there.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION retort_hidden_cases() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    who text := nullif(current_setting('retort.principal', true), '');
    person uuid;
BEGIN
    IF who IS NULL THEN RETURN NULL; END IF;
    IF starts_with(who, 'system:') THEN RETURN '{}'; END IF;
    IF NOT starts_with(who, 'user:') THEN RETURN NULL; END IF;
    SELECT u.id INTO person FROM public.people_user u
    WHERE u.username = substr(who, 6) AND u.is_active AND u.role <> 'administrator';
    IF person IS NULL THEN RETURN NULL; END IF;
    RETURN ARRAY(
        SELECT c.id FROM public.cases_case c
        WHERE c.restricted AND NOT EXISTS (
            SELECT 1 FROM public.cases_casemember m
            WHERE m.case_id = c.id AND m.person_id = person AND (m.until IS NULL OR m.until > statement_timestamp())
        )
    );
END $$;
CREATE OR REPLACE FUNCTION retort_hidden_leads() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden uuid[] := public.retort_hidden_cases();
BEGIN
    IF hidden IS NULL THEN RETURN NULL; END IF;
    RETURN ARRAY(SELECT DISTINCT d.lead_id FROM public.cases_leaddecision d WHERE d.case_id = ANY (hidden));
END $$;
CREATE OR REPLACE FUNCTION retort_hidden_decisions() RETURNS uuid[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden uuid[] := public.retort_hidden_leads();
BEGIN
    IF hidden IS NULL THEN RETURN NULL; END IF;
    RETURN ARRAY(
        SELECT k.id FROM public.detection_keptapart k JOIN public.cases_leadsighting s ON s.cluster_id = k.cluster_id
        WHERE s.lead_id = ANY (hidden)
    );
END $$;
"""


def apply(alias: str, application: str, audit: str) -> None:
    """As the owner: raise the wall on every table of `WALLED`. Safe to repeat; either all of it or nothing."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    there = set(connection.introspection.table_names())
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        if not set(WALLED) <= there:  # migrated to an earlier state: nothing to stand on yet
            return
        cursor.execute(FUNCTIONS)
        cursor.execute(walls_apart.FUNCTIONS)
        for table, rule in WALLED.items():
            condition = rule.condition(table)
            cursor.execute(f"ALTER TABLE {quote(table)} ENABLE ROW LEVEL SECURITY")
            for policy in (POLICY, AUDIT_POLICY):
                cursor.execute(f"DROP POLICY IF EXISTS {policy} ON {quote(table)}")
            cursor.execute(f"CREATE POLICY {POLICY} ON {quote(table)} TO {quote(application)} USING ({condition})")
            if audit != application:
                cursor.execute(
                    f"CREATE POLICY {AUDIT_POLICY} ON {quote(table)} FOR SELECT TO {quote(audit)} USING (true)"
                )
