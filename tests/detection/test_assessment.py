"""Assessments: the innocent look-alikes come out as what they are, and doubt as doubt."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from detection.assessment import ACCUSED, MOST_CERTAIN, ONE_HAND
from detection.candidates import Limits
from detection.clustering import cluster_accounts
from detection.evidence import Evidence
from detection.population import Population
from detection.records import AccountFacts, Assessment, Edge, Label
from detection.surprise import Surprise
from tests.detection.telemetry.rows import START
from tests.detection.worlds import crowd, edge, people, pool, scattered

Facts = dict[str, AccountFacts]
LIBRARY, COURSE = "published prompt library or framework", "course, hackathon or promotion"
HARNESS = "evaluation harness or batch job of one organisation"
CLASS = "class, company or household behind one address"
RESELLER, PROXY = "reseller or gateway for unrelated customers", "commercial VPN used by strangers"
STAFF = "staff of one firm with accounts of their own"
MEMBERS = [f"acct_{n:04d}" for n in range(24)]


def assessed(edges: list[Edge], facts: Facts) -> Assessment:
    """The assessment of the cluster that holds most of the first 24 accounts."""
    clusters = cluster_accounts(edges, facts).clusters
    return max(clusters, key=lambda c: sum(m.account_id in MEMBERS for m in c.members)).assessment


def changed(facts: Facts, **known: object) -> None:
    for name in MEMBERS:
        facts[name] = replace(facts[name], **known)  # type: ignore[arg-type]


def one_organisation(facts: Facts, edges: list[Edge]) -> list[Edge]:
    changed(facts, org_id="org_harness")
    return [*edges, *(edge(name, "org", "org_harness") for name in MEMBERS)]


def one_school(facts: Facts, edges: list[Edge]) -> list[Edge]:
    changed(facts, home_kind="education", home_asn=4_200_000_999)
    return edges


def one_address(facts: Facts, edges: list[Edge]) -> list[Edge]:
    return [*edges, *(edge(name, "ip", "203.0.113.7") for name in MEMBERS)]


def one_payer(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """A reseller: one purse, templates a small part of what is sent."""
    changed(facts, payment_fingerprint="pf_reseller", prompts=500)
    kept = [e for e in edges if e.type == "template" and e.value == "head-a" and e.account_id < "acct_0004"]
    return kept + [edge(name, "payment_fingerprint", "pf_reseller") for name in MEMBERS]


def one_event(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """All of it within two days of the window, however alike the accounts are."""
    begun = min(fact.first_seen for fact in facts.values()) + timedelta(days=10)
    for place, name in enumerate(MEMBERS):
        first = begun + timedelta(hours=place)
        facts[name] = replace(facts[name], first_seen=first, last_seen=first + timedelta(hours=20))
    return edges


def one_tool(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """Registered on one day in one country, with one client, and nothing else beside the templates."""
    for number, name in enumerate(MEMBERS):
        facts[name] = replace(facts[name], payment_fingerprint=f"pf_{number}", clients=("new-tool/1.0",), country="QM")
    for number, name in enumerate(sorted(set(facts) - set(MEMBERS))):
        facts[name] = replace(
            facts[name], clients=(f"client-{number % 9}/1.0",), country=("QN", "QO", "QP")[number % 3]
        )
    return [e for e in edges if e.type != "payment_fingerprint"]


def one_firm(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """Employees: one mail domain, a commercial way out, the same hours and much the same volume; each pays alone."""
    kept = one_tool(facts, edges)
    for number, name in enumerate(sorted(facts)):
        facts[name] = replace(facts[name], email_domain=f"mail-{number % 3}.example")
    changed(facts, email_domain="pumps.example", home_kind="vpn", home_asn=4_200_000_900, networks=12, exchanges=400)
    return kept


def unknown_identity(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """Who the accounts say they are is not in the data: strangers cannot be told from one organisation."""
    for name in facts:
        facts[name] = replace(facts[name], org_id=None, payment_fingerprint=None)
    return edges


def unknown_lines(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """From what kind of network the suspected accounts come is not in the data; of everybody else it is."""
    changed(facts, home_kind=None, home_asn=None)
    return edges


def one_payer_of_untold_organisations(facts: Facts, edges: list[Edge]) -> list[Edge]:
    """One customer with many accounts and one card, in a source that does not say whose accounts they are."""
    for name in facts:
        facts[name] = replace(facts[name], org_id=None)
    kept = [e for e in edges if e.type != "payment_fingerprint"]
    for number, name in enumerate(MEMBERS):
        facts[name] = replace(facts[name], payment_fingerprint="pf_one" if number < 20 else f"pf_{number}")
    return kept + [edge(name, "payment_fingerprint", "pf_one") for name in MEMBERS[:20]]


@pytest.mark.parametrize(
    ("change", "label", "fits", "unchecked"),
    [
        (lambda facts, edges: edges, Label.COORDINATED_EXTRACTION, [], [STAFF]),
        (one_organisation, Label.BENIGN_AUTOMATION, [HARNESS], [STAFF]),
        (one_school, Label.SHARED_EGRESS, [CLASS], [STAFF]),
        (one_address, Label.CANNOT_TELL, [CLASS, LIBRARY], [STAFF]),
        (one_payer, Label.RESELLER_POOL, [RESELLER, COURSE], [STAFF]),
        (unknown_identity, Label.CANNOT_TELL, [], [HARNESS, STAFF, RESELLER]),
        (unknown_lines, Label.CANNOT_TELL, [], [CLASS, STAFF, PROXY]),
        (one_payer_of_untold_organisations, Label.CANNOT_TELL, [], [HARNESS, STAFF]),
        (one_event, Label.CANNOT_TELL, [COURSE], [STAFF]),
        (one_tool, Label.CANNOT_TELL, [COURSE], [STAFF]),
        (one_firm, Label.CANNOT_TELL, [STAFF, COURSE], []),
    ],
)
def test_assessment_of_the_same_pool_under_an_open_explanation_follows_it(
    change: Callable[[Facts, list[Edge]], list[Edge]], label: Label, fits: list[str], unchecked: list[str]
) -> None:
    facts = crowd()
    edges = change(facts, pool(facts) + scattered(facts))
    result = assessed(edges, facts)
    assert (result.label, [one.name for one in result.look_alikes if one.fits]) == (label, fits)
    assert [one.name for one in result.look_alikes if one.fits is None] == unchecked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (unknown_identity, "payment fingerprints, which the source does not give"),
        (unknown_lines, "from what kind of network the accounts come"),
        (one_event, "whether one contest, workshop or trial explains"),
        (one_tool, "whether one course, promotion or tool brought them"),
        (one_firm, "whose the mail domain is"),
    ],
)
def test_what_would_settle_a_doubt_names_what_stood_in_the_way_of_telling(
    change: Callable[[Facts, list[Edge]], list[Edge]], words: str
) -> None:
    facts = crowd()
    settles = assessed(change(facts, pool(facts) + scattered(facts)), facts).would_settle
    assert any(one.startswith(words) for one in settles), settles
    told = crowd()
    assert not any(one.startswith(words) for one in assessed(pool(told) + scattered(told), told).would_settle)


def test_one_mail_domain_is_no_hand_and_speaks_for_a_firm_where_two_are_one_hands() -> None:
    def result(domains: int) -> Assessment:
        facts = crowd()
        edges = one_firm(facts, pool(facts) + scattered(facts))
        for number, name in enumerate(MEMBERS):
            facts[name] = replace(facts[name], email_domain=f"pumps-{number % domains}.example")
        return assessed(edges, facts)

    one, two = result(1), result(2)
    assert one.features["evidence"] >= ACCUSED
    assert (one.features["one_hand"], one.features["one_domain_share"]) == (0, 1.0)
    assert "one_domain_share" in [reason.feature for reason in one.reasons_against]
    assert (two.label, two.features["one_domain_share"]) == (Label.COORDINATED_EXTRACTION, 0.5)
    assert "one_domain_share" not in [reason.feature for reason in two.reasons_against]


def test_score_of_a_suspicion_says_no_more_than_was_counted() -> None:
    facts = crowd()
    result = assessed(pool(facts) + scattered(facts), facts)
    assert result.features["evidence"] >= ACCUSED
    assert result.score == MOST_CERTAIN


def test_assessment_of_what_only_one_hand_explains_is_told_from_what_a_tool_does() -> None:
    facts = crowd()
    whole = pool(facts) + scattered(facts)
    without = assessed(one_tool(facts, whole), facts)
    assert without.features["evidence"] >= ACCUSED
    assert without.features["one_hand"] == 0
    assert "one_hand" in [reason.feature for reason in without.reasons_against + without.reasons_for]
    facts = crowd()
    assert assessed(pool(facts) + scattered(facts), facts).features["one_hand"] >= ONE_HAND


@pytest.mark.parametrize(("networks", "is_a_hand"), [(5, False), (12, True)])
def test_more_networks_are_a_hand_only_where_phones_and_travel_do_not_explain_them(
    networks: int, is_a_hand: bool
) -> None:
    facts = crowd()
    edges = one_tool(facts, pool(facts) + scattered(facts))
    for place, name in enumerate(sorted(facts)):
        facts[name] = replace(facts[name], networks=1 + place % 4)
    changed(facts, networks=networks)
    result = assessed(edges, facts)
    assert "test.roaming" in [reason.feature for reason in result.reasons_for]
    assert (result.features["one_hand"] >= ONE_HAND) is is_a_hand


def test_combined_scaffolds_are_no_hand_where_all_came_in_one_week() -> None:
    facts = crowd()
    edges = people(facts, 4)
    asked = sorted({e.account_id for e in edges if e.count == 2})

    def hand() -> float:
        cluster = max(
            cluster_accounts(edges, facts).clusters, key=lambda c: sum(m.account_id in asked for m in c.members)
        )
        return float(cluster.assessment.features["one_hand"])

    assert hand() > ONE_HAND
    for place, name in enumerate(asked):
        facts[name] = replace(facts[name], created_at=START - timedelta(days=20, hours=place))
    assert hand() == 0


def test_assessment_ranks_reasons_and_prints_found_among_and_expected() -> None:
    facts = crowd()
    result = assessed(pool(facts) + scattered(facts), facts)
    assert [reason.feature for reason in result.reasons_for] == [
        "test.registration",
        "test.ring",
        "common_templates",
        "organisations",
    ]
    assert [reason.text for reason in result.reasons_for[:2]] == [
        "Of 24 accounts whose registration is known 24 were registered from 20 February 2026 to 21 February 2026; "
        "0.1 would be expected among accounts used alike.",
        "Of 24 accounts 24 share a payment fingerprint with another of them.",
    ]
    assert result.would_settle[1] == "payment records behind the fingerprints"


def test_assessment_of_a_reseller_counts_that_accounts_pay_together_for_it() -> None:
    facts = crowd()
    edges = one_payer(facts, pool(facts) + scattered(facts))
    for name in MEMBERS[20:]:  # a value of more than twenty is no ring
        facts[name] = replace(facts[name], payment_fingerprint=f"own_{name}")
    payers = [one for one in edges if one.type != "payment_fingerprint" or one.account_id not in MEMBERS[20:]]
    result = assessed(payers, facts)
    assert result.label == Label.RESELLER_POOL
    assert "test.ring" in [reason.feature for reason in result.reasons_for]
    assert "test.ring" not in [reason.feature for reason in result.reasons_against]


def test_reason_of_networks_says_of_what_kind_they_are_and_who_else_comes_from_them() -> None:
    facts = crowd()
    edges = pool(facts) + scattered(facts)
    changed(facts, home_kind="vpn", home_asn=4_200_000_900)
    for name in ("acct_0100", "acct_0101"):
        facts[name] = replace(facts[name], home_kind="vpn", home_asn=4_200_000_900)
    result = assessed(edges, facts)
    (reason,) = [reason.text for reason in result.reasons_for if reason.feature == "test.network"]
    assert reason.endswith("It is of kind vpn; 2 other accounts mostly come from it too.")
    (proxy,) = [one.text for one in result.look_alikes if one.name == PROXY]
    assert proxy.startswith("100% mostly come through commercial proxies, which many strangers share")


def test_answers_too_weak_to_count_as_evidence_are_no_reasons() -> None:
    population = Population([], crowd())
    evidence = Evidence(
        population=population,
        places=np.arange(8),
        held={},
        tests={"client": Surprise(1.9, 3, 8, 1.0, (0,)), "domain": Surprise(2.1, 3, 8, 1.0, (0,))},
        strength=2.1,
        suspected=True,
        links=(),
        carried={},
        limits=Limits(),
    )
    assert evidence.telling == ["domain"]


def test_assessment_of_a_pool_that_shares_one_template_on_one_tie_cannot_tell() -> None:
    """The customers of one product, registered through one promotion, look like this."""
    facts = crowd()
    edges = [e for e in pool(facts) if e.type == "template" and e.value == "head-a"]
    for name in MEMBERS:
        facts[name] = replace(facts[name], payment_fingerprint=f"own_{name}")
    result = assessed(edges, facts)
    assert (result.label, [one.name for one in result.look_alikes if one.fits]) == (
        Label.CANNOT_TELL,
        [LIBRARY, COURSE],
    )
