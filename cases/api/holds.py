"""Holds over the API: place, name custodians, acknowledge, and release by two people."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from cases import access, holds
from cases.actions import holds as verbs
from cases.api.shared import CaseDoor, Moment, UnderCase, Username, Words, person, person_named
from cases.filters import AccountFilter
from cases.models import Hold, HoldAcknowledgement, HoldCustodian, HoldRelease, HoldReleaseAsk
from cases.models.holds import HoldScope
from cases.vocabulary import VerdictValue
from detection.models import TelemetrySource
from spine.answers import answers, asked, checked
from spine.api import CursorPages

TAGS = ["holds"]


class HoldDoor(CaseDoor):
    """The door to holds: who reads cases reads them, placing and releasing has its own right."""

    rights = ("cases.read", "holds.write")


class CustodianDoor(CaseDoor):
    """For acknowledging: whoever reads the case and is named as custodian."""

    rights = ("cases.read", "cases.read")


class AcknowledgementSerializer(serializers.ModelSerializer[HoldAcknowledgement]):
    """How a custodian acknowledged; `document` is the exhibit it was recorded from."""

    document = serializers.IntegerField(source="document.number", allow_null=True, default=None)
    by = Username()

    class Meta:
        model = HoldAcknowledgement
        fields = ["on_behalf", "document", "note", "by", "at"]
        read_only_fields = fields


class HoldCustodianSerializer(serializers.ModelSerializer[HoldCustodian]):
    """Who keeps what a hold covers; `person` is null for somebody outside."""

    person = Username(allow_null=True)
    acknowledgement = serializers.SerializerMethodField()

    class Meta:
        model = HoldCustodian
        fields = ["id", "person", "name", "contact", "due_at", "acknowledgement"]
        read_only_fields = fields

    @extend_schema_field(AcknowledgementSerializer(allow_null=True))
    def get_acknowledgement(self, custodian: HoldCustodian) -> Any:
        made = getattr(custodian, "acknowledgement", None)
        return AcknowledgementSerializer(made).data if made is not None else None


class ReleaseAskSerializer(serializers.ModelSerializer[HoldReleaseAsk]):
    """Somebody asked to release it."""

    asker = Username()

    class Meta:
        model = HoldReleaseAsk
        fields = ["id", "asker", "reason", "at"]
        read_only_fields = fields


class ReleaseSerializer(serializers.ModelSerializer[HoldRelease]):
    """The release, by another person than the one who asked."""

    asker = Username()
    releaser = Username()

    class Meta:
        model = HoldRelease
        fields = ["asker", "releaser", "note", "at"]
        read_only_fields = fields


class HoldSerializer(serializers.ModelSerializer[Hold]):
    """A hold. `query` is its scope as stated, `count` exactly what that covered when it was placed."""

    case = serializers.CharField(source="case.ref")
    placed_by = Username()
    state = serializers.SerializerMethodField()
    covers = serializers.SerializerMethodField(help_text="the scope in words")

    class Meta:
        model = Hold
        fields = [
            *("id", "case", "number", "matter", "trigger", "triggered_at", "scope", "query", "count", "covers"),
            *("placed_by", "at", "state"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(["standing", "released"]))
    def get_state(self, hold: Hold) -> str:
        return "released" if getattr(hold, "release", None) is not None else "standing"

    @extend_schema_field(OpenApiTypes.STR)
    def get_covers(self, hold: Hold) -> str:
        return holds.scope_words(hold)


class WholeHoldSerializer(HoldSerializer):
    """A hold with its custodians, who asked to release it, and the release."""

    custodians = HoldCustodianSerializer(many=True)
    release_asks = ReleaseAskSerializer(many=True)
    release = serializers.SerializerMethodField()

    class Meta(HoldSerializer.Meta):
        fields = [*HoldSerializer.Meta.fields, "custodians", "release_asks", "release"]
        read_only_fields = fields

    @extend_schema_field(ReleaseSerializer(allow_null=True))
    def get_release(self, hold: Hold) -> Any:
        made = getattr(hold, "release", None)
        return ReleaseSerializer(made).data if made is not None else None


class KeeperSerializer(serializers.Serializer[Any]):
    """A custodian: a user by name, or somebody outside."""

    person = serializers.CharField(required=False, allow_blank=True, default="", help_text="user name")
    name = Words(required=False, allow_blank=True, default="")
    contact = Words(required=False, allow_blank=True, default="")
    days = serializers.IntegerField(required=False, default=7, min_value=1, max_value=365)


class AccountScopeSerializer(serializers.Serializer[Any]):
    """Which accounts of the case a hold covers."""

    verdict = serializers.ChoiceField(["", "none", *VerdictValue.values], required=False, default="")
    text = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    cluster = serializers.CharField(required=False, allow_blank=True, default="")
    min_exchanges = serializers.IntegerField(required=False, default=0, min_value=0)


class PlaceSerializer(serializers.Serializer[Any]):
    """A hold to place: what it is for, and what it covers."""

    matter = Words()
    trigger = Words()
    triggered_at = Moment()
    scope = serializers.ChoiceField(HoldScope.choices)
    accounts = AccountScopeSerializer(required=False, allow_null=True, default=None)
    source = serializers.CharField(required=False, allow_blank=True, default="")  # type: ignore[assignment]
    window_start = Moment(required=False, allow_null=True, default=None)
    window_end = Moment(required=False, allow_null=True, default=None)
    exhibit = serializers.IntegerField(required=False, allow_null=True, default=None)
    custodians = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, max_length=200, help_text="user names"
    )
    days = serializers.IntegerField(required=False, default=7, min_value=1, max_value=365)


class AcknowledgeSerializer(serializers.Serializer[Any]):
    """In person without an exhibit; with one, somebody else's document is recorded."""

    exhibit = serializers.IntegerField(required=False, allow_null=True, default=None)
    note = Words(required=False, allow_blank=True, default="")


class RemindSerializer(serializers.Serializer[Any]):
    """How they were reminded."""

    note = Words()


class AskReleaseSerializer(serializers.Serializer[Any]):
    """Why it can be released."""

    reason = Words()


class ReleaseHoldSerializer(serializers.Serializer[Any]):
    """Which asking is followed, by its id."""

    ask = serializers.UUIDField()
    note = Words(required=False, allow_blank=True, default="")


class HoldFilter(serializers.Serializer[Any]):
    """What narrows the list."""

    state = serializers.ChoiceField(["standing", "released"], required=False)


class ByTime(CursorPages):
    """Newest first."""

    ordering = "-at"


class Holds(generics.ListAPIView[Hold]):
    """All holds one may know of."""

    permission_classes = [HoldDoor]
    serializer_class = HoldSerializer
    pagination_class = ByTime
    queryset = Hold.objects.none()

    @extend_schema(
        summary="List holds",
        description="Of every case you may know of, newest first.",
        tags=TAGS,
        parameters=[HoldFilter],
        responses=answers(200, HoldSerializer(many=True), 400, 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Hold]:
        wanted = asked(HoldFilter, self.request)
        return holds.visible(person(self.request), state=wanted.get("state", ""))


class CaseHolds(UnderCase):
    """The holds of one case."""

    permission_classes = [HoldDoor]

    @extend_schema(
        summary="List the holds of a case", tags=TAGS, responses=answers(200, HoldSerializer(many=True), 404)
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(HoldSerializer(holds.of_case(access.case_for(person(request), ref)), many=True).data)

    @extend_schema(
        summary="Place a hold",
        description="From then on nothing it covers is deleted anywhere, until two people release it.",
        tags=TAGS,
        request=PlaceSerializer,
        responses=answers(201, WholeHoldSerializer, 400, 404, 409),
        examples=[
            OpenApiExample(
                "the whole case",
                value={
                    "matter": "Example v. Example",
                    "trigger": "A letter before action arrived.",
                    "triggered_at": "2026-05-04T09:00:00Z",
                    "scope": "case",
                    "custodians": ["lead"],
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request, ref: str) -> Response:
        case = access.case_for(person(request), ref)
        given = checked(PlaceSerializer, request.data)
        source = given.pop("source")
        given["source"] = TelemetrySource.objects.filter(name=source).first() if source else None
        keepers = [verbs.Keeper(person_named(name, "custodians")) for name in given.pop("custodians")]
        given["accounts"] = AccountFilter.of(given["accounts"] or {})
        hold = verbs.place_hold(case, actor=person(request), keepers=keepers, **given)
        return _answer(request, hold.pk, 201)


class OneHold(generics.GenericAPIView[Hold]):
    """One hold."""

    permission_classes = [HoldDoor]

    @extend_schema(
        summary="Read a hold with its custodians", tags=TAGS, responses=answers(200, WholeHoldSerializer, 404)
    )
    def get(self, request: Request, hold_id: UUID) -> Response:
        return _answer(request, hold_id, 200)


class Custodians(generics.GenericAPIView[Hold]):
    """The custodians of a hold."""

    permission_classes = [HoldDoor]

    @extend_schema(
        summary="Name a custodian of a hold",
        tags=TAGS,
        request=KeeperSerializer,
        responses=answers(201, WholeHoldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        hold = access.hold_for(person(request), hold_id)
        given = checked(KeeperSerializer, request.data)
        keeper = verbs.Keeper(person_named(given["person"], "person"), given["name"], given["contact"])
        verbs.add_custodian(hold, actor=person(request), keeper=keeper, days=given["days"])
        return _answer(request, hold_id, 201)


class Acknowledge(generics.GenericAPIView[Hold]):
    """A custodian's acknowledgement."""

    permission_classes = [CustodianDoor]

    @extend_schema(
        summary="Acknowledge a hold, or record somebody's acknowledgement",
        description="Without `exhibit` you acknowledge as the custodian you are; with it you record a document.",
        tags=TAGS,
        request=AcknowledgeSerializer,
        responses=answers(201, WholeHoldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, custodian_id: UUID) -> Response:
        custodian = access.custodian_for(person(request), custodian_id)
        given = checked(AcknowledgeSerializer, request.data)
        exhibit = given.pop("exhibit")
        if exhibit is None:
            verbs.acknowledge(custodian, actor=person(request), **given)
        else:
            verbs.acknowledge_on_behalf(custodian, actor=person(request), exhibit=exhibit, **given)
        return _answer(request, custodian.hold_id, 201)


class Remind(generics.GenericAPIView[Hold]):
    """A reminder."""

    permission_classes = [HoldDoor]

    @extend_schema(
        summary="Write down that a custodian was reminded",
        tags=TAGS,
        request=RemindSerializer,
        responses=answers(201, WholeHoldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, custodian_id: UUID) -> Response:
        custodian = access.custodian_for(person(request), custodian_id)
        verbs.remind(custodian, actor=person(request), **checked(RemindSerializer, request.data))
        return _answer(request, custodian.hold_id, 201)


class AskRelease(generics.GenericAPIView[Hold]):
    """The first of two people."""

    permission_classes = [HoldDoor]

    @extend_schema(
        summary="Ask that a hold be released",
        tags=TAGS,
        request=AskReleaseSerializer,
        responses=answers(201, WholeHoldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        hold = access.hold_for(person(request), hold_id)
        verbs.ask_release(hold, actor=person(request), **checked(AskReleaseSerializer, request.data))
        return _answer(request, hold_id, 201)


class Release(generics.GenericAPIView[Hold]):
    """The second of two people."""

    permission_classes = [HoldDoor]

    @extend_schema(
        summary="Release a hold, as the second person",
        description="409 for who asked for it: the database refuses the same person for both too.",
        tags=TAGS,
        request=ReleaseHoldSerializer,
        responses=answers(201, WholeHoldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, hold_id: UUID) -> Response:
        hold = access.hold_for(person(request), hold_id)
        verbs.release_hold(hold, actor=person(request), **checked(ReleaseHoldSerializer, request.data))
        return _answer(request, hold_id, 201)


def _answer(request: Request, hold_id: UUID, status: int) -> Response:
    return Response(WholeHoldSerializer(access.hold_for(person(request), hold_id)).data, status=status)
