"""Registers and disclosures over the API: legal bases, recipients, and what went out by two people."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access, disclosed
from cases.actions import disclosures as verbs
from cases.actions import registers
from cases.api.shared import ApprovalDoor, CaseDoor, Moment, Username, Words, person
from cases.models import DisclosureAsk, DisclosureNote, DisclosureRelease, LegalBasis, RecallDraft, Recipient
from cases.models.disclosure import DisclosedClass, RecipientKind
from cases.vocabulary import Marking
from people.authentication import needs
from people.reauth import RecentlyProven
from spine.answers import answers, checked
from spine.api import CursorPages

TAGS = ["disclosures"]
Door = needs("registers.read", "registers.write")


class Newest(CursorPages):
    """Newest first."""

    ordering = "-at"


class BasisSerializer(serializers.ModelSerializer[LegalBasis]):
    """A legal basis: what it permits by kind of recipient, and when it holds."""

    class Meta:
        model = LegalBasis
        fields = [
            *("code", "name", "law", "permits", "valid_from", "valid_until", "confirmed", "note", "active"),
            "revision",
        ]
        read_only_fields = fields


class SaveBasisSerializer(serializers.Serializer[Any]):
    """A basis to register, or to change; `revision` is the one you saw, 0 for a new one."""

    code = serializers.CharField()
    name = Words()
    law = Words()
    permits = serializers.DictField(child=serializers.ListField(child=serializers.ChoiceField(DisclosedClass.choices)))
    valid_from = serializers.DateField(required=False, allow_null=True, default=None)
    valid_until = serializers.DateField(required=False, allow_null=True, default=None)
    confirmed = serializers.BooleanField(required=False, default=False)
    note = Words(required=False, allow_blank=True, default="")
    active = serializers.BooleanField(required=False, default=True)
    revision = serializers.IntegerField(required=False, default=0, min_value=0)


class RecipientSerializer(serializers.ModelSerializer[Recipient]):
    """Whom a dossier may be for."""

    class Meta:
        model = Recipient
        fields = ["id", "name", "kind", "ceiling", "contact", "note", "active", "revision"]
        read_only_fields = fields


class SaveRecipientSerializer(serializers.Serializer[Any]):
    """A recipient to register, or to change; the name stays."""

    name = Words()
    kind = serializers.ChoiceField(RecipientKind.choices)
    ceiling = serializers.ChoiceField(Marking.choices)
    contact = Words(required=False, allow_blank=True, default="")
    note = Words(required=False, allow_blank=True, default="")
    active = serializers.BooleanField(required=False, default=True)
    revision = serializers.IntegerField(required=False, default=0, min_value=0)


class DisclosureNoteSerializer(serializers.ModelSerializer[DisclosureNote]):
    """What came of a disclosure."""

    author = Username()

    class Meta:
        model = DisclosureNote
        fields = ["kind", "number", "text", "happened_at", "author", "at"]
        read_only_fields = fields


class DisclosureReleaseSerializer(serializers.ModelSerializer[DisclosureRelease]):
    """The second person's release."""

    releaser = Username()

    class Meta:
        model = DisclosureRelease
        fields = ["releaser", "note", "at"]
        read_only_fields = fields


class RecallDraftSerializer(serializers.ModelSerializer[RecallDraft]):
    """The draft of a notice to the recipient: the dossier leans on a recalled detector version."""

    class Meta:
        model = RecallDraft
        fields = ["id", "text", "at"]
        read_only_fields = fields


class DisclosureSerializer(serializers.ModelSerializer[DisclosureAsk]):
    """A disclosure with a copy of what it rests on, its release, and what came of it."""

    case = serializers.CharField(source="version.case.ref")
    dossier = serializers.UUIDField(source="version_id")
    name = serializers.CharField(source="version.bag_name")
    asker = Username()
    state = serializers.SerializerMethodField()
    release = serializers.SerializerMethodField()
    notes = DisclosureNoteSerializer(many=True)
    recall_drafts = RecallDraftSerializer(many=True)

    class Meta:
        model = DisclosureAsk
        fields = [
            *("id", "case", "dossier", "name", "state", "recipient_name", "recipient_kind", "basis_code", "basis_law"),
            *("data_classes", "marking", "package_sha256", "channel", "purpose", "reply_due", "asker", "at"),
            *("release", "notes", "recall_drafts"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(disclosed.STATES))
    def get_state(self, ask: DisclosureAsk) -> str:
        return str(disclosed.row(ask)["state"])

    @extend_schema_field(DisclosureReleaseSerializer(allow_null=True))
    def get_release(self, ask: DisclosureAsk) -> Any:
        made = getattr(ask, "release", None)
        return DisclosureReleaseSerializer(made).data if made is not None else None


class AskDisclosureSerializer(serializers.Serializer[Any]):
    """How it is to go out."""

    channel = Words()
    purpose = Words(required=False, allow_blank=True, default="")
    reply_due = serializers.DateField(required=False, allow_null=True, default=None)


class ReleaseDisclosureSerializer(serializers.Serializer[Any]):
    """The second person's note."""

    note = Words(required=False, allow_blank=True, default="")


class NoteDisclosureSerializer(serializers.Serializer[Any]):
    """What came of it."""

    kind = serializers.ChoiceField(DisclosureNote.Kind.choices)
    happened_at = Moment()
    number = Words(required=False, allow_blank=True, default="")
    text = Words(required=False, allow_blank=True, default="")


class Bases(APIView):
    """The register of legal bases."""

    permission_classes = [Door]

    @extend_schema(summary="List legal bases", tags=TAGS, responses=answers(200, BasisSerializer(many=True)))
    def get(self, request: Request) -> Response:
        return Response(BasisSerializer(LegalBasis.objects.order_by("code"), many=True).data)

    @extend_schema(
        summary="Register a legal basis, or change one",
        description="409 when it was changed since `revision`.",
        tags=TAGS,
        request=SaveBasisSerializer,
        responses=answers(201, BasisSerializer, 400, 409),
        examples=[
            OpenApiExample(
                "aggregates",
                value={
                    "code": "aggregates",
                    "name": "Aggregates",
                    "law": "No personal data",
                    "permits": {"committee": ["aggregate"]},
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        basis = registers.save_basis(actor=person(request), **checked(SaveBasisSerializer, request.data))
        return Response(BasisSerializer(basis).data, status=201)


class Recipients(APIView):
    """The register of recipients."""

    permission_classes = [Door]

    @extend_schema(summary="List recipients", tags=TAGS, responses=answers(200, RecipientSerializer(many=True)))
    def get(self, request: Request) -> Response:
        return Response(RecipientSerializer(Recipient.objects.order_by("name"), many=True).data)

    @extend_schema(
        summary="Register a recipient, or change one",
        description="409 when it was changed since `revision`.",
        tags=TAGS,
        request=SaveRecipientSerializer,
        responses=answers(201, RecipientSerializer, 400, 409),
        examples=[
            OpenApiExample(
                "a committee",
                value={"name": "Committee on Examples", "kind": "committee", "ceiling": "TLP:AMBER"},
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> Response:
        recipient = registers.save_recipient(actor=person(request), **checked(SaveRecipientSerializer, request.data))
        return Response(RecipientSerializer(recipient).data, status=201)


class Disclosures(generics.ListAPIView[DisclosureAsk]):
    """All disclosures one may know of."""

    permission_classes = [CaseDoor]
    serializer_class = DisclosureSerializer
    pagination_class = Newest
    queryset = DisclosureAsk.objects.none()

    def get_queryset(self) -> QuerySet[DisclosureAsk]:
        return disclosed.visible(person(self.request))

    @extend_schema(
        summary="List disclosures, newest first",
        tags=TAGS,
        responses=answers(200, DisclosureSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class DossierDisclosures(generics.GenericAPIView[DisclosureAsk]):
    """The disclosures of one version."""

    permission_classes = [CaseDoor]

    @extend_schema(
        summary="List the disclosures of a dossier",
        tags=TAGS,
        responses=answers(200, DisclosureSerializer(many=True), 404),
    )
    def get(self, request: Request, version_id: UUID) -> Response:
        version = access.dossier_for(person(request), version_id)
        return Response(DisclosureSerializer(disclosed.of_version(version), many=True).data)

    @extend_schema(
        summary="Ask that a sealed dossier be disclosed",
        description="To the recipient it was made for, on its basis; both must be registered. 409 with everything the "
        "gate objects to.",
        tags=TAGS,
        request=AskDisclosureSerializer,
        responses=answers(201, DisclosureSerializer, 400, 404, 409),
    )
    def post(self, request: Request, version_id: UUID) -> Response:
        version = access.dossier_for(person(request), version_id, write=True)
        ask = verbs.ask_disclosure(version, actor=person(request), **checked(AskDisclosureSerializer, request.data))
        return _answer(request, ask.pk)


class ReleaseDisclosure(generics.GenericAPIView[DisclosureAsk]):
    """The second of two people."""

    permission_classes = [ApprovalDoor, RecentlyProven]

    @extend_schema(
        summary="Release a disclosure, as the second person",
        description="409 for who asked: the database refuses the same person for both too.",
        tags=TAGS,
        request=ReleaseDisclosureSerializer,
        responses=answers(201, DisclosureSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ask_id: UUID) -> Response:
        ask = access.disclosure_for(person(request), ask_id)
        verbs.release_disclosure(ask, actor=person(request), **checked(ReleaseDisclosureSerializer, request.data))
        return _answer(request, ask_id)


class NoteDisclosure(generics.GenericAPIView[DisclosureAsk]):
    """What came of it."""

    permission_classes = [CaseDoor]

    @extend_schema(
        summary="Write down what came of a disclosure",
        description="Receipt, follow-up, reply, recall; `withdrawn` ends one that was not released.",
        tags=TAGS,
        request=NoteDisclosureSerializer,
        responses=answers(201, DisclosureSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ask_id: UUID) -> Response:
        ask = access.disclosure_for(person(request), ask_id)
        verbs.note_disclosure(ask, actor=person(request), **checked(NoteDisclosureSerializer, request.data))
        return _answer(request, ask_id)


def _answer(request: Request, ask_id: UUID) -> Response:
    return Response(DisclosureSerializer(disclosed.visible(person(request)).get(pk=ask_id)).data, status=201)
