"""Archives are listed without being unpacked; what they are made to do is told in a sentence (X4)."""

import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from django.core.management import call_command

from cases import archives, erasing
from cases.models import ArchiveListing, CustodyEvent, EvidenceItem
from spine import vault
from spine.models import Job, LogEntry
from tests.cases import api, pages
from tests.factories import Cast, add_exhibit, make_case, run_job

MB = 1024 * 1024
ROOT = Path(archives.__file__).resolve().parent.parent
Listed = Callable[[bytes, str], dict[str, Any]]


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    """What the program says of these bytes; it leaves nothing behind."""

    def ask(content: bytes, kind: str) -> dict[str, Any]:
        path = tmp_path / "archive"
        path.write_bytes(content)
        program = [sys.executable, "-I", "-c", archives.START, str(ROOT), kind]
        with path.open("rb") as stream:
            done = subprocess.run(
                program, stdin=stream, capture_output=True, check=True, timeout=120, cwd=tmp_path, env={}
            )
        assert [found.name for found in tmp_path.iterdir()] == ["archive"]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    return ask


def flags(found: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: (one["type"], one["flags"]) for one in found["members"]}


def zipped(members: dict[str, bytes], link: str = "/etc/passwd", **more: Any) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **more) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 6, 1, 7, 58, 12)), content, zipfile.ZIP_DEFLATED)
        if link:
            info = zipfile.ZipInfo("link")
            info.external_attr = 0o120777 << 16
            archive.writestr(info, link)
    return out.getvalue()


def tarred(mode: str) -> bytes:
    out = io.BytesIO()
    inside = {"plain.txt": b"hello", "../../out": b"x", "/abs": b"y", "inner.gz": b"\x1f\x8b\x08", "a\nb": b""}
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in inside.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_780_300_692
            archive.addfile(info, io.BytesIO(content))
        for name, kind in (("link", tarfile.SYMTYPE), ("dev", tarfile.CHRTYPE), ("dir", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../up" if kind == tarfile.SYMTYPE else ""
            archive.addfile(info)
    return out.getvalue()


def test_zip_is_listed_with_what_its_members_could_do(listed: Listed) -> None:
    content = zipped(
        {"a.txt": b"a" * 9000, "../../out": b"x", "C:\\abs": b"y", "b\u202e.zip": b"PK\x03\x04", "d/": b""}
    )
    found = listed(content, "zip")
    assert (found["stopped"], found["produced"]) == ("", 9000 + 1 + 1 + 4 + 11)
    assert flags(found) == {
        "a.txt": ("file", []),
        "../../out": ("file", ["leads_out"]),
        "C:\\abs": ("file", ["absolute_name"]),
        "b\u202e.zip": ("file", ["archive_inside"]),
        "d/": ("folder", []),
        "link": ("link", ["absolute_name"]),
    }
    assert (found["members"][0]["modified"], found["members"][-1]["target"]) == ("2026-06-01T07:58:12", "/etc/passwd")


@pytest.mark.parametrize(
    ("mode", "kind"), [("w", "tar"), ("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz"), ("w", "zstd")]
)
def test_tar_is_listed_through_its_compression(mode: str, kind: str, listed: Listed) -> None:
    content = tarred(mode)
    if kind == "zstd":
        content = zstandard.ZstdCompressor().compress(content)
    found = listed(content, kind)
    assert found["stopped"] == ""
    assert flags(found) == {
        "plain.txt": ("file", []),
        "../../out": ("file", ["leads_out"]),
        "/abs": ("file", ["absolute_name"]),
        "inner.gz": ("file", ["archive_inside"]),
        "a\nb": ("file", ["odd_name"]),
        "link": ("link", ["leads_out"]),
        "dev": ("device", []),
        "dir": ("folder", []),
    }
    first = found["members"][0]
    assert (first["size"], first["produced"], first["modified"]) == (5, 5, "2026-06-01T07:58:12Z")


def test_one_file_in_a_compression_is_its_only_member(listed: Listed) -> None:
    rows = b'{"request_id": "r-1"}\n' * 1000
    for kind, pack in (("gzip", gzip.compress), ("xz", lzma.compress), ("zstd", zstandard.compress)):
        found = listed(pack(rows), kind)
        [only] = found["members"]
        assert (only["produced"], only["flags"], found["stopped"]) == (len(rows), ["no_name"], ""), kind


def by_hand(packed: bytes, *, size: int, times: int = 1) -> bytes:
    """A ZIP file whose directory names one deflated stretch so many times."""
    names = [f"m{number}".encode() for number in range(times)]
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(packed), size, 2, 0) + names[0][:2]
    fields = (b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(packed), size)
    central = b"".join(struct.pack("<4s6H3L5H2L", *fields, len(name), 0, 0, 0, 0, 0, 0) + name for name in names)
    body = local + packed
    return body + central + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, times, times, len(central), len(body), 0)


def deflated(chunk: bytes, times: int) -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"".join([*(made.compress(chunk) for _ in range(times)), made.flush()])


def test_bombs_are_stopped_by_what_comes_out_and_say_so(listed: Listed) -> None:
    found = listed(by_hand(deflated(bytes(8 * MB), 64), size=10), "zip")
    assert "More than 100 times the bytes it is packed in came out" in found["stopped"]
    assert (found["produced"] < 300 * MB, found["members"][0]["flags"]) == (True, ["broken_off"])
    for kind, pack in (("gzip", gzip.compress), ("xz", lzma.compress)):
        info = tarfile.TarInfo("bomb")
        info.size = 32 * MB
        assert "More than 100 times" in listed(pack(info.tobuf() + bytes(32 * MB)), kind)["stopped"], kind


def test_members_on_top_of_each_other_are_named_and_not_followed(listed: Listed) -> None:
    found = listed(by_hand(deflated(os.urandom(1000), 1), size=1000, times=500), "zip")
    assert (len(found["members"]), found["produced"], found["stopped"]) == (500, 1000, "")
    assert found["members"][0]["flags"] == []
    assert {tuple(one["flags"]) for one in found["members"][1:]} == {("overlaps", "two_names")}
    inside = by_hand(b"", size=0)
    claims = inside[:-6] + struct.pack("<L", 0) + inside[-2:]  # the directory begins where its first member lies
    assert listed(claims, "zip")["stopped"] != ""


def test_size_that_is_not_true_encryption_and_a_name_used_twice_are_flagged(listed: Listed) -> None:
    content = zipped({"a.txt": os.urandom(5000), "b.txt": b"b"}, link="")
    first = content.find(b"PK\x01\x02")
    second = content.find(b"PK\x01\x02", first + 4)
    lied = bytearray(content)
    lied[first + 24 : first + 28] = struct.pack("<L", 10)
    lied[second + 8] |= 1
    lied[second + 46 : second + 51] = b"a.txt"
    a, b = listed(bytes(lied), "zip")["members"]
    assert (a["size"], a["produced"], a["flags"]) == (10, 5000, ["size_untrue"])
    assert (b["produced"], b["flags"]) == (None, ["encrypted", "name_twice", "two_names"])


def test_too_many_members_and_a_directory_that_claims_too_much_are_stopped(listed: Listed) -> None:
    many = listed(zipped({f"{number}": b"" for number in range(10_001)}), "zip")
    assert (len(many["members"]), many["stopped"]) == (
        10_000,
        "It has more than 10,000 members; the rest are not listed.",
    )
    claims = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 0xFFFFFFF0, 0, 0)
    assert "more than is read" in listed(b"PK\x03\x04" + claims, "zip")["stopped"]


def test_header_that_asks_for_gigabytes_of_memory_gets_none(listed: Listed) -> None:
    header = bytearray(tarfile.TarInfo("pax").tobuf())
    header[124:136] = b"\x80" + (2**33).to_bytes(11, "big")
    header[156:157] = b"x"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    for content, kind in ((bytes(header) + bytes(MB), "tar"), (gzip.compress(bytes(header) + os.urandom(MB)), "gzip")):
        found = listed(content, kind)
        assert (found["members"], bool(found["stopped"])) == ([], True), kind


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip", "bzip2", "xz", "zstd"])
def test_what_is_no_archive_or_cut_off_is_told(kind: str, listed: Listed) -> None:
    for content in (b"garbage" * 500, os.urandom(3000)):
        found = listed(content, kind)
        assert (found["members"], bool(found["stopped"])) == ([], True)


def test_program_can_write_nothing(tmp_path: Path) -> None:
    code = archives.START.replace("main(sys.argv[2])", "from cases.archive_reader.limits import confine; confine()")
    write = f"{code}\nwith open({str(tmp_path / 'out')!r}, 'w') as out: out.write('x' * 10)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", write, str(ROOT)], capture_output=True, timeout=60, env={}, check=False
    )
    assert done.returncode != 0
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size == 0


# In the product.

in_the_product = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_broker")]


class TestInTheProduct:
    """From the exhibit to the page, the API and the command."""

    pytestmark = in_the_product

    def test_archive_is_listed_when_it_is_added_and_shown(self, committed_cast: Cast) -> None:
        cast = committed_cast
        case = make_case(cast)
        item = add_exhibit(case, cast.analyst, zipped({"../up": b"x", "e\u202etxt.exe": b"y"}), file_name="a.zip")
        job = run_job(Job.objects.get(kind="evidence.list"))

        assert (job.state, job.result) == ("done", {"number": 1, "members": 3, "stopped": ""})
        listing = ArchiveListing.objects.get()
        assert (listing.count, listing.flagged, listing.stopped) == (3, 2, "")
        assert CustodyEvent.objects.filter(item=item, action="analysed", recorded_by__username="analyst").count() == 1
        assert LogEntry.objects.get(action="evidence.listed").data["members"] == 3
        page = pages.text_of(pages.client_of(cast.reader).get(f"/cases/{case.ref}/evidence/1/"))
        assert "leads out of its folder" in page
        assert "e⟨U+202E⟩txt.exe" in page
        assert page.count("turn their neighbours round") == 1
        assert "/list/" not in page  # a reader is offered no act
        answer = api.client_of(cast.reader).get(f"/api/v1/cases/{case.ref}/evidence/1/listing/").json()
        assert (answer["archive"], answer["members"][0]["flags"]) == (item.sha256, ["leads_out"])

    def test_listing_again_is_a_listing_of_its_own_and_a_job_writes_once(self, committed_cast: Cast) -> None:
        cast = committed_cast
        case = make_case(cast)
        add_exhibit(case, cast.analyst, gzip.compress(b"a,b\n"), file_name="a.csv.gz")
        first = run_job(Job.objects.get(kind="evidence.list"))
        Job.objects.filter(pk=first.pk).update(state="queued", attempts=0)
        run_job(first)
        assert ArchiveListing.objects.count() == 1
        client = pages.client_of(cast.analyst)
        sent = client.post(f"/cases/{case.ref}/evidence/1/list/")
        job = Job.objects.filter(kind="evidence.list").latest("created_at")
        assert (sent.status_code, str(job.id) in sent["Location"]) == (302, True)
        run_job(job)
        assert ArchiveListing.objects.count() == 2

    def test_what_cannot_be_read_says_so_and_what_is_damaged_fails(self, committed_cast: Cast) -> None:
        cast = committed_cast
        case = make_case(cast)
        add_exhibit(case, cast.analyst, b"PK\x03\x04 and no more", file_name="a.zip")
        seven = add_exhibit(case, cast.analyst, b"7z\xbc\xaf\x27\x1c rest", file_name="a.7z")
        run_job(Job.objects.get(kind="evidence.list"))
        client = pages.client_of(cast.analyst)
        page = pages.text_of(client.get(f"/cases/{case.ref}/evidence/1/"))
        assert "It has no end record: it is no whole ZIP file." in page
        assert "It is a 7z archive" in pages.text_of(client.get(f"/cases/{case.ref}/evidence/{seven.number}/"))
        assert client.post(f"/cases/{case.ref}/evidence/{seven.number}/list/").status_code == 422
        one = EvidenceItem.objects.get(number=1)
        path = vault.path_of(one.sha256)
        path.chmod(0o600)
        path.write_bytes(b"other")
        answer = api.client_of(cast.analyst).post(f"/api/v1/cases/{case.ref}/evidence/1/listing/")
        failed = run_job(Job.objects.get(pk=answer.json()["job"]["id"]))
        assert (failed.state, "are not those it was added with" in failed.error) == ("failed", True)

    def test_command_prints_the_members_and_ends_with_1_when_it_was_not_read_to_its_end(
        self, committed_cast: Cast, capsys: Any
    ) -> None:
        cast = committed_cast
        case = make_case(cast)
        add_exhibit(case, cast.analyst, zipped({"a": b"x"}, link=""), file_name="a.zip")
        run_job(Job.objects.get(kind="evidence.list"))
        call_command("list_archive", case.ref, 1, actor="analyst")
        [line] = capsys.readouterr().out.splitlines()
        assert json.loads(line)["name"] == "a"
        add_exhibit(case, cast.analyst, b"PK\x03\x04 cut", file_name="b.zip")
        run_job(Job.objects.filter(kind="evidence.list").latest("created_at"))
        with pytest.raises(Exception, match="no whole ZIP file"):
            call_command("list_archive", case.ref, 2, actor="analyst")
        with pytest.raises(Exception, match="has no exhibit 9"):
            call_command("list_archive", case.ref, 9, actor="analyst")

    def test_names_go_with_an_erasure_of_the_exhibit(self, committed_cast: Cast) -> None:
        cast = committed_cast
        case = make_case(cast)
        item = add_exhibit(case, cast.analyst, zipped({"jane-doe.txt": b"x"}), file_name="a.zip")
        run_job(Job.objects.get(kind="evidence.list"))
        keys = {one.key for one in erasing.preview_of(item).targets}
        assert f"cases_archivelisting:{ArchiveListing.objects.get().pk}" in keys
