"""Redactions over the API: propose, list, decide as a second person."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access
from cases.actions import redactions as verbs
from cases.api.shared import UnderCase, Username, Words, person, whole
from cases.models import RedactionProposal
from cases.redaction import REASONS, Mark
from spine.answers import answers, checked

TAGS = ["cases"]
SAMPLE = {"texts": ["jane.doe@example.com"], "code": "third_party", "marks": [[0, 10, "secret"]], "note": "hold 7"}


class ProposalSerializer(serializers.ModelSerializer[RedactionProposal]):
    """A proposal: marks as `[start, end, reason]` in code points; `made` is the number of the redacted exhibit."""

    proposer = Username()
    marks = serializers.ListField(child=serializers.ListField())
    state = serializers.SerializerMethodField()
    decided_by = serializers.CharField(source="decision.decider.username", default=None, allow_null=True)
    made = serializers.IntegerField(source="decision.made.item.number", default=None, allow_null=True)

    class Meta:
        model = RedactionProposal
        fields = ["id", "marks", "proposer", "note", "at", "state", "decided_by", "made"]
        read_only_fields = fields

    def get_state(self, proposal: RedactionProposal) -> str:
        """`waiting`, `approved` or `declined`."""
        decision = getattr(proposal, "decision", None)
        return "waiting" if decision is None else ("approved" if decision.approved else "declined")


class MarkField(serializers.ListField):
    """`[start, end, reason]`."""

    def to_internal_value(self, data: Any) -> Any:
        start_end_code = isinstance(data, list) and len(data) == 3 and all(type(one) is int for one in data[:2])
        if not start_end_code or not isinstance(data[2], str):
            raise serializers.ValidationError("A mark is [start, end, reason].")
        return Mark(data[0], data[1], data[2])


class ProposeSerializer(serializers.Serializer[Any]):
    """What to take out: stretches, and texts wherever they stand."""

    marks = serializers.ListField(child=MarkField(), required=False, default=list, max_length=20_000)
    texts = serializers.ListField(child=Words(max_length=1000), required=False, default=list, max_length=2000)
    code = serializers.CharField(required=False, default="", help_text=f"for `texts`: {', '.join(REASONS)}")
    note = Words(required=False, allow_blank=True, default="")


class DecideSerializer(serializers.Serializer[Any]):
    """A second person's answer."""

    approve = serializers.BooleanField()
    note = Words(required=False, allow_blank=True, default="", help_text="needed to decline")


class Redactions(UnderCase):
    """The proposals about one exhibit."""

    @extend_schema(
        operation_id="cases_evidence_redactions_list",
        summary="List the redactions proposed for an exhibit",
        description="Newest first. The marks are offsets; no text is repeated here.",
        tags=TAGS,
        responses=answers(200, ProposalSerializer(many=True), 404),
    )
    def get(self, request: Request, ref: str, number: int) -> Response:
        item = access.evidence_for(person(request), ref, number)
        rows = item.redaction_proposals.select_related("proposer", "decision__decider", "decision__made__item")
        return Response(whole([ProposalSerializer(row).data for row in rows.order_by("-at")]))

    @extend_schema(
        summary="Propose a redaction",
        description="Of a UTF-8 text exhibit. A marked text of four or more characters is taken out wherever it "
        "stands. A second person decides; nothing is made before.",
        tags=TAGS,
        request=ProposeSerializer,
        examples=[OpenApiExample("texts and a stretch", value=SAMPLE, request_only=True)],
        responses=answers(201, ProposalSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, number: int) -> Response:
        self.case()
        item = access.evidence_for(person(request), ref, number)
        proposal = verbs.propose_redaction(item, actor=person(request), **checked(ProposeSerializer, request.data))
        return Response(ProposalSerializer(proposal).data, status=201)


class DecideRedaction(UnderCase):
    """The answer to one proposal."""

    @extend_schema(
        summary="Decide a proposed redaction",
        description="As somebody else than who proposed it. Approved, a worker makes the redacted exhibit, and the "
        "original stays out of dossiers.",
        tags=TAGS,
        request=DecideSerializer,
        responses=answers(200, ProposalSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, proposal_id: UUID) -> Response:
        proposal = access.proposal_for(person(request), ref, proposal_id, write=True)
        given = checked(DecideSerializer, request.data)
        verbs.decide_redaction(proposal, actor=person(request), **given)
        return Response(ProposalSerializer(access.proposal_for(person(request), ref, proposal_id)).data)
