"""People, their API tokens, and the keys of detectors. Of a key only the SHA-256 is stored, never what was given."""

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AnonymousUser
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from spine.ids import new_id


class Role(models.TextChoices):
    """What a person is here for; people.rights says what each may do."""

    ADMINISTRATOR = "administrator", "administrator"
    CASE_LEAD = "case_lead", "case lead"
    ANALYST = "analyst", "analyst"
    COUNSEL = "counsel", "counsel"
    READER = "reader", "reader"


class User(AbstractBaseUser):
    """A person who signs in. Never deleted, so that the log keeps its names; only switched off."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(
        max_length=60,
        unique=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9][a-z0-9._-]*$",
                "A user name has a–z, 0–9, dot, dash and underscore, and begins with a letter or digit.",
            )
        ],
    )
    display_name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=20, choices=Role.choices)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    one_time_until = models.DateTimeField(
        null=True, editable=False, help_text="the password is good for one sign-in before this, then has to be changed"
    )

    # Of the key a request came with, when it came with one: the rights it was made for. people.rights.may asks it.
    scopes: frozenset[str] | None = None

    objects: ClassVar[BaseUserManager[Self]] = BaseUserManager()
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="role_is_known"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.username

    @property
    def principal(self) -> str:
        """How this person stands in the log."""
        return f"user:{self.username}"


class Key(models.Model):
    """A secret that stands for somebody in the API. Shown once, kept as its SHA-256."""

    KIND: ClassVar[str]

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120, blank=True)
    prefix = models.CharField(max_length=12, help_text="the part that may be shown, to tell keys apart")
    sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    networks = models.JSONField(
        default=list, blank=True, help_text="where it may come from, as 192.0.2.0/24; empty: from anywhere"
    )

    class Meta:
        abstract = True

    @property
    def is_expired(self) -> bool:
        """Its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor run out."""
        return self.revoked_at is None and not self.is_expired

    @classmethod
    def fresh_secret(cls) -> tuple[str, str, str]:
        """A new secret with its prefix and digest: 256 random bits, so a plain digest cannot be guessed back."""
        prefix = secrets.token_hex(4)
        value = f"rt_{cls.KIND}_{prefix}_{secrets.token_urlsafe(32)}"
        return value, prefix, digest(value)


class ApiToken(Key):
    """A person's token: the API with some of that person's rights, until a day."""

    KIND = "tok"
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tokens")
    rights = models.JSONField(
        default=list, help_text="words of people.rights; what the role lacks, the token lacks too"
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(expires_at__isnull=False), name="a_token_expires")]


class DetectorKey(Key):
    """A detector's key: writes findings of that detector and nothing else."""

    KIND = "det"
    detector = models.CharField(max_length=120)
    requests_per_minute = models.PositiveIntegerField(null=True, help_text="no limit when not set")
    findings_per_minute = models.PositiveIntegerField(null=True, help_text="no limit when not set")
    mebibytes_per_day = models.PositiveIntegerField(null=True, help_text="of documents received; no limit when not set")

    # The key that took its place, and since when, as the log says; people.key_health.with_successors sets them.
    successor: "DetectorKey | None" = None
    replaced_at: datetime | None = None

    class Meta:
        indexes = [models.Index(fields=["detector"], name="keys_of_a_detector")]

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are set, by the column's name."""
        found = {name: getattr(self, name) for name in LIMITS}
        return {name: limit for name, limit in found.items() if limit is not None}


LIMITS = ("requests_per_minute", "findings_per_minute", "mebibytes_per_day")


class KeyUse(models.Model):
    """How much of one limit a key has used since the beginning of the running minute or UTC day."""

    pk = models.CompositePrimaryKey("key_id", "limit")
    key = models.ForeignKey(DetectorKey, on_delete=models.CASCADE, related_name="use", db_index=False)
    limit = models.CharField(max_length=30)
    since = models.DateTimeField()
    used = models.BigIntegerField()


class Attempts(models.Model):
    """Failed sign-ins from one address or for one name, real or not, in one window of time; people.lockout counts."""

    key = models.CharField(max_length=80, primary_key=True, help_text="what is counted, as a keyed digest")
    failures = models.PositiveIntegerField()
    since = models.DateTimeField(db_index=True)


def digest(value: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(value.encode()).hexdigest()


def nobody() -> AnonymousUser:
    """Who an unauthenticated API request comes from."""
    return AnonymousUser()


class MailAddress(models.Model):
    """Where a person wants mail sent. Nothing but the link that confirms it goes there before it is confirmed."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="mail")
    address = models.CharField(max_length=254)
    asked_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
