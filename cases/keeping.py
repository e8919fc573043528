"""The wall before destruction: functions and triggers by which a standing hold refuses it to every role but the owner.

The same lock is taken by whoever places a hold and by whoever destroys, so that of two at once the second sees the
first: once a hold stands, nothing it covers goes any more (docs/decisions/0012).
"""

from django.db import connections

# Tables whose rows nobody deletes without a certificate, with the kind of thing the ledger calls their rows.
GUARDED = {
    "detection_telemetryfile": "telemetry_file",
    "detection_account": "account",
    "detection_attribute": "attribute",
    "detection_telemetrysource": "index",
    "detection_badline": "index",
    "cases_case": "index",
    "cases_caseaccount": "index",
    "cases_lead": "index",
}
# Columns that say who somebody is: they change for a certificate alone.
IDENTIFYING = {
    "detection_account": ("namespace", "provider_id", "pseudonym"),
    "detection_attribute": ("type", "value"),
    "detection_telemetryfile": ("source_id", "sha256", "first_ts", "last_ts"),
}
NEEDED = {"cases_hold", "cases_holdrelease", "cases_destructiondecision", "spine_destruction", *GUARDED}

# A hold over a thing, or NULL. STABLE, so that a preview asks it for many things in one query.
HOLD_OVER = """
CREATE OR REPLACE FUNCTION retort_case_of(what text, which text) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    at_table text := split_part(which, ':', 1);
    at_row text := split_part(which, ':', 2);
    found uuid;
    step record;
BEGIN
    IF what = 'package' THEN
        SELECT v.case_id INTO found FROM cases_dossierversion v WHERE v.id = which::uuid;
        RETURN found;
    END IF;
    IF what <> 'row' OR to_regclass(at_table) IS NULL THEN RETURN NULL; END IF;
    -- A row's case is its own column, or that of the row it belongs to, and so on up.
    FOR hop IN 1..5 LOOP
        SELECT a.attname AS col, coalesce(c.confrelid::regclass::text, '') AS parent INTO step
        FROM pg_attribute a
        LEFT JOIN pg_constraint c ON c.conrelid = a.attrelid AND c.contype = 'f' AND c.conkey = ARRAY[a.attnum]
        WHERE a.attrelid = to_regclass(at_table) AND a.attname = ANY (ARRAY['case_id', 'item_id', 'judgement_id',
            'request_id', 'custodian_id', 'hold_id', 'version_id', 'ask_id', 'seal_id', 'order_id', 'detachment_id'])
        ORDER BY array_position(ARRAY['case_id', 'item_id', 'judgement_id', 'request_id', 'custodian_id', 'hold_id',
            'version_id', 'ask_id', 'seal_id', 'order_id', 'detachment_id'], a.attname::text) LIMIT 1;
        IF step.col IS NULL THEN RETURN NULL; END IF;
        EXECUTE format('SELECT %I FROM %I WHERE id = $1', step.col, at_table) INTO found USING at_row::uuid;
        IF step.col = 'case_id' OR found IS NULL OR step.parent = '' THEN RETURN found; END IF;
        at_table := step.parent;
        at_row := found::text;
    END LOOP;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION retort_hold_over(what text, which text) RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found uuid;
    of_case uuid;
    who uuid[] := '{}';
    named text := which;
BEGIN
    IF what = 'row' THEN
        of_case := retort_case_of(what, which);
        -- Rows on an account or a finding are held with every case that holds such an account.
        IF which LIKE 'detection_cluster%' THEN
            SELECT ARRAY[x.account_id] INTO who FROM (
                SELECT account_id FROM detection_clustermember WHERE which = 'detection_clustermember:' || id
                UNION ALL
                SELECT account_id FROM detection_clusterlink WHERE which = 'detection_clusterlink:' || id
            ) x;
        ELSIF which LIKE 'detection_finding:%' THEN
            SELECT array_agg(f.account_id) INTO who FROM detection_findingaccount f
            WHERE f.finding_id = split_part(which, ':', 2)::uuid;
        ELSIF which LIKE 'cases_evidenceitem:%' THEN
            SELECT e.sha256 INTO named FROM cases_evidenceitem e WHERE e.id = split_part(which, ':', 2)::uuid;
        ELSIF which LIKE 'cases_custodyevent:%' THEN
            SELECT e.sha256 INTO named FROM cases_evidenceitem e JOIN cases_custodyevent v ON v.item_id = e.id
            WHERE v.id = split_part(which, ':', 2)::uuid;
        ELSIF which LIKE 'cases_archivelisting:%' THEN
            SELECT e.sha256 INTO named FROM cases_evidenceitem e JOIN cases_archivelisting l ON l.item_id = e.id
            WHERE l.id = split_part(which, ':', 2)::uuid;
        END IF;
    ELSIF what = 'account' THEN who := ARRAY[which::uuid];
    ELSIF what = 'attribute' THEN
        SELECT array_agg(x.account_id) INTO who FROM (
            SELECT account_id FROM detection_sighting WHERE attribute_id = which::uuid
            UNION SELECT account_id FROM detection_clusterlink WHERE attribute_id = which::uuid
        ) x;
    ELSIF what = 'package' THEN of_case := retort_case_of(what, which);
    END IF;
    SELECT h.id INTO found FROM cases_hold h
    WHERE NOT EXISTS (SELECT 1 FROM cases_holdrelease r WHERE r.hold_id = h.id) AND (
        (of_case IS NOT NULL AND h.case_id = of_case AND h.scope = 'case')
        -- With those that were detached from the case: a hold ends when it is released, and not before.
        OR (h.scope IN ('case', 'accounts') AND EXISTS (
            SELECT 1 FROM cases_caseaccount a WHERE a.case_id = h.case_id AND a.account_id = ANY (who)))
        OR (h.scope = 'exhibit' AND EXISTS (
            SELECT 1 FROM cases_evidenceitem e WHERE e.id = h.exhibit_id AND e.sha256 = named))
        OR (h.scope = 'case' AND what = 'blob' AND (
            EXISTS (SELECT 1 FROM cases_evidenceitem e WHERE e.case_id = h.case_id AND e.sha256 = which)
            OR EXISTS (SELECT 1 FROM cases_dossierversion v WHERE v.case_id = h.case_id AND v.snapshot_sha256 = which)))
        OR (what = 'telemetry_file' AND EXISTS (
            SELECT 1 FROM detection_telemetryfile f WHERE f.id = which::uuid AND (
                (h.scope = 'source' AND f.source_id = h.source_id
                 AND (f.first_ts IS NULL OR (f.first_ts < h.window_end AND f.last_ts >= h.window_start)))
                OR (h.scope IN ('case', 'accounts') AND EXISTS (
                    SELECT 1 FROM cases_casecluster k JOIN detection_cluster c ON c.id = k.cluster_id
                    JOIN detection_run u ON u.id = c.run_id
                    WHERE k.case_id = h.case_id AND u.source_id = f.source_id
                    AND (f.first_ts IS NULL OR (f.first_ts <= c.last_seen AND f.last_ts >= c.first_seen)))))))
    )
    ORDER BY h.at, h.id LIMIT 1;
    RETURN found;
END $$;
"""
# Takes the lock first and looks afterwards, each statement with a snapshot of its own: hence VOLATILE.
DEMAND_FREE = """
CREATE OR REPLACE FUNCTION retort_keeping_lock() RETURNS void LANGUAGE sql VOLATILE AS
$$ SELECT pg_advisory_xact_lock(7261, 1) $$;
CREATE OR REPLACE FUNCTION retort_demand_free(what text, which text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held uuid;
BEGIN
    PERFORM retort_keeping_lock();
    held := retort_hold_over(what, which);
    IF held IS NOT NULL THEN
        RAISE EXCEPTION 'hold % keeps %', held, what USING ERRCODE = 'restrict_violation';
    END IF;
END $$;
"""
TRIGGERS = """
CREATE OR REPLACE FUNCTION retort_place_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM retort_keeping_lock();
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION retort_certify() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM retort_demand_free(NEW.kind, NEW.key);
    IF NOT EXISTS (
        SELECT 1 FROM cases_destructionorder o JOIN cases_destructiondecision d ON d.order_id = o.id
        WHERE o.id = NEW.order_id AND d.granted
        AND o.targets @> jsonb_build_array(jsonb_build_object('kind', NEW.kind, 'key', NEW.key))
    ) THEN
        RAISE EXCEPTION 'no granted order names this %', NEW.kind USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION retort_keep() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM spine_destruction d WHERE d.kind = TG_ARGV[0] AND d.key = OLD.id::text) THEN
        RAISE EXCEPTION 'rows of % go for a certificate alone (% refused)', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM retort_demand_free(TG_ARGV[0], OLD.id::text);
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE OR REPLACE TRIGGER retort_place_hold BEFORE INSERT ON cases_hold
    FOR EACH ROW EXECUTE FUNCTION retort_place_hold();
CREATE OR REPLACE TRIGGER retort_certify BEFORE INSERT ON spine_destruction
    FOR EACH ROW EXECUTE FUNCTION retort_certify();
"""


def apply(alias: str, application: str, audit: str) -> None:
    """As the owner: make the functions and arm the triggers. Safe to repeat."""
    connection = connections[alias]
    if not set(connection.introspection.table_names()) >= NEEDED:  # migrated to an earlier state
        return
    with connection.cursor() as cursor:
        for statements in (HOLD_OVER, DEMAND_FREE, TRIGGERS):
            cursor.execute(statements)
        for table, kind in GUARDED.items():
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER retort_keep BEFORE DELETE ON {table} "
                f"FOR EACH ROW EXECUTE FUNCTION retort_keep('{kind}')"
            )
        for table, columns in IDENTIFYING.items():
            changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER retort_keep_names BEFORE UPDATE ON {table} FOR EACH ROW "
                f"WHEN ({changed}) EXECUTE FUNCTION retort_keep('{GUARDED[table]}')"
            )
