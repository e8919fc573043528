"""`rotate_log_key`."""

from typing import Any

from spine import keys, sequencer
from spine.management.base import RetortCommand


class Command(RetortCommand):
    """Hand the log's signing over to a new key."""

    help = (
        "Let the log's signer make a new key and hand over to it: the old key signs over the new one, the log keeps "
        "the hand-over, and checkpoints signed before stay verifiable. Prints the new key's fingerprint."
    )

    def perform(self, **options: Any) -> None:
        sequencer.sequence()
        key = keys.rotate(actor=self.actor)
        sequencer.sequence()
        self.say(
            "Tell the new fingerprint to everybody who keeps the old one, and back up the signer's folder and keys."
        )
        self.stdout.write(key.fingerprint)
