"""Who calls the API: a bearer key of a person or a detector, or the browser's session; and what they may do there."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.db.models.functions import Now
from rest_framework import authentication, exceptions, permissions
from rest_framework.request import Request

from people.addresses import address_of, is_within
from people.models import ApiToken, DetectorKey, Key, digest
from people.rights import may, refusal, rights_of
from spine import principal

if TYPE_CHECKING:
    from rest_framework.views import APIView

USE_RESOLUTION = timedelta(minutes=5)
# Of detectors' keys: who is sending just now is asked of these times (detection.turns).
SENDING_RESOLUTION = timedelta(seconds=2)


@dataclass(frozen=True)
class DetectorPrincipal:
    """A detector that holds a key."""

    name: str
    key_id: str
    limits: dict[str, int] = field(default_factory=dict)
    role: str = "detector"
    is_authenticated: bool = True
    is_active: bool = True

    @property
    def principal(self) -> str:
        """How this detector stands in the log."""
        return f"detector:{self.name}"


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <key>`."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        kind, _, value = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        caller, key = self._caller(value.strip())
        _demand_usable(key, request)
        _note_use(key)
        principal.assume(caller.principal)
        return caller, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Retort API"'

    def _caller(self, value: str) -> tuple[Any, Key]:
        sha256 = digest(value)
        token = (
            ApiToken.objects.filter(sha256=sha256, revoked_at=None, user__is_active=True).select_related("user").first()
        )
        if token:
            token.user.scopes = frozenset(token.rights)
            return token.user, token
        key = DetectorKey.objects.filter(sha256=sha256, revoked_at=None).first()
        if key:
            return DetectorPrincipal(key.detector, str(key.id), key.limits), key
        raise exceptions.AuthenticationFailed("This key is not known, or it was revoked.")


def _demand_usable(key: Key, request: Request) -> None:
    if key.is_expired:
        raise exceptions.AuthenticationFailed("This key has run out: make a new one.")
    if key.networks and not is_within(address_of(request._request), key.networks):
        raise exceptions.PermissionDenied("This key may not be used from this address.")


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with its CSRF check."""


def _note_use(key: Key) -> None:
    """Remember the last use, by the database's clock, to within a while, so that not every request writes a row."""
    to_within = SENDING_RESOLUTION if isinstance(key, DetectorKey) else USE_RESOLUTION
    stale = Q(last_used_at=None) | Q(last_used_at__lt=Now() - to_within)
    type(key).objects.filter(stale, pk=key.pk).update(last_used_at=Now())  # type: ignore[attr-defined]


class DeniedByDefault(permissions.BasePermission):
    """A view that names no right answers nobody."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return False


def needs(read: str = "", write: str = "") -> type[permissions.BasePermission]:
    """A permission that asks for one right to read and one to write; an empty right refuses that kind of method."""

    class Needs(permissions.BasePermission):
        """Holds when the caller has the right for the method."""

        rights = (read, write)
        message = "Your role does not allow this."

        def has_permission(self, request: Request, view: "APIView") -> bool:
            right = read if request.method in permissions.SAFE_METHODS else write
            held = bool(right) and may(request.user, right)
            if right and not held and right in rights_of(request.user):
                self.message = refusal(request.user, right)
            return held

    return Needs
