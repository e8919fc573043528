"""The counsel track over the API. Who is no member gets the 404 of an address that does not exist.

Every read is an entry in the track's own log.
"""

from io import BytesIO
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import FileResponse, Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import generics, permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import counsel
from cases.actions import counsel as verbs
from cases.actions.base import require
from cases.api.log import LogEntrySerializer
from cases.api.shared import Username, Words, attachment, person, person_named, whole
from cases.counsel_export import name
from cases.models import CounselExport, CounselMember, CounselNote, CounselTrack
from people.reauth import demand_proof
from people.rights import may
from spine.answers import answers, checked
from spine.models import LogEntry

TAGS = ["counsel"]


class CounselDoor(permissions.BasePermission):
    """Nothing is there for who may not read cases; whether there is for others, the track's own door decides."""

    rights = ("cases.read", "cases.read")

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        if not may(request.user, "cases.read"):
            raise Http404
        return True


class UnderTrack(APIView):
    """A view of something in the counsel track of one case."""

    permission_classes = [CounselDoor]

    def door(self) -> counsel.Door:
        """The track's door, through the one function that decides who is let in."""
        write = self.request.method not in permissions.SAFE_METHODS
        return counsel.door_for(person(self.request), str(self.kwargs["ref"]), write=write)

    def track(self) -> CounselTrack:
        """The open track."""
        track = self.door().track
        if track is None:
            raise Http404
        return track

    def shown(self, page: str) -> CounselTrack:
        """The open track, with this read of it noted in its log."""
        track = self.track()
        verbs.record_read(track, actor=person(self.request), page=page)
        return track


class CounselTrackSerializer(serializers.ModelSerializer[CounselTrack]):
    """The track of one case."""

    opened_by = Username()

    class Meta:
        model = CounselTrack
        fields = ["id", "purpose", "direction", "marking", "opened_by", "at"]
        read_only_fields = fields


class OpenSerializer(serializers.Serializer[Any]):
    """Why the track is kept."""

    purpose = Words(help_text="the advice that is sought or the proceeding that is expected")
    direction = Words(help_text="the counsel who directs it")


class CounselNoteSerializer(serializers.ModelSerializer[CounselNote]):
    """A note; a row that takes one back has `withdrawn` set. `exhibits` are numbers of the case's exhibits."""

    author = Username()
    exhibits = serializers.ListField(child=serializers.IntegerField())
    supersedes = serializers.UUIDField(source="supersedes_id", allow_null=True)

    class Meta:
        model = CounselNote
        fields = [
            *("id", "topic", "text", "direction", "marking", "exhibits"),
            *("withdrawn", "author", "at", "supersedes"),
        ]
        read_only_fields = fields


class WriteNoteSerializer(serializers.Serializer[Any]):
    """A note to write; with `supersedes` it corrects that one."""

    topic = Words()
    text = Words()
    direction = Words(required=False, allow_blank=True, default="", help_text="at whose direction it is written")
    exhibits = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10**6), required=False, default=list, max_length=50
    )
    supersedes = serializers.UUIDField(required=False, allow_null=True, default=None)


class CounselMemberSerializer(serializers.Serializer[Any]):
    """Who can read the track, and why; `id` is null for who is let in by role."""

    person = Username(source="user")
    role = serializers.CharField(source="user.role")
    why = serializers.CharField()
    id = serializers.UUIDField(source="row.id", allow_null=True, default=None)


class LetInSerializer(serializers.Serializer[Any]):
    """Somebody to let in who can see the case already."""

    person = serializers.CharField(max_length=60)
    reason = Words()


class MembershipSerializer(serializers.ModelSerializer[CounselMember]):
    """A membership by name, or its end."""

    person = Username(source="user")
    decided_by = Username()

    class Meta:
        model = CounselMember
        fields = ["id", "person", "ended", "reason", "decided_by", "at"]
        read_only_fields = fields


class EndSerializer(serializers.Serializer[Any]):
    """Why it ends."""

    reason = Words()


class CounselExportSerializer(serializers.ModelSerializer[CounselExport]):
    """A copy that left: for whom, why, and its digest."""

    made_by = Username()

    class Meta:
        model = CounselExport
        fields = ["number", "recipient", "purpose", "notes", "sha256", "size", "made_by", "at"]
        read_only_fields = fields


class MakeExportSerializer(serializers.Serializer[Any]):
    """Whom a copy is for, and why."""

    recipient = Words()
    purpose = Words()


class Track(UnderTrack):
    """The counsel track of one case."""

    @extend_schema(
        summary="Read what the counsel track is for",
        description="404 for who is no member, and while counsel has not opened it.",
        tags=TAGS,
        responses=answers(200, CounselTrackSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        return Response(CounselTrackSerializer(self.shown("about")).data)

    @extend_schema(
        summary="Open the counsel track",
        description="For counsel, once a case. Nobody but its members learns of it. 409 when it is open already.",
        tags=TAGS,
        request=OpenSerializer,
        responses=answers(201, CounselTrackSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.door().case
        require(person(request), "counsel.track")
        track = verbs.open_track(case, actor=person(request), **checked(OpenSerializer, request.data))
        return Response(CounselTrackSerializer(track).data, status=201)


class Notes(UnderTrack, generics.ListAPIView[CounselNote]):
    """The notes of the track."""

    serializer_class = CounselNoteSerializer
    queryset = CounselNote.objects.none()

    @extend_schema(
        summary="List the notes of the counsel track",
        description="Those that stand, newest first.",
        tags=TAGS,
        responses=answers(200, CounselNoteSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        summary="Write or correct a note of the counsel track",
        description="With `supersedes` it corrects that note, which is kept. 409 when the same note stands.",
        tags=TAGS,
        request=WriteNoteSerializer,
        responses=answers(201, CounselNoteSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        track = self.track()
        given = checked(WriteNoteSerializer, request.data)
        corrected = None
        if given["supersedes"] is not None:
            corrected = CounselNote.objects.filter(track=track, pk=given["supersedes"]).first()
            if corrected is None:
                raise serializers.ValidationError({"supersedes": ["No note of this track has this id."]})
        note = verbs.add_note(track, actor=person(request), **{**given, "supersedes": corrected})
        return Response(CounselNoteSerializer(note).data, status=201)

    def get_queryset(self) -> QuerySet[CounselNote]:
        return counsel.notes(self.shown("notes"))


class WithdrawCounselNote(UnderTrack):
    """A note, taken back."""

    @extend_schema(
        summary="Take a note of the counsel track back",
        description="It stays in the history. 409 when it was corrected or taken back before.",
        tags=TAGS,
        request=None,
        responses=answers(201, CounselNoteSerializer, 404, 409),
    )
    def post(self, request: Request, ref: str, counsel_note_id: UUID) -> Response:
        note = counsel.note_of(self.track(), counsel_note_id)
        return Response(CounselNoteSerializer(verbs.withdraw_note(note, actor=person(request))).data, status=201)


class CounselMembersSerializer(serializers.Serializer[Any]):
    """All of them, in the shape of every list."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = CounselMemberSerializer(many=True)


class Members(UnderTrack):
    """The members of the track."""

    @extend_schema(
        summary="List who can read the counsel track, and why",
        tags=TAGS,
        responses=answers(200, CounselMembersSerializer, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        track = self.shown("members")
        return Response(CounselMembersSerializer(whole(counsel.members(track.case, track))).data)

    @extend_schema(
        summary="Let somebody into the counsel track",
        description="For counsel. 409 for who is a member already, or cannot see the case.",
        tags=TAGS,
        request=LetInSerializer,
        responses=answers(201, MembershipSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        track = self.track()
        require(person(request), "counsel.track")
        given = checked(LetInSerializer, request.data)
        somebody = person_named(given["person"], "person")
        if somebody is None:
            raise serializers.ValidationError({"person": ["Somebody has to be named."]})
        member = verbs.add_member(track, actor=person(request), person=somebody, reason=given["reason"])
        return Response(MembershipSerializer(member).data, status=201)


class EndMember(UnderTrack):
    """A membership, ended."""

    @extend_schema(
        summary="End a membership of the counsel track",
        description="For counsel. 404 when it does not hold any more.",
        tags=TAGS,
        request=EndSerializer,
        responses=answers(201, MembershipSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, member_id: UUID) -> Response:
        track = self.track()
        require(person(request), "counsel.track")
        member = counsel.member_of(track, member_id)
        end = verbs.end_member(member, actor=person(request), **checked(EndSerializer, request.data))
        return Response(MembershipSerializer(end).data, status=201)


class TrackLog(UnderTrack, generics.ListAPIView[LogEntry]):
    """The log of the track."""

    serializer_class = LogEntrySerializer
    queryset = LogEntry.objects.none()

    @extend_schema(
        summary="Read the log of the counsel track",
        description="Newest first: who opened, read, wrote, let in and exported. No other list has these entries.",
        tags=TAGS,
        responses=answers(200, LogEntrySerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[LogEntry]:
        return counsel.entries(self.shown("log"))

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Each entry with the case's reference, which its scope does not name."""
        for entry in args[0] if args else []:
            entry.case = self.kwargs["ref"]
        return super().get_serializer(*args, **kwargs)


class Exports(UnderTrack, generics.ListAPIView[CounselExport]):
    """The distribution log of the track."""

    serializer_class = CounselExportSerializer
    queryset = CounselExport.objects.none()

    @extend_schema(
        summary="Read the distribution log of the counsel track",
        description="Newest first.",
        tags=TAGS,
        responses=answers(200, CounselExportSerializer(many=True), 404),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[CounselExport]:
        return counsel.exports(self.shown("exports"))


class MakeExport(UnderTrack):
    """A copy of the track for somebody."""

    @extend_schema(
        summary="Export the counsel track",
        description="A ZIP of the whole track (docs/formats/counsel-export.md). It is given once and not kept; its "
        "digest stands in the distribution log. A session has to have confirmed who it is within the last minutes.",
        tags=TAGS,
        request=MakeExportSerializer,
        responses=answers((200, "application/zip"), OpenApiTypes.BINARY, 400, 404),
    )
    def post(self, request: Request, ref: str) -> FileResponse:
        track = self.track()
        demand_proof(request, self)
        row, content = verbs.export(track, actor=person(request), **checked(MakeExportSerializer, request.data))
        return attachment(BytesIO(content), name=f"{name(row)}.zip", media_type="application/zip", size=len(content))
