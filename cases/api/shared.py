"""What the endpoints of judging share: the door to a case, times and people, uploads and downloads."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from typing import IO, Any

from django.core.exceptions import SuspiciousOperation
from django.http import FileResponse, Http404
from django.utils import timezone
from rest_framework import exceptions, permissions, serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from cases import access
from cases.dossier.plain import visible
from cases.models import Case
from people.models import User
from people.rights import may, refusal, rights_of
from spine.errors import Refused


class CaseDoor(permissions.BasePermission):
    """The door to everything under a case: a stranger finds nothing, a reader may not write."""

    rights: tuple[str, str] = ("cases.read", "cases.write")
    message = "Your role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not request.user.is_authenticated:
            return False
        read, write = self.rights
        if not may(request.user, read):
            raise Http404
        if request.method in permissions.SAFE_METHODS or may(request.user, write):
            return True
        if write in rights_of(request.user):
            self.message = refusal(request.user, write)
        return False


class ApprovalDoor(CaseDoor):
    """The same door; writing asks for the right to approve."""

    rights = ("cases.read", "dossiers.approve")


class UnderCase(APIView):
    """A view of something under one case."""

    permission_classes = [CaseDoor]

    def case(self) -> Case:
        """The case of the address, through the one door."""
        write = self.request.method not in permissions.SAFE_METHODS
        return access.case_for(person(self.request), str(self.kwargs["ref"]), write=write)


def person(request: Request) -> User:
    """Who asks: past the permissions of these views a person, since a detector's key holds none of their rights."""
    if not isinstance(request.user, User):
        raise exceptions.PermissionDenied
    return request.user


def person_named(username: str, field: str) -> User | None:
    """The person of this name, None for the empty name; raises ValidationError at the field for an unknown one."""
    if not username:
        return None
    found = User.objects.filter(username=username).first()
    if found is None:
        raise serializers.ValidationError({field: [f"Nobody is called {username}."]})
    return found


@contextmanager
def sent_as(**names: str) -> Iterator[None]:
    """Name a refused field as the caller sent it: `sent_as(assignee="to")`."""
    try:
        yield
    except Refused as refused:
        refused.field = names.get(refused.field, refused.field)
        raise


def whole(rows: Sequence[Any]) -> dict[str, Any]:
    """A list that always fits one page, in the shape of every list."""
    return {"next": None, "previous": None, "results": rows}


class Moment(serializers.DateTimeField):
    """A time with its offset (RFC 3339). One without is refused: whose midnight would it be?"""

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            raise serializers.ValidationError("A time needs its offset, for example 2026-05-04T00:00:00Z.")
        return super().enforce_timezone(value)


class Words(serializers.CharField):
    """Text as it came: what is too long, empty or badly worded is for the verb to say."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)


class TakenSerializer(serializers.Serializer[Any]):
    """How an exhibit was acquired, as far as anybody states it: it stands in the custody event acquired."""

    clock = Words(required=False, allow_blank=True, default="", help_text="whose clock `acquired_at` was read from")
    method = Words(required=False, allow_blank=True, default="", help_text="how the bytes were taken")
    tool = Words(required=False, allow_blank=True, default="", help_text="with which tool")
    tool_version = Words(required=False, allow_blank=True, default="")


class Username(serializers.CharField):
    """A person by user name; null in answers for nobody."""

    def to_representation(self, value: Any) -> str:
        return str(value.username)


class Upload(MultiPartParser):
    """A file with its fields. What Django's own limits refuse is a bad request with a sentence."""

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except SuspiciousOperation as refused:
            raise exceptions.ParseError(f"The form is too large or not well formed: {refused}") from None


class AnyAccept(BaseContentNegotiation):
    """For downloads: whatever the caller says it accepts, the file is what it is; refusals are problem documents."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def attachment(stream: IO[bytes], *, name: str, media_type: str, size: int | None = None) -> FileResponse:
    """A file to be saved, never shown: attachment, no sniffing, and a sandbox should something open it all the same."""
    response = FileResponse(stream, as_attachment=True, filename=saved_as(name), content_type=media_type)
    if size is not None:
        response["Content-Length"] = str(size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


def saved_text(text: str, *, name: str) -> FileResponse:
    """A text as a file to be saved."""
    content = text.encode()
    return attachment(BytesIO(content), name=name, media_type="text/plain; charset=utf-8", size=len(content))


def saved_as(name: str) -> str:
    """The name a file is saved under: what turns text round or is not seen is spelt out, and no folder is named.

    `safe⟨U+202E⟩gpj.exe` shows its ending; `../x` loses its dots and slashes.
    """
    spelt = visible(name).replace("\n", " ")
    return "".join("_" if character in '/\\:*?"<>|' else character for character in spelt).lstrip(".") or "file"


def accepted(request: Request, body: dict[str, Any], address: str) -> Response:
    """202 with the address where the job's progress stands, in the body and as Location."""
    status_url = request.build_absolute_uri(address)
    return Response({**body, "status_url": status_url}, status=202, headers={"Location": status_url})
