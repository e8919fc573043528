"""Charts as plotly figure dicts, each with its table. SVG traces only; colours are token names (static/plot.js)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.template.defaultfilters import pluralize

from cases import history, timeline
from cases.dossier.plain import visible
from cases.history import Cut
from cases.models import Case
from detection.models import Cluster, Finding, ModelRelease

PALETTE = ("--chart-1", "--chart-2", "--chart-3", "--chart-4")
OTHER_COLOUR, MARK_COLOUR, RELEASE_COLOUR = "--chart-muted", "--chart-mark", "--line-strong"
OTHER = "other models"
HEADROOM = 1.3  # room above the highest bar for detections and the labels of releases
DAYWISE = {"xperiod": 86_400_000, "xperiodalignment": "middle"}  # a bar covers its day, so times of day fit beside it


@dataclass(frozen=True)
class Chart:
    """A picture with its table: title, unit, window and note say what is drawn; `columns` are (label, is a number)."""

    id: str
    title: str
    unit: str
    window: str
    note: str
    figure: dict[str, Any]
    columns: list[tuple[str, bool]]
    rows: list[list[str]]


@dataclass(frozen=True)
class Detection:
    """What one detector said about a window, drawn at the day the window ends."""

    day: date
    detector: str
    findings: int


@dataclass(frozen=True)
class Volume:
    """Exchanges by UTC day and model, with what is marked on it. Every day of the window is there, also empty ones."""

    days: list[date]
    models: list[str]
    counts: dict[tuple[date, str], int]
    detections: list[Detection] = field(default_factory=list)
    releases: list[ModelRelease] = field(default_factory=list)

    def of_day(self, day: date) -> int:
        """All exchanges of a day."""
        return sum(self.counts.get((day, model), 0) for model in self.models)


def case_volume(case: Case, at: Cut | None = None) -> Volume:
    """What `volume_chart` draws for a case: the held clusters' exchanges, findings and releases."""
    clusters = history.clusters_at(case, at)
    found = Finding.objects.filter(id__in=history.findings_at(case, at).order_by().values("id"))
    return _volume(clusters.values_list("volume", flat=True), _detections(found), timeline.releases(case, at))


def volume_chart(case: Case, at: Cut | None = None) -> Chart:
    """Exchanges a day by model over the accounts of a case, with detections and model releases marked."""
    held = history.clusters_at(case, at)
    twice = sum(held.values_list("account_count", flat=True)) - history.members_at(case, at).count()
    note = "Exchanges of all accounts in the held clusters, whatever their verdict. UTC days."
    if twice > 0:
        note += f" {twice:,} memberships are of accounts that stand in more than one held cluster; they count in each."
    return _chart(case_volume(case, at), chart_id="case-volume", note=note)


def cluster_chart(cluster: Cluster) -> Chart:
    """Exchanges a day by model over the members of one cluster, with its detections and model releases marked."""
    found = Finding.objects.filter(id__in=cluster.findings.values("finding_id"))
    within = ModelRelease.objects.filter(released_at__gte=cluster.first_seen, released_at__lte=cluster.last_seen)
    volume = _volume([cluster.volume], _detections(found), list(within.order_by("released_at", "model")))
    return _chart(volume, chart_id="cluster-volume", note="Exchanges of all members of this cluster. UTC days.")


def _detections(found: Any) -> list[Detection]:
    """Findings by detector and the last day their window covers; windows end exclusively at midnight as a rule."""
    counted: dict[tuple[date, str], int] = {}
    for end, name in found.values_list("window_end", "detector__name"):
        day = (end - timedelta(microseconds=1)).astimezone(UTC).date()
        counted[day, name] = counted.get((day, name), 0) + 1
    return [Detection(day, name, n) for (day, name), n in sorted(counted.items())]


def _volume(parts: Iterable[Any], detections: list[Detection], releases: list[ModelRelease]) -> Volume:
    sums: dict[tuple[date, str], int] = {}
    for part in parts:
        for one in part:
            key = date.fromisoformat(str(one["day"])[:10]), str(one["model"])
            sums[key] = sums.get(key, 0) + int(one["exchanges"])
    totals: dict[str, int] = {}
    for (_, model), n in sums.items():
        totals[model] = totals.get(model, 0) + n
    shown = sorted(totals, key=lambda model: (-totals[model], model))[: len(PALETTE)]
    counts: dict[tuple[date, str], int] = {}
    for (day, model), n in sums.items():
        name = model if model in shown else OTHER
        counts[day, name] = counts.get((day, name), 0) + n
    models = [*shown, OTHER] if len(totals) > len(shown) else shown
    return Volume(_every_day([day for day, _ in sums]), models, counts, detections, releases)


def _every_day(days: list[date]) -> list[date]:
    if not days:
        return []
    first, last = min(days), max(days)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _chart(volume: Volume, *, chart_id: str, note: str) -> Chart:
    days = volume.days
    window = f"{_day(days[0])} – {_day(days[-1])}, UTC" if days else "no day with exchanges"
    columns = [("Day (UTC)", False), *((model, True) for model in volume.models)]
    columns += [("All models", True), ("Marked", False)]
    rows = [
        [
            day.isoformat(),
            *(f"{volume.counts.get((day, model), 0):,}" for model in volume.models),
            f"{volume.of_day(day):,}",
            "; ".join(_marks(volume, day)),
        ]
        for day in days
    ]
    figure = {"data": [*_bars(volume), *_marked(volume)], "layout": _layout(volume)}
    return Chart(chart_id, "Exchanges a day by model", "exchanges a day", window, note, figure, columns, rows)


def _bars(volume: Volume) -> list[dict[str, Any]]:
    days = [day.isoformat() for day in volume.days]
    colours = dict(zip(volume.models, PALETTE, strict=False)) | {OTHER: OTHER_COLOUR}
    return [
        {
            "type": "bar",
            "name": drawn(model),
            "x": days,
            "y": [volume.counts.get((day, model), 0) for day in volume.days],
            "marker": {"color": colours[model]},
            **DAYWISE,
            "hovertemplate": "%{y:,}",
        }
        for model in volume.models
    ]


def _marked(volume: Volume) -> list[dict[str, Any]]:
    """The detections, above the bar of their day; those outside the window stand at its edge."""
    if not volume.detections or not volume.days:
        return []
    height = max(map(volume.of_day, volume.days)) * 0.06
    days = [min(max(one.day, volume.days[0]), volume.days[-1]) for one in volume.detections]
    stacked: dict[date, int] = {}
    heights = []
    for day in days:
        stacked[day] = stacked.get(day, 0) + 1
        heights.append(volume.of_day(day) + height * stacked[day])
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "detections",
            "x": [day.isoformat() for day in days],
            "y": heights,
            "text": [
                f"{drawn(one.detector)}: {one.findings:,} findings about the window to {_day(one.day)}"
                for one in volume.detections
            ],
            "hovertemplate": "%{text}<extra></extra>",
            **DAYWISE,
            "marker": {"color": MARK_COLOUR, "symbol": "triangle-down", "size": 9},
        }
    ]


def _layout(volume: Volume) -> dict[str, Any]:
    together = _releases_by_moment(volume)
    ends = [volume.days[0], volume.days[-1] + timedelta(days=1)] if volume.days else []
    middle = ends[0] + (ends[1] - ends[0]) / 2 if ends else None
    shapes = [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": _axis(moment),
            "x1": _axis(moment),
            "y0": 0,
            "y1": 1,
            "line": {"color": RELEASE_COLOUR, "width": 1, "dash": "dot"},
        }
        for moment in together
    ]
    annotations = [
        {
            "xref": "x",
            "yref": "paper",
            "x": _axis(moment),
            "y": 1 - 0.08 * (place % 3),
            "text": f"{' and '.join(map(drawn, names))} released",
            "showarrow": False,
            "xanchor": "right" if middle and moment.astimezone(UTC).date() >= middle else "left",
            "yanchor": "top",
            "font": {"size": 11},
        }
        for place, (moment, names) in enumerate(together.items())
    ]
    highest = max(map(volume.of_day, volume.days), default=0) or 1
    return {
        "barmode": "stack",
        "xaxis": {"type": "date"} | ({"range": [day.isoformat() for day in ends]} if ends else {}),
        "yaxis": {"title": {"text": "exchanges a day"}, "range": [0, highest * HEADROOM], "tickformat": ",d"},
        "shapes": shapes,
        "annotations": annotations,
    }


def _releases_by_moment(volume: Volume) -> dict[datetime, list[str]]:
    """Models released at the same moment share one line and one label."""
    together: dict[datetime, list[str]] = {}
    for release in volume.releases:
        together.setdefault(release.released_at.astimezone(UTC), []).append(release.model)
    return together


def _marks(volume: Volume, day: date) -> list[str]:
    edge_before, edge_after = day == volume.days[0], day == volume.days[-1]
    detections = [
        f"{one.findings:,} finding{pluralize(one.findings)} by {one.detector}"
        for one in volume.detections
        if one.day == day or (edge_before and one.day < day) or (edge_after and one.day > day)
    ]
    released = [f"{one.model} released" for one in volume.releases if one.released_at.astimezone(UTC).date() == day]
    return [*released, *detections]


def drawn(text: str) -> str:
    """Text from outside as plotly draws it letter by letter: plotly reads <a href>, <b> and the like as markup in any
    text, and static/plot.js takes a string that begins with two dashes for the name of a colour.
    """
    escaped = visible(text).replace("&", "&amp;").replace("<", "&lt;")
    return f"&#45;{escaped[1:]}" if escaped.startswith("-") else escaped


def _axis(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
