"""Bytes to documents: decompression, lines and items, also when they break or are made to harm."""

import gzip
import json
import zlib
from collections.abc import Iterator

import pytest
import zstandard

from detection import streams
from detection.streams import LONGEST_LINE, TOO_LONG, BrokenStream, Line

LIMIT = 64 * 1024 * 1024


def in_pieces(raw: bytes, size: int) -> Iterator[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


def read(raw: bytes, encoding: str = "", size: int = 1000, limit: int = LIMIT) -> list[Line]:
    return list(streams.lines(streams.decoded(in_pieces(raw, size), encoding, limit=limit)))


PACK = {"": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_lines_are_the_same_however_the_bytes_are_cut_and_packed(encoding: str, size: int) -> None:
    raw = b"\n\r\n  one\r\n\ntwo \n\t\n" + b"x" * 3000 + b"\nlast"
    assert read(PACK[encoding](raw), encoding, size) == [b"one", b"two", b"x" * 3000, b"last"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_members_that_follow_each_other_are_read_on(encoding: str) -> None:
    assert read(PACK[encoding](b"one\n") + PACK[encoding](b"two\n"), encoding, 5) == [b"one", b"two"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [1, 30])
def test_cut_compression_is_broken_after_the_whole_lines(encoding: str, cut: int) -> None:
    packed = PACK[encoding](
        b"".join(b"%d %s\n" % (n, zlib.crc32(b"%d" % n).to_bytes(4).hex().encode()) for n in range(20_000))
    )
    found = streams.lines(streams.decoded([packed[: -cut * 100]], encoding, limit=LIMIT))
    with pytest.raises(BrokenStream):
        for number, line in enumerate(found):
            assert isinstance(line, bytes) and line.startswith(b"%d " % number)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_not_compressed_at_all_is_broken(encoding: str) -> None:
    with pytest.raises(BrokenStream):
        read(b'{"uid": "a"}\n', encoding)


def test_damaged_checksum_is_broken() -> None:
    packed = bytearray(gzip.compress(b"one\ntwo\n"))
    packed[-6] ^= 1
    with pytest.raises(BrokenStream):
        read(bytes(packed), "gzip")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_bomb_is_stopped_at_the_cap_without_being_held(encoding: str) -> None:
    bomb = PACK[encoding](b"0" * (200 * 1024 * 1024))
    produced = 0
    with pytest.raises(BrokenStream):
        for chunk in streams.decoded(in_pieces(bomb, 65536), encoding, limit=20 * 1024 * 1024):
            assert len(chunk) <= 32 * 1024 * 1024
            produced += len(chunk)
    assert produced <= 20 * 1024 * 1024


def test_line_over_a_mebibyte_is_one_unreadable_line_and_the_next_is_read() -> None:
    fits, over = b"a" * LONGEST_LINE, b"b" * (LONGEST_LINE + 1)
    assert read(fits + b"\n" + over + b"\n" + over * 3 + b"\nnext", size=65536) == [fits, TOO_LONG, TOO_LONG, b"next"]


def test_line_without_end_breaks_the_stream() -> None:
    with pytest.raises(BrokenStream):
        list(streams.lines(b"c" * LONGEST_LINE for _ in range(70)))


def items(text: str, most: int = 10) -> list[Line]:
    return streams.items(text.encode(), most=most)


def test_items_keep_their_exact_bytes() -> None:
    assert items('[ {"a": 1.0, "a":[]} ,\n"é\\u0000",NaN, 1e999]') == [
        b'{"a": 1.0, "a":[]}',
        '"é\\u0000"'.encode(),
        b"NaN",
        b"1e999",
    ]
    assert items('{"uid": 1}') == [b'{"uid": 1}']
    assert (items("[]"), items("[ \n]"), items("")) == ([], [], [])


@pytest.mark.parametrize(
    "text", ["[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1] 2", '["a', "[" * 5000, "[" + "9" * 6000 + "]", "[1,2,3,4]"]
)
def test_array_that_cannot_be_followed_is_broken(text: str) -> None:
    with pytest.raises(BrokenStream):
        items(text, most=3)


def test_array_that_is_not_utf8_is_broken() -> None:
    with pytest.raises(BrokenStream):
        streams.items(b'["\xff"]', most=3)


@pytest.mark.parametrize(
    ("raw", "name", "form"),
    [
        (b'{"a":\n1}', "one.json", "json"),
        (b'\n {"a": 1}\n{"a": 2}', "", "ndjson"),
        (b'{"a": 1}', "", "ndjson"),
        (b'{"a": 1\n{"a": 2}\n{"a": 3}', "findings.txt", "ndjson"),
        (b'\nno json\n{"a": 2}', "", "ndjson"),
        (b'{"a": 1\n{"a": ', "", "json"),
        (b'{"a": [1],\n"b": {"c": 2}}', "", "json"),
        (b'{"a":\n{"b": 1}\n}', "", "json"),
        (b'{"a": [\n{"b": 1}\n]}', "", "json"),
        (b'[\n{"a": 1}\n]', "", "json"),
        (b'["a"\n,{"a": 1}\n]', "", "json"),
        (b"<html>\n<body>{}</body>", "", "json"),
        (b"[{}]", "", "json"),
        (b"{bad", "lines.jsonl.gz", "ndjson"),
        (b"", "", "json"),
    ],
)
def test_form_is_guessed_without_losing_bytes(raw: bytes, name: str, form: str) -> None:
    found, chunks = streams.guessed(in_pieces(raw, 2), name)
    assert (found, b"".join(chunks)) == (form, raw)


def test_form_of_a_stream_that_breaks_is_guessed_from_what_came_before() -> None:
    def breaking() -> Iterator[bytes]:
        yield b'{"a": 1}\n'
        raise BrokenStream("cut")

    found, chunks = streams.guessed(breaking())
    assert found == "ndjson"
    assert next(chunks) == b'{"a": 1}\n'
    with pytest.raises(BrokenStream, match="cut"):
        list(chunks)


def test_document_of_many_keys_is_one_item() -> None:
    document = json.dumps({f"k{number}": number for number in range(100_000)})
    assert len(items(document)) == 1
