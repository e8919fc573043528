"""Time stamps from a real authority: honest, out of order, with a wrong clock, and slow."""

import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from spine import conditions, sequencer, timestamps, verification
from spine.models import Checkpoint, LogEntry, TimeStamp, TimeStampChain, TimeStampDue
from spine.timestamps import NotStamped
from tests.authority import Authority
from tests.spine.test_log import ALIASES, record, tamper

pytestmark = [pytest.mark.django_db(transaction=True, databases=ALIASES), pytest.mark.usefixtures("checkpoints_apart")]


def checkpoint(name: str) -> Checkpoint:
    record(name)
    sequencer.sequence()
    return Checkpoint.objects.latest("size")


def told() -> list[str]:
    return [row.text for row in conditions.standing() if row.name == "log.timestamp"]


def test_newest_checkpoint_is_stamped_once_and_openssl_confirms_it(authority: Authority, tmp_path: Path) -> None:
    stamped = checkpoint("alder-1")
    assert (timestamps.stamp_due(), timestamps.stamp_due()) == (1, 0)
    row = TimeStamp.objects.get()
    assert (row.size, row.quarantine, row.checkpoint_sha256) == (
        stamped.size,
        None,
        hashlib.sha256(stamped.note.encode()).hexdigest(),
    )
    (tmp_path / "note").write_text(stamped.note)
    (tmp_path / "token").write_bytes(row.response)
    (tmp_path / "chain").write_text(TimeStampChain.objects.get(sha256=row.chain_sha256).pem)
    arguments = ["-data", "note", "-in", "token", "-CAfile", "chain"]
    done = subprocess.run(["openssl", "ts", "-verify", *arguments], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, b"OK" in done.stdout + done.stderr) == (0, True)


def test_stamping_makes_nothing_that_has_to_be_stamped(authority: Authority) -> None:
    checkpoint("alder-1")
    timestamps.stamp_due()
    sequencer.sequence()  # the token's own entry
    assert timestamps.stamp_due() == 0
    assert authority.asked == 1
    checkpoint("alder-2")
    assert timestamps.stamp_due() == 1
    assert TimeStampChain.objects.count() == 1


@pytest.mark.parametrize(
    ("mood", "why"),
    [
        ("out of order", "status 500"),
        ("garbage", "no RFC 3161"),
        ("endless", "too long"),
        ("another nonce", "Nonce mismatch"),
        ("another digest", "something else than the checkpoint"),
        ("redirect", "status 302"),
    ],
)
def test_answer_that_is_no_token_over_the_checkpoint_is_refused_and_told(
    authority: Authority, mood: str, why: str
) -> None:
    checkpoint("alder-1")
    authority.mood = mood
    assert timestamps.stamp_due() == 0
    assert [why in text and "1 checkpoints wait" in text for text in told()] == [True]
    assert not TimeStamp.objects.exists()
    authority.mood = "honest"
    assert timestamps.stamp_due() == 1
    assert told() == []


def test_slow_authority_is_left_alone_after_its_time(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spine.web.SECONDS", 0.5)
    checkpoint("alder-1")
    authority.mood = "slow"
    assert timestamps.stamp_due() == 0
    assert "takes too long" in told()[0]


def test_nobody_at_the_address_leaves_ingest_alone_and_the_backlog_is_stamped_in_order(
    authority: Authority, settings: Any
) -> None:
    settings.TSA_URL = "http://127.0.0.1:9/tsa"
    for number in range(3):
        checkpoint(f"alder-{number}")
        assert timestamps.stamp_due() == 0
    assert list(TimeStampDue.objects.order_by("size").values_list("size", flat=True)) == [1, 2, 3]
    assert "3 checkpoints wait" in told()[0]
    settings.TSA_URL = authority.url
    assert timestamps.stamp_due() == 3
    rows = list(TimeStamp.objects.order_by("received_at"))
    assert [row.size for row in rows] == [1, 2, 3]
    assert [row.stated_at for row in rows] == sorted(row.stated_at for row in rows)
    assert (told(), TimeStampDue.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("skew", "why"), [("+1d", "later than our clock"), ("-1d", "more than five minutes before it was asked")]
)
def test_token_of_a_wrong_clock_is_quarantined_told_and_not_counted(authority: Authority, skew: str, why: str) -> None:
    note = checkpoint("alder-1").note
    authority.skew = skew
    assert timestamps.stamp_due() == 0
    row = TimeStamp.objects.get()
    assert why in (row.quarantine or "")
    assert abs(abs(row.stated_at - timezone.now()) - timedelta(days=1)) < timedelta(minutes=5)
    assert "is quarantined" in told()[0]
    assert timestamps.token_of(note) is None
    assert LogEntry.objects.filter(action="log.stamp_quarantined").count() == 1
    authority.skew = ""
    assert timestamps.stamp_due() == 1
    assert timestamps.token_of(note) is not None
    sequencer.sequence()
    assert verification.verify().problems == []


def test_token_earlier_than_the_one_before_it_is_quarantined(authority: Authority) -> None:
    authority.skew = "+4m"
    checkpoint("alder-1")
    assert timestamps.stamp_due() == 1
    authority.skew = "-4m"
    checkpoint("alder-2")
    assert timestamps.stamp_due() == 0
    assert "earlier than the token before it" in (TimeStamp.objects.latest("received_at").quarantine or "")


def test_token_of_an_authority_that_is_not_pinned_is_refused(
    authority: Authority, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    try:
        settings.TSA_CA_FILE = str(other.roots)
        checkpoint("alder-1")
        assert timestamps.stamp_due() == 0
        assert "does not verify against the pinned certificates" in told()[0]
    finally:
        other.close()


def test_verification_checks_every_token_and_names_a_changed_one(authority: Authority) -> None:
    checkpoint("alder-1")
    timestamps.stamp_due()
    sequencer.sequence()
    report = verification.verify()
    assert (report.tokens, report.problems) == (1, [])
    row = TimeStamp.objects.get()
    bent = bytearray(row.response)
    bent[-20] ^= 1
    tamper("UPDATE spine_timestamp SET response = %s", bytes(bent))
    named = [str(problem) for problem in verification.verify().problems]
    assert [one for one in named if one.startswith(f"spine_timestamp {row.pk}: the row is not")]
    assert [one for one in named if one.startswith(f"spine_timestamp {row.pk}: The token does not verify")]


def test_without_an_authority_nothing_is_asked(settings: Any) -> None:
    checkpoint("alder-1")
    assert timestamps.stamp_due() == 0
    assert (TimeStampDue.objects.count(), told()) == (0, [])


def test_a_second_request_for_a_stamped_checkpoint_gives_the_token_there_is(authority: Authority) -> None:
    stamped = checkpoint("alder-1")
    first = timestamps.stamp(stamped, actor="system:timestamp")
    assert timestamps.stamp(stamped, actor="system:timestamp") == first
    assert authority.asked == 1
    with pytest.raises(NotStamped):
        timestamps.verify(bytes(first.response), b"another note", None, authority.roots.read_bytes())
