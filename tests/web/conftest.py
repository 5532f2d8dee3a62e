"""A browser over a server of real processes. A page that logs an error fails its test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.web.chromium import ARGUMENTS, axe, chromium

SHOTS = Path(os.environ.get("TASKARRAY_TEST_SHOTS", ".pytest_cache/screenshots"))
"""Where screenshots of a run are kept to be looked at."""


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the whole run."""
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield found
        await found.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A fresh tab with nothing remembered. `page.expected` are parts of console errors that the test provokes. Pages
    also come over plain HTTP from other machines, where a browser makes no UUIDs: so it does not here either."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    await context.add_init_script("delete Crypto.prototype.randomUUID")
    opened = await context.new_page()
    opened.set_default_timeout(15_000)
    expect.set_options(timeout=15_000)
    wrong: list[str] = []
    opened.on("pageerror", lambda failure: wrong.append(str(failure)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    opened.expected = []  # type: ignore[attr-defined]
    yield opened
    await context.close()
    left = [text for text in wrong if not any(part in text for part in opened.expected)]  # type: ignore[attr-defined]
    assert not left, left


async def shot(page: Page, name: str, *, whole: bool = False) -> Path:
    """Keep a screenshot of the page as it is now."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    path = SHOTS / f"{name}.png"
    await page.screenshot(path=path, full_page=whole)
    return path


async def violations(page: Page, *rules: str) -> list[str]:
    """What axe-core finds serious or critical in the page as it is now, by all its rules or by these, a line each. The
    page's policy forbids scripts from outside, so it goes in by the door of the debugger."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe().read_text())
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = await page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{entry['id']}: {entry['help']} ({', '.join(str(node['target']) for node in entry['nodes'])})"
        for entry in found["violations"]
        if entry["impact"] in ("serious", "critical")
    ]
