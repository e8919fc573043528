"""What a snapshot holds, at which cut, and under whose names."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from cases import actions
from cases.dossier.names import Names
from cases.dossier.plain import breakable, printable, visible
from cases.models import DossierVersion
from detection.models import Attribute, Cluster, ClusterFinding, ClusterLink, ClusterMember, DetectorVersion, Finding
from spine import log, vault
from tests.cases.dossier.story import ADDRESS, PAYMENT, Story, finding


def snapshot_of(version: DossierVersion) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(vault.read(version.snapshot_sha256))
    return whole


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def bare_numbers(value: Any, grounded: bool = False, path: str = "") -> Iterator[str]:
    """Places of numbers that stand in no object with a source or an item."""
    if isinstance(value, dict):
        grounded = grounded or "source" in value or bool(value.get("item"))
        for key, inner in value.items():
            yield from bare_numbers(inner, grounded, f"{path}/{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from bare_numbers(inner, grounded, f"{path}/{place}")
    elif isinstance(value, int | float) and not isinstance(value, bool) and not grounded:
        yield path


def test_numbers_everywhere_name_their_query_or_item(story: Story) -> None:
    assert list(bare_numbers(snapshot_of(story.freeze()))) == ["/v"]


def test_raw_ids_and_values_are_nowhere(story: Story) -> None:
    raw = [account.provider_id for account in story.accounts] + [PAYMENT, ADDRESS]
    snapshot = snapshot_of(story.freeze())
    assert [text for text in strings(snapshot) if any(value in text for value in raw)] == []
    assert "six accounts" not in snapshot["findings"]["rows"][0]["summary"]
    assert snapshot["findings"]["rows"][0]["summary"].startswith(f"{story.accounts[0].pseudonym} and 5 others show ")


def test_account_names_differ_between_recipients(story: Story) -> None:
    def names(**asked: str) -> set[str]:
        return {row["account"] for row in snapshot_of(story.freeze(**asked))["accounts"]["rows"]}

    one = names(recipient="Example Court", basis="order 7")
    other = names(recipient="Example Agency", basis="order 7")
    assert (len(one), len(other), one & other) == (6, 6, set())
    assert names() == {account.pseudonym for account in story.accounts}
    assert names(recipient="Example Court", basis="order 8") == one


def test_records_about_one_account_have_keyed_items_for_a_recipient(story: Story) -> None:
    keyed = snapshot_of(story.freeze(recipient="Example Court", basis="order 7"))
    rows = [
        *ClusterMember.objects.all(),
        *ClusterLink.objects.all(),
        *Attribute.objects.all(),
        *story.case.verdicts.all(),
    ]
    text = json.dumps(keyed)
    assert [row for row in rows if str(row.pk) in text] == []
    assert f"detection.clustermember:{rows[0].pk}" in json.dumps(snapshot_of(story.freeze()))


def test_earlier_cut_leaves_later_acts_out(story: Story) -> None:
    then = timezone.now()
    story.decide(2)
    actions.edit_case(story.case, actor=story.cast.lead, changes={"title": (story.case.title, "Another title")})
    earlier, present = (snapshot_of(story.freeze(as_of=moment)) for moment in (then, None))
    assert [row["account"] for row in earlier["accounts"]["rows"] if row["verdict"]] == [
        account.pseudonym for account in story.accounts[:2]
    ]
    assert len(present["verdict_history"]["rows"]) == len(earlier["verdict_history"]["rows"]) + 1 == 3
    assert (earlier["case"]["title"], present["case"]["title"]) == (story.case.title, "Another title")


def test_marking_is_the_highest_of_case_and_findings(story: Story) -> None:
    actions.edit_case(story.case, actor=story.cast.lead, changes={"marking": ("TLP:AMBER", "TLP:GREEN")})
    marking = snapshot_of(story.freeze())["marking"]
    assert marking["value"] == "TLP:AMBER"
    assert marking["items"] == sorted(f"detection.finding:{row.pk}" for row in Finding.objects.all())


def test_finding_superseded_before_the_cut_says_so(story: Story) -> None:
    old = Finding.objects.get(uid="F-2")
    with transaction.atomic():
        newer = finding(DetectorVersion.objects.get(pk=old.detector_version_id), "F-2", story.accounts, 0.2, number=2)
        log.record(actor="system:test", action="findings.received", data={"count": 1}, rows=[newer])
    before = {row["uid"]: row["superseded_by"] for row in snapshot_of(story.freeze())["findings"]["rows"]}
    story.decide(3)
    after = snapshot_of(story.freeze())
    assert before == {"F-1": None, "F-2": None}
    assert {row["uid"]: row["superseded_by"] for row in after["findings"]["rows"]} == {"F-1": None, "F-2": 2}


def test_limits_name_what_is_not_known(story: Story) -> None:
    known = {
        part["title"]: [row["text"] for row in part["rows"]] for part in snapshot_of(story.freeze())["limits"]["known"]
    }
    assert known["What detectors could not tell"] == ["reasoning-elicitation 3.2.0: The telemetry has no prompt."]
    assert known["Values set aside as too common"] == ["asn: 64500, 412 accounts (a network of kind isp)"]
    assert known["Telemetry that was not read"] == ["exchanges.ndjson.gz: 3 bad lines beside 4,000 that were kept"]
    assert known["Error rates that are not known"] == ["1 of 2 findings state no measured false-positive rate."]
    assert len(known["Claims that are open"]) == 5


def test_verdict_summary_adds_up_to_all_accounts(story: Story) -> None:
    rows = {row["verdict"]: row["accounts"] for row in snapshot_of(story.freeze())["verdicts"]["rows"]}
    assert rows == {"actor_controlled": 1, "reseller_pool": 0, "victim": 1, "benign": 0, "unknown": 0, "": 4}


def test_finding_outside_the_case_changes_nothing(story: Story) -> None:
    first = story.freeze()
    with transaction.atomic():
        stray = finding(DetectorVersion.objects.earliest("pk"), "F-9", story.accounts, 0.99)
        log.record(actor="system:test", action="findings.received", data={"count": 1}, rows=[stray])
    assert not ClusterFinding.objects.filter(cluster=Cluster.objects.get(), finding=stray).exists()
    assert story.freeze() == first


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("acct-12345 paid", "NAME paid"),
        ("(acct-12345)", "(NAME)"),
        ("acct-123456", "acct-123456"),
        ("xacct-12345", "xacct-12345"),
        ("acct-12345/x and acct-12345", "OTHER and NAME"),
        ("1234", "1234"),
    ],
)
def test_names_clean_whole_values_longest_first(text: str, cleaned: str) -> None:
    names = Names("", {"acct-12345": "NAME", "acct-12345/x": "OTHER", "1234": "SHORT"})
    assert names.clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("p\u0430ypal", "p⟨U+0430⟩ypal"),
        ("Москва", "Москва"),
        ("e\u0301", "é"),
        ("zero\u200bwidth\x00", "zero⟨U+200B⟩width⟨U+0000⟩"),
        ("東", "⟨U+6771⟩"),
        ("two\r\nlines\there", "two\nlines here"),
    ],
)
def test_printable_shows_what_could_deceive(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_visible_keeps_every_script() -> None:
    assert visible("東\u200e \u0430") == "東⟨U+200E⟩ \u0430"


def test_breakable_leaves_digests_whole() -> None:
    assert breakable("ab" * 32) == "ab" * 32
    assert breakable("2026-05-04T10:00:00.000000Z") == "2026-05-04T10:00:00.000000Z"
    assert breakable(f"a {'x' * 28} b") == f"a {'x' * 8}\u200b{'x' * 8}\u200b{'x' * 8}\u200bxxxx b"


def test_window_of_cut_is_its_last_act(story: Story) -> None:
    version = story.freeze(as_of=timezone.now() + timedelta(0))
    cut = snapshot_of(version)["cut"]
    assert (cut["log_size"], cut["item"].split(":")[0]) == (version.log_size, "spine.logentry")
