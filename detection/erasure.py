"""Forgetting who an account is: its identifiers and the values it alone has shown, under a certificate of destruction.

The database refuses either change without one (cases.keeping), and while a hold covers the account.
"""

from django.db.models import Exists, OuterRef, QuerySet

from detection.models import Account, Attribute, ClusterLink, ClusterMember, Finding, Sighting


def forget_account(account: Account) -> None:
    """Replace provider id and pseudonym by what tells nothing; the same account that comes again is a new one.

    The old pseudonym leads nowhere without the id: it is keyed, and the id is gone.
    """
    mark = account.pk.hex
    changed = {"provider_id": f"erased-{mark}", "pseudonym": f"erased-{mark[-12:]}"}
    Account.objects.filter(pk=account.pk).update(**changed)


def forget_attribute(attribute: Attribute) -> None:
    """Replace a value by what tells nothing."""
    Attribute.objects.filter(pk=attribute.pk).update(value=f"erased-{attribute.pk.hex}")


def own_attributes(account: Account) -> QuerySet[Attribute]:
    """The values that this account has shown and no other."""
    others = Sighting.objects.filter(attribute=OuterRef("pk")).exclude(account=account)
    linked = ClusterLink.objects.filter(attribute=OuterRef("pk")).exclude(account=account)
    shown = Attribute.objects.filter(sightings__account=account) | Attribute.objects.filter(links__account=account)
    return shown.exclude(Exists(others)).exclude(Exists(linked)).exclude(value__startswith="erased-").distinct()


def rows_about(account: Account) -> list[ClusterMember | ClusterLink | Finding]:
    """The protected rows with personal columns that speak of this account and are not erased yet.

    Findings that name it speak of other accounts too: their received bytes go whole, what was counted from them stays.
    """
    findings = Finding.objects.filter(accounts__account=account, salt__isnull=False).order_by("pk")
    members = ClusterMember.objects.filter(account=account, salt__isnull=False).order_by("pk")
    links = ClusterLink.objects.filter(account=account, salt__isnull=False).order_by("pk")
    return [*findings, *members, *links]
