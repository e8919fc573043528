"""Clusters: who comes together, with which reasons, the same for the same input."""

import random
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import rfc8785

from detection.assessment import ACCUSED, ONE_HAND
from detection.clustering import Parameters, cluster_accounts, edges_from
from detection.records import AccountSeen, AttributeSeen, Edge, FindingDraft, Label, Window, rfc3339
from tests.detection.telemetry.rows import START
from tests.detection.worlds import crowd, edge, fact, pool, scattered


def test_cluster_accounts_with_pool_among_strangers_gives_one_cluster_of_exactly_the_pool() -> None:
    facts = crowd()
    made = cluster_accounts(pool(facts) + scattered(facts), facts)
    (cluster,) = [c for c in made.clusters if c.assessment.worth_a_look]
    assert [member.account_id for member in cluster.members] == [f"acct_{n:04d}" for n in range(24)]
    assert cluster.assessment.label is Label.COORDINATED_EXTRACTION
    assert cluster.title == "24 accounts tied by registration dates and payment rings, 4 templates in common"
    assert (cluster.exchanges, cluster.signals) == (24 * 50, ("shared_attribute", "template_reuse"))


def test_cluster_links_say_how_rare_the_shared_value_is() -> None:
    facts = crowd()
    made = cluster_accounts(pool(facts) + scattered(facts), facts)
    links = [link for link in made.clusters[0].links if link.account_id == "acct_0000" and link.type != "template"]
    assert [link.reason for link in links] == [
        "Payment fingerprint shared by 4 of 300 accounts, 4 of them among these 24"
    ]


def test_cluster_accounts_with_shuffled_edges_and_facts_gives_the_same_result() -> None:
    facts = crowd()
    edges = pool(facts) + scattered(facts)
    r = random.Random(8)
    names = r.sample(sorted(facts), len(facts))
    shuffled = cluster_accounts(r.sample(edges, len(edges)), {name: facts[name] for name in names})
    assert shuffled == cluster_accounts(edges, facts)


def test_cluster_accounts_with_other_account_ids_groups_the_same_accounts() -> None:
    facts = crowd()
    edges = pool(facts) + scattered(facts)
    to = {name: f"user_{9999 - int(name[5:]):04d}" for name in facts}
    renamed = cluster_accounts(
        [replace(e, account_id=to[e.account_id]) for e in edges],
        {to[name]: replace(one, account_id=to[name]) for name, one in facts.items()},
    )
    (old,) = [c for c in cluster_accounts(edges, facts).clusters if c.assessment.worth_a_look]
    (new,) = [c for c in renamed.clusters if c.assessment.worth_a_look]
    assert {to[m.account_id] for m in old.members} == {m.account_id for m in new.members}


def test_communities_of_which_several_partitions_are_as_good_do_not_follow_account_names() -> None:
    chain = [f"acct_{n:04d}" for n in range(60)]
    facts = {name: fact(name, first_seen=START + timedelta(minutes=n)) for n, name in enumerate(chain)}
    pairs = zip(chain, [*chain[1:], chain[0]], strict=True)
    edges = [edge(name, "payment_fingerprint", f"pf-{n}") for n, pair in enumerate(pairs) for name in pair]
    new = dict(zip(chain, random.Random(8).sample(chain, len(chain)), strict=True))
    back = {there: here for here, there in new.items()}
    renamed = [replace(one, account_id=new[one.account_id]) for one in edges]
    named = {new[name]: replace(known, account_id=new[name]) for name, known in facts.items()}
    groups = {frozenset(m.account_id for m in c.members) for c in cluster_accounts(edges, facts).clusters}
    others = {frozenset(back[m.account_id] for m in c.members) for c in cluster_accounts(renamed, named).clusters}
    assert groups == others
    assert len(groups) > 1


def test_cluster_accounts_without_edges_gives_no_cluster() -> None:
    made = cluster_accounts([], crowd(5))
    assert (made.clusters, made.accounts, made.edges) == ((), 5, 0)


def test_account_that_combines_what_nobody_else_does_is_a_gateway() -> None:
    facts = crowd()
    edges = [edge(f"acct_{10 * n + k:04d}", "template", f"head-{n}") for n in range(12) for k in range(10)]
    facts["acct_0299"] = fact("acct_0299", exchanges=900)
    edges += [edge("acct_0299", "template", f"head-{n}") for n in range(12)]
    (cluster,) = [c for c in cluster_accounts(edges, facts).clusters if len(c.members) == 1]
    assert (cluster.members[0].account_id, cluster.assessment.label) == ("acct_0299", Label.RESELLER_POOL)
    assert cluster.assessment.worth_a_look is False


def test_pool_with_many_templates_is_no_crowd_of_gateways_and_a_gateway_beside_it_stays_one() -> None:
    """Of sixty templates each account fills twelve, so that hardly any two combine the same, as with a gateway."""
    facts = crowd(600)
    edges = [edge(f"acct_{10 * n + k:04d}", "template", f"head-{n}") for n in range(12) for k in range(10)]
    edges += [edge("acct_0599", "template", f"head-{n}") for n in range(12)]
    r = random.Random(5)
    for n in range(200, 400):
        edges += [edge(f"acct_{n:04d}", "template", f"pool-{k}") for k in r.sample(range(60), 12)]
    alone = [c for c in cluster_accounts(edges, facts).clusters if len(c.members) == 1]
    assert [c.members[0].account_id for c in alone] == ["acct_0599"]


def test_edges_from_findings_joins_what_several_say_of_one_value() -> None:
    window = Window(START, START.replace(day=9))

    def draft(uid: str, count: int, score: float) -> FindingDraft:
        seen = AttributeSeen("template", "head-a", count, START, START)
        account = AccountSeen("acct_1", 5, 0, 0, START, START, (seen,))
        support = {"template": "work on …"}
        return FindingDraft(
            uid, "d", "1", "", "template_reuse", "t", "s", score, "low", window, (account,), support, {}, ()
        )

    edges = edges_from([draft("u2", 4, 0.3), draft("u1", 9, 0.2)])
    assert edges == [
        Edge("acct_1", "template", "head-a", 9, START, START, "template_reuse", 0.3, "work on …", ("u1", "u2"))
    ]


def test_digest_of_the_input_is_of_canonical_json_whatever_its_text() -> None:
    """Who checks a run uses any writer of RFC 8785."""
    ugly = 'a"b\\/\b\f\n\r\t\x00\x1f\x7f\u2028é\U0001f600 𝒳'
    facts = {ugly: replace(fact("acct_1"), account_id=ugly)}
    edges = [edge(ugly, "template", ugly)]
    one, known = edges[0], facts[ugly]
    lines = (
        [one.account_id, one.type, one.value, one.count, str(one.weight)],
        [ugly, known.exchanges, rfc3339(known.first_seen), rfc3339(known.last_seen)],
    )
    expected = sha256(b"".join(rfc8785.dumps(line) + b"\n" for line in lines)).hexdigest()
    assert cluster_accounts(edges, facts).input_sha256 == expected


def test_parameters_of_a_run_hold_what_its_labels_depend_on() -> None:
    stored = Parameters().flat()
    assert (stored["assessment_one_hand"], stored["assessment_accused"]) == (ONE_HAND, ACCUSED)
    assert (stored["limit_volume_cap"], stored["limit_least"]) == (4.0, 2.0)
