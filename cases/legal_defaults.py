"""Legal bases a new installation begins with. Texts to be confirmed by counsel: none of them is legal advice.

Sources: 18 USC 2702; 6 USC 1501-1510 as extended to 30 September 2026; Regulation (EU) 2016/679, Art. 6, 17, 49.
"""

from datetime import date
from typing import Any

_ALL = ["content", "customer_record", "indicator", "aggregate"]
_RECORDS = ["customer_record", "indicator", "aggregate"]
_TECHNICAL = ["indicator", "aggregate"]
_OUTSIDE = ("court", "law_enforcement", "agency", "committee", "peer")
TO_CONFIRM = "To be confirmed by counsel before it is relied on."

DEFAULTS: tuple[dict[str, Any], ...] = (
    {
        "code": "internal",
        "name": "Internal use and advice of counsel",
        "law": "Company policy",
        "permits": {"internal": _ALL, "counsel": _ALL},
    },
    {
        "code": "court-order",
        "name": "Court order or warrant",
        "law": "18 USC 2703; the order itself",
        "permits": dict.fromkeys(("court", "law_enforcement", "agency"), _ALL),
    },
    {
        "code": "subpoena",
        "name": "Subpoena",
        "law": "18 USC 2703(c)(2); the subpoena itself",
        "permits": dict.fromkeys(("court", "law_enforcement", "agency", "committee"), _RECORDS),
    },
    {
        "code": "sca-content-protection",
        "name": "Protection of the provider's rights or property, content",
        "law": "18 USC 2702(b)(5)",
        "permits": {kind: ["content", *_TECHNICAL] for kind in ("court", "law_enforcement", "peer", "counsel")},
    },
    {
        "code": "sca-records-protection",
        "name": "Protection of the provider's rights or property, customer records",
        "law": "18 USC 2702(c)(3)",
        "permits": dict.fromkeys(("court", "law_enforcement", "agency", "counsel"), _RECORDS),
    },
    {
        "code": "sca-records-private",
        "name": "Customer records to others than governmental entities",
        "law": "18 USC 2702(c)(6)",
        "permits": {"peer": _RECORDS, "counsel": _RECORDS},
    },
    {
        "code": "cisa-2015",
        "name": "Sharing of cyber threat indicators",
        "law": "6 USC 1501-1510",
        "permits": {kind: ["indicator"] for kind in ("law_enforcement", "agency", "peer")},
        "valid_from": date(2015, 12, 18),
        "valid_until": date(2026, 9, 30),
        "note": "Lapsed on 1 October 2025, revived to 30 January and then to 30 September 2026. Personal data that is "
        "not needed is removed first (6 USC 1503(d)(2)).",
    },
    {
        "code": "gdpr-legitimate-interest",
        "name": "Legitimate interest: network security and prevention of fraud",
        "law": "GDPR Art. 6(1)(f), recitals 47 and 49",
        "permits": dict.fromkeys((*_OUTSIDE, "counsel", "internal"), _TECHNICAL),
    },
    {
        "code": "gdpr-legal-claims",
        "name": "Establishment, exercise or defence of legal claims",
        "law": "GDPR Art. 17(3)(e) and 49(1)(e)",
        "permits": {"court": _ALL, "counsel": _ALL},
    },
    {
        "code": "consent-or-contract",
        "name": "Consent of the customer, or contract",
        "law": "18 USC 2702(b)(3) and (c)(2); GDPR Art. 6(1)(a) and (b)",
        "permits": dict.fromkeys((*_OUTSIDE, "counsel"), _RECORDS),
    },
    {
        "code": "aggregates-only",
        "name": "Aggregates that point at nobody",
        "law": "No personal data, no content",
        "permits": {kind: ["aggregate"] for kind in (*_OUTSIDE, "counsel", "internal")},
    },
)


def install(model: Any, using: str = "default") -> None:
    """Write the defaults that are not there, by code; `model` is LegalBasis, of a migration or of now."""
    rows = model.objects.using(using)
    known = set(rows.values_list("code", flat=True))
    for row in DEFAULTS:
        if row["code"] not in known:
            note = " ".join([TO_CONFIRM, row.get("note", "")]).strip()
            rows.create(**{**row, "note": note})
