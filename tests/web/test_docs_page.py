"""The manual in a real browser: found by its search, copied from, read on a phone and in the dark."""

from __future__ import annotations

import json

from playwright.async_api import Page, expect

from tests.harness import Installation
from tests.web.conftest import shot, violations

PHONE = {"width": 375, "height": 740}


async def test_search(page: Page, installation: Installation):
    """A key brings the search, which finds parameters, codes and settings as they are typed, and leads to each."""
    await page.goto(f"{installation.url}/docs")
    await page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search pages")
    await expect(field).to_be_focused()
    for typed, place in (
        ("upscaleF", "/docs/tasks/upscale#param-upscaleFactor"),
        ("conflictTask", "/docs/errors#conflictTaskUUID"),
        ("image_ttl", "/docs/settings#TASKARRAY_IMAGE_TTL"),
    ):
        await field.fill(typed)
        await expect(page.locator("#found a").first).to_have_attribute("href", place)
    await expect(page.get_by_role("status")).to_have_text("1 found")
    await shot(page, "docs-search")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#found a").first).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/docs/settings#TASKARRAY_IMAGE_TTL")
    assert await page.locator("#TASKARRAY_IMAGE_TTL").evaluate("place => place.matches(':target')")
    await page.get_by_role("searchbox").fill("no such thing anywhere")
    await expect(page.get_by_role("status")).to_have_text("Nothing found")
    await page.keyboard.press("Escape")
    await expect(page.locator(".found")).to_be_hidden()


async def test_copy(page: Page, installation: Installation):
    """The button on a message copies all of it, also the part of a picture that is out of sight."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto(f"{installation.url}/docs/tasks/upscale")
    block = page.locator(".code").first
    await block.get_by_role("button", name="Copy").click()
    await expect(block.get_by_role("button")).to_have_text("Copied")
    (task,) = json.loads(await page.evaluate("() => navigator.clipboard.readText()"))
    assert (task["taskType"], task["inputImage"][:23]) == ("upscale", "data:image/webp;base64,")
    assert len(task["inputImage"]) > 1000
    assert (await block.locator(".long").bounding_box())["width"] < 250


async def test_menu(page: Page, installation: Installation):
    """The menu marks the page that is open; on a phone it is folded away, and nothing is wider than the screen."""
    await page.goto(f"{installation.url}/docs/tasks/imageTransform")
    menu = page.get_by_role("navigation", name="Manual", exact=True)
    await expect(menu.locator("[aria-current=page]")).to_have_text("imageTransform")
    await page.set_viewport_size(PHONE)
    await expect(menu).to_be_hidden()
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    await page.get_by_text("All pages").click()
    await page.get_by_role("link", name="Errors", exact=True).click()
    await page.wait_for_url("**/docs/errors")
    for path in ("", "/protocol", "/models", "/settings"):
        await page.goto(f"{installation.url}/docs{path}")
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], path
    await shot(page, "docs-phone")


async def test_accessible(page: Page, installation: Installation):
    """Pages of every kind have no serious fault for people with assistive technology; in the dark their contrast is
    enough as well."""
    for path in ("", "/protocol", "/tasks/upscale", "/errors"):
        await page.emulate_media(color_scheme="light")
        await page.goto(f"{installation.url}/docs{path}")
        await expect(page.get_by_role("searchbox")).to_be_visible()
        assert await violations(page) == [], path
        await page.emulate_media(color_scheme="dark")
        assert await violations(page, "color-contrast") == [], path
    await shot(page, "docs-dark")
