"""The form of a feed: fields by kind, in one visible table each; it checks shape, the verb checks everything else."""

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from cases.forms import lines
from detection.models import Feed
from spine import strict_json

DAY = 24 * 60


def _text(label: str, help_text: str = "", *, required: bool = False, most: int = 500) -> forms.CharField:
    return forms.CharField(label=label, help_text=help_text, required=required, max_length=most)


def _choice(label: str, choices: list[tuple[str, str]], help_text: str = "") -> forms.ChoiceField:
    filled = all(value for value, _ in choices)  # a browser takes an empty choice for none
    return forms.ChoiceField(label=label, choices=choices, initial=choices[0][0], help_text=help_text, required=filled)


def _number(label: str, help_text: str = "", initial: int | None = None, least: int = 0) -> forms.IntegerField:
    return forms.IntegerField(label=label, help_text=help_text, initial=initial, required=False, min_value=least)


FORMS = [
    ("auto", "by the file's name"),
    ("ndjson", "NDJSON: one object a line"),
    ("json", "JSON: one array"),
    ("csv", "CSV with names in the first line"),
    ("parquet", "Parquet"),
]
FILES = {
    "form": lambda: _choice("Form of the files", FORMS),
    "pattern": lambda: _text("Names", "Such as *.ndjson. Empty: every file.", most=200),
    "delimiter": lambda: _choice(
        "Between CSV cells", [("", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "vertical bar")]
    ),
    "settle_seconds": lambda: _number("Wait", "Seconds after its last change until a file counts as whole.", 10),
}
# Each kind's settings, in the order of the form; the names are those of detection/feeds.
FIELDS: dict[str, dict[str, Any]] = {
    "http": {
        "url": lambda: _text("Address", "No secret in it: everybody who may read detectors sees it.", required=True),
        "auth": lambda: _choice(
            "How it asks who we are",
            [
                ("none", "not at all"),
                ("bearer", "bearer token"),
                ("basic", "name and password"),
                ("header", "a header of its own"),
                ("oauth2", "OAuth 2 client credentials"),
            ],
        ),
        "username": lambda: _text("Name or client id", "For a name and password, or client credentials."),
        "auth_header": lambda: _text("Header", "Such as X-Api-Key.", most=60),
        "token_url": lambda: _text("Token address", "For client credentials.", most=1000),
        "scope": lambda: _text("Scope", "For client credentials."),
        "body": lambda: _choice("Answer", [("auto", "found out"), ("json", "JSON"), ("ndjson", "NDJSON")]),
        "items": lambda: _text("Where the rows stand", "A JSON Pointer such as /data. Empty: the whole answer."),
        "paging": lambda: _choice(
            "Pages",
            [
                ("none", "one page is all"),
                ("page", "numbered pages"),
                ("cursor", "a cursor in the answer"),
                ("link", "Link header"),
                ("since", "by the time of the last row"),
            ],
        ),
        "page_parameter": lambda: _text("Parameter of the page or cursor"),
        "first_page": lambda: _choice("First page", [("1", "1"), ("0", "0")]),
        "next_at": lambda: _text("Where the next cursor stands", "A JSON Pointer such as /meta/next."),
        "order": lambda: _choice(
            "Order of the rows",
            [
                ("any", "any: read everything each time"),
                ("oldest_first", "oldest first: go on at the last page"),
                ("newest_first", "newest first: stop at what is known"),
            ],
            "What the source promises. Not used where a time is asked from.",
        ),
        "size_parameter": lambda: _text("Parameter of the page's size"),
        "page_size": lambda: _number("Rows a page"),
        "since_parameter": lambda: _text("Parameter of the time to ask from"),
        "since_at": lambda: _text("Where a row has its time", "A JSON Pointer such as /updated_at."),
        "since_form": lambda: _choice(
            "Form of the time",
            [("rfc3339", "RFC 3339"), ("seconds", "seconds since 1970"), ("milliseconds", "milliseconds since 1970")],
        ),
        "until_parameter": lambda: _text("Parameter of the time to ask until", "For windows of the past."),
        "overlap_seconds": lambda: _number("Overlap", "Seconds that are read again, for rows that come late.", 60),
    },
    "folder": {"folder": lambda: _text("Folder", "As workers see it.", required=True, most=1000), **FILES},
    "s3": {
        "endpoint": lambda: _text("Endpoint", "Such as https://s3.example.com.", required=True, most=300),
        "bucket": lambda: _text("Bucket", required=True, most=63),
        "prefix": lambda: _text("Prefix", "Such as findings/."),
        "region": lambda: _text("Region", "Empty: us-east-1.", most=40),
        "access_key": lambda: _text("Access key id", "Empty: no signature."),
        **FILES,
    },
    "sql": {
        "host": lambda: _text("Host", required=True, most=253),
        "port": lambda: _number("Port", initial=5432, least=1),
        "database": lambda: _text("Database", required=True, most=63),
        "username": lambda: _text("Role", "One that may SELECT and nothing else.", required=True, most=63),
        "tls": lambda: _choice("TLS", [("verify-full", "yes, certificate checked"), ("disable", "no")]),
        "query": lambda: forms.CharField(widget=lines(6), max_length=20_000, label="Query", help_text="One SELECT."),
        "since": lambda: _text("Column that grows", "The next pull goes on behind its last value.", most=63),
        "since_type": lambda: _choice(
            "Which is", [("time", "a time"), ("number", "a number"), ("text", "a text in order")]
        ),
        "overlap": lambda: _number("Overlap", "Seconds, or units of the number, that are read again.", 60),
        "document": lambda: _text("Column with the finding", "As JSON. Empty: the row is mapped.", most=63),
    },
}
NUMBERS = {"first_page"}  # chosen from a list, and a number all the same
AS = [
    ("native", "rows are findings of ours"),
    ("ocsf", "rows are OCSF Detection Findings"),
    ("either", "each row says what it is"),
    ("mapped", "put together from fields, see below"),
]
EXAMPLE = """{
  "/detector/version": {"value": "1.0"},
  "/signal": {"value": "x-heuristic"},
  "/title": {"from": "/reason", "value": "Flagged"},
  "/score": {"from": "/risk", "divide": 100.0},
  "/window/start": {"from": "/first_seen"},
  "/window/end": {"from": "/last_seen"},
  "/accounts/0/id": {"from": "/account"}
}"""


class FeedForm(forms.Form):
    """A feed of one kind; `feed` is the one that is changed, whose name, detector and kind stay."""

    name = forms.CharField(max_length=60, help_text="What it is called here.")
    detector = forms.CharField(max_length=120, help_text="Whose findings these are; registered when it is new.")
    schedule_minutes = forms.IntegerField(min_value=1, max_value=7 * DAY, initial=15, label="Pull every … minutes")

    def __init__(self, kind: str, *args: Any, feed: Feed | None = None, **kwargs: Any) -> None:
        if feed is not None:
            kwargs.setdefault("initial", _initial(feed))
        super().__init__(*args, **{"auto_id": "feed_%s", **kwargs})
        self.kind, self.feed = kind, feed
        if feed is not None:
            del self.fields["name"], self.fields["detector"]
            self.fields["revision"] = forms.IntegerField(widget=forms.HiddenInput)
        for name, make in FIELDS[kind].items():
            self.fields[name] = make()
        if kind != "folder":
            kept = "Kept; fill in to replace it." if feed is not None and feed.secret else ""
            self.fields["secret"] = forms.CharField(
                required=False,
                max_length=4000,
                strip=False,
                label="Secret",
                help_text=f"{kept} Stored sealed and never shown again; fill it in anew after trying.".strip(),
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
            )
        self.fields["read_as"] = _choice("What rows are", AS)
        self.fields["fields"] = forms.CharField(
            required=False,
            max_length=50_000,
            widget=lines(9),
            label="Fields",
            help_text="JSON: a finding's field, and where its value comes from (from) or what it is (value).",
            initial=EXAMPLE if feed is None else None,
        )

    def clean_fields(self) -> dict[str, Any]:
        """The mapping's fields; only asked for where rows are put together."""
        text = self.cleaned_data["fields"]
        if self.cleaned_data.get("read_as") != "mapped":
            return {}
        try:
            found = strict_json.loads(text.encode("utf-8", "replace"))
        except strict_json.NotAccepted as refused:
            raise ValidationError(f"This is not JSON that can be read: {refused.reason}") from None
        if not isinstance(found, dict):
            raise ValidationError("A JSON object is accepted.")
        return found

    def settings(self) -> dict[str, Any]:
        """The settings of the kind as the verb takes them; what is empty is left to its default."""
        given = {name: self.cleaned_data.get(name) for name in FIELDS[self.kind]}
        kept = {name: value for name, value in given.items() if value not in {None, ""}}
        return {
            name: int(value) if name in NUMBERS else value.replace("\r\n", "\n") if isinstance(value, str) else value
            for name, value in kept.items()
        }

    def mapping(self) -> dict[str, Any]:
        """The mapping as the verb takes it."""
        fields = self.cleaned_data["fields"]
        return {"as": self.cleaned_data["read_as"], **({"fields": fields} if fields else {})}

    def secret(self) -> str:
        """The secret that was typed, if any."""
        return str(self.cleaned_data.get("secret") or "")


def _initial(feed: Feed) -> dict[str, Any]:
    fields = feed.mapping.get("fields")
    return {
        **feed.settings,
        "schedule_minutes": feed.schedule_minutes,
        "revision": feed.revision,
        "read_as": feed.mapping.get("as", "native"),
        "fields": json.dumps(fields, indent=2, ensure_ascii=False) if fields else EXAMPLE,
    }


class RevisionForm(forms.Form):
    """Pause or resume the feed as the page showed it."""

    revision = forms.IntegerField(widget=forms.HiddenInput)


class BackfillForm(forms.Form):
    """A window of the past."""

    start = forms.DateTimeField(label="From (UTC)", help_text="Such as 2026-05-04 00:00.")
    end = forms.DateTimeField(label="Until (UTC)", help_text="Not included.")
