"""What every API endpoint reads and pages with: a strict JSON reader and cursor pages."""

from typing import IO, Any

from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser

from spine import strict_json


class BadDocument(exceptions.APIException):
    """A body that is not acceptable JSON, with the place."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, reason: str, pointer: str = "") -> None:
        super().__init__(reason)
        self.pointer = pointer


class StrictJSONParser(BaseParser):
    """Reads a JSON body; what plain readers let through is refused with a pointer."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return strict_json.loads(stream.read())
        except strict_json.NotAccepted as refused:
            raise BadDocument(refused.reason, refused.pointer) from None


class CursorPages(CursorPagination):
    """`next`, `previous`, `results`; newest first unless the view says otherwise."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering = "-id"
