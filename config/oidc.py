"""The company's identity provider, from `RETORT_OIDC_*`; nothing of it is used while the issuer is not set."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.environment import boolean, secret, text, words

PROVIDER_ID = "company"
NAMES = ("CLIENT_ID", "CLIENT_SECRET", "CLIENT_SECRET_FILE", "NAME", "ROLE_CLAIM", "ROLES", "CREATE")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider as Retort talks to it, and who of its people may come in."""

    issuer: str
    client_id: str
    client_secret: str
    name: str
    role_claim: str
    roles: dict[str, str]
    create: bool

    @property
    def app(self) -> dict[str, Any]:
        """In the shape of django-allauth's settings."""
        return {
            "provider_id": PROVIDER_ID,
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.client_secret,
            "settings": {"server_url": self.issuer, "scope": ["openid", "profile"]},
        }


def provider(accepted_roles: Sequence[str]) -> Provider | None:
    """The provider, or None when none is configured.

    Raises:
        ImproperlyConfigured: a value cannot be used, or one is set without the issuer.
    """
    issuer = text("RETORT_OIDC_ISSUER", "").rstrip("/")
    if not issuer:
        alone = [f"RETORT_OIDC_{name}" for name in NAMES if os.environ.get(f"RETORT_OIDC_{name}")]
        if alone:
            raise ImproperlyConfigured(f"{', '.join(alone)}: set without RETORT_OIDC_ISSUER")
        return None
    return Provider(
        issuer=_checked(issuer),
        client_id=_required("RETORT_OIDC_CLIENT_ID"),
        client_secret=secret("RETORT_OIDC_CLIENT_SECRET"),
        name=text("RETORT_OIDC_NAME", urlsplit(issuer).hostname or ""),
        role_claim=text("RETORT_OIDC_ROLE_CLAIM", ""),
        roles=_mapping(accepted_roles),
        create=boolean("RETORT_OIDC_CREATE", False),
    )


def _checked(issuer: str) -> str:
    """An https address; plain http only for a provider on this machine."""
    parts = urlsplit(issuer)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or local) or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ImproperlyConfigured(
            f"RETORT_OIDC_ISSUER={issuer!r}: an address such as https://id.example.com/realm is accepted"
        )
    return issuer


def _required(name: str) -> str:
    value = text(name, "")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set, although RETORT_OIDC_ISSUER is")
    return value


def _mapping(accepted: Sequence[str]) -> dict[str, str]:
    """`RETORT_OIDC_ROLES`: what the role claim may say, and the role that means."""
    found = {}
    for pair in words("RETORT_OIDC_ROLES", []):
        value, _, role = pair.rpartition("=")
        if not value or role not in accepted:
            raise ImproperlyConfigured(
                f"RETORT_OIDC_ROLES: {pair!r} is not accepted; VALUE=ROLE is, with a role of {', '.join(accepted)}"
            )
        found[value] = role
    if found and not text("RETORT_OIDC_ROLE_CLAIM", ""):
        raise ImproperlyConfigured("RETORT_OIDC_ROLES is set without RETORT_OIDC_ROLE_CLAIM")
    return found
