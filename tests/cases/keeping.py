"""Rows on what is kept and handed out, written as the verbs write them, where a test only needs that they are there."""

from django.db import transaction

from cases.models import DestructionOrder, DisclosureAsk, DossierVersion, LegalBasis, Recipient, RetentionPolicy
from people.models import User
from spine import log


def register(name: str = "Committee on Examples", kind: str = "committee", ceiling: str = "TLP:RED") -> Recipient:
    """A registered recipient."""
    return Recipient.objects.get_or_create(name=name, defaults={"kind": kind, "ceiling": ceiling})[0]


def everything_to(kind: str, code: str = "test-basis") -> LegalBasis:
    """A legal basis that permits everything to a kind of recipient."""
    permits = {kind: ["content", "customer_record", "indicator", "aggregate"]}
    defaults = {"name": f"Basis {code}", "law": "Test rule 1", "permits": permits}
    return LegalBasis.objects.get_or_create(code=code, defaults=defaults)[0]


def made_up_disclosure(version: DossierVersion, asker: User) -> DisclosureAsk:
    """A disclosure somebody asked for; the version need not be sealed."""
    basis = everything_to("committee")
    ask = DisclosureAsk(
        version=version,
        recipient=register(),
        basis=basis,
        recipient_name="Committee on Examples",
        recipient_kind="committee",
        basis_code=basis.code,
        basis_law=basis.law,
        data_classes=["aggregate"],
        marking="TLP:AMBER",
        package_sha256="ab" * 32,
        channel="by hand",
        asker=asker,
    )
    with transaction.atomic():
        log.record(actor=asker.principal, action="disclosure.asked", about=ask, scope=version.case_id, rows=[ask])
    return ask


def made_up_order(policy: RetentionPolicy, asker: User) -> DestructionOrder:
    """An order somebody asked for that names nothing that is there."""
    order = DestructionOrder(
        ground="retention",
        policy=policy,
        basis=policy.basis,
        targets=[{"kind": "blob", "key": "cd" * 32, "sha256": "cd" * 32, "size": 1}],
        count=1,
        size=1,
        asker=asker,
    )
    with transaction.atomic():
        log.record(actor=asker.principal, action="retention.ordered", about=order, rows=[order])
    return order
