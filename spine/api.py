"""What every API endpoint reads and pages with: a strict JSON reader and cursor pages."""

from typing import IO, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from spine import strict_json


class BadDocument(exceptions.APIException):
    """A body that is not acceptable JSON, with the place."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.pointer = pointer


class TooLarge(exceptions.APIException):
    """A body of more bytes than are read at this address."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class StrictJSONParser(BaseParser):
    """Reads a JSON body; what plain readers let through is refused with a pointer."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(f"The body is larger than {limit:,} bytes.")
        try:
            return strict_json.loads(raw)
        except strict_json.NotAccepted as refused:
            raise BadDocument(refused.reason, refused.pointer) from None


class CursorPages(CursorPagination):
    """`next`, `previous`, `results`; newest first unless the view says otherwise."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering = "-id"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """One page; a cursor that nobody gave out, whatever stands in it, is not found."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError):
            raise exceptions.NotFound(self.invalid_cursor_message) from None
