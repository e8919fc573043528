"""Second factors: codes from an app (TOTP, RFC 6238), passkeys (WebAuthn), and recovery codes for when both are gone.

django-allauth keeps them and does the cryptography; what is said of a person, and which code is good once, stands here.
"""

import base64
import logging
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from people import encryption, sessions
from people.models import User

logger = logging.getLogger(__name__)
PERIOD = 30  # seconds
STRONG = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
WORDS = {"totp": "code from an app", "webauthn": "passkey", "recovery_codes": "recovery code"}


@dataclass(frozen=True)
class Factors:
    """What a person has set up."""

    app: Authenticator | None = None
    passkeys: list[Authenticator] = field(default_factory=list)
    recovery: Authenticator | None = None

    @property
    def any(self) -> bool:
        """Whether a second factor is asked for at sign-in; recovery codes alone are none."""
        return self.app is not None or bool(self.passkeys)

    @property
    def recovery_left(self) -> int:
        """How many recovery codes are still good."""
        if self.recovery is None:
            return 0
        return int(settings.MFA_RECOVERY_CODE_COUNT) - int(self.recovery.data["used_mask"]).bit_count()

    @property
    def words(self) -> str:
        """In a list of people."""
        parts = [*(["app"] if self.app else []), *([f"{len(self.passkeys)} passkeys"] if self.passkeys else [])]
        return " and ".join(parts).replace("1 passkeys", "1 passkey") or "none"


def of(person: User) -> Factors:
    """What this person has set up."""
    return of_all([person]).get(person.pk, Factors())


def of_all(people: list[User]) -> dict[Any, Factors]:
    """By the person's id, in one query; who has none is missing."""
    found: dict[Any, dict[str, Any]] = {}
    for one in Authenticator.objects.filter(user__in=people).order_by("pk"):
        mine = found.setdefault(one.user_id, {"passkeys": []})
        if one.type == Authenticator.Type.WEBAUTHN:
            mine["passkeys"].append(one)
        else:
            mine["app" if one.type == Authenticator.Type.TOTP else "recovery"] = one
    return {pk: Factors(**mine) for pk, mine in found.items()}


def has_any(person: User) -> bool:
    """Whether this person has a second factor."""
    return bool(strong_of(person.pk).exists())


def strong_of(person_id: Any) -> Any:
    """What of a person's is asked for at sign-in: all but recovery codes."""
    return Authenticator.objects.filter(user_id=person_id, type__in=STRONG)


def is_required(person: User) -> bool:
    """Whether the role asks for one."""
    return person.role in settings.REQUIRE_SECOND_FACTOR


def is_missing(request: HttpRequest) -> bool:
    """Whether the signed-in person's role asks for one and there is none; asks the database only where it may be so."""
    person = request.user
    if not isinstance(person, User) or not is_required(person) or request.session.get(sessions.SECOND):
        return False
    if not has_any(person):
        return True
    request.session[sessions.SECOND] = True
    return False


# Codes


def fresh_secret() -> str:
    """160 random bits in base 32."""
    return str(totp.generate_totp_secret())


def setup_address(person: User, secret: str) -> str:
    """What the app reads from the square code: otpauth://totp/…"""
    return str(get_adapter().build_totp_url(person, secret))


def square(address: str) -> str:
    """The square code as an image's address, which the strict policy allows for images."""
    picture = str(get_adapter().build_totp_svg(address))
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode('ascii')}"


def step_of(secret: str, code: str, after: int = 0) -> int | None:
    """The 30-second step this code is of: the present one or one beside it, later than `after`; None when wrong."""
    present = int(time.time()) // PERIOD
    for step in (present, present - 1, present + 1):
        expected = totp.format_hotp_value(totp.hotp_value(secret, step))
        if step > after and compare_user_code(actual=code, expected=expected):
            return step
    return None


@transaction.atomic
def accept(person: User, code: str) -> Authenticator | None:
    """The factor this code is of, used up by that; None when it is none. A code is good once, also for two at once."""
    kept = Authenticator.objects.select_for_update().filter(user=person).exclude(type=Authenticator.Type.WEBAUTHN)
    for one in kept.order_by("type"):
        try:
            if _takes(one, code):
                one.record_usage()
                return one
        except encryption.Unreadable as trouble:
            logger.error("second factor %s of %s: %s", one.pk, person.pk, trouble)
    return None


def _takes(one: Authenticator, code: str) -> bool:
    if one.type == Authenticator.Type.RECOVERY_CODES:
        return bool(RecoveryCodes(one).validate_code(code))
    step = step_of(encryption.decrypt(one.data["secret"]), code, one.data.get("last_step", 0))
    if step is None:
        return False
    one.data["last_step"] = step
    one.save(update_fields=["data"])
    return True


# Passkeys


def passkey_domain(request: HttpRequest) -> str:
    """The domain passkeys are bound to: the public address's, or localhost for who comes that way; empty for none."""
    host = request.get_host().partition(":")[0]
    if host != "localhost":
        host = urlsplit(settings.PUBLIC_URL).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host
    return ""  # an IP address is none (WebAuthn, 5.1.3)
