"""Folders and buckets: each file once, by its bytes; a file that changes again; bad files in nobody's way."""

import gzip
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from detection.feeds import s3
from detection.feeds.base import Broken, Known, Page, Window
from detection.streams import Unreadable
from spine.outgoing import NoAnswer, NotAllowed
from tests.detection.feeds.reading import opening, uids, walk
from tests.lying_server import Lying


@dataclass
class Memory:
    """What a pull leaves behind about files, as the database keeps it."""

    stamps: dict[str, str] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)

    def stamp(self, name: str) -> str | None:
        return self.stamps.get(name)

    def digest(self, sha256: str) -> bool:
        return sha256 in self.digests

    def take(self, pages: list[Page]) -> list[Page]:
        for page in pages:
            if page.file and page.file.done:
                self.stamps[page.file.name] = page.file.stamp
                self.digests.add(page.file.sha256)
        return pages


def lines(*names: str) -> bytes:
    return b"".join(json.dumps({"uid": name}).encode() + b"\n" for name in names)


def read(folder: Path, known: Known | None = None, **given: Any) -> list[Page]:
    own = {name: given.pop(name) for name in ("window", "reach") if name in given}
    opened = opening(
        "folder", folder.as_uri(), folder=str(folder), known=known, **own, **{"settle_seconds": 0, **given}
    )
    return walk("folder", opened)


def test_every_form_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines("a1", "a2"))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines("b1")))
    (tmp_path / "c.json").write_bytes(b'[{"uid": "c1"}, {"uid": "c2"}]')
    (tmp_path / "d.csv").write_text('\ufeffuid,score,note\nd1,0.5,"two\nlines"\nd2,,\n', encoding="utf-8")
    (tmp_path / "deep").mkdir()
    pq.write_table(
        pa.table({"uid": ["e1"], "at": [datetime.fromisoformat("2026-05-04")]}), tmp_path / "deep" / "e.parquet"
    )
    (tmp_path / "f.ndjson.zst").write_bytes(zstandard.compress(lines("f1")))
    pages = read(tmp_path)
    assert sorted(uids(pages)) == ["a1", "a2", "b1", "c1", "c2", "d1", "d2", "e1", "f1"]
    rows = {json.loads(row)["uid"]: json.loads(row) for page in pages for row in page.rows}  # type: ignore[arg-type]
    assert rows["d1"] == {"uid": "d1", "score": "0.5", "note": "two\nlines"}
    assert rows["d2"] == {"uid": "d2"}
    assert rows["e1"]["at"] == "2026-05-04T00:00:00.000000Z"


def test_file_is_read_once_by_its_bytes_and_again_when_it_changes(tmp_path: Path) -> None:
    memory = Memory()
    (tmp_path / "a.ndjson").write_bytes(lines("a1"))
    assert uids(memory.take(read(tmp_path, memory))) == ["a1"]
    assert uids(read(tmp_path, memory)) == []
    (tmp_path / "copy.ndjson").write_bytes(lines("a1"))
    pages = memory.take(read(tmp_path, memory))
    assert [(page.rows, page.file and page.file.repeated) for page in pages if page.file] == [((), True)]
    with (tmp_path / "a.ndjson").open("ab") as file:
        file.write(lines("a2"))
    assert uids(memory.take(read(tmp_path, memory))) == ["a1", "a2"]


def test_large_file_comes_in_parts_and_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    names = [f"n{n}" for n in range(25)]
    (tmp_path / "a.ndjson").write_bytes(lines(*names))
    (tmp_path / "b.ndjson").write_bytes(lines("other"))
    os.utime(tmp_path / "b.ndjson", (1, 1))
    opened = opening("folder", tmp_path.as_uri(), folder=str(tmp_path), settle_seconds=0, reach={"rows": 10})
    begun = walk("folder", opened, most=2)  # the other file is older and comes first
    assert uids(begun) == ["other", *names[:10]]
    rest = walk("folder", opened, begun[-1].cursor)
    assert uids(rest)[:15] == names[10:]
    assert [(page.first, page.place) for page in rest if page.rows][:2] == [(11, "a.ndjson"), (21, "a.ndjson")]
    (tmp_path / "a.ndjson").write_bytes(lines("changed", *names))
    assert "changed" in uids(walk("folder", opened, begun[-1].cursor))


BAD = {
    "cut.ndjson.gz": gzip.compress(lines(*[f"g{n}" for n in range(2000)]))[:-30],
    "bomb.ndjson.gz": gzip.compress(b"\n" * 3_000_000),
    "broken.parquet": b"PAR1 no more of it PAR1",
    "empty.parquet": b"",
    "bad.csv": b'uid,note\nx,"never closed\n',
    "twice.csv": b"uid,uid\nx,y\n",
    "bad.json": b'[{"uid": "x"}, ',
    "latin.csv": b"uid\n\xff\n",
}


@pytest.mark.parametrize("name", BAD)
def test_file_that_breaks_is_told_in_its_last_row_and_others_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BAD[name])
    (tmp_path / "good.ndjson").write_bytes(lines("good"))
    pages = read(tmp_path, reach={"file_bytes": 1_000_000, "rows": 100_000})
    [told] = [row for page in pages for row in page.rows if isinstance(row, Unreadable)]
    assert told.reason.endswith("nothing from here on was read")
    assert "good" in uids(pages)


def test_csv_row_with_too_many_cells_is_one_bad_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,note\na,b,c\nd,e\n")
    assert uids(read(tmp_path)) == ["the row has more cells than there are names", "d"]


def test_file_that_may_still_be_written_waits_and_hidden_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines("a1"))
    (tmp_path / ".b.ndjson").write_bytes(lines("b1"))
    assert uids(read(tmp_path, settle_seconds=60)) == []
    os.utime(tmp_path / "a.ndjson", (1, 1))
    assert uids(read(tmp_path, settle_seconds=60)) == ["a1"]
    assert uids(read(tmp_path, pattern="*.csv")) == []


def test_links_pipes_and_folders_outside_are_not_read(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.ndjson").write_bytes(lines("secret"))
    (inside / "link.ndjson").symlink_to(outside / "secret.ndjson")
    (inside / "folder").symlink_to(outside)
    os.mkfifo(inside / "pipe.ndjson")
    assert read(inside)[-1].more is False
    assert uids(read(inside)) == []
    with pytest.raises(NotAllowed):
        walk("folder", opening("folder", inside.as_uri(), folder=str(outside)))
    with pytest.raises(NotAllowed):
        walk("folder", opening("folder", folder=str(inside)))


def test_folder_that_is_gone_and_file_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    with pytest.raises(Broken, match="not there"):
        read(folder)
    folder.mkdir()
    (folder / "large.ndjson").write_bytes(lines(*["x" * 50] * 50))
    (folder / "good.ndjson").write_bytes(lines("good"))
    pages = read(folder, reach={"file_bytes": 1000})
    assert [page.trouble for page in pages if page.trouble] == ["large.ndjson: it is larger than 1,000 bytes"]
    assert uids(pages) == ["good"]


def test_window_takes_files_by_when_they_were_written(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        (tmp_path / f"{day}.ndjson").write_bytes(lines(f"d{day}"))
        at = datetime(2026, 5, day, 12, tzinfo=UTC).timestamp()
        os.utime(tmp_path / f"{day}.ndjson", (at, at))
    memory = Memory()
    memory.take(read(tmp_path, memory))
    window = Window(datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 5, 3, tzinfo=UTC))
    assert uids(read(tmp_path, memory, window=window)) == ["d2"]


# Buckets

KEYS = {"AWS_ACCESS_KEY_ID": "feed", "AWS_SECRET_ACCESS_KEY": "feed-secret"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[str, Any]]:
    """The address of an S3-compatible server process, and a client of its owner."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
        keys = {"aws_access_key_id": "feed", "aws_secret_access_key": "feed-secret"}
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
        client.create_bucket(Bucket="findings")
        yield url, client
    finally:
        process.kill()
        process.wait()


def from_bucket(url: str, known: Known | None = None, **given: Any) -> list[Page]:
    own = {name: given.pop(name) for name in ("window", "reach") if name in given}
    settings = {"endpoint": url, "bucket": "findings", "access_key": "feed", "settle_seconds": 0, **given}
    return walk("s3", opening("s3", url, secret="feed-secret", known=known, **own, **settings), most=3000)


def test_objects_of_a_prefix_are_read_once_and_again_when_they_change(bucket: tuple[str, Any]) -> None:
    url, client = bucket
    client.put_object(Bucket="findings", Key="in/a b+ü.ndjson", Body=lines("a1"))
    client.put_object(Bucket="findings", Key="in/c.csv", Body=b"uid\nc1\n")
    client.put_object(Bucket="findings", Key="out/d.ndjson", Body=lines("d1"))
    memory = Memory()
    assert sorted(uids(memory.take(from_bucket(url, memory, prefix="in/")))) == ["a1", "c1"]
    assert uids(from_bucket(url, memory, prefix="in/")) == []
    client.put_object(Bucket="findings", Key="in/c.csv", Body=b"uid\nc1\nc2\n")
    assert uids(memory.take(from_bucket(url, memory, prefix="in/"))) == ["c1", "c2"]
    later = Window(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1))
    assert sorted(uids(from_bucket(url, memory, prefix="in/", window=later))) == ["a1", "c1", "c2"]


def test_list_of_many_objects_is_followed_to_its_end(bucket: tuple[str, Any]) -> None:
    url, client = bucket
    for n in range(1005):
        client.put_object(Bucket="findings", Key=f"many/{n}.ndjson", Body=lines(f"m{n}"))
    assert len(set(uids(from_bucket(url, prefix="many/")))) == 1005


def test_bucket_that_is_missing_or_not_allowed_is_told(bucket: tuple[str, Any]) -> None:
    url, _ = bucket
    with pytest.raises(Broken, match="status 404"):
        from_bucket(url, bucket="no-such-bucket")
    with pytest.raises(NotAllowed):
        walk("s3", opening("s3", "https://s3.example.com", endpoint=url, bucket="findings"))


def test_object_that_is_too_large_keeps_no_other_from_being_read(bucket: tuple[str, Any]) -> None:
    url, client = bucket
    client.put_object(Bucket="findings", Key="size/large.ndjson", Body=lines(*["x" * 50] * 50))
    client.put_object(Bucket="findings", Key="size/small.ndjson", Body=lines("small"))
    pages = from_bucket(url, prefix="size/", reach={"file_bytes": 1000})
    assert [page.trouble for page in pages if page.trouble] == ["size/large.ndjson: it is longer than 1,000 bytes"]
    assert uids(pages) == ["small"]


# A server in front of the bucket that misbehaves


@pytest.fixture
def before(bucket: tuple[str, Any], lying: Lying) -> Lying:
    """An honest server in front of the bucket, which has two objects below `lie/`, until it is told to lie."""
    url, client = bucket
    client.put_object(Bucket="findings", Key="lie/a.ndjson", Body=lines("a1", "a2"))
    client.put_object(Bucket="findings", Key="lie/b.ndjson", Body=lines("b1"))
    lying.control(behind=url, elsewhere=f"{lying.url}/findings/lie/b.ndjson")
    return lying


LIMITS = {"seconds": 1.5, "file_seconds": 1.5, "file_bytes": 1_000_000}
EARLY, LATE = "the answer ends too early", "it takes too long"
BAD_LISTS = {
    "500": "the bucket answers with status 500",
    "401": r"the bucket refuses the key \(status 401\)",
    "redirect": "the bucket answers with a redirect, which is not followed",
    "garbage": "the bucket's list is not what is expected",
    "truncated": EARLY,
    "cut": EARLY,
    "slow": LATE,
    "slow headers": LATE,
    "bomb": "it is longer than",
    "repeat": "the bucket gives the same part of its list again",
    "endless": "the bucket's list does not end",
}
BAD_OBJECTS = {
    "500": "the bucket answers with status 500",
    "redirect": "the bucket answers with a redirect, which is not followed",
    "garbage": "it came with 22 bytes, where the list says 28",
    "half": "it came with 14 bytes, where the list says 28",
    "truncated": EARLY,
    "cut": EARLY,
    "slow": LATE,
    "bomb": "it is longer than 1,000,000 bytes",
    "big": "it is longer than 1,000,000 bytes",
}


def lied_to(lying: Lying, known: Known | None = None, **reach: Any) -> list[Page]:
    return from_bucket(lying.url, known, prefix="lie/", reach={**LIMITS, **reach})


def objects_asked(lying: Lying) -> list[str]:
    return [one["path"] for one in lying.asked() if one["path"].startswith("/findings/")]


@pytest.mark.parametrize("mood", BAD_LISTS)
def test_bad_list_ends_the_pull_with_a_reason_before_any_object_is_asked_for(
    mood: str, before: Lying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "MOST_PAGES", 20)
    before.control(mood=mood, where="/findings?")
    with pytest.raises((Broken, NoAnswer), match=BAD_LISTS[mood]):
        lied_to(before)
    assert (objects_asked(before), len(before.asked()) <= 20) == ([], True)
    before.control(mood="")
    assert uids(lied_to(before)) == ["a1", "a2", "b1"]


def test_list_that_goes_on_for_too_long_is_left(before: Lying) -> None:
    before.control(mood="endless", where="/findings?")
    with pytest.raises(Broken, match="the bucket's list takes too long"):
        lied_to(before, listing_seconds=0.1)
    assert len(before.asked()) < 500


def test_list_that_names_objects_again_and_again_leads_to_each_once(before: Lying) -> None:
    before.control(mood="endless", times=3, where="/findings?")
    assert uids(lied_to(before)) == ["a1", "a2", "b1"]
    assert objects_asked(before) == ["/findings/lie/a.ndjson", "/findings/lie/b.ndjson"]
    assert len(before.asked()) == 6


@pytest.mark.parametrize("mood", BAD_OBJECTS)
def test_bad_object_is_told_keeps_no_other_from_being_read_and_is_read_when_it_is_whole(
    mood: str, before: Lying
) -> None:
    memory = Memory()
    before.control(mood=mood, where="/findings/lie/a")
    pages = memory.take(lied_to(before, memory))
    assert [page.trouble for page in pages if page.trouble] == [f"lie/a.ndjson: {BAD_OBJECTS[mood]}"]
    assert (uids(pages), len(objects_asked(before))) == (["b1"], 2)
    before.control(mood="")
    assert uids(lied_to(before, memory)) == ["a1", "a2"]


@pytest.mark.parametrize(("where", "objects"), [("/findings?", 0), ("/findings/", 1)])
def test_bucket_that_asks_to_wait_is_asked_for_nothing_more(where: str, objects: int, before: Lying) -> None:
    before.control(mood="429", where=where)
    with pytest.raises(Broken, match="the bucket asks to come less often") as told:
        lied_to(before)
    assert (told.value.wait, len(objects_asked(before))) == (120, objects)
    before.control(mood="")
    assert uids(lied_to(before)) == ["a1", "a2", "b1"]
