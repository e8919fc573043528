"""Deconfliction: does a case that one cannot see share accounts with mine? A named broker answers, without content."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from cases.models.case import Case
from spine.models import AppendOnly


class QuestionAbout(models.TextChoices):
    """Which accounts of the asking case are compared."""

    ALL = "all", "every account of the case"
    ACTOR_CONTROLLED = "actor_controlled", "the accounts assessed as actor-controlled"


class AnswerValue(models.TextChoices):
    """What the asker is told."""

    NO_HIT = "no_hit", "no hit"
    HIT = "hit", "hit: the broker will put you in touch"
    NO_ANSWER = "no_answer", "no answer is given to this question"


class BrokerTerm(AppendOnly):
    """A person designated as broker by an administrator, or no longer. The newest row about a person counts."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ended = models.BooleanField(default=False)
    reason = models.CharField(max_length=500)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(supersedes=None), name="one_first_term_per_broker"
            ),
            models.CheckConstraint(
                condition=models.Q(ended=False) | models.Q(supersedes__isnull=False), name="a_term_that_ends_was_there"
            ),
        ]


class Question(AppendOnly):
    """Asked from a case about a set of its accounts, pinned when it was asked: 16 bytes an account id, sorted."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("reason",)

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="questions")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    about = models.CharField(max_length=20, choices=QuestionAbout.choices)
    reason = models.CharField(max_length=1000)
    accounts = models.PositiveIntegerField()
    account_set = models.BinaryField()
    at = models.DateTimeField(default=timezone.now)

    @property
    def short(self) -> str:
        """The end of its id, by which people tell questions apart."""
        return str(self.pk)[-8:]


class Comparison(AppendOnly):
    """The system has compared a question's set with every other case that its asker could not see."""

    question = models.OneToOneField(Question, on_delete=models.PROTECT, related_name="comparison")
    matches = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)


class Match(AppendOnly):
    """Another case shares accounts or rare attributes. Brokers see the counts and the contact, never which case."""

    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="found")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="+")
    contact = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    shared_accounts = models.PositiveIntegerField()
    shared_attributes = models.PositiveIntegerField(help_text="rare values that accounts of both cases have shown")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["question", "case"], name="a_case_matches_a_question_once")]


class Approach(AppendOnly):
    """The broker asks the other side first whether it agrees to be put in touch. It learns that there is a question."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    match = models.OneToOneField(Match, on_delete=models.PROTECT, related_name="approach")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="approaches", help_text="of the match")
    words = models.CharField(max_length=1000)
    broker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class Reply(AppendOnly):
    """What the other side says to the broker."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    approach = models.OneToOneField(Approach, on_delete=models.PROTECT, related_name="reply")
    agrees = models.BooleanField()
    words = models.CharField(max_length=1000)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)


class BrokerAnswer(AppendOnly):
    """The broker's one answer to a question: what the asker is told. The broker is never the asker."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    question = models.OneToOneField(Question, on_delete=models.PROTECT, related_name="answer")
    asker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    value = models.CharField(max_length=10, choices=AnswerValue.choices)
    words = models.CharField(max_length=1000, blank=True, help_text="to the asker")
    broker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(broker=models.F("asker")), name="asker_and_broker_are_two"),
            models.CheckConstraint(condition=models.Q(value__in=AnswerValue.values), name="answer_value_is_known"),
        ]


class BrokerReason(AppendOnly):
    """Why the broker answered so; it stays with the brokers."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    answer = models.OneToOneField(BrokerAnswer, on_delete=models.PROTECT, related_name="reason")
    words = models.CharField(max_length=1000)


class Introduction(AppendOnly):
    """A case is told to whom to talk, because the broker says so: a person's name, no case and no account."""

    PERSONAL: ClassVar[tuple[str, ...]] = ("words",)

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="introductions", help_text="that is told")
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="introductions")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    words = models.CharField(max_length=1000, blank=True)
    broker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["case", "question", "person"], name="an_introduction_is_made_once")
        ]
