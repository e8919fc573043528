"""Deconfliction over the API: ask from a case, reply, broker, and keep the register of brokers."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import deconfliction
from cases.actions import brokers as broker_verbs
from cases.actions import deconfliction as verbs
from cases.api.shared import UnderCase, Username, Words, person, person_named, whole
from cases.models import (
    Approach,
    BrokerAnswer,
    BrokerTerm,
    Introduction,
    Match,
    Question,
    QuestionAbout,
    Reply,
)
from cases.models.deconfliction import AnswerValue
from people.authentication import needs
from people.rights import may
from spine.answers import answers, checked

TAGS = ["deconfliction"]


class ToldSerializer(serializers.ModelSerializer[BrokerAnswer]):
    """What the asker is told."""

    broker = Username()

    class Meta:
        model = BrokerAnswer
        fields = ["value", "words", "broker", "at"]
        read_only_fields = fields


class CaseQuestionSerializer(serializers.ModelSerializer[Question]):
    """A question from a case. `answer` is null until a broker answers, whatever was found."""

    asker = Username()
    answer = serializers.SerializerMethodField()

    class Meta:
        model = Question
        fields = ["id", "about", "reason", "accounts", "asker", "at", "answer"]
        read_only_fields = fields

    @extend_schema_field(ToldSerializer(allow_null=True))
    def get_answer(self, question: Question) -> Any:
        """None while it waits."""
        given = getattr(question, "answer", None)
        return ToldSerializer(given).data if given is not None else None


class AskBrokerSerializer(serializers.Serializer[Any]):
    """A question to ask."""

    about = serializers.ChoiceField(QuestionAbout.choices)
    reason = Words(help_text="for the broker, who sees no case: name no account and no case")


class CaseReplySerializer(serializers.ModelSerializer[Reply]):
    """What a case told the broker."""

    by = Username()

    class Meta:
        model = Reply
        fields = ["agrees", "words", "by", "at"]
        read_only_fields = fields


class BrokerApproachSerializer(serializers.ModelSerializer[Approach]):
    """A broker asks this case whether it agrees to be put in touch."""

    broker = Username()
    reply = serializers.SerializerMethodField()

    class Meta:
        model = Approach
        fields = ["id", "words", "broker", "at", "reply"]
        read_only_fields = fields

    @extend_schema_field(CaseReplySerializer(allow_null=True))
    def get_reply(self, approach: Approach) -> Any:
        """None while nobody replied."""
        given = getattr(approach, "reply", None)
        return CaseReplySerializer(given).data if given is not None else None


class IntroductionSerializer(serializers.ModelSerializer[Introduction]):
    """Whom a broker told this case to talk to."""

    person = Username(allow_null=True)
    broker = Username()

    class Meta:
        model = Introduction
        fields = ["person", "words", "broker", "at"]
        read_only_fields = fields


class ToldToCaseSerializer(serializers.Serializer[Any]):
    """What brokers asked and told this case; always one page each."""

    approaches = BrokerApproachSerializer(many=True)
    introductions = IntroductionSerializer(many=True)


class GiveReplySerializer(serializers.Serializer[Any]):
    """Whether this case agrees to be put in touch."""

    agrees = serializers.BooleanField()
    words = Words(required=False, allow_blank=True, default="")


class Questions(UnderCase, generics.ListAPIView[Question]):
    """What was asked from one case."""

    serializer_class = CaseQuestionSerializer
    queryset = Question.objects.none()

    @extend_schema(
        summary="List the deconfliction questions of a case",
        description="Newest first, each with the broker's answer or null.",
        tags=TAGS,
        responses=answers(200, CaseQuestionSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Ask whether accounts of this case are in another that you cannot see",
        description="The system compares sets; a broker answers, whatever is found. 409 while the same question waits, "
        "for a set that is too small or nearly an earlier one, and when the day's questions are used up.",
        tags=TAGS,
        request=AskBrokerSerializer,
        responses=answers(201, CaseQuestionSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        question = verbs.ask(case, actor=person(request), **checked(AskBrokerSerializer, request.data))
        return Response(CaseQuestionSerializer(question).data, status=201)

    def get_queryset(self) -> QuerySet[Question]:
        return deconfliction.questions(self.case())


class ToldToCase(UnderCase):
    """What brokers asked and told one case."""

    @extend_schema(
        summary="Read what brokers asked and told a case",
        description="Newest first.",
        tags=TAGS,
        responses=answers(200, ToldToCaseSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        case = self.case()
        told = {
            "approaches": deconfliction.approaches(case),
            "introductions": deconfliction.introductions(case),
        }
        return Response(ToldToCaseSerializer(told).data)


class GiveReply(UnderCase):
    """A broker's question to a case, replied to."""

    @extend_schema(
        summary="Reply to a broker",
        description="409 when somebody replied before.",
        tags=TAGS,
        request=GiveReplySerializer,
        responses=answers(201, CaseReplySerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, approach_id: UUID) -> Response:
        approach = deconfliction.approach_of(self.case(), approach_id)
        given = checked(GiveReplySerializer, request.data)
        return Response(CaseReplySerializer(verbs.reply(approach, actor=person(request), **given)).data, status=201)


class DeskDoor(permissions.BasePermission):
    """The desk is there for brokers alone."""

    rights = ("cases.read", "cases.read")

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        if not may(request.user, "cases.read") or not deconfliction.is_broker(person(request)):
            raise Http404
        return True


class DeskMatchSerializer(serializers.ModelSerializer[Match]):
    """A case that shares something: counts and whom to put in touch, never which case."""

    contact = Username(allow_null=True)
    reply = serializers.SerializerMethodField()
    approached = serializers.SerializerMethodField()

    class Meta:
        model = Match
        fields = ["id", "contact", "shared_accounts", "shared_attributes", "approached", "reply"]
        read_only_fields = fields

    def get_approached(self, match: Match) -> bool:
        """Whether the other side was asked first."""
        return hasattr(match, "approach")

    @extend_schema_field(CaseReplySerializer(allow_null=True))
    def get_reply(self, match: Match) -> Any:
        """What it said."""
        given = getattr(getattr(match, "approach", None), "reply", None)
        return CaseReplySerializer(given).data if given is not None else None


class DeskQuestionSerializer(CaseQuestionSerializer):
    """A question on the desk; `compared` says whether the comparison is done."""

    compared = serializers.SerializerMethodField()

    class Meta(CaseQuestionSerializer.Meta):
        fields = [*CaseQuestionSerializer.Meta.fields, "compared"]
        read_only_fields = fields

    def get_compared(self, question: Question) -> bool:
        """Whether the comparison is done."""
        return hasattr(question, "comparison")


class WholeDeskQuestionSerializer(DeskQuestionSerializer):
    """A question with what was found."""

    matches = serializers.SerializerMethodField()

    class Meta(DeskQuestionSerializer.Meta):
        fields = [*DeskQuestionSerializer.Meta.fields, "matches"]
        read_only_fields = fields

    @extend_schema_field(DeskMatchSerializer(many=True))
    def get_matches(self, question: Question) -> Any:
        return DeskMatchSerializer(deconfliction.matches(question), many=True).data


class GiveAnswerToQuestionSerializer(serializers.Serializer[Any]):
    """The broker's answer. `introduce` are matches whose people are put in touch; `why` stays with the brokers."""

    value = serializers.ChoiceField(AnswerValue.choices)
    words = Words(required=False, allow_blank=True, default="", help_text="to those who are told")
    why = Words(required=False, allow_blank=True, default="")
    introduce = serializers.ListField(child=serializers.UUIDField(), required=False, default=list, max_length=100)


class ApproachOtherSerializer(serializers.Serializer[Any]):
    """What the other side is told."""

    words = Words()


class Desk(generics.ListAPIView[Question]):
    """The brokers' desk."""

    permission_classes = [DeskDoor]
    serializer_class = DeskQuestionSerializer
    queryset = Question.objects.none()

    @extend_schema(
        summary="List the questions on the brokers' desk",
        description="For brokers; 404 for anybody else. Newest first.",
        tags=TAGS,
        responses=answers(200, DeskQuestionSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Question]:
        return deconfliction.desk(person(self.request)).order_by("-at", "-id")


class DeskQuestion(APIView):
    """One question on the desk."""

    permission_classes = [DeskDoor]

    @extend_schema(
        summary="Read a question with what was found",
        description="Counts and whom to put in touch; no case, no account. Each read is an entry of the brokers' log.",
        tags=TAGS,
        responses=answers(200, WholeDeskQuestionSerializer, 404),
    )
    def get(self, request: Request, question_id: UUID) -> Response:
        question = deconfliction.question_for(person(request), question_id)
        verbs.record_look(question, actor=person(request))
        return Response(WholeDeskQuestionSerializer(question).data)


class AnswerQuestion(APIView):
    """A question, answered."""

    permission_classes = [DeskDoor]

    @extend_schema(
        summary="Answer a question",
        description="Once. 409 when it was answered or not compared yet, and where the answer needs a reason.",
        tags=TAGS,
        request=GiveAnswerToQuestionSerializer,
        responses=answers(201, ToldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, question_id: UUID) -> Response:
        question = deconfliction.question_for(person(request), question_id)
        given = checked(GiveAnswerToQuestionSerializer, request.data)
        return Response(ToldSerializer(verbs.answer(question, actor=person(request), **given)).data, status=201)


class ApproachOther(APIView):
    """The other side of a match, asked first."""

    permission_classes = [DeskDoor]

    @extend_schema(
        summary="Ask the other side first",
        description="It learns that there is a question, not whose. 409 when it was asked before.",
        tags=TAGS,
        request=ApproachOtherSerializer,
        responses=answers(201, DeskMatchSerializer, 400, 404, 409),
    )
    def post(self, request: Request, question_id: UUID, match_id: UUID) -> Response:
        question = deconfliction.question_for(person(request), question_id)
        match = deconfliction.match_for(question, match_id)
        verbs.approach(match, actor=person(request), **checked(ApproachOtherSerializer, request.data))
        return Response(DeskMatchSerializer(deconfliction.match_for(question, match_id)).data, status=201)


class TermSerializer(serializers.ModelSerializer[BrokerTerm]):
    """A broker's term, or its end."""

    person = Username(source="user")
    decided_by = Username()

    class Meta:
        model = BrokerTerm
        fields = ["id", "person", "ended", "reason", "decided_by", "at"]
        read_only_fields = fields


class TermsSerializer(serializers.Serializer[Any]):
    """The brokers; always one page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = TermSerializer(many=True)


class DesignateSerializer(serializers.Serializer[Any]):
    """Somebody to designate."""

    person = serializers.CharField(max_length=60)
    reason = Words()


class EndTermSerializer(serializers.Serializer[Any]):
    """Why the term ends."""

    reason = Words()


class Brokers(APIView):
    """The register of brokers."""

    permission_classes = [needs("people.write", "people.write")]

    @extend_schema(summary="List the brokers of deconfliction", tags=TAGS, responses=answers(200, TermsSerializer))
    def get(self, request: Request) -> Response:
        return Response(TermsSerializer(whole(list(deconfliction.terms()))).data)

    @extend_schema(
        summary="Designate a broker",
        description="Administrators designate brokers and are none. 409 for who is one already.",
        tags=TAGS,
        request=DesignateSerializer,
        responses=answers(201, TermSerializer, 400, 409),
    )
    def post(self, request: Request) -> Response:
        given = checked(DesignateSerializer, request.data)
        somebody = person_named(given["person"], "person")
        if somebody is None:
            raise serializers.ValidationError({"person": ["Somebody has to be named."]})
        term = broker_verbs.designate(actor=person(request), person=somebody, reason=given["reason"])
        return Response(TermSerializer(term).data, status=201)


class EndTerm(APIView):
    """A broker's term, ended."""

    permission_classes = [needs("people.write", "people.write")]

    @extend_schema(
        summary="End a broker's term",
        description="What the broker answered stands. 409 when it was ended before.",
        tags=TAGS,
        request=EndTermSerializer,
        responses=answers(201, TermSerializer, 400, 404, 409),
    )
    def post(self, request: Request, term_id: UUID) -> Response:
        term = get_object_or_404(BrokerTerm.objects.select_related("user"), pk=term_id, ended=False)
        end = broker_verbs.end_term(term, actor=person(request), **checked(EndTermSerializer, request.data))
        return Response(TermSerializer(end).data, status=201)
