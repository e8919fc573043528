"""`retention --preview | --apply`: what policies would destroy; carry out what two people have granted."""

from argparse import ArgumentParser
from typing import Any

from cases import retention
from cases.actions.destruction import apply_granted
from cases.retention import SYSTEM
from spine.management.base import RetortCommand
from spine.principal import acting_as


class Command(RetortCommand):
    """Preview policies, or carry out granted orders."""

    help = (
        "With --preview, print for each retention policy exactly how many things and bytes it would destroy now and "
        "how many a hold keeps back; nothing is changed. With --apply, carry out the orders that one person asked for "
        "and another granted, and no others: a command is nobody's word."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--preview", action="store_true", help="what would go, and what holds keep back")
        which.add_argument("--apply", action="store_true", help="carry out granted orders")

    def perform(self, **options: Any) -> str:
        return self._preview() if options["preview"] else self._apply()

    def _preview(self) -> str:
        for policy in retention.current():
            found = retention.preview_of(policy)
            name = policy.get_data_class_display() + (f" of {policy.source.name}" if policy.source else "")
            state = "" if policy.active else " (off)"
            self.say(
                f"{name}, older than {policy.days:,} days{state}: {found.count:,} would go, {found.size:,} bytes; "
                f"{found.kept_count:,} kept back by {len(found.kept):,} holds"
            )
        return f"{retention.current().count()} policies"

    def _apply(self) -> str:
        with acting_as(SYSTEM):
            done = apply_granted()
        for order, counts in done:
            self.say(
                f"order {order.pk}: {counts['destroyed']:,} destroyed, {counts['kept_back']:,} kept back by holds, "
                f"{counts['not_free']:,} no longer free"
            )
        return f"{len(done)} orders carried out"
