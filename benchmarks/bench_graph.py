"""The link graph of a cluster of 25,000 accounts with twenty values each: how long the job works, and the page's read.

Prediction before the first run: PostgreSQL groups the 500,000 links in a few seconds, the layout of at most 500 nodes
takes about as long; the first view reads one row and at most 120 values, far below a tenth of a second.
"""

import statistics
import time

from benchmarks.apart import installation
from config.embedded import postgres

ACCOUNTS, EACH, POOLED = 25_000, 20, 5
LIMIT_LAYOUT, LIMIT_VIEW = 60.0, 0.3
CLUSTER = "00000000-0000-7000-8000-000000000001"
# Of an account's values four are among two hundred that many share, one is shown by all, the others by five accounts.
FILL = f"""
SET session_replication_role = replica;
INSERT INTO detection_cluster (id, entry_id, place, run_id, key, title, assessment, score, assessment_detail,
       worth_a_look, signals, account_count, exchanges, input_tokens, output_tokens, first_seen, last_seen, volume)
VALUES ('{CLUSTER}', gen_random_uuid(), 0, gen_random_uuid(), 'k', 'A pool', 'cannot_tell', 0.5, '{{}}', true, '[]',
        {ACCOUNTS}, 1, 1, 1, now(), now(), '[]');
CREATE TEMP TABLE account_ids AS SELECT n, gen_random_uuid() id FROM generate_series(0, {ACCOUNTS - 1}) n;
CREATE TEMP TABLE shown AS
SELECT n, v, CASE WHEN v = 0 THEN 'all'
                  WHEN v < 5 THEN 'many-' || (n * 7 + v * 53) % 200
                  ELSE 'few-' || v || '-' || (n / {POOLED} + v * 31) % {ACCOUNTS // POOLED} END AS value
FROM generate_series(0, {ACCOUNTS - 1}) n, generate_series(0, {EACH - 1}) v;
INSERT INTO detection_attribute (id, type, value)
SELECT gen_random_uuid(), 'ip', value FROM (SELECT DISTINCT value FROM shown) t;
INSERT INTO detection_clusterlink (id, entry_id, place, cluster_id, account_id, attribute_id, signal, count, holders,
       population, strength, reason, first_seen, last_seen)
SELECT gen_random_uuid(), gen_random_uuid(), 0, '{CLUSTER}', a.id, t.id, 'shared_attribute', 1, 5, 1000000,
       CASE WHEN s.v < 5 THEN 0.3 ELSE 0.8 END, 'shared', now(), now()
FROM (SELECT n, value, min(v) v FROM shown GROUP BY n, value) s
JOIN account_ids a ON a.n = s.n JOIN detection_attribute t ON t.value = s.value AND t.type = 'ip';
SET session_replication_role = origin;
ANALYZE;
"""


def main() -> None:
    """Measure and print."""
    with installation() as home:
        from cases import queries
        from cases.views import lead_graph
        from detection import drawing, graph
        from detection.models import Cluster, ClusterDrawing
        from spine.principal import acting_as

        with postgres.connect(home) as owner:
            owner.execute(FILL)
        with acting_as("system:benchmark"):
            cluster = Cluster.objects.get(pk=CLUSTER)
            start = time.perf_counter()
            made = graph.graph_of(cluster)
            layout = time.perf_counter() - start
            drawn = ClusterDrawing.objects.create(cluster=cluster, version=drawing.VERSION, graph=made)
            taken = []
            for _ in range(20):
                start = time.perf_counter()
                found = drawing.standing(cluster).drawing
                values = queries.shared_values(cluster, found)
                lead_graph.picture(drawn.graph, [one.value for one in values])
                taken.append(time.perf_counter() - start)
    size = f"{ACCOUNTS}x{EACH}"
    print(f"graph_layout {layout:.2f} s {size}")
    print(f"graph_layout_over_limit {layout / LIMIT_LAYOUT:.4f} ratio {size}")
    print(f"graph_nodes {len(made['nodes'])} nodes {size}")
    print(f"graph_first_view_median {statistics.median(taken) * 1000:.1f} ms {size}")
    print(f"graph_first_view_over_limit {statistics.median(taken) / LIMIT_VIEW:.4f} ratio {size}")


if __name__ == "__main__":
    main()
