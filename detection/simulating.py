"""Simulated telemetry that is asked for: made by a worker and added as a source of its own, whose name says what it is.

A source is there whole or not at all. An attempt works in a folder of its own beside the datasets; what it has made is
moved to its place in the transaction that writes down the source. Attempts that were killed, and work that was stopped
or set aside, leave folders that no source needs: the next attempt and `tidy` remove them.

Account ids have a namespace of the source's own, and model releases stay in its dataset: nothing made up is ever joined
with what was found, or told in the timeline of a case.
"""

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum

from detection import sources
from detection.models import SIMULATED, FileKind, TelemetrySource
from detection.simulation.kinds import CAMPAIGNS
from detection.simulation.made import Made
from detection.simulation.scale import CHOICES, Scale
from detection.simulation.shares import chosen_kinds, sizes
from detection.sources import Read, root_of
from spine import jobs, log
from spine.errors import Conflict, Refused
from spine.jobs import Running
from spine.models import Job, JobState

KIND = "telemetry.simulate"
STEPS = 1000  # of a job: half of them making, half reading
MOST_CAMPAIGNS = 200
LONGEST_NAME = 60 - len(SIMULATED)
# What is asked for when nothing is said: every kind of campaign and look-alike, found in a minute or two.
USUAL = Scale(
    accounts=3_000,
    exchanges=150_000,
    campaigns=None,
    seed=1,
    days=45,
    campaign_accounts=0.1,
    kinds=("all",),
    columns="all",
    format="parquet",
    files="day",
)
DAYS = (7, 366)


@transaction.atomic
def request_simulation(*, actor: str, name: str, scale: Scale) -> Job:
    """Ask a worker to make telemetry of this scale as the source “simulated: NAME”.

    Side effects: one job; the same that waits, goes on or was done is given instead. Raises Refused for numbers that
    cannot be or are more than the settings allow, Conflict where other numbers have this name.
    """
    scale = replace(scale, format=USUAL.format, files=USUAL.files)
    _check_name(name.strip())
    check(scale)
    called = f"{SIMULATED}{name.strip()}"
    args: dict[str, Any] = {"name": called, "scale": _stored(scale)}
    there = _made_of(args)
    if there is not None:
        return Job.objects.get(pk=there.pk)
    job = jobs.enqueue(KIND, actor=actor, key=called, args=args)
    if job.args != args:
        raise Conflict("Other telemetry is being made under this name: choose another one.", field="name")
    return job


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise Refused(f"A name has 1 to {LONGEST_NAME} characters.", field="name")


def check(scale: Scale) -> None:
    """Raise Refused, naming the field, for what cannot be made or is more than the settings allow."""
    most = settings.SIMULATE_MOST
    numbers = {
        "accounts": (1, most["accounts"]),
        "exchanges": (1, most["exchanges"]),
        "days": DAYS,
        "seed": (0, 2**63 - 1),
        "campaigns": (0, MOST_CAMPAIGNS),
    }
    for name, (least, highest) in numbers.items():
        value = getattr(scale, name)
        if value is not None and not least <= value <= highest:
            raise Refused(f"{name.capitalize()}: from {least:,} to {highest:,} is accepted.", field=name)
    for name, allowed in CHOICES.items():
        if getattr(scale, name) not in allowed:
            raise Refused(f"{getattr(scale, name)!r} is none of {', '.join(allowed)}.", field=name)
    if not scale.kinds or not set(scale.kinds) <= {"all", *CAMPAIGNS}:
        raise Refused(f"Kinds of campaign are {', '.join(CAMPAIGNS)}, or all.", field="kinds")
    if not 0 <= scale.campaign_exchanges < 1:
        raise Refused("A share of the exchanges is at least 0 and below 1.", field="campaign_exchanges")
    if not 0 <= scale.campaign_accounts <= scale.accounts:
        raise Refused("A share below 1 is accepted, or a number up to that of accounts.", field="campaign_accounts")
    kinds = chosen_kinds(_all_or_named(scale))
    needed = sum(sizes(scale, kinds))
    if needed > scale.accounts:
        raise Refused(
            f"{scale.accounts:,} accounts are too few for {len(kinds)} campaigns: at least {needed:,} are needed.",
            field="accounts",
        )


def _all_or_named(scale: Scale) -> Scale:
    """With `all` among the kinds, all of them."""
    return replace(scale, kinds=("all",)) if "all" in scale.kinds else scale


def _stored(scale: Scale) -> dict[str, Any]:
    """The scale as a job keeps it."""
    given = asdict(_all_or_named(scale))
    return {**given, "kinds": list(given["kinds"]), "linkage": [list(pair) for pair in scale.linkage]}


def scale_of(job: Job | Running) -> Scale:
    """What a job was asked to make."""
    given = job.args["scale"]
    linkage = tuple((str(axis), str(word)) for axis, word in given["linkage"])
    return Scale(**{**given, "kinds": tuple(given["kinds"]), "linkage": linkage})


def _made_of(args: dict[str, Any]) -> TelemetrySource | None:
    """The source of this name, when it was made of these numbers. Raises Conflict when it was made of others."""
    there = TelemetrySource.objects.filter(name=args["name"]).first()
    if there is None:
        return None
    made = Job.objects.filter(pk=there.pk).first()
    if made is None or made.args != args:
        raise Conflict(f"There is “{args['name']}” of other numbers already: choose another name.", field="name")
    return there


def jobs_of_simulations() -> QuerySet[Job]:
    """Every making that was asked for, the newest first."""
    return Job.objects.filter(kind=KIND).order_by("-created_at")


def made_as(source: TelemetrySource) -> Scale | None:
    """The scale of which a simulated source was made; None for any other."""
    job = Job.objects.filter(pk=source.pk, kind=KIND).first() if source.is_simulated else None
    return scale_of(job) if job else None


def campaigns_of(scale: Scale) -> dict[str, int]:
    """How many suspected campaigns of each kind are in it."""
    return dict(Counter(chosen_kinds(scale)))


def command(scale: Scale) -> str:
    """What writes the same telemetry with its labels into a folder."""
    given = {
        "accounts": scale.accounts,
        "exchanges": scale.exchanges,
        "days": scale.days,
        "kinds": ",".join(scale.kinds),
        "campaigns": scale.campaigns,
        "campaign-accounts": scale.campaign_accounts,
        "campaign-exchanges": scale.campaign_exchanges,
        "look-alikes": scale.look_alikes,
        "prompt-length": scale.prompt_length,
        "columns": scale.columns,
        "seed": scale.seed,
        "format": scale.format,
        "files": scale.files,
    }
    options = [f"--{name} {value}" for name, value in given.items() if value is not None]
    return " ".join(["manage.py simulate", *options, "--out made"])


def make(job: Running) -> dict[str, Any]:
    """Make what was asked for and add it as a source: all of it, or nothing. The same job again adds nothing.

    Side effects in order: files in a folder of the attempt, which is removed at the end; then, in one transaction, the
    source with its dataset, the records of its files with a log entry each, and a log entry of the simulation.
    Refused when its disk is full. Raises LeaseLost when it was stopped or another attempt took over.
    """
    scale = scale_of(job)
    source = _made_of(job.args) or _make(job, scale)
    rows = source.files.filter(kind=FileKind.EXCHANGES).aggregate(rows=Sum("rows"))["rows"] or 0
    kinds = campaigns_of(scale)
    return {
        "source": str(source.pk),
        "exchanges": rows,
        "accounts": scale.accounts,
        "campaigns": sum(kinds.values()),
        "kinds": kinds,
    }


def _make(job: Running, scale: Scale) -> TelemetrySource:
    source = TelemetrySource(id=job.id, name=job.args["name"], namespace=job.args["name"])
    with _disk(), _place(job, source) as place:
        job.progress(0, STEPS, f"drawing up {scale.accounts:,} accounts")
        made = _made(scale, place / "made", _Pace(job, scale))
        read = _read(job, made, place / "set")
        shutil.rmtree(place / "made")
        return _add(job, scale, source, read, place / "set")


def _made(scale: Scale, folder: Path, pace: "_Pace") -> Made:
    from detection.simulate import simulate  # only a worker needs what this loads

    try:
        made = simulate(scale, folder, pace)
    except ValueError as error:
        raise Refused(f"Nothing was made: {error}.") from error
    if not made.rows:
        raise Refused("Nothing was made: no exchange came of so few.")
    return made


class _Pace:
    """Says how much is made, how fast, and how long that takes still."""

    def __init__(self, job: Running, scale: Scale) -> None:
        self.job, self.total, self.started = job, scale.exchanges, time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        share = min(1.0, done / max(1, total))
        rate = done / max(1e-6, time.monotonic() - self.started)
        left = max(0, total - done) / max(1.0, rate)
        said = f"made {done:,} of about {self.total:,} exchanges, {rate:,.0f} a second"
        note = f"{said}, {left:,.0f} s left, then they are read"
        self.job.progress(round(share * STEPS / 2), STEPS, note)


def _read(job: Running, made: Made, root: Path) -> list[Read]:
    """Read every file that was made into the dataset under `root`."""
    days = sorted(made.telemetry.iterdir())
    files = [(FileKind.ACCOUNTS, made.accounts), (FileKind.NETWORKS, made.networks), (FileKind.MODELS, made.models)]
    files += [(FileKind.EXCHANGES, day) for day in days]
    reading = _Reading(job, sum(path.stat().st_size for _, path in files))
    return [reading.read(root, kind, path) for kind, path in files]


class _Reading:
    """Reads one file after the other, and says how much is read, how fast, and how long that takes still."""

    def __init__(self, job: Running, size: int) -> None:
        self.job, self.size, self.started = job, max(1, size), time.monotonic()
        self.before = self.rows = 0

    def read(self, root: Path, kind: str, path: Path) -> Read:
        """Read one file into the dataset under `root`."""
        size = path.stat().st_size
        read = sources.read_anew(root, kind, path, partial(self._tell, path.name, size))
        self.before += size
        self.rows += read.result.rows if kind == FileKind.EXCHANGES else 0
        return read

    def _tell(self, name: str, size: int, done: int, total: int, note: str) -> None:
        share = min(1.0, (self.before + size * done / max(1, total)) / self.size)
        spent = time.monotonic() - self.started
        left = spent / share - spent if share else 0.0
        rate = self.rows / max(1e-6, spent)
        text = f"reading {name}, {self.rows:,} exchanges before it, {rate:,.0f} a second, {left:,.0f} s left"
        self.job.progress(round((1 + share) * STEPS / 2), STEPS, text)


def _add(job: Running, scale: Scale, source: TelemetrySource, read: Sequence[Read], built: Path) -> TelemetrySource:
    """Write the source down and put its dataset in its place."""
    kinds = campaigns_of(scale)
    with transaction.atomic():
        job.confirm()  # from here on no other attempt is at this place
        source.save(force_insert=True)
        root = root_of(source)
        shutil.rmtree(root, ignore_errors=True)  # of an attempt that was killed before its transaction ended
        built.replace(root)
        for one in read:
            sources.record_file(one, actor=job.actor, source=source)
        data = {
            "source": source.name,
            "exchanges": sum(one.result.rows for one in read if one.kind == FileKind.EXCHANGES),
            "accounts": scale.accounts,
            "campaigns": sum(kinds.values()),
            "scale": job.args["scale"],
        }
        log.record(actor=job.actor, action="telemetry.simulated", about=source, data=data)
    return source


@contextmanager
def _disk() -> Iterator[None]:
    """Say in words what the disk refuses, without where that is."""
    try:
        yield
    except OSError as error:
        raise Refused(f"Nothing was made: {error.strerror or 'the disk does not take it'}.") from error


def workshop() -> Path:
    """Where attempts work: beside the datasets, so that one is moved to its place at once."""
    return Path(settings.TELEMETRY_ROOT) / ".simulated"


@contextmanager
def _place(job: Running, source: TelemetrySource) -> Iterator[Path]:
    """A folder of this attempt alone, `workshop()/<job>/<attempt>`, which goes with what is in it."""
    own = workshop() / str(job.id)
    for earlier in own.glob("*"):
        shutil.rmtree(earlier, ignore_errors=True)
    place = own / str(job.holder)
    place.mkdir(mode=0o700, parents=True)
    added = False
    try:
        yield place
        added = True
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if added or not root_of(source).exists():  # else `tidy` looks whose it is
            with suppress(OSError):
                own.rmdir()


def tidy() -> int:
    """Remove what attempts left that were killed, of work that is over; gives how many folders went."""
    gone = 0
    for own in workshop().glob("*"):
        attempts = list(own.iterdir())
        job = Job.objects.filter(pk=own.name).first() if _is_id(own.name) else None
        for attempt in attempts:
            if job is None or job.state != JobState.RUNNING or str(job.holder) != attempt.name:
                shutil.rmtree(attempt, ignore_errors=True)
                gone += 1
        if job is None or job.is_finished:  # asked for the job first: one that is over adds no source any more
            if _is_id(own.name) and not TelemetrySource.objects.filter(pk=own.name).exists():
                shutil.rmtree(Path(settings.TELEMETRY_ROOT) / own.name, ignore_errors=True)
            with suppress(OSError):
                own.rmdir()
    return gone


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
