"""Packages as written: the same bytes each time, read alike by independent programs, names that no system changes."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cases.dossier import bag
from cases.dossier.package_files import verify
from tests.cases.dossier.packages import INFO, NAME, PAYLOAD, SNAPSHOT, proof, seal_row, sealed, unzip


def plan(payload=PAYLOAD, info=INFO, name=NAME, snapshot=SNAPSHOT):
    return bag.plan_bag(name, snapshot, payload, info)


def test_package_made_twice_has_the_same_bytes(tmp_path):
    (tmp_path / "one").mkdir()
    reordered = dict(reversed(PAYLOAD.items()))
    one, two = sealed(tmp_path / "one"), sealed(tmp_path / "made" / "anew", payload=reordered)
    assert one.package.path.read_bytes() == two.package.path.read_bytes()


def test_package_from_files_on_disk_equals_the_one_from_memory(tmp_path):
    files = {path: tmp_path / str(number) for number, path in enumerate(PAYLOAD)}
    for path, place in files.items():
        place.write_bytes(PAYLOAD[path])
        os.utime(place, (1, 1))
    assert sealed(tmp_path, payload=files).package.sha256 == sealed(tmp_path / "again").package.sha256


def test_zip_has_one_fixed_form_and_no_time_or_machine_in_it(tmp_path):
    with zipfile.ZipFile(sealed(tmp_path).package.path) as archive:
        facts = {
            (i.date_time, i.compress_type, i.external_attr, i.create_system, i.extra, i.comment, i.flag_bits)
            for i in archive.infolist()
        }
        assert facts == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 0o100644 << 16, 3, b"", b"", 0x800)}
        assert archive.namelist() == sorted(archive.namelist())
        assert archive.testzip() is None
        assert archive.comment == b""


def test_zip_read_by_another_program_holds_the_files(tmp_path):
    sample = sealed(tmp_path)
    with zipfile.ZipFile(sample.package.path) as archive:
        read = {name.removeprefix(f"{NAME}/"): archive.read(name) for name in archive.namelist()}
    assert read == sample.files
    assert {path: read[path] for path in PAYLOAD} == PAYLOAD


def test_zip64_form_is_read_by_another_program(tmp_path, monkeypatch):
    """The limits are lowered, so that small files take the form of large ones."""
    saved = verify.ZIP64_FROM
    monkeypatch.setattr(verify, "ZIP64_FROM", 600)
    content = {path: b"x" * size for path, size in (("data/a", 599), ("data/b", 600), ("data/c", 5000), ("data/d", 1))}
    written = b"".join(bag._zip_chunks(NAME, list(bag._items(content))))
    (tmp_path / "large.zip").write_bytes(written)
    with zipfile.ZipFile(tmp_path / "large.zip") as archive:
        assert [archive.read(f"{NAME}/{path}") for path in content] == list(content.values())
    assert saved == 0xFFFFFFFF


def test_zip64_form_of_real_sizes_says_what_it_must():
    size, offset = 5 * 2**30, 6 * 2**30
    for header in (verify.local_header(b"n", 7, size), verify.central_header(b"n", 7, size, offset)):
        assert size.to_bytes(8, "little") * 2 in header
    end = verify.end_record(70000, 2**20, offset)
    assert (len(end), end[-22:]) == (98, b"PK\5\6\0\0\0\0\xff\xff\xff\xff\0\0\x10\0\xff\xff\xff\xff\0\0")


def test_more_than_65535_files_are_written_and_read_back(tmp_path):
    content = {f"data/{number:05d}": b"" for number in range(65_600)}
    (tmp_path / "many.zip").write_bytes(b"".join(bag._zip_chunks(NAME, list(bag._items(content)))))
    package = verify.ZipPackage(tmp_path / "many.zip")
    package.close()
    assert list(package.members) == list(content)
    with zipfile.ZipFile(tmp_path / "many.zip") as archive:
        assert len(archive.namelist()) == 65_600


def test_digest_beside_the_zip_is_checked_by_sha256sum(tmp_path):
    package = sealed(tmp_path).package
    done = subprocess.run(["sha256sum", "-c", f"{package.path.name}.sha256"], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout) == (0, f"{NAME}.zip: OK\n".encode())
    assert package.size == package.path.stat().st_size
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"{NAME}.zip", f"{NAME}.zip.sha256"]


def test_bag_info_counts_the_payload_and_keeps_the_order(tmp_path):
    assert sealed(tmp_path).files["bag-info.txt"] == (
        b"Bagging-Date: 2026-05-04\nSource-Organization: Example Laboratory\n"
        b"External-Identifier: RT-2026-K7Q4M-counsel-v1\nPayload-Oxum: 1078.4\n"
    )


def test_statement_covers_every_file_outside_the_seal(tmp_path):
    sample = sealed(tmp_path)
    covered = {item.path for item in sample.plan.tags} | set(PAYLOAD)
    assert covered == {path for path in sample.files if not path.startswith(("seal/", "tagmanifest"))}
    assert hashlib.sha256(sample.files["seal/statement.json"]).hexdigest() == sample.plan.statement_sha256
    assert hashlib.sha256(sample.files["manifest-sha256.txt"]).hexdigest() == sample.plan.manifest_sha256


@pytest.mark.parametrize(
    "path",
    [
        "dossier.pdf",
        "data/",
        "data//a",
        "/data/a",
        "data/../a",
        "data/./a",
        "data/a\nb",
        "data/a\\b",
        "data/a%0A",
        "data/a:b",
        "data/a ",
        "data/ a/b",
        "data/a.",
        "data/cafe\u0301",
        "data/\u202efdp.exe",
        "data/\ud800",
        "",
    ],
)
def test_path_that_some_system_would_change_is_refused(path):
    with pytest.raises(bag.NotPackable):
        plan(payload={path: b""})


@pytest.mark.parametrize("paths", [("data/a", "data/A"), ("data/x", "data/X/y"), ("data/straße", "data/STRASSE")])
def test_paths_that_are_one_where_case_is_ignored_are_refused(paths):
    with pytest.raises(bag.NotPackable, match="case is ignored"):
        plan(payload=dict.fromkeys(paths, b""))


@pytest.mark.parametrize(
    ("label", "value"),
    [
        *[("A", value) for value in ("one\ntwo", "one\rtwo", "", " x", "x ", "a\u2028b", "\x00", "a\x85b")],
        *[(label, "1.1") for label in ("A:", "", "A b", "Payload-Oxum", "payload-oxum")],
    ],
)
def test_bag_info_that_one_line_cannot_hold_is_refused(label, value):
    with pytest.raises(bag.NotPackable):
        plan(info={label: value})


@pytest.mark.parametrize("changed", [{"payload": {}}, {"name": "a/b"}, {"name": ".."}, {"snapshot": "AB" * 32}])
def test_plan_without_payload_name_or_snapshot_is_refused(changed):
    with pytest.raises(bag.NotPackable):
        plan(**changed)


def test_file_that_changes_while_the_package_is_made_leaves_nothing_behind(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"before")
    planned = plan(payload={"data/a": source})
    source.write_bytes(b"after!")
    with pytest.raises(bag.NotPackable, match="data/a changed"):
        bag.write_zip(planned, {}, tmp_path / "out" / "x.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_seal_of_another_package_is_refused(tmp_path):
    one, other = plan(), plan(payload={"data/a": b"other"})
    with pytest.raises(bag.NotPackable, match="not the seal"):
        bag.write_zip(one, bag.seal_files(other, proof(seal_row(other))), tmp_path / "x.zip")


def test_token_is_carried_exactly_when_bag_info_says_so(tmp_path):
    silent, promising = plan(), plan(info=INFO | bag.time_stamp_info(b"chain"))
    with pytest.raises(bag.NotPackable):
        bag.write_zip(silent, bag.seal_files(silent, proof(seal_row(silent)), b"token"), tmp_path / "x.zip")
    with pytest.raises(bag.NotPackable):
        bag.write_zip(promising, bag.seal_files(promising, proof(seal_row(promising))), tmp_path / "x.zip")
    seal = bag.seal_files(promising, proof(seal_row(promising)), b"token", b"chain")
    written = bag.write_zip(promising, seal, tmp_path / "x.zip")
    assert unzip(written.path)["seal/tsa-chain.pem"] == b"chain"


def test_draft_is_a_valid_bag_without_a_seal(tmp_path):
    written = bag.write_zip(plan(), {}, tmp_path / "draft.zip")
    assert not any(path.startswith("seal/") for path in unzip(written.path))


def test_writer_and_verifier_import_no_django():
    code = (
        "import sys, cases.dossier.bag, cases.dossier.verify, spine.merkle, spine.canonical, spine.checkpoint;"
        "sys.exit(any(name.split('.')[0] == 'django' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
