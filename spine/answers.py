"""What endpoints of the API document and check alike: their refusals, and the shape of what they are sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.request import Request

from spine.errors import Refused
from spine.problems import PROBLEM

OF_EVERY_ADDRESS = {"cursor", "page_size", "format"}  # parameters of pages, and of the form of an answer
MEANINGS = {
    400: "The request is not acceptable as it is; `errors` names each place.",
    401: "No key, or one that is not known.",
    403: "The role does not allow it.",
    404: "There is no such thing, or you may not know of it.",
    409: "A rule refuses it now, or somebody was faster; `detail` says what it is now, `missing` what is still needed.",
    413: "More bytes than are accepted at this address.",
    415: "A content type or content encoding that is not accepted at this address.",
    429: "Too much for now: a limit of the key is reached; `Retry-After` says when there is room.",
    503: "The database or the evidence store is not reached, or a disk is full; `Retry-After` says when to try again.",
}


class PlaceSerializer(serializers.Serializer[Any]):
    """One bad place."""

    pointer = serializers.CharField(help_text="JSON Pointer (RFC 6901)", allow_blank=True)
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """A refusal (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = PlaceSerializer(many=True, required=False)  # type: ignore[assignment]
    missing = serializers.ListField(child=serializers.CharField(), required=False)
    request_id = serializers.CharField(required=False, help_text="of a 5xx: the server's log has it under this id")


def answers(status: int | tuple[int, str], body: Any, *refusals: int) -> dict[Any, Any]:
    """What an endpoint documents: its answer, its refusals, and the two that every endpoint has."""
    codes = sorted({401, 403, *refusals})
    return {status: body} | {(code, PROBLEM): OpenApiResponse(ProblemSerializer, MEANINGS[code]) for code in codes}


class Exact(serializers.Serializer[Any]):
    """A body in which a field that nobody knows is refused: a limit that is misspelt would be none."""

    def to_internal_value(self, data: Any) -> Any:
        """As the fields have it; raises ValidationError with the names that are not known."""
        if isinstance(data, Mapping):
            _refuse_unknown(self, set(data))
        return super().to_internal_value(data)


def checked(serializer: type[serializers.Serializer[Any]], given: Any) -> dict[str, Any]:
    """What was sent, in the serializer's shape; raises ValidationError with the places."""
    form = serializer(data=given)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


def asked(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """What a query asks for, in the serializer's shape; raises ValidationError with the places.

    A parameter that nobody knows is refused: a filter that is misspelt would give everything.
    """
    _refuse_unknown(serializer(), set(request.query_params) - OF_EVERY_ADDRESS)
    return checked(serializer, request.query_params)


def _refuse_unknown(form: serializers.Serializer[Any], names: set[str]) -> None:
    if unknown := names - form.fields.keys():
        told = f"This is not known here; known are {', '.join(form.fields)}."
        raise serializers.ValidationError(dict.fromkeys(sorted(unknown), told))


@contextmanager
def within(place: str = "", *, places: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Say of what is refused in here where it stands in the request: in the object `place`, or at one of `places`.

    `places` has where a field stands that the rule calls otherwise, steps parted by a slash.
    """
    try:
        yield
    except Refused as refused:
        if refused.field and refused.field != place:
            field = places.get(refused.field, refused.field)
            refused.field = f"{place}/{field}" if place else field
        raise
