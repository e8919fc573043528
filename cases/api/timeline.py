"""The timeline of a case over the API: all lanes merged, manual entries added, corrected and taken back."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from cases import access, timeline
from cases.actions import timeline as verbs
from cases.api.shared import Moment, UnderCase, Username, Words, person
from cases.models import TimelineNote
from cases.vocabulary import Confidence, Lane
from spine.answers import answers, asked, checked

TAGS = ["cases"]
MOST = 500


class TimelineFilter(serializers.Serializer[Any]):
    """Which stretch of which lane."""

    lane = serializers.ChoiceField(Lane.choices, required=False, default="")
    cursor = serializers.CharField(required=False, default="", max_length=400)
    page_size = serializers.IntegerField(required=False, default=timeline.PAGE, min_value=1, max_value=MOST)


class TimelineEntrySerializer(serializers.Serializer[Any]):
    """One line of the timeline. `kind` and `item_id` say what it comes from; a note can be corrected or taken back."""

    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    lane = serializers.ChoiceField(Lane.choices)
    kind = serializers.ChoiceField(["activity", "release", "findings", "decision", "note"])
    text = serializers.CharField()
    source = serializers.CharField(help_text="how we know it")  # type: ignore[assignment]
    confidence = serializers.CharField(allow_blank=True)
    accounts = serializers.IntegerField(allow_null=True, help_text="how many accounts it is about")
    item_id = serializers.UUIDField(allow_null=True)


class TimelinePageSerializer(serializers.Serializer[Any]):
    """A stretch of the timeline, oldest first."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = TimelineEntrySerializer(many=True)


class TimelineNoteSerializer(serializers.ModelSerializer[TimelineNote]):
    """A manual entry; a row that takes one back has `withdrawn` set."""

    author = Username()
    supersedes = serializers.UUIDField(source="supersedes_id", allow_null=True)

    class Meta:
        model = TimelineNote
        fields = [
            "id",
            "lane",
            "starts_at",
            "ends_at",
            "text",
            "source",
            "confidence",
            "withdrawn",
            "author",
            "at",
            "supersedes",
        ]
        read_only_fields = fields


class AddTimelineNoteSerializer(serializers.Serializer[Any]):
    """An entry to add: an instant, or a span when it ends."""

    lane = serializers.ChoiceField(Lane.choices)
    starts_at = Moment()
    ends_at = Moment(required=False, allow_null=True, default=None)
    text = Words()
    source = Words(help_text="how we know it")  # type: ignore[assignment]
    confidence = serializers.ChoiceField(Confidence.choices)
    supersedes = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="the entry this corrects"
    )


class WithdrawTimelineNoteSerializer(serializers.Serializer[Any]):
    """Why it is taken back."""

    reason = Words(required=False, allow_blank=True, default="")


class Timeline(UnderCase):
    """The timeline of one case."""

    @extend_schema(
        summary="Read the timeline",
        description="What the accounts did, what detectors said, and what was done and decided, merged, oldest first.",
        tags=TAGS,
        parameters=[TimelineFilter],
        responses=answers(200, TimelinePageSerializer, 400, 404),
    )
    def get(self, request: Request, ref: str) -> Response:
        case = self.case()
        wanted = asked(TimelineFilter, request)
        page = timeline.page(case, lane=wanted["lane"], cursor=wanted["cursor"], size=wanted["page_size"])
        body = {
            "next": _address(request, page.next),
            "previous": _address(request, page.previous),
            "results": page.entries,
        }
        return Response(TimelinePageSerializer(body).data)

    @extend_schema(
        summary="Add or correct a timeline entry",
        description="With `supersedes` it corrects that entry, which is kept. 409 when the same entry is there.",
        tags=TAGS,
        request=AddTimelineNoteSerializer,
        responses=answers(201, TimelineNoteSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str) -> Response:
        case = self.case()
        given = checked(AddTimelineNoteSerializer, request.data)
        corrected = None
        if given["supersedes"] is not None:
            corrected = case.timeline_notes.filter(pk=given["supersedes"]).first()
            if corrected is None:
                raise serializers.ValidationError({"supersedes": [f"No entry of {case.ref} has this id."]})
        note = verbs.add_timeline_note(case, actor=person(request), **{**given, "supersedes": corrected})
        return Response(TimelineNoteSerializer(note).data, status=201)


class WithdrawNote(UnderCase):
    """A manual entry, taken back."""

    @extend_schema(
        summary="Take a manual timeline entry back",
        description="It stays in the history. 409 when it was corrected or taken back before.",
        tags=TAGS,
        request=WithdrawTimelineNoteSerializer,
        responses=answers(201, TimelineNoteSerializer, 400, 404, 409),
    )
    def post(self, request: Request, ref: str, note_id: UUID) -> Response:
        note = access.note_for(person(request), ref, note_id, write=True)
        given = checked(WithdrawTimelineNoteSerializer, request.data)
        taken_back = verbs.withdraw_timeline_note(note, actor=person(request), **given)
        return Response(TimelineNoteSerializer(taken_back).data, status=201)


def _address(request: Request, cursor: str) -> str | None:
    return replace_query_param(request.build_absolute_uri(), "cursor", cursor) if cursor else None
