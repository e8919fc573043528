"""The disclosure gate: recipient × data class × legal basis × day × marking; pure but for asking the registers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cases.models.disclosure import DisclosedClass, LegalBasis, Recipient, RecipientKind
from cases.models.dossier import Edition
from cases.vocabulary import Marking

# What each edition carries: exhibits are content, the schedule of accounts customer records, shared values indicators.
EDITION_CLASSES: dict[str, tuple[str, ...]] = {Edition.COUNSEL: tuple(DisclosedClass.values)}
NOT_REGISTERED = "not a registered basis"


@dataclass(frozen=True)
class Registered:
    """What the registers know of a recipient and a basis that were given as words; None for what they do not."""

    recipient: Recipient | None
    basis: LegalBasis | None

    @property
    def both(self) -> bool:
        """Whether the gate can judge it at all; only then can it be disclosed."""
        return self.recipient is not None and self.basis is not None


def registered(recipient: str, basis: str) -> Registered:
    """Find the recipient by name and the basis by code or name, exactly as they are registered and still in use."""
    who = Recipient.objects.filter(name=recipient, active=True).first() if recipient else None
    ground = None
    if basis:
        active = LegalBasis.objects.filter(active=True)
        ground = active.filter(code=basis).first() or active.filter(name=basis).first()
    return Registered(who, ground)


def offered(day: date) -> dict[str, list[Any]]:
    """The recipients in use, and the legal bases that are in use and hold on this day, by name."""
    bases = LegalBasis.objects.filter(active=True).exclude(valid_from__gt=day).exclude(valid_until__lt=day)
    return {
        "recipients": list(Recipient.objects.filter(active=True).order_by("name")),
        "bases": list(bases.order_by("name")),
    }


def objections(
    recipient: Recipient, basis: LegalBasis, *, classes: Sequence[str], marking: str, day: date
) -> list[str]:
    """What speaks against handing these classes of data, so marked, to this recipient on this basis and day."""
    found = []
    if not recipient.active:
        found.append(f"{recipient} is no longer in use as a recipient.")
    if not basis.active:
        found.append(f"{basis} is no longer in use as a legal basis.")
    if basis.valid_from is not None and day < basis.valid_from:
        found.append(f"{basis} ({basis.law}) holds from {basis.valid_from:%d %b %Y} on.")
    if basis.valid_until is not None and day > basis.valid_until:
        found.append(f"{basis} ({basis.law}) ended on {basis.valid_until:%d %b %Y}.")
    permitted = basis.permits.get(recipient.kind, [])
    for one in classes:
        if one not in permitted:
            found.append(
                f"{basis} does not permit {DisclosedClass(one).label} to a {RecipientKind(recipient.kind).label}."
            )
    if Marking.values.index(marking) > Marking.values.index(recipient.ceiling):
        found.append(f"It is marked {marking}; {recipient} may get at most {recipient.ceiling}.")
    return found
