"""Who may know of a restricted case: members now, every change of membership, and notices to them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from cases.notice_kinds import Kind, Mailing
from spine.ids import new_id
from spine.models import AppendOnly


class MemberVia(models.TextChoices):
    """How somebody came to be a member."""

    INVITED = "invited", "added by a member"
    BREAK_GLASS = "break_glass", "broke the glass"


class ChangeKind(models.TextChoices):
    """What happened to a membership."""

    ADDED = "added", "was added"
    REMOVED = "removed", "was removed"
    BROKE_GLASS = "broke_glass", "broke the glass"


class CaseMember(models.Model):
    """Who may read a case while it is restricted; an index over `MembershipChange`, and what the second wall asks."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="members")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")
    via = models.CharField(max_length=15, choices=MemberVia.choices, default=MemberVia.INVITED)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, help_text="when it ends by itself; breaking the glass always has an end")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "person"], name="a_person_is_a_member_once"),
            models.CheckConstraint(
                condition=models.Q(via="invited") | models.Q(via="break_glass", until__isnull=False),
                name="breaking_the_glass_has_an_end",
            ),
        ]


class MembershipChange(AppendOnly):
    """Somebody became a member of a case, or stopped being one: by whom, why, and until when."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="membership_changes")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=15, choices=ChangeKind.choices)
    reason = models.CharField(max_length=1000)
    until = models.DateTimeField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=ChangeKind.values), name="membership_change_is_known"),
        ]


class Notice(models.Model):
    """Something a person has to be told, about a case they may know of or about none; there until they have seen it.

    `mail` is how it is still to be mailed. A mail says its kind and, of an open case, the reference; never `text`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    case = models.ForeignKey(Case, null=True, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.MEMBER)
    mail = models.CharField(max_length=8, choices=Mailing.choices, default=Mailing.NONE)
    mail_after = models.DateTimeField(default=timezone.now, help_text="not to be mailed before this")
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="notices")
    text = models.CharField(max_length=1500)
    key = models.CharField(max_length=100, help_text="the same key is the same notice")
    at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["recipient", "key"], name="a_notice_is_given_once")]
        indexes = [
            models.Index(fields=["recipient", "-at"], condition=models.Q(seen_at=None), name="unseen_notices"),
            models.Index(fields=["recipient", "-at", "-id"], name="notices_newest_first"),
            models.Index(fields=["mail", "mail_after"], condition=~models.Q(mail="none"), name="notices_to_mail"),
        ]


class NoticeSettings(models.Model):
    """What a person wants to be told and how, where it is not the default; and the hour of their digest (UTC)."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.PROTECT, related_name="notice_settings"
    )
    ways = models.JSONField(default=dict, help_text="by kind")
    digest_hour = models.PositiveSmallIntegerField(default=7)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(digest_hour__lte=23), name="a_digest_has_an_hour")]


class Digest(models.Model):
    """One mail of a day to a person. Begun and no more: its worker ended, and nobody knows whether it left."""

    class State(models.TextChoices):
        """How it stands. Failed: the mail server did not take it; it is tried again."""

        BEGUN = "begun", "begun"
        SENT = "sent", "sent"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="digests")
    day = models.DateField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.BEGUN)
    at = models.DateTimeField(default=timezone.now)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "day"], name="one_digest_a_day")]
