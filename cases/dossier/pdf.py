"""The reading copy: the document laid out by Typst as a tagged PDF/A-2a that is PDF/UA-1 too.

The same document gives the same bytes on every machine: only the fonts inside the typst wheel, the cut's time as the
time of making, no package from anywhere. Data goes in as JSON, never as source.
"""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

from cases.dossier import sets
from cases.dossier.plain import printable_all
from cases.dossier.reading import Row

TEMPLATE = Path(__file__).parent / "templates" / "counsel.typ"
MOST = {"accounts": 60, "findings": 60, "linkage": 40, "timeline": 80, "custody": 80}  # rows of a list on paper
IN_FULL = 3  # findings of each signal that are printed with all they state
MOST_BARS = 70
LONGEST_READER = 60


def pdf(whole: Row) -> bytes:
    """The PDF of a document. Raises typst.TypstError when the template and the data do not fit."""
    import typst  # only who renders needs what this loads

    shown = view(whole)
    made = datetime.fromisoformat(whole["snapshot"]["cut"]["at"])
    return typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        pdf_standards=["a-2a", "ua-1"],
        ignore_system_fonts=True,
        timestamp=int(made.timestamp()),
        sys_inputs={"data": json.dumps(shown, ensure_ascii=False)},
    )


def view(whole: Row) -> Row:
    """What the template reads, printable: the document without its long lists, and of these what paper bears."""
    snapshot = whole["snapshot"]
    long = {"accounts", "links", "shared_values", "findings", "verdict_history", "timeline", "custody", "volume"}
    long |= {"exchange_sets", "exchange_set_reruns", "samples", "sampled_exchanges"}
    short = {key: value for key, value in snapshot.items() if key not in long}
    findings = _capped(snapshot["findings"]["rows"], "findings", "Findings, strongest first", "findings")
    parts = {
        "document": {**whole, "snapshot": short},
        "reader": _reader(snapshot["recipient"]["name"]),
        "chart": _chart(snapshot),
        "numbers": {row["item"]: f"F{row['number']}" for row in snapshot["findings"]["rows"]},
        "accounts": _capped(snapshot["accounts"]["rows"], "accounts", "Accounts, largest volume first", "accounts"),
        "findings": {**findings, "detail": _in_full(findings["rows"])},
        "linkage": _linkage(snapshot["shared_values"]["rows"]),
        "timeline": _capped(snapshot["timeline"]["rows"], "timeline", "Timeline, oldest first", "entries"),
        "sets": sets.printed(snapshot),
        "custody": {
            **_capped(snapshot["custody"]["rows"], "custody", "Custody events by exhibit", "events"),
            "gaps": snapshot["custody"].get("gaps", []),
        },
    }
    shown: Row = printable_all(parts)
    return shown


def _reader(name: str) -> str:
    """Whom the copy is for, short enough for the foot of a page."""
    if not name:
        return "internal copy – not for disclosure"
    return f"for {name[:LONGEST_READER]}…" if len(name) > LONGEST_READER else f"for {name}"


def _capped(rows: list[Row], name: str, title: str, noun: str, schedule: str = "") -> Row:
    most = MOST[name]
    file = f"schedules/{schedule or name}.csv"
    counted = f"{len(rows):,} {noun}" if len(rows) != 1 else f"1 {noun.removesuffix('s')}"
    shown = f"the first {most:,} of {counted}; all are in {file}" if len(rows) > most else f"{counted}; also in {file}"
    return {"caption": f"{title}: {shown}", "rows": rows[:most]}


def _in_full(rows: list[Row]) -> list[Row]:
    """The strongest findings of each signal, so that one signal's many do not hide the others."""
    by_signal: dict[str, list[Row]] = {}
    for row in rows:
        by_signal.setdefault(row["signal"], []).append(row)
    return [row for found in by_signal.values() for row in found[:IN_FULL]]


def _linkage(rows: list[Row]) -> Row:
    """Grouped by kind of value, the strongest kind first; within a kind the strongest value first."""
    capped = _capped(rows, "linkage", "Values that tie accounts, strongest first", "values", "shared_values")
    order = list(dict.fromkeys(row["type"] for row in capped["rows"]))
    grouped = sorted(capped["rows"], key=lambda row: order.index(row["type"]))
    words = [{**row, "words": row["type"].replace("_", " ")} for row in grouped]
    return {**capped, "rows": words}


def _chart(snapshot: Row) -> Row:
    """Bars of exchanges per day, or per several days where a page has no room; heights and places as shares of 1."""
    by_day: dict[date, int] = {}
    for row in snapshot["volume"]["rows"]:
        day = date.fromisoformat(row["day"])
        by_day[day] = by_day.get(day, 0) + row["exchanges"]
    if not by_day:
        return {"bars": [], "ticks": [], "releases": [], "caption": "", "alt": ""}
    first, last = min(by_day), max(by_day)
    days = (last - first).days + 1
    step = -(-days // MOST_BARS)
    sums = [0] * -(-days // step)
    for day, exchanges in by_day.items():
        sums[(day - first).days // step] += exchanges
    top = round_up(max(sums))
    per = "day" if step == 1 else f"{step} days"
    total = sum(sums)
    bars = _bars(snapshot, sums, top, first, step)
    some_detected = len({bar["detected"] for bar in bars}) > 1
    marked = "Dark bars lie in the window of a finding; dashed" if some_detected else "Dashed"
    return {
        "bars": bars,
        "ticks": [{"at": part / 4, "value": top * part // 4} for part in range(5)],
        "releases": _releases(snapshot, first, len(sums) * step),
        "caption": (
            f"Exchanges per {per} (UTC), {first} to {last}, {total:,} in all. {marked} "
            "lines are model releases. The numbers: schedules/volume.csv."
        ),
        "alt": f"Bar chart of {total:,} exchanges per {per} from {first} to {last}, at most {max(sums):,} in one bar.",
    }


def _bars(snapshot: Row, sums: list[int], top: int, first: date, step: int) -> list[Row]:
    windows = [
        (date.fromisoformat(row["window"]["start"][:10]), date.fromisoformat(row["window"]["end"][:10]))
        for row in snapshot["findings"]["rows"]
    ]
    every = max(1, len(sums) // 8)
    bars = []
    for place, value in enumerate(sums):
        start = first + timedelta(days=place * step)
        end = start + timedelta(days=step - 1)
        detected = any(begins <= end and start <= ends for begins, ends in windows)
        label = f"{start:%d %b}" if place % every == 0 else ""
        bars.append({"at": value / top, "label": label, "detected": detected})
    return bars


def _releases(snapshot: Row, first: date, days: int) -> list[Row]:
    """Where each release stands along the days; those of one day share a line."""
    by_day: dict[date, list[Row]] = {}
    for row in snapshot["releases"]["rows"]:
        by_day.setdefault(date.fromisoformat(row["released_at"][:10]), []).append(row)
    rows = []
    for day, released in by_day.items():
        at = datetime.fromisoformat(released[0]["released_at"])
        place = ((day - first).days + (at.hour + at.minute / 60) / 24) / days
        if 0 <= place <= 1:
            rows.append({"at": place, "models": ", ".join(row["model"] for row in released)})
    return rows


def round_up(value: int) -> int:
    """The next number that four ticks divide evenly: 4, 8, 20 or 40 times a power of ten, and the like."""
    size = 1
    while True:
        for factor in (4, 8, 12, 20, 32):
            if factor * size >= value:
                return factor * size
        size *= 10
