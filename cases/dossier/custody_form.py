"""The custody form of one exhibit on paper: PDF/A by Typst, from the data of `cases.exhibits.custody_document`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from cases.dossier.plain import printable_all

TEMPLATE = Path(__file__).parent / "templates" / "custody.typ"


def pdf(document: dict[str, Any], *, at: datetime, by: str) -> bytes:
    """The form as of a time, for who asks for it. Raises typst.TypstError when template and data do not fit."""
    import typst  # only who renders needs what this loads

    made = {"at": f"{at:%d %b %Y %H:%M} UTC", "by": by, "release": settings.VERSION}
    data = printable_all({**document, "made": made})
    return typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        pdf_standards=["a-2a", "ua-1"],
        ignore_system_fonts=True,
        timestamp=int(at.timestamp()),
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )
