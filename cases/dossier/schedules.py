"""The CSV schedules: the snapshot's lists as tables, for spreadsheets and for programs.

RFC 4180: comma, CRLF, quotes where needed; UTF-8 without a mark. Where a spreadsheet would take a text for a formula it
gets an apostrophe in front (OWASP, "CSV Injection"), also after a semicolon or a line end, where a spreadsheet set to
another separator begins a cell; `unguarded` takes exactly these away. Numbers stay numbers, nothing is an empty cell.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter, methodcaller
from typing import Any, TextIO

from cases.dossier.plain import visible
from cases.dossier.reading import Row

# What makes a spreadsheet compute: ASCII and full-width signs, the minus sign U+2212, and the controls OWASP names.
# White space in front helps nobody, and an apostrophe that is there already counts, or taking ours away would err.
FORMULA = "=+\\-@|%\t\r\x00\uff1d\uff0b\uff0d\uff20\uff5c\uff05\u2212"
UNGUARDED = re.compile(rf"(^|[;\n])(?=[\s'\u00a0\u3000]*[{FORMULA}])")
GUARDED = re.compile(rf"(^|[;\n])'(?=[\s'\u00a0\u3000]*[{FORMULA}])")
Columns = Mapping[str, Callable[[Row], Any]]


def _same(*names: str) -> Columns:
    return {name: itemgetter(name) for name in names}


def _later(*names: str) -> Columns:
    """Columns that snapshots of earlier releases do not have: their cells are empty."""
    return {name: methodcaller("get", name) for name in names}


SCHEDULES: dict[str, tuple[str, Columns]] = {
    "accounts": (
        "accounts",
        {
            **_same("account", "cluster", "strength"),
            "verdict": lambda row: row["verdict"] and row["verdict"]["label"],
            "verdict_reason": lambda row: row["verdict"] and row["verdict"]["reason"],
            "decided_by": lambda row: row["verdict"] and row["verdict"]["by"],
            "decided_at": lambda row: row["verdict"] and row["verdict"]["at"],
            **_same("exchanges", "input_tokens", "output_tokens", "first_seen", "last_seen"),
            "reasons": lambda row: "; ".join(row["reasons"]),
            **_same("item"),
        },
    ),
    "verdicts": ("verdict_history", _same("at", "account", "verdict", "reason", "by", "item")),
    "shared_values": (
        "shared_values",
        _same(
            *("number", "type", "value", "shown", "signal", "accounts", "holders", "population", "rarity", "strength"),
            *("first_seen", "last_seen", "reason", "item"),
        ),
    ),
    "links": (
        "links",
        _same(
            *("account", "shared_value", "signal", "times", "strength", "first_seen", "last_seen", "reason", "item"),
        ),
    ),
    "findings": (
        "findings",
        {
            **_same("number", "detector", "detector_version", "config_sha256", "uid", "version", "superseded_by"),
            **_later("set_aside", "recalled"),
            **_same("signal", "title", "summary", "score", "confidence", "accounts", "false_positive_rate"),
            **_same("measured_on"),
            "window_start": lambda row: row["window"]["start"],
            "window_end": lambda row: row["window"]["end"],
            **_same("received_at", "payload_sha256", "item"),
        },
    ),
    "timeline": ("timeline", _same("starts_at", "ends_at", "lane", "text", "source_words", "confidence", "item")),
    "exhibits": (
        "exhibits",
        _same(
            *("number", "title", "kind", "source", "file", "withheld", "media_type", "size", "sha256", "acquired_at"),
            *("added_by", "added_at", "item"),
        ),
    ),
    "custody": ("custody", _same("exhibit", "at", "clock", "action", "who", "where", "why", "how", "sha256", "item")),
    "exchange_sets": (
        "exchange_sets",
        {
            **_same("exhibit", "title", "source", "asked", "query"),
            "window_start": lambda row: row["window"]["start"],
            "window_end": lambda row: row["window"]["end"],
            **_same("accounts", "rows", "first", "last", "input_tokens", "output_tokens", "root", "statement_sha256"),
            **_same("leaves_sha256", "nodes_sha256", "made_at", "made_by", "expire_at", "item"),
        },
    ),
    "exchange_set_reruns": (
        "exchange_set_reruns",
        _same(
            *("exhibit", "at", "asked_by", "rows", "root", "same", "missing", "expired", "added", "changed"),
            *("retention_days", "report_sha256", "item"),
        ),
    ),
    "samples": (
        "samples",
        {
            **_same("exhibit", "number", "question", "frame", "seed", "strata_by"),
            "strata": lambda row: "; ".join(
                f"{one['name'] or 'all'}: {one['judged']} judged of {one['sampled']} drawn of {one['rows']}"
                for one in row["strata"]
            ),
            **_same("per_stratum", "sampled", "judged", "differing", "reviewers", "confidence_level"),
            "results": lambda row: "; ".join(one["words"] for one in row["results"]),
            **_same("planned_by", "at", "plan_sha256", "item"),
        },
    ),
    "sampled_exchanges": (
        "sampled_exchanges",
        _same("exhibit", "sample", "ordinal", "stratum", "index", "at", "leaf_sha256", "result", "item"),
    ),
    "preservation": (
        "preservation",
        {
            **_same("source", "data"),
            "window_start": lambda row: row["window"]["start"],
            "window_end": lambda row: row["window"]["end"],
            **_same("accounts", "authority", "asked_at", "asked_by", "gone_before", "answer", "receipt"),
            **_same("answered_at", "kept_until", "gone_as_answered", "item"),
        },
    ),
    "holds": (
        "holds",
        _same(*("number", "scope", "trigger_at", "placed_at", "placed_by", "released_at", "released_by", "item")),
    ),
    "disclosures": (
        "disclosures",
        {
            **_same("at", "package", "package_sha256", "recipient", "basis", "law"),
            "data": lambda row: "; ".join(row["data"]),
            **_same("marking", "channel", "asked_by", "released_by"),
            "receipts": lambda row: "; ".join(row["receipts"]),
            **_same("recalled_at", "item"),
        },
    ),
    "volume": ("volume", _same("day", "model", "exchanges")),
}


def schedules(snapshot: Row) -> dict[str, bytes]:
    """Every schedule by its path in the package; of a list that an older snapshot does not have, none."""
    return {
        f"data/schedules/{name}.csv": table(columns, snapshot[part]["rows"])
        for name, (part, columns) in SCHEDULES.items()
        if part in snapshot
    }


def table(columns: Columns, rows: Iterable[Row]) -> bytes:
    """One table with its header."""
    out = io.StringIO(newline="")
    write(out, columns, ([value(row) for value in columns.values()] for row in rows))
    return out.getvalue().encode()


def write(out: TextIO, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A header and rows of values, each as it stands in a cell."""
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(list(columns))
    writer.writerows([cell(value) for value in row] for row in rows)


def cell(value: Any) -> Any:
    """A value as it stands in a cell: text visible and guarded, truth as yes or no, numbers as they are."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return guarded(visible(value))
    return value


def guarded(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet would begin to compute."""
    return UNGUARDED.sub(r"\1'", text)


def unguarded(text: str) -> str:
    """The text that `guarded` was given."""
    return GUARDED.sub(r"\1", text)
