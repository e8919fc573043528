"""The proofs of sampled exchanges in a package: checked by both verifiers, refused even as they were sealed."""

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cases.dossier.package_files import verify
from spine.canonical import canonical_json
from tests import second_verifier as second
from tests.cases.dossier import mutants, packages
from tests.cases.dossier.packages import FINGERPRINT

FILE = f"{verify.SAMPLE_PROOFS}exhibit-1-sample-1.json"
OTHER = f"{verify.SAMPLE_PROOFS}exhibit-1-sample-2.json"
STATED = "data/evidence/A-1 statement.json"
Payload = dict[str, Any]
SNAPSHOT = packages.sampled(random.Random(5))


def refused(folder: Path, payload: Payload) -> set[str]:
    """The files that verify.py names in a package sealed with this payload."""
    made = packages.sealed_with(folder, payload)
    return {line.subject for line in verify.verify(str(made.package.path), FINGERPRINT).failures}


def by_the_second(payload: Payload) -> set[str]:
    """The files that the verifier written from the text names."""
    report = second.Report()
    with report.part():
        second.check_samples(json.loads(payload["data/snapshot.json"]), payload, report)
    return {place for place, _ in report.bad}


@pytest.mark.parametrize("seed", range(6))
def test_proofs_are_accepted_and_told(tmp_path: Path, seed: int) -> None:
    snapshot = packages.sampled(random.Random(seed))
    payload = packages.sampled_payload(snapshot)
    report = verify.verify(str(packages.sealed_with(tmp_path, payload).package.path), FINGERPRINT)
    assert report.failures == []
    told = [line.text for line in report.lines if line.subject == FILE]
    assert told[0].endswith(f"exchanges of the set with root {snapshot['exchange_sets']['rows'][0]['root']}")
    assert by_the_second(payload) == set()


def first(snapshot: Payload) -> Payload:
    row: Payload = snapshot["sampled_exchanges"]["rows"][0]
    return row


def other_hash(snapshot: Payload) -> None:
    first(snapshot)["path"][0] = "ab" * 32


# What whoever seals could write into the snapshot, proofs and schedules made from it.
LIES: dict[str, Callable[[Payload], object]] = {
    "another step": other_hash,
    "a step less": lambda s: first(s)["path"].pop(),
    "a step more": lambda s: first(s)["path"].append("ab" * 32),
    "a step in capitals": lambda s: first(s)["path"].append(first(s)["path"].pop().upper() + ""),
    "no list": lambda s: first(s).update(path="".join(first(s)["path"])),
    "another leaf": lambda s: first(s).update(leaf_sha256="ab" * 32),
    "another index": lambda s: first(s).update(index=first(s)["index"] ^ 1),
    "an index outside": lambda s: first(s).update(index=10**6),
    "an index below": lambda s: first(s).update(index=-1),
    "another root": lambda s: s["exchange_sets"]["rows"][0].update(root="ab" * 32),
    "another count": lambda s: s["exchange_sets"]["rows"][0].update(rows=10**6),
    "another statement": lambda s: s["exchange_sets"]["rows"][0].update(statement_sha256="ab" * 32),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_sealed_lie_is_refused_with_the_file_named(tmp_path: Path, lie: str) -> None:
    snapshot = copy.deepcopy(SNAPSHOT)
    LIES[lie](snapshot)
    payload = packages.sampled_payload(snapshot)
    payload[STATED] = packages.sampled_payload(SNAPSHOT)[STATED]
    assert FILE in refused(tmp_path, payload)
    assert FILE in by_the_second(payload)


def changed(**members: Any) -> bytes:
    return canonical_json({**json.loads(packages.sampled_payload(SNAPSHOT)[FILE]), **members})


PROOFS = json.loads(packages.sampled_payload(SNAPSHOT)[FILE])["proofs"]  # type: ignore[arg-type]
FILES: dict[str, bytes] = {
    "a row dropped": changed(proofs=PROOFS[1:]),
    "a row twice": changed(proofs=[*PROOFS, PROOFS[0]]),
    "another order": changed(proofs=PROOFS[::-1]),
    "truth for one": changed(sample=True),
    "another version": changed(v=2),
    "another format": changed(format="retort-sample"),
    "a member more": changed(note="x"),
    "another count": changed(set={**json.loads(changed())["set"], "rows": 3}),
    "not canonical": changed() + b"\n",
    "nothing": b"",
    "no object": b"[]",
}


@pytest.mark.parametrize("what", FILES)
def test_a_sealed_file_that_is_not_the_snapshots_is_refused(tmp_path: Path, what: str) -> None:
    payload = {**packages.sampled_payload(SNAPSHOT), FILE: FILES[what]}
    assert refused(tmp_path, payload) == {FILE}
    assert FILE in by_the_second(payload)


def test_a_file_that_is_missing_or_of_no_sample_is_refused(tmp_path: Path) -> None:
    payload = packages.sampled_payload(SNAPSHOT)
    less = {path: content for path, content in payload.items() if path != OTHER}
    assert refused(tmp_path / "less", less) == by_the_second(less) == {OTHER}
    extra = f"{verify.SAMPLE_PROOFS}exhibit-1-sample-3.json"
    more = {**payload, extra: payload[FILE]}
    assert refused(tmp_path / "more", more) == by_the_second(more) == {extra}


def test_a_snapshot_of_another_form_is_named(tmp_path: Path) -> None:
    for n, rows in enumerate(
        ([1], "x", [{}], [{**first(SNAPSHOT), "exhibit": True}], [{**first(SNAPSHOT), "exhibit": 2}])
    ):
        payload = {
            **packages.sampled_payload(SNAPSHOT),
            "data/snapshot.json": canonical_json({**SNAPSHOT, "sampled_exchanges": {"rows": rows}}),
        }
        assert refused(tmp_path / str(n), payload) == {"data/snapshot.json"}


def test_rows_without_a_path_have_no_proof_and_need_none(tmp_path: Path) -> None:
    snapshot = copy.deepcopy(SNAPSHOT)
    for row in snapshot["sampled_exchanges"]["rows"]:
        row["path"] = None
    payload = packages.sampled_payload(snapshot)
    assert FILE not in payload
    assert refused(tmp_path, payload) == by_the_second(payload) == set()


def test_drawn_lies_are_refused_with_the_file_named(tmp_path: Path) -> None:
    for mutant in mutants.of_samples(tmp_path, random.Random(3), 60):
        place = tmp_path / mutants.ZIP
        place.write_bytes(mutant.content)
        assert mutant.named in {line.subject for line in verify.verify(str(place), FINGERPRINT).failures}, mutant.what
