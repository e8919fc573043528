"""Every format of telemetry: what is kept, what is reported with its number, what is damaged, how it is recognised."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from detection.records import BadLine, Ingested
from detection.telemetry import delimited
from detection.telemetry.adapters import ADAPTERS, add_telemetry, file_sha256
from detection.telemetry.columns import EXCHANGES
from detection.telemetry.recognise import format_of
from tests.detection.telemetry.rows import file_of, row

NANOSECONDS = 1_772_409_600_000_000_000


def read(path: Path) -> tuple[list[dict[str, Any]], list[BadLine], Ingested]:
    """The stored rows in the order of the file with what they hold, the bad lines, and what was counted."""
    bad: list[BadLine] = []
    root = path.parent / f"{path.name}.set"
    done = add_telemetry(path, root, sha256=file_sha256(path), on_bad=bad.append)
    rows = [one for part in done.parts for one in pq.ParquetFile(root / part).read(list(EXCHANGES)).to_pylist()]
    return [{name: value for name, value in one.items() if value is not None} for one in rows], bad, done


def as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


HEAD = ["request_id", "ts", "account_id", "model", "asn", "temperature", "issued_block_hashes", "prompt", "colour"]
GOOD = ["r1", "2026-03-02T00:00:00Z", "acct_a", "birch-1", "4294967000", "0.5", '["a","b"]', 'say "x",\nthen y', "red"]
KEPT = {
    "request_id": "r1",
    "ts": datetime(2026, 3, 2, tzinfo=UTC),
    "account_id": "acct_a",
    "model": "birch-1",
    "asn": 4294967000,
    "temperature": 0.5,
    "issued_block_hashes": ["a", "b"],
    "prompt": 'say "x",\nthen y',
}


def with_(**cells: str) -> list[str]:
    return [cells.get(name, value) for name, value in zip(HEAD, GOOD, strict=True)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_csv_keeps_what_fits_and_reports_row_and_reason(tmp_path: Path, delimiter: str, pack: Any) -> None:
    rows = [
        HEAD,
        GOOD,
        with_(request_id="r2", asn="x"),
        with_(request_id="r3", ts="2026-03-02"),
        with_(request_id=""),
        GOOD[:4],
        with_(request_id="r7", issued_block_hashes="[1]"),
        with_(request_id="r8", asn="", temperature="", issued_block_hashes="", prompt="", colour=""),
        with_(request_id="r9", temperature="1e-3"),
        with_(request_id="r10", temperature="nan", asn="5.0"),
    ]
    path = tmp_path / "rows.csv"
    path.write_bytes(pack(b"\xef\xbb\xbf" + as_csv(rows, delimiter)))
    kept, bad, done = read(path)
    assert kept[0] == KEPT
    assert [one["request_id"] for one in kept] == ["r1", "r8", "r9"]
    assert kept[1].keys() == {"request_id", "ts", "account_id", "model"}
    assert kept[2]["temperature"] == 0.001
    assert bad == [
        BadLine(3, "asn is not a whole number"),
        BadLine(4, "ts is not an RFC 3339 time with a zone"),
        BadLine(5, "request_id is missing"),
        BadLine(6, "row has 4 cells, the first row names 9"),
        BadLine(7, "issued_block_hashes is not a list of text"),
        BadLine(10, "asn is not a whole number"),
    ]
    assert (done.rows, done.bad, done.unknown_columns) == (3, 6, {"colour": 7})


def test_csv_with_bytes_that_are_no_text_reports_their_rows_alone(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    good = ",".join(GOOD[:4]).encode()
    path.write_bytes(
        b"request_id,ts,account_id,model\n" + good + b"\n\xff" + good + b"\nr\0" + good + b'\n"r"x,a,b,c\n\n'
    )
    kept, bad, _ = read(path)
    assert len(kept) == 1
    assert [line.line for line in bad] == [3, 4, 5]
    assert [line.reason.split(":")[0] for line in bad] == [
        "row is not UTF-8",
        "row holds a NUL character",
        "row is not CSV",
    ]


def test_csv_with_a_quote_that_is_never_closed_says_so_and_keeps_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(as_csv([HEAD, GOOD]) + b'"r2,' + as_csv([with_(prompt="plain")] * 3))
    kept, bad, _ = read(path)
    assert kept == [KEPT]
    assert bad == [BadLine(3, delimited.UNCLOSED)]


CELLS = st.text(st.sampled_from('ab",\n\r;é'), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20), st.integers(20, 400))
def test_csv_in_pieces_gives_the_rows_of_one_piece(texts: list[tuple[str, str]], size: int) -> None:
    rows = [["r1", one, two] for one, two in texts]
    data = as_csv(rows)
    ends = [delimited._end_of_rows(data[:size]), delimited._end_of_rows(data)]
    assert ends[1] == (len(data), len(rows))
    assert list(csv.reader(io.StringIO(data[: ends[0][0]].decode(), newline=""))) == rows[: ends[0][1]]


def test_csv_whose_first_row_names_no_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(as_csv([GOOD]))
    with pytest.raises(OSError, match="first row does not name request_id, ts, account_id and model"):
        add_telemetry(path, tmp_path / "set", sha256="0" * 64, adapter="csv")


def table(**columns: Any) -> pa.Table:
    plain = {
        "request_id": [f"r{n}" for n in range(4)],
        "ts": [datetime(2026, 3, 2, n, tzinfo=UTC) for n in range(4)],
        "account_id": pa.array(["a", "b", "a", "b"]).dictionary_encode(),
        "model": ["birch-1"] * 4,
    }
    return pa.table(plain | columns)


def test_parquet_keeps_what_fits_and_reports_row_and_reason(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    given = table(
        request_id=["r0", None, "r2", "r3\0"],
        asn=pa.array([1.0, 2.0, None, 4.0]),
        n=pa.array([1, -1, 3, 4], pa.int32()),
        temperature=pa.array([0, 1, None, 2], pa.int8()),
        tools=pa.array([[{"name": "x"}], None, None, None]),
        issued_block_hashes=pa.array([["a"], None, [None], []]),
        colour=["red", None, "blue", None],
    )
    pq.write_table(given, path)
    kept, bad, done = read(path)
    assert kept == [
        {
            "request_id": "r0",
            "ts": datetime(2026, 3, 2, tzinfo=UTC),
            "account_id": "a",
            "model": "birch-1",
            "asn": 1,
            "n": 1,
            "temperature": 0.0,
            "tools": '[{"name":"x"}]',
            "issued_block_hashes": ["a"],
        }
    ]
    assert bad == [
        BadLine(2, "n is out of range"),
        BadLine(3, "issued_block_hashes is not a list of text"),
        BadLine(4, "request_id holds a NUL character"),
    ]
    assert done.unknown_columns == {"colour": 2}


@pytest.mark.parametrize(
    ("ts", "hours"),
    [
        (pa.array([1_772_427_600_000_000_001] * 4, pa.timestamp("ns")), 5),
        (pa.array([1_772_427_600] * 4, pa.timestamp("s", tz="Europe/Berlin")), 5),
        (pa.array(["2026-03-02T05:00:00+02:00"] * 4), 3),
    ],
)
def test_parquet_with_times_of_any_kind_gives_them_in_utc(tmp_path: Path, ts: pa.Array, hours: int) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(table(ts=ts), path)
    assert [one["ts"] for one in read(path)[0]] == [datetime(2026, 3, 2, hours, tzinfo=UTC)] * 4


def test_parquet_with_columns_of_other_types_reports_each_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(table(account_id=[1, 2, 3, 4]), path)
    _, bad, done = read(path)
    assert (done.rows, [line.reason for line in bad]) == (0, ["account_id is not text"] * 4)
    pq.write_table(table(ts=[datetime(1999, 1, 1, tzinfo=UTC)] * 4), path)
    assert {line.reason for line in read(path)[1]} == {"ts lies outside the years 2000 to 2199"}


def test_parquet_that_is_cut_off_is_refused_and_one_damaged_inside_keeps_the_groups_before(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    large = pa.concat_tables([table(request_id=[f"{n}-{k}" for k in range(4)]) for n in range(300)])
    pq.write_table(large, path, row_group_size=400, compression="zstd")
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(OSError, match=r"rows\.parquet is no Parquet file that can be read, or was cut off"):
        read(path)
    start = pq.ParquetFile(io.BytesIO(whole)).metadata.row_group(1).column(0).data_page_offset
    path.write_bytes(whole[:start] + b"\xff" * 200 + whole[start + 200 :])
    kept, _, done = read(path)
    assert len(kept) == 400
    assert done.truncated == "row group 2 of 3 cannot be read; nothing from there on was"


def attribute(key: str, **value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def span(number: int, *more: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "traceId": "a" * 32,
        "spanId": f"{number:016x}",
        "name": "chat birch-1",
        "startTimeUnixNano": str(NANOSECONDS + number * 1000),
        "attributes": [
            attribute("gen_ai.operation.name", stringValue="chat"),
            attribute("gen_ai.request.model", stringValue="birch-1"),
            attribute("gen_ai.usage.input_tokens", intValue="12"),
            attribute("gen_ai.request.temperature", doubleValue=0.5),
            *more,
        ],
    } | fields


def request(*spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [attribute("enduser.id", stringValue="acct_a")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


MESSAGES = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": "first"}]},
    {"role": "user", "parts": [{"type": "text", "content": "Sort the lamps"}, {"type": "blob"}]},
]


def full_span() -> dict[str, Any]:
    return span(
        1,
        attribute("gen_ai.response.id", stringValue="resp_1"),
        attribute("gen_ai.response.model", stringValue="birch-1-0302"),
        attribute("gen_ai.usage.reasoning.output_tokens", intValue=7),
        attribute("gen_ai.response.finish_reasons", arrayValue={"values": [{"stringValue": "stop"}]}),
        attribute("gen_ai.input.messages", stringValue=json.dumps(MESSAGES)),
        attribute("gen_ai.request.seed", intValue="3"),
        events=[
            {
                "name": "gen_ai.client.inference.operation.details",
                "attributes": [
                    attribute(
                        "gen_ai.output.messages",
                        stringValue='[{"role":"assistant","parts":[{"type":"text","content":"Done"}]}]',
                    )
                ],
            }
        ],
    )


def test_otlp_spans_of_model_calls_become_rows(tmp_path: Path) -> None:
    tool = span(2, attribute("gen_ai.operation.name", stringValue="execute_tool"))
    lines = [request(full_span(), tool), request(span(3)), request(span(4, startTimeUnixNano="9" * 19), span(5))]
    kept, bad, done = read(file_of(tmp_path / "spans.json.gz", lines))
    assert kept[0] == {
        "request_id": "resp_1",
        "ts": datetime(2026, 3, 2, 0, 0, 0, 1, tzinfo=UTC),
        "account_id": "acct_a",
        "model": "birch-1-0302",
        "surface": "chat",
        "input_tokens": 12,
        "reasoning_tokens": 7,
        "temperature": 0.5,
        "finish_reason": "stop",
        "prompt": "Be brief.\n\nSort the lamps",
        "response": "Done",
    }
    assert [one["request_id"] for one in kept[1:]] == [f"{'a' * 32}-{n:016x}" for n in (3, 5)]
    assert bad == [BadLine(3, "span 1: ts is not an RFC 3339 time with a zone")]
    assert done.unknown_columns == {"(spans that are no model call)": 1, "gen_ai.request.seed": 1}


def test_otlp_document_over_many_lines_and_plain_spans_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "whole.json"
    path.write_text(json.dumps(request(span(1), span(2)), indent=2))
    assert len(read(path)[0]) == 2
    plain = {
        "context": {"trace_id": "0x1", "span_id": "0x2"},
        "start_time": "2026-03-02T00:00:00.000001Z",
        "attributes": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "birch-1", "user.id": "acct_b"},
        "resource": {"attributes": {"service.name": "gateway"}},
    }
    kept, _, _ = read(file_of(tmp_path / "console.jsonl", [plain]))
    assert [(one["request_id"], one["account_id"]) for one in kept] == [("0x1-0x2", "acct_b")]


def test_several_bad_spans_of_a_line_are_counted_and_give_one_reason(tmp_path: Path) -> None:
    nobody = request(span(1), span(2))
    nobody["resourceSpans"][0]["resource"] = {}
    _, bad, done = read(file_of(tmp_path / "spans.json", [nobody]))
    assert (done.bad, bad) == (2, [BadLine(1, "span 1: account_id is missing")])


def invocation(number: int, body: Any, answer: Any, **fields: Any) -> dict[str, Any]:
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-03-02T00:00:00Z",
        "accountId": "123456789012",
        "identity": {"arn": "arn:aws:sts::123456789012:assumed-role/gateway/session-7"},
        "region": "us-east-1",
        "requestId": f"q{number}",
        "operation": "InvokeModel",
        "modelId": "arn:aws:bedrock:us-east-1:123456789012:inference-profile/birch-1",
        "input": {"inputContentType": "application/json", "inputBodyJson": body, "inputTokenCount": 9},
        "output": {"outputContentType": "application/json", "outputBodyJson": answer, "outputTokenCount": 4},
    } | fields


CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Sort"}]}], "inferenceConfig": {"maxTokens": 50}}
CONVERSED = {"output": {"message": {"role": "assistant", "content": [{"text": "Done"}]}}, "stopReason": "end_turn"}
OWN = {"system": "Be brief.", "messages": [{"role": "user", "content": "Sort"}], "max_tokens": 50, "temperature": 1}
STREAMED = [
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Do"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "ne"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
]


@pytest.mark.parametrize(
    ("body", "answer", "expected"),
    [
        (CONVERSE, CONVERSED, {"prompt": "Sort", "response": "Done", "max_tokens": 50, "finish_reason": "end_turn"}),
        (OWN, STREAMED, {"prompt": "Be brief.\n\nSort", "response": "Done", "max_tokens": 50, "temperature": 1.0}),
        ({"inputText": "Sort"}, {"results": [{"outputText": "Done"}]}, {"prompt": "Sort", "response": "Done"}),
        ({"prompt": "Sort", "max_gen_len": 5}, {"generation": "Done"}, {"prompt": "Sort", "response": "Done"}),
        (None, None, {}),
    ],
)
def test_bedrock_bodies_of_each_family_give_their_texts(tmp_path: Path, body: Any, answer: Any, expected: Any) -> None:
    kept, bad, _ = read(file_of(tmp_path / "log.gz", [invocation(1, body, answer)]))
    assert bad == []
    assert kept[0] | expected == kept[0]
    assert (
        kept[0]
        | {
            "request_id": "q1",
            "account_id": "arn:aws:sts::123456789012:assumed-role/gateway",
            "end_user_id": "session-7",
            "org_id": "123456789012",
            "model": "birch-1",
            "input_tokens": 9,
            "output_tokens": 4,
        }
        == kept[0]
    )


def test_bedrock_with_faulty_records_reports_them_and_names_bodies_that_lie_elsewhere(tmp_path: Path) -> None:
    elsewhere = invocation(2, None, None, input={"inputBodyS3Path": "s3://b/k", "inputTokenCount": -1})
    lines = [
        invocation(1, {"prompt": "\0"}, None),
        elsewhere,
        invocation(3, {}, {}, novelty=1),
        {"schemaType": "Other"},
    ]
    path = file_of(tmp_path / "log.json", lines)
    path.write_bytes(path.read_bytes() + b"{cut")
    _, bad, done = read(path)
    assert [(line.line, line.reason.split(":")[0]) for line in bad] == [
        (1, "line holds a NUL character"),
        (2, "input_tokens is out of range"),
        (5, "invalid JSON at column 2"),
    ]
    unknown = {"(input body in S3)": 1, "(records that are no model invocation)": 1, "novelty": 1}
    assert (done.rows, done.bad, done.unknown_columns) == (1, 3, unknown)


def one_of_each(folder: Path) -> Iterator[tuple[str, Path]]:
    yield "ndjson", file_of(folder / "1", [row(1)])
    yield "otel", file_of(folder / "2.gz", [request(span(1))])
    yield "bedrock", file_of(folder / "3.gz", [invocation(1, {}, {})])
    (folder / "4").write_bytes(zstandard.compress(as_csv([HEAD, GOOD])))
    yield "csv", folder / "4"
    pq.write_table(table(), folder / "5")
    yield "parquet", folder / "5"


def test_format_of_a_file_is_told_by_its_bytes(tmp_path: Path) -> None:
    found = {name: format_of(path) for name, path in one_of_each(tmp_path)}
    assert found == {name: name for name in ADAPTERS}
    assert format_of(file_of(tmp_path / "blank", [])) == "ndjson"
