"""The kinds of exhibits and of derivatives: a visible vocabulary with what each needs to be of use as evidence."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import TextChoices


class EvidenceKind(TextChoices):
    """What an exhibit is."""

    FILE = "file", "file"
    RECORD = "record", "business record"
    EXCHANGE_SET = "exchange_set", "exchange set"
    TERMS = "terms", "terms version"
    DOCUMENT = "document", "document"
    CORRESPONDENCE = "correspondence", "correspondence"
    SCREENSHOT = "screenshot", "screenshot"
    CAPTURE = "capture", "network or system capture"
    DECLARATION = "declaration", "declaration"
    DERIVATIVE = "derivative", "derivative"


class Derivation(TextChoices):
    """How a derivative came from its original."""

    REDACTION = "redaction", "redaction"
    EXTRACT = "extract", "extract"
    TRANSLATION = "translation", "translation"
    TRANSCRIPT = "transcript", "transcript"
    CONVERSION = "conversion", "conversion to another format"
    ANALYSIS = "analysis", "analysis"


@dataclass(frozen=True)
class Need:
    """One thing to be known of an exhibit of a kind: its name in `details`, its words, and why it is asked."""

    name: str
    label: str
    why: str


KIND_MEANINGS: dict[str, str] = {
    "file": "bytes as they were taken, of no more special kind",
    "record": "an extract of records kept in the course of business (FRE 803(6), 902(11))",
    "exchange_set": "exchanges kept at their source, by query, count and Merkle root",
    "terms": "terms of use or another agreement as it stood in one version",
    "document": "a document somebody wrote: a report, a contract, a paper",
    "correspondence": "a letter, a message or a mail between named parties",
    "screenshot": "a picture of what a screen showed",
    "capture": "traffic, memory or a disk as a tool recorded it",
    "declaration": "a signed statement of a witness or custodian",
    "derivative": "made from another exhibit, which it names",
}
NEEDS: dict[str, tuple[Need, ...]] = {
    "record": (
        Need("system", "System of record", "whose ordinary operation made the records"),
        Need("query", "Query or filter", "so that the extract can be made again"),
        Need("custodian", "Custodian", "who can certify how the records are kept"),
    ),
    "terms": (
        Need("version", "Version", "which wording was in force"),
        Need("in_force", "In force from", "the first day on which it bound anybody"),
        Need("address", "Where it was published", "the address or the document it was part of"),
    ),
    "document": (
        Need("author", "Author", "who answers for what it says"),
        Need("dated", "Dated", "the date it bears"),
    ),
    "correspondence": (
        Need("sender", "From", "who sent it"),
        Need("addressee", "To", "who was to get it"),
        Need("sent", "Sent", "when it was sent, as it says itself"),
        Need("channel", "Channel", "post, e-mail, a web form"),
    ),
    "screenshot": (
        Need("address", "What was shown", "the address or the program on the screen"),
        Need("taken_with", "Taken with", "the tool and its version"),
    ),
    "capture": (
        Need("place", "Where it was recorded", "the interface, host or device"),
        Need("taken_with", "Recorded with", "the tool and its version"),
    ),
    "declaration": (
        Need("declarant", "Declarant", "who states it"),
        Need("signed", "Signed on", "the date of the signature"),
        Need("form", "Form", "for example under penalty of perjury, 28 U.S.C. 1746"),
    ),
}
# What a person may add a file as; the others are made by what the product does.
ADDABLE = tuple(kind for kind in EvidenceKind.values if kind not in {"exchange_set", "derivative"})
ADDABLE_CHOICES = [(kind, EvidenceKind(kind).label) for kind in ADDABLE]

# A derivative that people make outside Retort; a redaction is made here, by two of them.
DERIVABLE = tuple(kind for kind in Derivation.values if kind != Derivation.REDACTION)
DERIVABLE_CHOICES = [(kind, Derivation(kind).label) for kind in DERIVABLE]


def needs(kind: str) -> tuple[Need, ...]:
    """What is asked of an exhibit of this kind beside title, source and time."""
    return NEEDS.get(kind, ())


def details_of(kind: str, details: Mapping[str, str] | None) -> list[tuple[str, str]]:
    """The details of an exhibit as label and value, in the order of the table; what no table names comes last."""
    given = dict(details or {})
    rows = [(need.label, given.pop(need.name)) for need in needs(kind) if need.name in given]
    return rows + [(name.replace("_", " "), str(value)) for name, value in sorted(given.items())]
