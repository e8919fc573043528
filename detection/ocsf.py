"""An OCSF Detection Finding (class 2004) as a native finding; docs/formats/ocsf.md has the table.

Knows no framework. What the table does not name stays in the received bytes, which are stored as they came.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from detection.finding_schema import MOST_PROBLEMS, SIGNALS, NativeFinding, Problem, check

CLASS_UID = 2004
UID_AT = "/finding_info/uid"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Milliseconds of the years 1 to 9999.
_EARLIEST, _TOO_LATE = -62_135_596_800_000, 253_402_300_800_000
_CONFIDENCE = {0: None, 1: "low", 2: "moderate", 3: "high", 99: None}
_CARRIED = ("support", "innocent_explanations", "reproduction", "tlp")
_ACCOUNT_OF_EVIDENCE = ("/actor/user/account/uid", "/actor/user/uid", "/user/account/uid", "/user/uid")
_ATTRIBUTES_OF_EVIDENCE = {
    "/src_endpoint/ip": "ip",
    "/src_endpoint/autonomous_system/number": "asn",
    "/src_endpoint/location/country": "country",
    "/http_request/user_agent": "user_agent",
    "/actor/user/org/uid": "org",
}
# Types of an observable (the dictionary's type_id).
_ACCOUNT_OBSERVABLES = (31, 35)  # User UID, Account UID
_ATTRIBUTE_OBSERVABLES = {2: "ip", 12: "subnet", 14: "country", 16: "user_agent"}
NO_ACCOUNT = "no account is named: by an evidence's user, a resource of type Account or User, or an observable"


@dataclass
class _Draft:
    """The native document so far, where each part of it comes from, and what could not be converted at all."""

    source: Mapping[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, Problem] = field(default_factory=dict)

    def take(self, target: str, *pointers: str) -> Any:
        """The first value there is at the OCSF pointers, None for none; errors at `target` will point there."""
        for pointer in pointers:
            value = _at(self.source, pointer)
            if value is not None:
                self.places[target] = pointer
                return value
        self.places[target] = pointers[0]
        return None

    def refuse(self, target: str, detail: str) -> None:
        """The value for `target` has no meaning in OCSF."""
        self.wrong[target] = Problem(self.places[target], detail)


def is_detection_finding(document: object) -> bool:
    """Whether a parsed document says that it is one."""
    return isinstance(document, dict) and document.get("class_uid") == CLASS_UID


def check_ocsf(document: object, *, detector: str) -> NativeFinding | list[Problem]:
    """The finding in a parsed OCSF document, or what is wrong with it, by JSON Pointers into the OCSF document."""
    if not isinstance(document, dict):
        return [Problem("", "a finding is a JSON object")]
    if not is_detection_finding(document):
        return [Problem("/class_uid", f"class {CLASS_UID} (Detection Finding) is accepted")]
    draft = _Draft(document)
    found = check(_native(draft), detector=detector)
    if isinstance(found, NativeFinding) and not draft.wrong:
        return found
    others = [] if isinstance(found, NativeFinding) else [p for p in found if p.pointer not in draft.wrong]
    translated = [Problem(_place(draft, problem.pointer), problem.detail) for problem in others]
    return [*draft.wrong.values(), *translated][:MOST_PROBLEMS]


def native(document: Mapping[str, Any]) -> dict[str, Any]:
    """The native document for an OCSF document; parts that are missing or cannot be converted are left out."""
    return _native(_Draft(document))


def _native(draft: _Draft) -> dict[str, Any]:
    info = "/finding_info"
    found: dict[str, Any] = {
        "uid": draft.take("/uid", UID_AT),
        "version": draft.take("/version", "/unmapped/version", "/metadata/sequence"),
        "detector": _detector(draft),
        "signal": _signal(draft),
        "title": draft.take("/title", f"{info}/title"),
        "summary": draft.take("/summary", f"{info}/desc", "/message"),
        "score": _score(draft),
        "confidence": _confidence(draft),
        "window": _window(draft),
        "observed_at": _moment(draft, "/observed_at", "/time"),
        "accounts": _accounts(draft),
        "techniques": list(_techniques(draft)),
        **{name: draft.take(f"/{name}", f"/unmapped/{name}") for name in _CARRIED},
    }
    return _without_none(found)


def _detector(draft: _Draft) -> dict[str, Any]:
    product = "/metadata/product"
    name = draft.take("/detector/name", f"{product}/feature/name", f"{product}/name")
    version = draft.take("/detector/version", f"{product}/feature/version", f"{product}/version")
    for part, value in (("name", name), ("version", version)):
        if value is None:
            draft.places[f"/detector/{part}"] = f"{product}/{part}"
    return _without_none({"name": _slug(name, 120) if isinstance(name, str) else name, "version": version})


def _signal(draft: _Draft) -> Any:
    word = draft.take("/signal", "/finding_info/types/0", "/finding_info/analytic/name")
    if not isinstance(word, str):
        return word
    slug = _slug(word, 58)
    known = slug.replace("-", "_")
    if not slug:
        draft.refuse("/signal", "this has no letter a–z or digit to make a signal of")
    return known if known in SIGNALS else slug if slug.startswith("x-") else f"x-{slug}"


def _score(draft: _Draft) -> Any:
    value = draft.take("/score", "/confidence_score", "/risk_score")
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= 100:
        draft.refuse("/score", "a whole number from 0 to 100 is accepted")
        return None
    return value / 100


def _confidence(draft: _Draft) -> str | None:
    value = draft.take("/confidence", "/confidence_id")
    if value is None:
        return None
    if type(value) is not int or value not in _CONFIDENCE:
        draft.refuse("/confidence", "accepted are 0, 1, 2, 3, and 99")
        return None
    return _CONFIDENCE[value]


def _window(draft: _Draft) -> dict[str, Any]:
    """Both ends from one pair: mixing them would make a span that nobody stated."""
    pair = ("/start_time", "/end_time")
    if all(_at(draft.source, pointer) is None for pointer in pair):
        seen = ("/finding_info/first_seen_time", "/finding_info/last_seen_time")
        pair = seen if any(_at(draft.source, pointer) is not None for pointer in seen) else pair
    ends = {"start": _moment(draft, "/window/start", pair[0]), "end": _moment(draft, "/window/end", pair[1])}
    return _without_none(ends)


def _moment(draft: _Draft, target: str, pointer: str) -> str | None:
    value = draft.take(target, pointer)
    if value is None:
        return None
    if type(value) is int and _EARLIEST <= value < _TOO_LATE:
        return (_EPOCH + timedelta(milliseconds=value)).isoformat()
    draft.refuse(target, "milliseconds since 1970 are accepted, as a whole number")
    return None


def _accounts(draft: _Draft) -> list[dict[str, Any]]:
    """Each account once. Attributes of an evidence are its account's; an observable's, only where there is one account:
    else nobody stated whose they are, and accounts would seem to share what they do not."""
    found: dict[Any, dict[tuple[str, str], str]] = {}
    places: dict[Any, str] = {}
    for pointer, value in _named(draft.source):
        if not isinstance(value, str):
            draft.wrong[f"/accounts{pointer}"] = Problem(pointer, "a string is accepted")
            continue
        places.setdefault(value, pointer)
        found.setdefault(value, {})
    for pointer, evidence in _each(draft.source, "/evidences"):
        of = next((_at(evidence, p) for p in _ACCOUNT_OF_EVIDENCE if _at(evidence, p) is not None), None)
        if isinstance(of, str):
            for at, kind, value in _attributes_of(evidence):
                found[of].setdefault((kind, value), pointer + at)
    if len(found) == 1:
        (only,) = found.values()
        for pointer, observable in _each(draft.source, "/observables"):
            typed, value = _ATTRIBUTE_OBSERVABLES.get(_number(observable, "type_id")), observable.get("value")
            if typed and isinstance(value, str):
                only.setdefault((typed, value), f"{pointer}/value")
    if not found:
        draft.wrong["/accounts"] = Problem("/evidences", NO_ACCOUNT)
    for index, (account, attributes) in enumerate(found.items()):
        draft.places[f"/accounts/{index}/id"] = places[account]
        for number, pointer in enumerate(attributes.values()):
            draft.places[f"/accounts/{index}/attributes/{number}/value"] = pointer
    return [{"id": a, "attributes": [{"type": k, "value": v} for k, v in seen]} for a, seen in found.items()]


def _named(source: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Where accounts are named, and their ids."""
    places: list[str] = []
    for pointer, evidence in _each(source, "/evidences"):
        places += [pointer + p for p in _ACCOUNT_OF_EVIDENCE if _at(evidence, p) is not None][:1]
    for pointer, resource in _each(source, "/resources"):
        if str(resource.get("type", "")).lower() in ("account", "user"):
            places.append(f"{pointer}/uid")
    for pointer, observable in _each(source, "/observables"):
        if _number(observable, "type_id") in _ACCOUNT_OBSERVABLES:
            places.append(f"{pointer}/value")
    for place in places:
        value = _at(source, place)
        if value is not None:
            yield place, value


def _attributes_of(evidence: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for pointer, kind in _ATTRIBUTES_OF_EVIDENCE.items():
        value = _at(evidence, pointer)
        if isinstance(value, str) or type(value) is int:
            yield pointer, kind, str(value)
    for pointer, fingerprint in _each(evidence, "/ja4_fingerprint_list"):
        value = fingerprint.get("value")
        if _number(fingerprint, "type_id") == 1 and isinstance(value, str):
            yield f"{pointer}/value", "ja4", value


def _techniques(draft: _Draft) -> Iterator[str]:
    seen: set[str] = set()
    for folder in ("/finding_info/attacks", "/attacks"):
        for pointer, attack in _each(draft.source, folder):
            for place in ("/sub_technique/uid", "/technique/uid"):
                value = _at(attack, place)
                if isinstance(value, str):
                    if value not in seen:
                        draft.places[f"/techniques/{len(seen)}"] = pointer + place
                        seen.add(value)
                        yield value
                    break


def _each(source: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of an array with their pointers; nothing where there is no array."""
    value = _at(source, pointer)
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, dict):
            yield f"{pointer}/{index}", item


def _at(value: Any, pointer: str) -> Any:
    """What is at a pointer, None for nothing."""
    for step in pointer.split("/")[1:]:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _number(item: Mapping[str, Any], name: str) -> int:
    value = item.get(name)
    return value if type(value) is int else -1


def _place(draft: _Draft, pointer: str) -> str:
    """The OCSF place for a place in the native document: of the longest part that is known, else the whole."""
    head, rest = pointer, ""
    while head:
        if head in draft.places:
            return draft.places[head] + rest
        head, _, step = head.rpartition("/")
        rest = f"/{step}{rest}"
    return ""


def _slug(text: str, most: int) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:most].rstrip("-._")


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
