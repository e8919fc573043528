"""The proof of one exchange, checked by verify.py: accepted as it is made, refused however it is changed."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from cases.dossier.package_files import verify
from detection.telemetry import exchange_rows as form
from spine import growing, merkle
from spine.canonical import canonical_json, row_bytes
from tests.cases.dossier.packages import FINGERPRINT, OTHER_KEY, UUIDS, proof

KEY = bytes(range(32))
US = 1_777_593_600_000_000  # 2026-05-01
ROWS, INDEX = 2_100, 1_500


def exchange(number: int) -> dict[str, Any]:
    return {
        "request_id": f"req-{number}",
        "ts": US + number,
        "account_id": f"acct-{number % 7}",
        "model": "aster-2",
        "ip": "192.0.2.7",
        "prompt": f"Grade “{number}”.\n",
        "temperature": 0.7,
        "output_tokens": 90,
        "issued_block_hashes": ["ab", "cd"],
    }


@lru_cache
def tree() -> tuple[list[bytes], growing.Growing]:
    leaves = [form.leaf_hash(form.canonical_row(exchange(number), KEY)) for number in range(ROWS)]
    grown = growing.Growing()
    grown.add(b"".join(leaves))
    return leaves, grown


def statement(**changed: Any) -> bytes:
    _, grown = tree()
    whole = {
        "v": 1,
        "format": "retort-exchange-set",
        "id": str(UUIDS[5]),
        "case": "RT-2026-K7Q4M",
        "source": {"id": str(UUIDS[6]), "name": "api-logs", "namespace": "default"},
        "window": {"start": "2026-05-01T00:00:00.000000Z", "end": "2026-05-02T00:00:00.000000Z"},
        "accounts": {"chosen": "every account of the case", "count": 7, "sha256": "ab" * 32},
        "query": "SELECT",
        "rows": {
            "count": ROWS,
            "root": grown.root().hex(),
            "first": form.moment(US),
            "last": form.moment(US + ROWS - 1),
            "input_tokens": 0,
            "output_tokens": 90 * ROWS,
        },
        "key_sha256": hashlib.sha256(KEY).hexdigest(),
        "leaves": {"sha256": "cd" * 32, "size": 48 * ROWS},
        "nodes": {"sha256": "ef" * 32, "size": 64},
        "files": [],
        "originals": {"where": "telemetry source api-logs", "expire_at": None},
        "program": {"release": "Retort", "sha256": "ab" * 32, "duckdb": "1"},
        "made": {"at": "2026-05-03T00:00:00.000000Z", "by": "user:analyst"},
    }
    return canonical_json(whole | changed)


def log_proof(stated: bytes, table: str = "cases_evidenceitem", **more: Any) -> Any:
    fields = {
        "sha256": hashlib.sha256(stated).hexdigest(),
        "size": len(stated),
        "added_at": datetime(2026, 5, 3, tzinfo=UTC),
    }
    row = row_bytes(table=table, row_id=UUIDS[0], fields=fields, personal={"title": "Exchanges"}, salt=bytes(32))
    return json.loads(proof(row, **more))


def made(index: int = INDEX, columns: tuple[str, ...] = ("ip", "prompt"), **changed: Any) -> dict[str, Any]:
    leaves, grown = tree()
    row = exchange(index)
    path = growing.path(index, ROWS, bytes(grown.nodes), lambda start, end: b"".join(leaves[start:end]))
    stated = statement()
    whole = {
        "v": 1,
        "format": "retort-exchange-proof",
        "row": {
            "canonical": form.canonical_row(row, KEY).decode(),
            "index": index,
            "path": [step.hex() for step in path],
        },
        "opened": {name: form.opening(row, KEY, name) for name in columns},
        "statement": stated.decode(),
        "log": log_proof(stated),
    }
    return whole | changed


def refused(folder: Path, content: bytes, key: str | None = None) -> str:
    """Why it is refused; empty when it is accepted."""
    path = folder / "proof.json"
    path.write_bytes(content)
    report = verify.verify_exchange(str(path), key)
    return "" if report.accepted else "; ".join(line.text for line in report.failures)


@pytest.mark.parametrize("index", [0, 1023, 1024, INDEX, 2047, 2048, ROWS - 1])
def test_a_proof_is_accepted_with_the_logs_fingerprint(tmp_path: Path, index: int) -> None:
    assert refused(tmp_path, canonical_json(made(index)), FINGERPRINT) == ""


def test_another_fingerprint_is_refused(tmp_path: Path) -> None:
    assert "fingerprint" in refused(tmp_path, canonical_json(made()), "ab" * 32)


def flips(raw: bytes) -> Iterator[bytes]:
    """Every byte once, with the bit that keeps most of them text."""
    for place in range(len(raw)):
        yield raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def test_every_changed_byte_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "ed25519_holds", lru_cache(maxsize=1 << 14)(verify.ed25519_holds))
    raw = canonical_json(made())
    assert [place for place, mutant in enumerate(flips(raw)) if not refused(tmp_path, mutant)] == []
    assert len(raw) > 4_000
    cuts = [raw[:-1], raw + b"\n", raw[1:], b" " + raw, b"", raw + raw]
    assert all(refused(tmp_path, cut) for cut in cuts)


def row_of(_: int, **changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = made()["row"] | changed
    return found


CHANGED: dict[str, Any] = {
    "another index": lambda: made(row=row_of(INDEX, index=INDEX + 1)),
    "an index outside": lambda: made(row=row_of(INDEX, index=ROWS)),
    "an index that is no number": lambda: made(row=row_of(INDEX, index=True)),
    "the path of another row": lambda: made(row=row_of(INDEX, path=made(INDEX + 2)["row"]["path"])),
    "a longer path": lambda: made(row=row_of(INDEX, path=[*made()["row"]["path"], "ab" * 32])),
    "a shorter path": lambda: made(row=row_of(INDEX, path=made()["row"]["path"][:-1])),
    "another row": lambda: made(row=row_of(INDEX, canonical=made(INDEX + 1)["row"]["canonical"])),
    "another size in the statement": lambda: made(
        statement=statement(rows={**json.loads(statement())["rows"], "count": ROWS + 1}).decode()
    ),
    "another root in the statement": lambda: with_statement(
        rows={**json.loads(statement())["rows"], "root": "ab" * 32}
    ),
    "a statement the log does not have": lambda: made(statement=statement(case="RT-2026-OTHER").decode()),
    "a window that lacks the row": lambda: with_statement(
        window={"start": "2026-05-01T00:00:01.000000Z", "end": "2026-05-02T00:00:00.000000Z"}
    ),
    "a row of another table": lambda: made(log=log_proof(statement(), table="cases_dossierseal")),
    "another key's signature": lambda: made(log={**made()["log"], "key": log_proof(statement(), key=OTHER_KEY)["key"]}),
    "another opened value": lambda: made(opened={"ip": {**form_of("ip"), "value": "192.0.2.8"}}),
    "another salt": lambda: made(opened={"ip": {**form_of("ip"), "salt": "ab" * 32}}),
    "a salt of another column": lambda: made(opened={"ip": {**form_of("ip"), "salt": form_of("prompt")["salt"]}}),
    "an opened column that is plain": lambda: made(opened={"model": {"salt": "ab" * 32, "value": "aster-2"}}),
    "an opened column that is absent": lambda: made(opened={"org_id": {"salt": "ab" * 32, "value": "x"}}),
    "an opened value that is no text": lambda: made(opened={"ip": {**form_of("ip"), "value": 7}}),
    "more members": lambda: made(more=1),
    "another version": lambda: made(v=2),
    "true for one": lambda: made(v=True),
    "another format": lambda: made(format="retort-sampling-plan"),
    "a list": list,
    "no log": lambda: made(log=None),
    "no row": lambda: made(row=None),
    "nothing opened in no form": lambda: made(opened=[]),
}


def form_of(column: str) -> dict[str, str]:
    found: dict[str, str] = made()["opened"][column]
    return found


def with_statement(**changed: Any) -> dict[str, Any]:
    """A proof whose statement is another one that the log does have."""
    stated = statement(**changed)
    return made(statement=stated.decode(), log=log_proof(stated))


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_proof_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, canonical_json(CHANGED[name]())) != ""


def test_a_proof_that_is_spelt_otherwise_is_refused(tmp_path: Path) -> None:
    for text in (json.dumps(made()), json.dumps(made(), indent=1), json.dumps(made(), sort_keys=True)):
        assert "canonical" in refused(tmp_path, text.encode())


def test_it_runs_alone_says_what_it_found_and_exits_by_it(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(canonical_json(made()))
    bad.write_bytes(canonical_json(made(row=row_of(INDEX, index=3))))
    program = [sys.executable, "-I", "-S", verify.__file__, "--exchange-proof"]
    said = subprocess.run([*program, str(good), "--key", FINGERPRINT], capture_output=True, text=True, check=False)
    assert (said.returncode, "ACCEPTED" in said.stdout, said.stderr) == (0, True, "")
    assert f"good.json: exchange req-{INDEX} at 2026-05-01T00:00:00.001500Z is number {INDEX} of {ROWS}" in said.stdout
    assert "ip is 192.0.2.7" in said.stdout
    told = subprocess.run([*program, str(bad), "--json"], capture_output=True, text=True, check=False)
    assert (told.returncode, json.loads(told.stdout)["accepted"]) == (1, False)
    assert subprocess.run([*program, str(tmp_path / "none.json")], capture_output=True, check=False).returncode == 2


def test_the_proof_shows_no_other_row_and_no_key(tmp_path: Path) -> None:
    raw = canonical_json(made(columns=())).decode()
    assert KEY.hex() not in raw
    assert all(secret not in raw for secret in ("192.0.2.7", "acct-", "Grade", f"req-{INDEX + 1}"))
    leaves, _ = tree()
    assert merkle.root(leaves).hex() in raw
