"""The signer: what it refuses, what it remembers, and that nobody else needs the key."""

import os
import random
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings

from config import embedded, launch
from config.embedded import processes
from spine import checkpoint, conditions, keyring, keys, merkle, sequencer, signing, verification
from spine.models import Checkpoint, Condition, KeyHandover, LogEntry, Sequence
from spine.signer import STATE, Signer
from tests.servers import HOME, Program
from tests.spine.test_log import ALIASES, record

ORIGIN = "retort/log/0123456789abcdef"
LEAVES = [merkle.leaf_hash(b"%d" % number) for number in range(300)]
LOOKUP = merkle.in_memory(LEAVES)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """A signer of its own with a copy of the test key, nothing signed yet."""
    shutil.copy(HOME.log_key, tmp_path / "key")
    return Signer(tmp_path, tmp_path / "key", tmp_path / "key.pub")


def asked(size: int, old: int = 0, **other: Any) -> dict[str, Any]:
    proof = [step.hex() for step in merkle.consistency_at(old, size, LOOKUP)] if old else []
    root = merkle.root_at(size, LOOKUP).hex()
    return {"do": "sign", "origin": ORIGIN, "size": size, "root": root, "proof": proof, **other}


def note_of(answer: dict[str, Any]) -> checkpoint.Checkpoint:
    return checkpoint.parse(answer["note"])


def test_a_proven_continuation_is_signed_and_remembered(signer: Signer, tmp_path: Path) -> None:
    assert note_of(signer.answer(asked(7))).size == 7
    assert note_of(signer.answer(asked(200, 7))).root == merkle.root_at(200, LOOKUP)
    again = Signer(tmp_path, tmp_path / "key", tmp_path / "key.pub")
    assert again.answer({"do": "status"})["size"] == 200
    assert again.answer(asked(200, 7)) == signer.answer(asked(200))


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (asked(99, 7), "shorter than what was signed"),
        (asked(100) | {"root": LEAVES[0].hex()}, "another root"),
        (asked(120, 100) | {"proof": []}, "does not show"),
        (asked(120, 99), "does not show"),
        (asked(120, 100) | {"root": LEAVES[0].hex()}, "does not show"),
        (asked(120, 100, origin="retort/log/ffffffffffffffff"), "unknown origin"),
        (asked(120, 100, origin="elsewhere"), "origin is not"),
        (asked(120, 100) | {"size": "120"}, "not a number"),
        (asked(120, 100) | {"size": True}, "not a number"),
        (asked(120, 100) | {"root": "00" * 31}, "hash is 64"),
        (asked(120, 100) | {"proof": ["00" * 32] * 200}, "not a list of hashes"),
        (asked(120, 100) | {"proof": [None]}, "hash is 64"),
        ({"do": "export the key"}, "not one of"),
        (None, "not one of"),
        ([], "not one of"),
    ],
)
def test_what_is_not_a_proven_continuation_is_refused_with_the_reason(signer: Signer, question: Any, why: str) -> None:
    signer.answer(asked(100))
    answer = signer.answer(question)
    assert why in answer["refused"]
    assert answer.keys() == {"refused"}
    status = signer.answer({"do": "status"})
    assert (status["size"], status["last_refusal"]["why"]) == (100, answer["refused"])


def test_ten_thousand_wrong_attempts_bring_no_signature(signer: Signer, tmp_path: Path) -> None:
    dice = random.Random(7)
    signer.answer(asked(100))
    before = (tmp_path / STATE).read_bytes()

    def wrong() -> dict[str, Any]:
        size = dice.randrange(1, 301)
        question = asked(size, min(100, size))
        kind = dice.randrange(6)
        if kind == 0 or size <= 100:  # another history
            question["root"] = dice.randbytes(32).hex()
        elif kind == 1:
            question["proof"] = [dice.randbytes(32).hex() for _ in question["proof"]]
        elif kind == 2:
            del question["proof"][dice.randrange(len(question["proof"]))]
        elif kind == 3:
            place = dice.randrange(len(question["proof"]))
            step = bytearray.fromhex(question["proof"][place])
            step[dice.randrange(32)] ^= 1 << dice.randrange(8)
            question["proof"][place] = step.hex()
        elif kind == 4:
            question["origin"] = f"retort/log/{dice.randbytes(8).hex()}"
        else:  # a good proof, from another tree than the one signed last
            question["proof"] = [step.hex() for step in merkle.consistency_at(99, size, LOOKUP)]
        return question

    answers = [signer.answer(wrong()) for _ in range(10_000)]
    assert [answer for answer in answers if answer.keys() != {"refused"}] == []
    assert (tmp_path / STATE).read_bytes() == before


def test_without_memory_it_goes_on_from_a_checkpoint_of_its_own_key_only(signer: Signer, tmp_path: Path) -> None:
    signer.answer(asked(100))
    known = signer.answer(asked(150, 100))["note"]
    (tmp_path / STATE).unlink()
    forked = asked(200, 150) | {"root": LEAVES[0].hex()}
    assert "does not show" in signer.answer({**forked, "previous": known})["refused"]
    foreign = known.replace("\n150\n", "\n151\n")
    assert "does not hold" in signer.answer(asked(200, 150, previous=foreign))["refused"]
    assert note_of(signer.answer(asked(200, 150, previous=known))).size == 200


def test_damaged_memory_signs_nothing(signer: Signer, tmp_path: Path) -> None:
    signer.answer(asked(100))
    (tmp_path / STATE).write_text('{"size": 1}'[:-1])
    assert "damaged" in signer.answer(asked(200, 100))["refused"]


def test_a_signer_killed_while_it_hands_over_finishes_or_forgets_it(signer: Signer, tmp_path: Path) -> None:
    signer.answer(asked(100))
    old = keyring.read(tmp_path / "key.pub")[-1]
    shutil.copy(HOME.log_key, tmp_path / "key.next")  # made, nothing signed over it: forgotten
    assert Signer(tmp_path, tmp_path / "key", tmp_path / "key.pub").answer({"do": "status"})["handovers"] == []

    before = {name: (tmp_path / name).read_bytes() for name in ("key", "key.pub")}
    answer = signer.answer({"do": "rotate", "from": old.fingerprint})
    new_key = (tmp_path / "key").read_bytes()
    for name, content in before.items():  # as it was after the memory was written and before the files were moved
        (tmp_path / name).write_bytes(content)
    (tmp_path / "key.next").write_bytes(new_key)
    again = Signer(tmp_path, tmp_path / "key", tmp_path / "key.pub")
    assert again.answer({"do": "status"})["keys"] == answer["keys"]
    assert note_of(again.answer(asked(120, 100))).size == 120


# With the real process and the database


@pytest.fixture
def kept_keys() -> Iterator[None]:
    """The home's key files are afterwards what they were."""
    before = {path: path.read_bytes() for path in HOME.keys.iterdir()}
    yield
    for path in HOME.keys.iterdir():
        path.unlink()
    for path, content in before.items():
        path.touch(mode=0o600)
        path.write_bytes(content)


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_socket_memory_and_key_are_open_to_their_owner_alone(checkpoints_apart: Path) -> None:
    record("alder-1")
    sequencer.sequence()
    for path in (HOME.signer_socket, HOME.signer / STATE, HOME.log_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_without_the_signer_numbering_goes_on_and_the_checkpoint_is_made_when_it_is_back(
    checkpoints_apart: Path,
) -> None:
    with override_settings(SIGNER_SOCKET=HOME.run / "nobody.sock"):
        record("alder-1")
        assert sequencer.sequence() == 1
        record("alder-2")
        assert sequencer.sequence() == 1
        assert (Sequence.objects.count(), Checkpoint.objects.count()) == (2, 0)
        assert [row.name for row in conditions.standing()] == ["log.signer"]
        assert verification.verify().problems == []
    assert sequencer.sequence() == 0
    assert list(Checkpoint.objects.values_list("size", flat=True)) == [2]
    assert conditions.standing() == []
    assert verification.verify().problems == []


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_a_log_cut_short_is_refused_by_the_signer_and_told(checkpoints_apart: Path, clean_database: Any) -> None:
    for number in range(3):
        record(f"alder-{number}")
    sequencer.sequence()
    memory = (HOME.signer / STATE).read_bytes()
    clean_database()
    (HOME.signer / STATE).write_bytes(memory)
    record("alder-1")
    sequencer.sequence()
    assert "shorter than what was signed: 1 entries, 3 were signed" in Condition.objects.get().text
    assert not Checkpoint.objects.exists()


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_signer_killed_again_and_again_leaves_one_history(checkpoints_apart: Path) -> None:
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.02):
            pid = embedded.status(HOME).signer
            if pid:
                os.kill(pid, signal.SIGKILL)
                embedded.start(HOME)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for number in range(25):
            record(f"alder-{number}")
            sequencer.sequence()
    finally:
        stop.set()
        killer.join()
    embedded.start(HOME)
    sequencer.sequence()
    assert verification.verify().problems == []
    assert Checkpoint.objects.order_by("-size").values_list("size", flat=True)[0] == 25
    assert not Condition.objects.exists()


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_two_sequencers_at_once_make_one_history(checkpoints_apart: Path) -> None:
    for number in range(40):
        record(f"alder-{number}")
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                sequencer.sequence()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(40, 60):
        record(f"alder-{number}")
    for thread in threads:
        thread.join()
    sequencer.sequence()
    assert failures == []
    assert list(Sequence.objects.order_by("index").values_list("index", flat=True)) == list(range(60))
    assert verification.verify().problems == []


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_everything_but_the_signer_works_without_the_private_key(
    tmp_path: Path, kept_keys: None, checkpoints_apart: Path, settings: Any
) -> None:
    apart = tmp_path / "of another user"
    apart.mkdir()
    shutil.move(HOME.log_key, apart / "key")
    socket = HOME.signer_socket.with_name("apart.sock")
    variables = {
        "RETORT_LOG_KEY_FILE": str(apart / "key"),
        "RETORT_SIGNER_FOLDER": str(apart / "memory"),
        "RETORT_SIGNER_SOCKET": str(socket),
        "RETORT_SIGNER_SOCKET_MODE": "0660",
    }
    program = Program("signer", launch.command("signer"), variables)
    try:
        program.start(socket.exists)
        settings.SIGNER_SOCKET = socket
        record("alder-1")
        sequencer.sequence()
        assert stat.S_IMODE(socket.stat().st_mode) == 0o660
        assert keyring.verify(Checkpoint.objects.get().note, signing.public_keys()).size == 1
        assert verification.verify().problems == []
        assert [path.name for path in HOME.keys.iterdir() if "log_ed25519" in path.name] == ["log_ed25519.pub"]
    finally:
        program.kill()
        socket.unlink(missing_ok=True)
        shutil.move(apart / "key", HOME.log_key)


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_rotated_key_signs_on_and_what_the_old_one_signed_still_verifies(
    kept_keys: None, checkpoints_apart: Path
) -> None:
    record("alder-1")
    sequencer.sequence()
    old = signing.current_key()
    new = keys.rotate(actor="system:command")
    assert new.fingerprint != old.fingerprint
    sequencer.sequence()
    record("alder-2")
    sequencer.sequence()

    row = KeyHandover.objects.get()
    keyring.check(keys.statement_in(row))
    assert LogEntry.objects.get(action="log.key_changed").data["new"] == new.fingerprint
    signed_by = [keyring.verify(note, signing.public_keys()).key_id for note in notes()]
    origin = checkpoint.parse(notes()[0]).origin
    assert signed_by == [checkpoint.key_id(origin, key.public) for key in (old, new, new)]
    assert verification.verify().problems == []


def notes() -> list[str]:
    return list(Checkpoint.objects.order_by("size").values_list("note", flat=True))


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_rotation_killed_after_the_signers_part_is_recorded_by_the_sequencer(
    kept_keys: None, checkpoints_apart: Path
) -> None:
    record("alder-1")
    sequencer.sequence()
    old = signing.current_key()
    signing.ask("rotate", **{"from": old.fingerprint})
    signing.ask("rotate", **{"from": old.fingerprint})  # the same wish again changes nothing
    assert len(signing.public_keys()) == 2
    record("alder-2")
    sequencer.sequence()
    sequencer.sequence()
    assert KeyHandover.objects.count() == 1
    assert verification.verify().problems == []


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_key_that_no_key_handed_over_to_is_named(kept_keys: None, checkpoints_apart: Path) -> None:
    record("alder-1")
    sequencer.sequence()
    thief = keyring.PublicKey(bytes(32), 1)
    with HOME.log_public_key.open("a") as file:
        file.write(thief.line)
    assert [str(problem) for problem in verification.verify().problems] == [
        f"spine_keyhandover {thief.fingerprint}: no key before it hands over to this one in the log"
    ]


@pytest.mark.django_db(transaction=True, databases=ALIASES)
def test_hand_over_with_a_signature_that_does_not_hold_is_not_recorded(
    kept_keys: None, checkpoints_apart: Path
) -> None:
    record("alder-1")
    sequencer.sequence()
    given = signing.ask("rotate", **{"from": signing.current_key().fingerprint})["handovers"]
    for name in ("old_signature", "new_signature"):
        forged = [given[0] | {name: "00" * 64}]
        with pytest.raises(checkpoint.NotAccepted), transaction.atomic():
            keys.record(forged, actor="system:command")
    assert not KeyHandover.objects.exists()


def test_a_second_signer_on_the_same_memory_does_not_start() -> None:
    embedded.start(HOME)
    program = Program("signer", launch.command("signer"), {"RETORT_HOME": str(HOME.path)})
    try:
        with pytest.raises(AssertionError, match="another signer keeps its memory"):
            program.start(lambda: False, seconds=20)
    finally:
        program.kill()
    assert processes.exists(embedded.status(HOME).signer or 0)
