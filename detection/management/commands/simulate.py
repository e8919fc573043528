"""`simulate --accounts --exchanges --campaigns --seed --out`, and what else can be asked of it."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from detection.simulate import Scale, simulate
from detection.simulation.kinds import CAMPAIGNS, LOOK_ALIKES
from detection.simulation.scale import CHOICES

# What only a mixture knows; giving one of them without --kinds means campaigns of the first kind.
OF_A_MIXTURE = ("linkage", "look_alikes", "prompt_length", "columns", "format", "packing", "files")


class Command(BaseCommand):
    """Make telemetry."""

    help = (
        "Write made-up telemetry with suspected campaigns and innocent look-alikes: exchanges, accounts.jsonl, "
        "networks.jsonl, models.jsonl, and truth.json for scoring alone. The same options give the same bytes. "
        "Without --kinds and the options below it: the cast of the sample story, with campaigns of one kind. "
        "With them: a mixture of all customers and look-alikes, each campaign hanging together in another way, "
        "of any size; memory holds the accounts and a day's plan for each process. "
        f"Kinds of campaign: {', '.join(CAMPAIGNS)}. Look-alikes: {', '.join(LOOK_ALIKES)}."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        sample = Scale()
        parser.add_argument("--accounts", type=int, default=sample.accounts, help="default %(default)s")
        parser.add_argument("--exchanges", type=int, default=sample.exchanges, help="about; default %(default)s")
        parser.add_argument("--campaigns", type=int, help="default 1, or with --kinds one of each kind named")
        parser.add_argument("--seed", type=int, default=sample.seed, help="default %(default)s")
        parser.add_argument("--days", type=int, default=sample.days, help="default %(default)s")
        parser.add_argument(
            "--campaign-accounts",
            type=_number,
            default=sample.campaign_accounts,
            help="accounts of all campaigns: a number, or below 1 a share; default %(default)s",
        )
        parser.add_argument(
            "--campaign-exchanges",
            type=_number,
            default=sample.campaign_exchanges,
            help="the campaigns' share of the exchanges; default %(default)s",
        )
        parser.add_argument("--out", type=Path, required=True, help="folder to write to; made when missing")
        mixture = parser.add_argument_group("a mixture")
        mixture.add_argument("--kinds", help="kinds of campaign with commas between, or all")
        mixture.add_argument(
            "--linkage",
            type=_linkage,
            help="AXIS=WORD,… for every campaign instead of drawn, as in truth.json: network=vpn,cover_share=0.3",
        )
        for name, allowed in CHOICES.items():
            default = getattr(sample, name)
            option = f"--{name.replace('_', '-')}"
            mixture.add_argument(option, choices=allowed, help=f"{HELP[name]}; default {default}")
        mixture.add_argument(
            "--processes",
            type=int,
            default=2,
            help="that write days; the bytes do not depend on it; default %(default)s",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        scale = asked(options)
        try:
            made = simulate(scale, options["out"], _Progress(), processes=options["processes"])
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from None
        sys.stderr.write("\n" if sys.stderr.isatty() else "")
        for path in (made.telemetry, made.accounts, made.networks, made.models, made.truth):
            self.stdout.write(str(path))
        self.stderr.write(f"{made.rows:,} exchanges of {scale.accounts:,} accounts written.")


HELP = {
    "look_alikes": "innocent groups: few kinds of them, all, or none",
    "prompt_length": "short is about 100 characters",
    "columns": "core: the usual 13; all: with tokens, parameters, status, conversations, keys, TLS, reasoning blocks",
    "format": "of the exchanges",
    "packing": "of NDJSON",
    "files": "one file of exchanges, or a folder with one for each day",
}


def asked(options: dict[str, Any]) -> Scale:
    """Give the scale that the options mean."""
    plain = ("accounts", "exchanges", "seed", "days", "campaign_accounts", "campaign_exchanges")
    mixture = {name: options[name] for name in OF_A_MIXTURE if options[name] is not None}
    kinds = tuple(options["kinds"].split(",")) if options["kinds"] else ()
    if mixture and not kinds:
        kinds = (next(iter(CAMPAIGNS)),)
    campaigns = options["campaigns"] if options["campaigns"] is not None or kinds else 1
    return Scale(**{name: options[name] for name in plain}, campaigns=campaigns, kinds=kinds, **mixture)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no number") from None


def _linkage(text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.partition("=") for part in text.split(",")]
    return tuple((axis.strip(), word.strip()) for axis, __, word in pairs)


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
