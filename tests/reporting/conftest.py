"""A real browser that opens reports from disk, and fails the test that makes one complain or call out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from harness.records.comparison import Results
from harness.reporting import render_html
from tests.reporting.desk import FACTS, desk_results

DESKTOP = (1280, 720)
PHONE = (390, 844)

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module's tests; where there is none, a skip on a laptop and a failure in CI.

    No wider: while it is open, its event loop counts as running, and asynchronous tests elsewhere can't start.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        missing = "no chromium on the PATH, so the report was not opened in a browser; install it"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a report; when the test ends, any console message, error, dialog or foreign request fails it."""
    complaints: list[str] = []
    contexts = []

    def open_it(
        results: Results | None = None,
        address: str = "",
        *,
        size: tuple[int, int] = DESKTOP,
        scheme: str = "light",
        scripts: bool = True,
    ) -> Page:
        file = tmp_path / "index.html"
        file.write_text(render_html(results or desk_results(), FACTS), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: _note_request(request.url, file, complaints))
        page.goto(file.as_uri() + address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def _note_request(url: str, file: Path, complaints: list[str]) -> None:
    if not url.startswith((file.as_uri(), "data:image/svg+xml,")):
        complaints.append(f"request: {url}")
