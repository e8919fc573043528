"""What bench_lists.py measures over: rows written set-wise by the owner, triggers and foreign keys asleep.

Made to be hard where real ones are: one detector states a third of all, one account is in 20,000 findings, rare
signals and scores are rare, and what was superseded or set aside is a few in a thousand.
"""

ACCOUNTS, CLUSTERS, LEADS, CASES, RESTRICTED = 50_000, 20_000, 5_000, 5_000, 50
DETECTORS, SIGNALS, TEMPLATES, BATCH = 40, 25, 2_000, 1_000
# A UUIDv7 of so many minutes ago; the second argument makes it another one.
FUNCTIONS = """
CREATE FUNCTION pg_temp.made(ago double precision, salt text) RETURNS uuid LANGUAGE sql AS $$
    SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000 - ago * 60000)::bigint), 12, '0')
        || '7' || substr(md5(salt), 1, 3) || '8' || substr(md5(salt), 4, 15))::uuid
$$;
CREATE FUNCTION pg_temp.known(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (substr(md5(kind || n), 1, 12) || '4' || substr(md5(kind || n), 14, 3) || '8'
        || substr(md5(kind || n), 18, 15))::uuid
$$;
"""
FINDINGS = f"""
SET session_replication_role = replica;
INSERT INTO detection_detector (id, name, title, built_in, created_at, lifecycle, owner, description, runbook, revision)
SELECT pg_temp.known('detector', n), 'detector-' || n, '', false, now(), 'active', '', '', '', 1
FROM generate_series(1, {DETECTORS}) n;
INSERT INTO detection_detectorversion (id, detector_id, version, config_sha256, first_seen_at)
SELECT pg_temp.known('version', n * 10 + v), pg_temp.known('detector', n), v || '.0.0', '', now()
FROM generate_series(1, {DETECTORS}) n, generate_series(1, 3) v;
INSERT INTO detection_account (id, namespace, provider_id, pseudonym)
SELECT pg_temp.known('account', n), 'default', 'acct-' || n, 'A-' || lpad(n::text, 6, '0')
FROM generate_series(1, {ACCOUNTS}) n;
INSERT INTO detection_attribute (id, type, value)
SELECT pg_temp.known('attribute', n), CASE WHEN n <= {TEMPLATES} THEN 'template' ELSE 'ip' END, 'value-' || n
FROM generate_series(1, {TEMPLATES} + {ACCOUNTS}) n;
INSERT INTO detection_finding (
    id, entry_id, place, detector_id, detector_version_id, uid, version, signal, title, summary, score, confidence,
    window_start, window_end, observed_at, received_at, account_count, payload, payload_sha256, content_sha256)
SELECT pg_temp.made(ago, 'f' || n), pg_temp.known('batch', n / {BATCH}), n % {BATCH}, pg_temp.known('detector', d),
    pg_temp.known('version', d * 10 + 1 + n % 3), 'uid-' || CASE WHEN n % 400 = 0 THEN n - 1 ELSE n END,
    CASE WHEN n % 400 = 0 THEN 2 ELSE 1 END, 'signal_' || s, 'Asks alike about thing ' || n, '',
    power(r, 0.5), 'high', now() - make_interval(mins => ago::int + 1500), now() - make_interval(mins => ago::int + 60),
    NULL, now() - make_interval(secs => ago * 60), 3, convert_to(repeat('x', 600), 'UTF8'), repeat(md5(n::text), 2),
    repeat(md5(n::text), 2)
FROM (
    SELECT n, ({{size}} - n) * 43200.0 / {{size}} AS ago, r,
        1 + floor({DETECTORS} * power(CASE WHEN n % 400 = 0 THEN 0.5 ELSE r END, 3))::int AS d,
        1 + floor({SIGNALS} * power(q, 3))::int AS s
    FROM (SELECT n, (hashint8(n) & 1048575) / 1048576.0 AS r, (hashint8(n * 7) & 1048575) / 1048576.0 AS q
          FROM generate_series(1, {{size}}) n) drawn
) made;
UPDATE detection_finding later SET detector_id = earlier.detector_id
FROM detection_finding earlier
WHERE later.version = 2 AND earlier.version = 1 AND earlier.uid = later.uid;
INSERT INTO detection_findingbatch (entry_id, detector_id, key_id, received_at, count)
SELECT pg_temp.known('batch', n), pg_temp.known('detector', 1), pg_temp.known('key', n % 200),
    now() - make_interval(secs => ({{size}} - n * {BATCH}) * 43200.0 / {{size}} * 60), {BATCH}
FROM generate_series(0, {{size}} / {BATCH}) n;
INSERT INTO detection_quarantine (id, entry_id, place, detector_id, key_id, since, until, reason, at)
SELECT pg_temp.known('quarantine', 1), pg_temp.known('entry', 1), 0, pg_temp.known('detector', 1),
    pg_temp.known('key', 7), now() - interval '40 days', now() - interval '20 days', 'r', now();
INSERT INTO detection_versionrecall (id, entry_id, place, detector_version_id, reason, at)
SELECT pg_temp.known('recall', 1), pg_temp.known('entry', 2), 0, pg_temp.known('version', {DETECTORS} * 10 + 2), 'r',
    now();
INSERT INTO detection_findingaccount (finding_id, account_id)
SELECT DISTINCT f.id, pg_temp.known('account', a)
FROM (SELECT id, row_number() OVER (ORDER BY id) n FROM detection_finding) f, LATERAL (
    SELECT 2 + (hashint8(f.n * 3 + k) & 1073741823) % ({ACCOUNTS} - 1) a FROM generate_series(1, 2) k
    UNION ALL SELECT 1 WHERE f.n % 50 = 0) named;
INSERT INTO detection_sighting (finding_id, account_id, attribute_id)
SELECT DISTINCT f.finding_id, f.account_id, pg_temp.known('attribute', CASE WHEN t.k = 1
    THEN 1 + floor({TEMPLATES} * power((hashtext(f.finding_id::text) & 1048575) / 1048576.0, 3))::int
    ELSE {TEMPLATES} + 1 + (hashtext(f.account_id::text) & 1048575) % {ACCOUNTS} END)
FROM detection_findingaccount f, generate_series(1, 2) t(k);
"""
JUDGED = f"""
INSERT INTO detection_telemetrysource (id, name, namespace, created_at, revision, run_every, run_days)
VALUES (pg_temp.known('source', 1), 'gateway', 'default', now(), 1, 'off', 45);
INSERT INTO detection_run (id, entry_id, place, job_id, source_id, window_start, window_end, algorithm,
    algorithm_version, parameters, input_sha256, account_count, edge_count, hubs, started_at, finished_at)
SELECT pg_temp.known('run', 1), pg_temp.known('entry', 3), 0, gen_random_uuid(), pg_temp.known('source', 1), now(),
    now(), 'a', '1', '{{{{}}}}', '', 1, 1, '[]', now(), now();
INSERT INTO detection_cluster (id, entry_id, place, run_id, key, title, assessment, score, assessment_detail,
    worth_a_look, signals, account_count, exchanges, input_tokens, output_tokens, first_seen, last_seen, volume)
SELECT pg_temp.known('cluster', n), pg_temp.known('entry', 4), n, pg_temp.known('run', 1), md5(n::text),
    n || ' accounts that pay alike',
    (ARRAY['coordinated_extraction', 'reseller_pool', 'benign_automation', 'shared_egress', 'cannot_tell'])[1 + n % 5],
    0.9, '{{{{}}}}', true, '["shared_attribute"]', 5, 100, 100, 100, now(), now(), '[]'
FROM generate_series(1, {CLUSTERS}) n;
INSERT INTO detection_clusterfinding (id, entry_id, place, cluster_id, finding_id)
SELECT gen_random_uuid(), pg_temp.known('entry', 5), 0, pg_temp.known('cluster', 1 + n % {CLUSTERS}), id
FROM (SELECT id, row_number() OVER (ORDER BY id) n FROM detection_finding) f WHERE n % 5 = 0;
INSERT INTO cases_lead (id, cluster_id, state, why_now, raised_at, changed_at, snoozed_until)
SELECT pg_temp.made(n, 'l' || n), pg_temp.known('cluster', n),
    (ARRAY['waiting', 'waiting', 'in_case', 'rejected', 'snoozed'])[1 + n / 5 % 5], 'New evidence',
    now() - make_interval(mins => n), now(), CASE WHEN n / 5 % 5 = 4 THEN now() + interval '1 day' END
FROM generate_series(1, {LEADS}) n;
INSERT INTO cases_case (id, ref, title, summary, status, closing_reason, marking, restricted, created_at, updated_at)
SELECT pg_temp.known('case', n), 'RT-2026-' || lpad(n::text, 5, '0'), 'Accounts that pay alike ' || n, '',
    (ARRAY['open', 'investigating', 'escalated', 'closed'])[1 + n % 4],
    CASE WHEN n % 4 = 3 THEN 'handed_over' ELSE '' END,
    'TLP:AMBER', n <= {RESTRICTED}, now() - make_interval(mins => n), now() - make_interval(mins => n)
FROM generate_series(1, {CASES}) n;
INSERT INTO cases_casecluster (id, entry_id, place, case_id, cluster_id)
SELECT gen_random_uuid(), pg_temp.known('entry', 6), 0, pg_temp.known('case', n), pg_temp.known('cluster', n)
FROM generate_series(1, {CASES}) n;
SET session_replication_role = origin;
"""
