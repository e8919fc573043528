"""The documents stay true: links lead somewhere, and the example finding is one the product accepts."""

import re
from pathlib import Path

import pytest

from detection import ingest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "clients").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_example_finding_of_the_how_to_is_accepted() -> None:
    text = (ROOT / "docs" / "how-to" / "push-findings.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", text, re.S)
    assert example is not None

    counts = ingest.validate([example[1].encode()], detector="api-gateway")

    assert (counts.received, counts.rejected, counts.errors) == (1, 0, [])
