"""Fixtures of the browser tests: one Chromium, windows with fresh profiles, and nothing it complains about forgiven."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, expect, sync_playwright

from tests.e2e.browsing import PATIENCE, Windows

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one RETORT_CHROMIUM names."""
    path = os.environ.get("RETORT_CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on the path, and RETORT_CHROMIUM names none")
    expect.set_options(timeout=PATIENCE)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright keeps an event loop in this thread
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def windows(chromium: Browser, live_site: str) -> Iterator[Windows]:
    """Windows on the live site. The test fails when a browser complained about anything in one of them."""
    opened = Windows(chromium, live_site)
    try:
        yield opened
    finally:
        opened.close()
    assert opened.trouble == []


@pytest.fixture(autouse=True)
def fresh_folders() -> None:
    """No checkpoint and no package of an earlier test's log."""
    for folder in (Path(settings.CHECKPOINT_FOLDER), Path(settings.RENDER_ROOT)):
        shutil.rmtree(folder, ignore_errors=True)
