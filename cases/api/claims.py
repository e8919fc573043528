"""Claims and innocent explanations over the API: how each stands, judgements with their citations, answers."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import history, testers
from cases.actions import claims as verbs
from cases.api.shared import UnderCase, Username, Words, person, whole
from cases.models import AlternativeAnswer, Case, Citation, Judgement
from cases.models.claims import CITABLE
from cases.vocabulary import (
    ALTERNATIVES,
    LIKELIHOOD_RANGES,
    REQUIRED_CLAIMS,
    AlternativeState,
    Claim,
    Confidence,
    Likelihood,
    Side,
)
from spine.answers import answers, checked

TAGS = ["cases"]
SEEN = "id of the one you saw; null when there was none"


class CitationSerializer(serializers.ModelSerializer[Citation]):
    """An item a judgement rests on."""

    kind = serializers.SerializerMethodField()
    item = serializers.SerializerMethodField(help_text="id of the item")

    class Meta:
        model = Citation
        fields = ["side", "kind", "item", "note"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(CITABLE))
    def get_kind(self, citation: Citation) -> str:
        return next(kind for kind in CITABLE if getattr(citation, f"{kind}_id") is not None)

    @extend_schema_field(serializers.UUIDField())
    def get_item(self, citation: Citation) -> str:
        return str(getattr(citation, f"{self.get_kind(citation)}_id"))


class JudgementSerializer(serializers.ModelSerializer[Judgement]):
    """A judgement: likelihood by the ladder of ICD 203, and apart from it confidence."""

    likelihood_percent = serializers.SerializerMethodField(help_text="what the word stands for, from and to")
    author = Username()
    supersedes = serializers.UUIDField(source="supersedes_id", allow_null=True)
    citations = CitationSerializer(many=True)

    class Meta:
        model = Judgement
        fields = [
            "id",
            "claim",
            "likelihood",
            "likelihood_percent",
            "confidence",
            "rationale",
            "alternatives",
            "author",
            "at",
            "supersedes",
            "citations",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2))
    def get_likelihood_percent(self, judgement: Judgement) -> list[int]:
        return list(LIKELIHOOD_RANGES[judgement.likelihood])


class ClaimSerializer(serializers.Serializer[Any]):
    """One of the six claims with its newest judgement."""

    claim = serializers.ChoiceField(Claim.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    required = serializers.BooleanField(help_text="must be judged before escalation")  # type: ignore[assignment]
    judgement = JudgementSerializer(allow_null=True)


class ClaimsSerializer(serializers.Serializer[Any]):
    """The six claims; always one page."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ClaimSerializer(many=True)


class CitedSerializer(serializers.Serializer[Any]):
    """An item of this case, cited for or against the claim."""

    side = serializers.ChoiceField(Side.choices)
    kind = serializers.ChoiceField(CITABLE)
    item = serializers.UUIDField(help_text="id of the item")
    note = Words(
        required=False, allow_blank=True, default="", help_text="what it shows; our answer, when it is against"
    )


class JudgeSerializer(serializers.Serializer[Any]):
    """A judgement to make."""

    claim = serializers.ChoiceField(Claim.choices)
    likelihood = serializers.ChoiceField(Likelihood.choices)
    confidence = serializers.ChoiceField(Confidence.choices)
    rationale = Words()
    alternatives = Words(help_text="what else would explain it, and what would change our mind")
    citations = CitedSerializer(many=True, required=False, default=list)
    supersedes = serializers.UUIDField(allow_null=True, help_text=SEEN)


class AnswerSerializer(serializers.ModelSerializer[AlternativeAnswer]):
    """How an innocent explanation stands, and why."""

    author = Username()
    supersedes = serializers.UUIDField(source="supersedes_id", allow_null=True)

    class Meta:
        model = AlternativeAnswer
        fields = ["id", "alternative", "state", "reason", "author", "at", "supersedes"]
        read_only_fields = fields


class AlternativeSerializer(serializers.Serializer[Any]):
    """An innocent explanation with its newest answer."""

    alternative = serializers.ChoiceField(list(ALTERNATIVES.items()))
    label = serializers.CharField()  # type: ignore[assignment]
    answer = AnswerSerializer(allow_null=True)
    sanctioned_testers = serializers.IntegerField(
        allow_null=True, help_text="accounts of the case on the list of sanctioned testers, where that bears on it"
    )


class AlternativesSerializer(serializers.Serializer[Any]):
    """Every innocent explanation; always one page."""

    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = AlternativeSerializer(many=True)


class GiveAnswerSerializer(serializers.Serializer[Any]):
    """An answer to give."""

    alternative = serializers.ChoiceField(list(ALTERNATIVES.items()))
    state = serializers.ChoiceField(AlternativeState.choices)
    reason = Words()
    supersedes = serializers.UUIDField(allow_null=True, help_text=SEEN)


class Claims(UnderCase):
    """The six claims of one case."""

    @extend_schema(
        summary="List the six claims",
        description="Each with its newest judgement, or null while it is open.",
        tags=TAGS,
        responses=answers(200, ClaimsSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(ClaimsSerializer(whole(_claims(self.case()))).data)

    @extend_schema(
        summary="Judge a claim",
        description="Cited items must be in the case. Words off the likelihood ladder and words that accuse are "
        "refused. 409 when somebody judged the claim since you looked.",
        tags=TAGS,
        request=JudgeSerializer,
        responses=answers(201, JudgementSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(JudgeSerializer, request.data)
        cited = [verbs.Cited(one["side"], one["kind"], one["item"], one["note"]) for one in given.pop("citations")]
        judgement = verbs.judge(case, actor=person(request), citations=cited, **given)
        return Response(JudgementSerializer(judgement).data, status=201)


class Alternatives(UnderCase):
    """The innocent explanations of one case."""

    @extend_schema(
        summary="List the innocent explanations",
        description="Each with its newest answer, or null while it is open. All are answered before escalation.",
        tags=TAGS,
        responses=answers(200, AlternativesSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = {answer.alternative: answer for answer in history.answers_at(case)}
        listed = {testers.ALTERNATIVE: testers.count_at(case)}
        rows = [
            {"alternative": slug, "label": label, "answer": given.get(slug), "sanctioned_testers": listed.get(slug)}
            for slug, label in ALTERNATIVES.items()
        ]
        return Response(AlternativesSerializer(whole(rows)).data)

    @extend_schema(
        summary="Answer an innocent explanation",
        description="409 when somebody answered since you looked.",
        tags=TAGS,
        request=GiveAnswerSerializer,
        responses=answers(201, AnswerSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(GiveAnswerSerializer, request.data)
        answer = verbs.answer_alternative(case, actor=person(request), **given)
        return Response(AnswerSerializer(answer).data, status=201)


def _claims(case: Case) -> list[dict[str, Any]]:
    judgements = history.judgements_at(case).prefetch_related("citations")
    newest = {judgement.claim: judgement for judgement in judgements}
    return [
        {
            "claim": claim.value,
            "label": claim.label,
            "required": claim.value in REQUIRED_CLAIMS,
            "judgement": newest.get(claim.value),
        }
        for claim in Claim
    ]
