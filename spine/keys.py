"""Key rotation: the signer hands over to a new key, and the log keeps the old key's word for it."""

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from spine import keyring, log, signing
from spine.checkpoint import fingerprint
from spine.keyring import Handover, PublicKey
from spine.models import KeyHandover

LOCK = 0x6B657973  # "keys"


def rotate(*, actor: str) -> PublicKey:
    """Let the signer hand over to a new key; gives the new one.

    Side effects: the signer's key and the file of public keys change; one log entry with the hand-over. A rotation that
    was killed after the signer's part is finished by the next one, or by the sequencer. Raises Refused.
    """
    before = signing.ask("status")
    answer = signing.ask("rotate", **{"from": before["keys"][-1]["fingerprint"]})
    record(answer["handovers"], actor=actor)
    return signing.current_key()


@transaction.atomic
def record(handovers: list[dict[str, Any]], *, actor: str) -> int:
    """Write down the hand-overs that the log does not have yet; returns how many.

    Side effects: a row and a log entry for each. Raises checkpoint.NotAccepted for one whose signatures do not hold.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    known = set(KeyHandover.objects.values_list("new_key", flat=True))
    fresh = [one for one in handovers if one["new"] not in known]
    for one in fresh:
        keyring.check(statement_of(one))
        row = KeyHandover(
            origin=one["origin"],
            size=one["size"],
            old_key=one["old"],
            new_key=one["new"],
            old_signature=one["old_signature"],
            new_signature=one["new_signature"],
            at=timezone.now(),
        )
        prints = {name: fingerprint(bytes.fromhex(one[name])) for name in ("old", "new")}
        log.record(actor=actor, action="log.key_changed", data={**prints, "size": one["size"]}, rows=[row])
    return len(fresh)


def statement_of(plain: dict[str, Any]) -> Handover:
    """A hand-over from its members as text."""
    return Handover(
        plain["origin"],
        plain["size"],
        *(bytes.fromhex(plain[name]) for name in ("old", "new", "old_signature", "new_signature")),
    )


def statement_in(row: KeyHandover) -> Handover:
    """The hand-over that a row keeps."""
    texts = (row.old_key, row.new_key, row.old_signature, row.new_signature)
    return Handover(row.origin, row.size, *(bytes.fromhex(text) for text in texts))
