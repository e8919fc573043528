"""What the lead page draws of a cluster: hours of use, what is asked for, template examples, or how far the job is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cases.queries import SharedValue
from cases.templatetags.retort import words
from cases.views import lead_graph
from cases.views.jobs import progress
from detection import capabilities, rarity
from detection.drawing import Drawn
from detection.models import Account, Cluster
from detection.records import Status

SHADES = 5
ABRIDGED = 10_000  # from here on a cell has no room for every digit
PARTS = ("drawing", "capabilities", "hours", "templates", "links")  # what is fetched again when the job ends


@dataclass(frozen=True)
class Cell:
    """Exchanges in one hour of the day, and how dark it is: 0 for none, up to SHADES."""

    text: str
    shade: int


@dataclass(frozen=True)
class Row:
    """The day of one account, or of the accounts that are not shown one by one (then `account` is None)."""

    account: Account | None
    accounts: int
    total: int
    cells: list[Cell]


def context(drawn: Drawn, examples: Sequence[Mapping[str, Any]], clean: Callable[[str], str]) -> dict[str, Any]:
    """What templates/cases/lead.html needs of a drawing."""
    shown = drawn.drawing
    return {
        "drawn": shown,
        "drawing_job": {"job": drawn.job, **progress(drawn.job)} if drawn.job and not shown else None,
        "drawing_parts": ",".join(f"#{part}" for part in PARTS),
        "asked": asked(shown.capabilities) if shown else None,
        "hours": hours(shown.hours) if shown and shown.hours else None,
        "examples": [
            {**one, "frame": clean(one["frame"]), "rare": rarity.one_in(one["holders"], one["population"])}
            for one in examples
        ],
    }


def graph(drawn: Drawn, values: Sequence[SharedValue], clean: Callable[[str], str]) -> dict[str, Any] | None:
    """The link graph, its values named as the list names them; None while it is not drawn or ties nothing."""
    if not drawn.drawing or not drawn.drawing.graph["nodes"]:
        return None
    return lead_graph.picture(drawn.drawing.graph, [f"{words(one.type)} {clean(one.value)}" for one in values])


def untold(cluster: Cluster) -> list[dict[str, str]]:
    """The detectors of the cluster's run that could not tell, and what was missing."""
    rows = cluster.run.answers.filter(status=Status.COULD_NOT_TELL.value).order_by("place")
    named = rows.values_list("detector_version__detector__title", "detector_version__detector__name", "reason")
    return [{"detector": title or name, "reason": reason} for title, name, reason in named]


def asked(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What requests ask for: rows in words with shares, which stands out, and whether few were read."""
    rows = capabilities.shares(stored)
    few = stored["read"] < capabilities.FEW
    return {**stored, "rows": rows, "most": capabilities.farthest_above(rows), "few": few}


def hours(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The heat map: `rows` by how much they did, shades with their ranges, and the day in a sentence."""
    found = Account.objects.in_bulk([row["account"] for row in stored["rows"]], field_name="pk")
    by_id = {str(pk): account for pk, account in found.items()}
    most = max((max(row["hours"]) for row in stored["rows"]), default=0)
    rows = [_row(by_id[row["account"]], 1, row["hours"], most) for row in stored["rows"]]
    rest = stored["rest"]
    if rest["accounts"]:
        rows.append(_row(None, rest["accounts"], rest["hours"], max(rest["hours"])))
    all_hours = [sum(day) for day in zip(*(one["hours"] for one in (*stored["rows"], rest)), strict=True)]
    return {"rows": rows, "names": [f"{hour:02d}" for hour in range(24)], "shades": _shades(most), **_said(all_hours)}


def _row(account: Account | None, accounts: int, day: Sequence[int], most: int) -> Row:
    return Row(account, accounts, sum(day), [Cell(_brief(n), shade(n, most)) for n in day])


def shade(number: int, most: int) -> int:
    """How dark a cell is: by the square root, so that a quiet hour is told from an empty one."""
    return 0 if number <= 0 else min(SHADES, 1 + int(SHADES * (number / most) ** 0.5 * (1 - 1e-9)))


def _shades(most: int) -> list[tuple[int, str]]:
    """Each shade that an account's hour can have, with the numbers it stands for."""
    by_shade: dict[int, str] = {0: "none"}
    edges = [int(most * (step / SHADES) ** 2) for step in range(SHADES + 1)]
    for step in range(1, SHADES + 1):
        low, high = edges[step - 1] + 1, edges[step]
        if low <= high:
            by_shade[shade(high, most)] = f"{low:,}" if low == high else f"{low:,}–{high:,}"
    return sorted(by_shade.items())


def _said(day: Sequence[int]) -> dict[str, Any]:
    """The day of all accounts together: when it is fullest and emptiest, how many hours are empty."""
    most, least = max(day), min(day)
    return {
        "total": sum(day),
        "fullest": f"{day.index(most):02d}:00",
        "fullest_count": most,
        "emptiest": f"{day.index(least):02d}:00",
        "emptiest_count": least,
        "empty": day.count(0),
    }


def _brief(number: int) -> str:
    return f"{number:,}" if number < ABRIDGED else f"{number / 1000:,.0f} k"
