"""The verifier written from docs/formats alone accepts what Retort hands out, and refuses what verify.py refuses."""

import json
import random
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import transaction
from psycopg.rows import dict_row

from cases import exhibits
from cases.actions import counsel, dossiers, exchange_checks
from cases.dossier import bag, build
from cases.dossier.package_files import verify
from cases.models import CounselTrack, DossierVersion, EvidenceItem, ExchangeSet, ExchangeSetRerun, SamplingPlan
from config.embedded import postgres
from spine import canonical, checkpoint, keyring, log, merkle, tiles, vault
from tests import second_verifier as second
from tests import second_verifier_forms as forms
from tests import second_verifier_log as second_log
from tests import second_verifier_sets as second_sets
from tests.authority import Authority
from tests.cases.dossier import mutants, packages
from tests.cases.dossier.packages import FINGERPRINT, KEY, ORIGIN, Sample
from tests.cases.dossier.story import make_story, package_of
from tests.cases.exchanges import exchange
from tests.factories import Cast, run_job
from tests.servers import HOME
from tests.test_tamper import tell_everything

Tables = dict[str, list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def quick_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """verify.py checks the same signature over the same text again and again; this changes its speed alone."""
    monkeypatch.setattr(verify, "ed25519_holds", lru_cache(maxsize=1 << 12)(verify.ed25519_holds))


def names(report: verify.Report) -> str:
    return " ".join(f"{line.subject} {line.text}" for line in report.failures)


def places(report: forms.Report) -> str:
    return " ".join(f"{place} {why}" for place, why in report.bad)


def flipped(raw: bytes, position: int, bit: int) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1 << bit]) + raw[position + 1 :]


# Made by hand: bags whose every other part fits, so that one check alone can refuse a mutant


def structural(sample: Sample, other: Sample) -> Iterator[mutants.Mutant]:
    content, draw = sample.package.path.read_bytes(), random.Random(7)
    yield from mutants.of_files(sample, other)
    yield from mutants.of_manifests(sample)
    yield from mutants.of_proofs(sample)
    yield from mutants.of_names(sample)
    yield from mutants.of_container(content)
    yield from mutants.content_flips(sample, lambda _, size: draw.sample(range(size), min(size, 8)), bit=2)
    yield from mutants.raw_flips(content, draw.sample(mutants.outside_content(content), 120), bit=4)


def test_two_verifiers_refuse_the_same_packages_and_name_the_same_file(tmp_path: Path) -> None:
    sample = packages.sealed(tmp_path)
    other = packages.sealed(
        tmp_path / "other", payload={**packages.PAYLOAD, "data/dossier.json": b'{"statements":[1]}'}
    )
    assert second.check_package(sample.package.path, FINGERPRINT, payload=False).bad == []
    place, tried, apart = tmp_path / "mutant" / mutants.ZIP, 0, []
    place.parent.mkdir()
    for mutant in structural(sample, other):
        place.unlink(missing_ok=True)
        place.write_bytes(mutant.content)
        first, two = verify.verify(str(place), FINGERPRINT), second.check_package(place, FINGERPRINT, payload=False)
        tried += 1
        for who, found in (("verify.py", names(first)), ("the second", places(two))):
            if mutant.named not in found and mutant.instead not in found:
                apart.append(f"{who}, {mutant.what}, {mutant.named}: {found[:200]}")
    assert apart == []
    assert tried > 500


def test_a_key_of_somebody_else_and_a_seal_of_another_snapshot_are_refused(tmp_path: Path) -> None:
    sample = packages.sealed(tmp_path, payload={**packages.PAYLOAD, "data/snapshot.json": b"snapshot"})
    assert verify.verify(str(sample.package.path), FINGERPRINT).accepted
    assert "fingerprint" in places(second.check_package(sample.package.path, "ab" * 32, payload=False))
    forged = packages.sealed(tmp_path / "forged", payload={**packages.PAYLOAD, "data/snapshot.json": b"another"})
    assert "data/snapshot.json is not the snapshot sealed" in names(verify.verify(str(forged.package.path)))
    assert "data/snapshot.json" in places(second.check_package(forged.package.path))


def test_the_token_has_one_name(tmp_path: Path) -> None:
    info = {**packages.INFO, "Time-Stamp-Token": "seal/other.tsr"}
    plan = bag.plan_bag(packages.NAME, packages.SNAPSHOT, packages.PAYLOAD, info)
    seal = bag.seal_files(plan, packages.proof(packages.seal_row(plan)))
    path = bag.write_zip(plan, {**seal, verify.TOKEN: b"x"}, tmp_path / f"{packages.NAME}.zip").path
    assert "names another file" in names(verify.verify(str(path)))
    assert "seal/timestamp.tsr" in places(second.check_package(path, payload=False))


def test_trees_paths_and_consistency_are_those_of_the_log() -> None:
    hashes = [forms.leaf(b"%d" % number) for number in range(70)]
    for size in range(1, 71):
        root = merkle.root(hashes[:size])
        assert forms.root(hashes[:size]) == root
        for index in {0, size // 3, size - 1}:
            path = merkle.inclusion_path(hashes[:size], index)
            climbed = [forms.climbed(str(index), index, size, [one.hex() for one in way]) for way in (path, path[:-1])]
            assert climbed[0] == root.hex()
            assert climbed[1] == "" or not path
        for old in range(1, size + 1):
            old_root, proof = merkle.root(hashes[:old]), merkle.consistency_proof(hashes[:size], old)
            assert forms.consistent(old, size, old_root, root, proof)
            changed = [*proof[:-1], bytes(32)] if proof else [bytes(32)]
            for wrong in (changed, [*proof, bytes(32)], proof[:-1] if proof else [b""]):
                assert not forms.consistent(old, size, old_root, root, wrong)


def test_the_key_of_a_size_is_the_one_the_list_names(tmp_path: Path) -> None:
    publics = [checkpoint.public_bytes(key) for key in (KEY, packages.OTHER_KEY)]
    rows = [
        (public.hex(), checkpoint.fingerprint(public), after) for public, after in zip(publics, (0, 40), strict=True)
    ]
    listed = "".join(f"{key} {print_} {after}\n" for key, print_, after in rows)
    (tmp_path / "keys").write_text(listed)
    assert [key.public for key in keyring.read(tmp_path / "keys")] == publics
    assert [second_log.key_at(listed, size) for size in (1, 40, 41)] == [publics[n].hex() for n in (0, 0, 1)]
    for wrong in (
        listed[:-1],
        listed.replace(" 40", " 0"),
        listed.replace(" 0\n", " 1\n"),
        listed.upper(),
        listed[64:],
    ):
        assert second_log.key_at(wrong, 41) == ""


def test_tiles_of_two_exports_are_accepted_and_a_changed_one_is_named(tmp_path: Path) -> None:
    hashes = [forms.leaf(b"%d" % number) for number in range(70_000)]
    nodes, _ = merkle.append(lambda level, index: b"", 0, hashes)
    notes = []
    for size in (300, 70_000):
        notes.append(checkpoint.sign(ORIGIN, size, merkle.root(hashes[:size]), KEY))
        tiles.write(tmp_path, size, notes[-1], lambda level, at, count: [nodes[level, at + n] for n in range(count)])
    public = checkpoint.public_bytes(KEY)
    assert second_log.check_tiles(tmp_path, public, notes).bad == []
    # What no complete tile covers is covered by the root alone.
    told = {"tile/0/273.p/112": "checkpoint", "tile/0/001.p/44": "tile/0/001.p/44", "checkpoint": "checkpoint"}
    for name in (*told, "tile/0/000", "tile/1/001.p/17", "tile/2/000.p/1"):
        path, raw = tmp_path / name, (tmp_path / name).read_bytes()
        path.write_bytes(flipped(raw, 7, 0))
        assert told.get(name, name) in places(second_log.check_tiles(tmp_path, public)), name
        path.write_bytes(raw)
    (tmp_path / "tile/1/000").unlink()
    assert "tile/1/000 is not there" in places(second_log.check_tiles(tmp_path, public))
    for number in (0, 999, 1000, 1_234_067, 70_000_000_001):
        assert second_log.tile_name(1, number, 9) == tiles.Tile(1, number, 9).path
    (tmp_path / "tile/0/274.p").mkdir()
    (tmp_path / "tile/0/274.p/1").write_bytes(bytes(32))
    assert "tile/0/274.p/1" in places(second_log.check_tiles(tmp_path, public))


NUMBERS = [0, -1, 2**53 - 1, 2**53, -(2**53) - 1, 10**16, 10**21, 10**400, True, 0.1, 1e21, -1.5e-7, 5e-324, 1e16, -0.0]
SPECIAL = [float("nan"), float("-inf"), *map(Decimal, ("10.500", "-0.00", "1E+3", "NaN", "Infinity"))]
OTHERS: list[Any] = [
    *('\u2028\x7f\x01"\\é\U0001f600', b"\0\xff", UUID(int=7), datetime(2026, 5, 4, 3, 2, 1, 7, tzinfo=UTC)),
    *(datetime(2026, 5, 4, tzinfo=UTC).date(), [1, 2**53 + 1, 10**16, None], [], {}),
    {"\ue000": 1, "\U0001f600": 2, "a": [{"b": 10**22, "c": None, "d": -(10**17)}]},
]


@pytest.mark.parametrize("value", [*NUMBERS, *SPECIAL, *OTHERS], ids=lambda value: repr(value)[:20])
def test_every_kind_of_value_has_the_canonical_form_of_the_log(value: Any) -> None:
    row, salt = {"id": UUID(int=1), "salt": bytes(range(32)), "a": value, "b": value, "c": None}, bytes(range(32))
    made = canonical.row_bytes(table="t", row_id=UUID(int=1), fields={"a": value}, personal={"b": value}, salt=salt)
    assert second_log.row_digest("t", row, ["b", "c"], {}) == forms.leaf(made)


# Made by the product, from a story that leaves a row in every protected table


def build_everything(cast: Cast, folder: Path) -> dict[str, Path]:
    tell_everything(cast, folder)
    with transaction.atomic():
        log.record(actor="user:lead", action="telemetry.added", data={"count": [10**16, 2**53 + 1, 0.1, None]})
    old, made = DossierVersion.objects.get(), folder / "made"
    run_job(dossiers.prepare(old.case, actor=cast.analyst, edition="counsel"))
    version = DossierVersion.objects.exclude(pk=old.pk).get()
    with transaction.atomic():
        dossiers.approve(version, actor=cast.counsel, snapshot_sha256=version.snapshot_sha256)
    package = build.build(version, made, actor="system:test").path
    (made / "proof.json").write_bytes(
        exchange_checks.prove_exchange(
            ExchangeSet.objects.get(),
            actor=cast.analyst,
            request_id="req-000020",
            columns=["account_id", "ip", "prompt"],
        )
    )
    track = CounselTrack.objects.get()
    _, export = counsel.export(track, actor=cast.counsel, recipient="The court", purpose="In camera")
    (made / "export.zip").write_bytes(export)
    call_command("export_log", "--out", str(made / "tiles"), stdout=StringIO(), stderr=StringIO())
    return {"package": package, **{path.stem: path for path in made.iterdir() if path != package}}


def tables_of_the_log() -> tuple[Tables, dict[str, list[str]]]:
    """What section 10 of log.md tells to read."""
    tables, columns = StringIO(), StringIO()
    call_command("verify_log", "--tables", stdout=tables)
    call_command("verify_log", "--columns", stdout=columns)
    with postgres.connect(HOME) as owner:
        cursor = owner.cursor(row_factory=dict_row)
        found = {name: cursor.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables.getvalue().split()}
    lines = [line.partition(": ") for line in columns.getvalue().splitlines()]
    return found, {name: [one[1:-1] for one in of.split() if one[0] == "["] for name, _, of in lines}


@pytest.mark.django_db(transaction=True, databases=["default", "owner", "audit"])
def test_all_that_is_handed_out_is_accepted_and_changed_copies_are_refused_by_both(
    committed_cast: Cast,
    no_broker: None,
    checkpoints_apart: Path,
    tmp_path: Path,
    settings: Any,
    authority: Authority,
) -> None:
    settings.TELEMETRY_ROOT = tmp_path / "telemetry"
    made = build_everything(committed_cast, tmp_path)
    key = checkpoint.fingerprint(checkpoint.public_bytes(checkpoint.load_private_key(HOME.log_key)))
    packages_hold(made["package"], key, tmp_path)
    proofs_hold(made["proof"], key)
    exports_hold(made["export"])
    assert second_log.check_tiles(made["tiles"]).bad == []
    log_holds(*tables_of_the_log())
    sets_hold()
    held = ExchangeSet.objects.get()
    kept = [vault.read(digest) for digest in (held.item.sha256, held.leaves_sha256, held.nodes_sha256)]
    assert second.check_set(*kept).bad == []
    assert second.check_set(kept[0], flipped(kept[1], 20, 0), kept[2]).bad[0][0] == "leaves"
    for item in EvidenceItem.objects.all():
        document = json.loads(json.dumps(exhibits.custody_document(exhibits.whole(item))))
        assert forms.fault(document, CUSTODY) == ""


@pytest.mark.django_db(transaction=True)
def test_a_package_with_everything_a_dossier_shows_is_accepted_and_its_draft_refused(
    no_broker: None, checkpoints_apart: Path, tmp_path: Path
) -> None:
    story = make_story()
    version = story.freeze()
    draft = package_of(version, tmp_path / "draft").path
    assert "never sealed" in names(verify.verify(str(draft)))
    assert "never sealed" in places(second.check_package(draft))
    story.approve(version)
    assert second.check_package(package_of(version, tmp_path).path).bad == []


CUSTODY = forms.shape("""{v: =1, case: text, marking: text, exhibit: {number: count, title: text, kind: text,
    details: [{label: text, value: text}], source: text, file_name: text, media_type: text, size: count, sha256: hex,
    acquired_at: time, added_at: time, added_by: text, derived_from: count|null}, gaps: [{code: text, text: text,
    events: [text]}], comparisons: [{at: time, result: text, sha256: hex|null, bytes: count|null}],
    events: [{id: uuid, action: text, words: text, at: time, clock: text, who: text|null, party: text|null,
    where: text|null, why: text|null, how: text|null, tool: text|null, tool_version: text|null, sha256: hex|null,
    bytes: count|null, recorded_by: text|null, answers: uuid|null}]}""")


def packages_hold(path: Path, key: str, folder: Path) -> None:
    assert second.check_package(path, key).bad == []
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "bag")
    assert second.check_package(folder / "bag" / path.stem, key).bad == []
    files, draw = packages.unzip(path), random.Random(11)
    evidence = sorted(name for name in files if name.startswith("data/evidence/"))
    changes: dict[str, dict[str, bytes]] = {evidence[0]: {**files, evidence[0]: files[evidence[1]]}}
    # A token's own signature is checked by verify.py alone, so a flip in it may be nothing to the other.
    for name in draw.sample(sorted(set(files) - set(second.STAMP)), 12):
        content = flipped(files[name], draw.randrange(len(files[name])), draw.randrange(8))
        changes[name] = (
            packages.retagged({**files, name: content}) if "tagmanifest" not in name else {**files, name: content}
        )
    for name in draw.sample(sorted(files), 6):
        left = {one: content for one, content in files.items() if one != name}
        changes[name] = {**left, f"{name}x": files[name]}
    for name, mutant in changes.items():
        place = folder / path.name
        place.unlink(missing_ok=True)
        place.write_bytes(packages.zipped(mutant, path.stem))
        assert name in names(verify.verify(str(place), key)), name
        assert name in places(second.check_package(place, key)), name


def proofs_hold(path: Path, key: str) -> None:
    raw, draw = path.read_bytes(), random.Random(12)
    assert second.check_exchange(raw, path.name, key).bad == []
    assert verify.verify_exchange(str(path), key).accepted
    for position in draw.sample(range(len(raw)), 200):
        path.write_bytes(flipped(raw, position, draw.randrange(7)))
        assert path.name in names(verify.verify_exchange(str(path), key)), position
        assert path.name in places(second.check_exchange(path.read_bytes(), path.name, key)), position


def exports_hold(path: Path) -> None:
    raw, draw = path.read_bytes(), random.Random(13)
    assert second.check_counsel(raw, path.name).bad == []
    for position in draw.sample(range(len(raw)), 200):
        assert second.check_counsel(flipped(raw, position, draw.randrange(8)), path.name).bad, position


def sets_hold() -> None:
    """The set made anew from its key and rows, its sample drawn anew, its difference in the form of the text."""
    held, plan = ExchangeSet.objects.get(), SamplingPlan.objects.get()
    statement, key = vault.read(held.item.sha256), bytes(held.key)
    rows = [exchange(number) for number in range(60)]
    accounts = list(held.case.accounts.values_list("account__provider_id", flat=True))  # the story took one out again
    kept = [row for row in rows if row["account_id"] in accounts]
    assert second_sets.made_anew(rows, accounts, key, statement).bad == []
    assert {place for place, _ in second_sets.made_anew(kept[1:], accounts, key, statement).bad} == {"rows", "leaves"}
    assert second_sets.check_plan(vault.read(plan.plan_sha256), statement, {"": range(held.row_count)}).bad == []
    assert second_sets.check_plan(vault.read(plan.plan_sha256), statement, {"": range(held.row_count - 1)}).bad
    report = json.loads(vault.read(ExchangeSetRerun.objects.get().report_sha256))
    assert forms.fault(report, second_sets.DIFFERENCE) == ""
    assert (report["before"], report["kept"]) == (report["now"], held.row_count)


OTHER: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: not value,
    int: lambda value: value + 1,
    str: lambda value: f"{value}~",
    bytes: lambda value: flipped(value, 0, 0) if value else b"\1",
    UUID: lambda value: UUID(int=value.int ^ 1),
}


def log_holds(tables: Tables, personal: dict[str, list[str]]) -> None:
    """Every table verifies; a changed cell of a protected row is laid to the row."""
    assert second_log.check_log(tables, personal).bad == []
    assert [second_log.handed_over(row) for row in tables["spine_keyhandover"]] == [True]
    draw = random.Random(14)
    for name in draw.sample(sorted(personal), 40):
        row = draw.choice(tables[name])
        column, value = draw.choice(
            [
                (one, value)
                for one, value in row.items()
                if type(value) in OTHER and one not in ("id", "entry_id", "place")
            ]
        )
        row[column] = OTHER[type(value)](value)
        assert f"{name}:{row['id']}" in places(second_log.check_log(tables, personal)), (name, column)
        row[column] = value
