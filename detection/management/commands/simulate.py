"""`simulate --accounts --exchanges --campaigns --seed --out`."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from detection.simulate import Scale, simulate


class Command(BaseCommand):
    """Make telemetry."""

    help = (
        "Write made-up telemetry with suspected campaigns and innocent look-alikes: telemetry.jsonl.gz, "
        "accounts.jsonl, networks.jsonl, models.jsonl, and truth.json for scoring alone. The same numbers give the "
        "same bytes."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        sample = Scale()
        parser.add_argument("--accounts", type=int, default=sample.accounts, help="default %(default)s")
        parser.add_argument("--exchanges", type=int, default=sample.exchanges, help="about; default %(default)s")
        parser.add_argument("--campaigns", type=int, default=sample.campaigns, help="default %(default)s")
        parser.add_argument("--seed", type=int, default=sample.seed, help="default %(default)s")
        parser.add_argument("--days", type=int, default=sample.days, help="default %(default)s")
        parser.add_argument("--out", type=Path, required=True, help="folder to write to; made when missing")

    def handle(self, *args: Any, **options: Any) -> None:
        scale = Scale(**{name: options[name] for name in ("accounts", "exchanges", "campaigns", "seed", "days")})
        try:
            made = simulate(scale, options["out"], _Progress())
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from None
        sys.stderr.write("\n" if sys.stderr.isatty() else "")
        for path in (made.telemetry, made.accounts, made.networks, made.models, made.truth):
            self.stdout.write(str(path))
        self.stderr.write(f"{made.rows:,} exchanges of {scale.accounts:,} accounts written.")


class _Progress:
    """Rows done, rate and remaining time, on a terminal only."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if not sys.stderr.isatty() or not done:
            return
        rate = done / max(1e-6, time.monotonic() - self.started)
        left = max(0, total - done) / max(1.0, rate)
        sys.stderr.write(f"\r{done:,} of {total:,} exchanges, {rate:,.0f} a second, {left:,.0f} s left   ")
        sys.stderr.flush()
