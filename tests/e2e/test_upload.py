"""A large file from the page: in pieces, paused, gone on with after a reload and a broken connection."""

import hashlib
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from cases.models import EvidenceItem, Upload
from tests.e2e.browsing import Windows
from tests.factories import Cast, make_case
from tests.servers import Worker

pytestmark = pytest.mark.django_db(transaction=True)
MB = 1024 * 1024
SIZE = 30 * MB
PIECES_BEFORE_PAUSE = 2  # of one MiB and two
LONG = 120_000  # milliseconds
# What a browser remarks when the line is cut, and the answer to who comes back before the server noticed.
OF_A_BREAK = re.compile(r"net::ERR_CONNECTION_RESET|^409: PATCH ")


def test_large_file_is_paused_resumed_after_a_reload_and_survives_a_break(
    worker: Worker, windows: Windows, committed_cast: Cast, tmp_path: Path
) -> None:
    content, other = os.urandom(SIZE), os.urandom(SIZE)
    file, impostor = tmp_path / "gateway.log", tmp_path / "elsewhere" / "gateway.log"
    impostor.parent.mkdir()
    file.write_bytes(content)
    impostor.write_bytes(other)
    case = make_case(committed_cast)
    page = windows.open(committed_cast.analyst, f"/cases/{case.ref}/evidence/")
    line = Line(page)

    begin(page, file)
    expect(page.get_by_text("3.0 MB of 30.0 MB")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. What arrived is kept.")).to_be_visible()
    before = Upload.objects.get().offset
    assert before == 3 * MB
    line.hold_after = 0  # nothing is held any more

    page.reload()
    row = page.get_by_role("region", name="Your uploads to this case")
    expect(row).to_contain_text("% of it arrived")
    row.get_by_label("Choose gateway.log again").set_input_files(impostor)
    expect(row.get_by_role("alert")).to_contain_text("This is not the file that was begun")
    line.lose = 2  # a piece, and the question how far it came
    row.get_by_label("Choose gateway.log again").set_input_files(file)
    expect(row.get_by_role("status")).to_contain_text(re.compile("Trying again|does not answer"), timeout=LONG)
    assert Upload.objects.get().offset >= before

    page.wait_for_url(re.compile(r"/evidence/1/$"), timeout=LONG)
    digest = hashlib.sha256(content).hexdigest()
    item = EvidenceItem.objects.get()
    assert (item.sha256, item.size, item.file_name, item.kind) == (digest, SIZE, "gateway.log", "capture")
    assert item.details == {"place": "eth0 of the gateway", "taken_with": "tcpdump 4.99"}
    acquired = item.custody.get(action="acquired")
    assert (acquired.clock, acquired.how) == ("the gateway's, by NTP", "mirrored port")
    expect(page.get_by_text(digest).first).to_be_visible()
    windows.trouble[:] = [one for one in windows.trouble if not OF_A_BREAK.search(one)]


def begin(page: Page, file: Path) -> None:
    """Choose the kind, fill in the form and send it."""
    page.get_by_role("navigation", name="Kind of evidence").get_by_role(
        "link", name="Network or system capture"
    ).click()
    page.get_by_label("File").set_input_files(file)
    for label, text in {
        "Title": "Gateway log",
        "Where it was recorded": "eth0 of the gateway",
        "Recorded with": "tcpdump 4.99",
        "Where it comes from": "Gateway",
        "Taken at the source": "2026-05-12T09:00:00",
        "By whose clock": "the gateway's, by NTP",
        "How it was taken": "mirrored port",
    }.items():
        page.get_by_label(label).fill(text)
    page.get_by_role("button", name="Add the exhibit").click()
    expect(page.get_by_role("progressbar", name="Sending gateway.log")).to_be_visible()


class Line:
    """The line between browser and server: pieces pass, one is held back, some are lost."""

    def __init__(self, page: Page) -> None:
        self.passed = 0
        self.hold_after = PIECES_BEFORE_PAUSE
        self.held: list[Route] = []
        self.lose = 0
        page.route(re.compile(r"/uploads/[0-9a-f-]{36}/$"), self.asked)

    def asked(self, route: Route) -> None:
        """A request to the upload."""
        sends = route.request.method == "PATCH"
        if self.lose and (sends or self.lose == 1):
            self.lose -= 1
            route.abort("connectionreset")
        elif sends and 0 < self.hold_after <= self.passed:
            self.held.append(route)
        else:
            self.passed += sends
            route.continue_()
