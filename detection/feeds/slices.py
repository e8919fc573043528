"""The exact bytes of a part of a JSON document, found without changing any of it."""

import json

from detection.streams import BrokenStream

_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


def slice_at(document: bytes, pointer: str) -> bytes | None:
    """The bytes of the value at a JSON Pointer of object members, None when it is not there; raises BrokenStream.

    Of a name that stands twice the first is taken.
    """
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenStream(f"not UTF-8 at byte {error.start}") from None
    try:
        start: int | None = _skip(text, 0)
        for token in pointer.split("/")[1:]:
            if start is None:
                return None
            start = _member(text, start, token.replace("~1", "/").replace("~0", "~"))
        return None if start is None else text[start : _DECODER.raw_decode(text, start)[1]].encode()
    except json.JSONDecodeError as error:
        raise BrokenStream(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise BrokenStream("nested too deeply") from None
    except (ValueError, IndexError):
        raise BrokenStream("not JSON") from None


def _member(text: str, start: int, name: str) -> int | None:
    """Where the value of a member begins, in the object that begins at `start`."""
    if text[start : start + 1] != "{":
        return None
    place = _skip(text, start + 1)
    while text[place] != "}":
        if text[place] != '"':
            raise json.JSONDecodeError("a member's name is missing", text, place)
        key, place = _DECODER.raw_decode(text, place)
        place = _skip(text, place)
        if text[place] != ":":
            raise json.JSONDecodeError("a colon is missing", text, place)
        place = _skip(text, place + 1)
        if key == name:
            return place
        place = _skip(text, _DECODER.raw_decode(text, place)[1])
        if text[place] == ",":
            place = _skip(text, place + 1)
    return None


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place
