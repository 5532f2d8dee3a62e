"""The shelf of pictures, over a reload of its tab."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.pictures.drawing import photo
from tests.pictures.files import encoded
from tests.web.driving import drop_file, ends, run_form, stands, visit


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(photo(256, 192), "JPG")


def uploads(page: Page) -> list[dict[str, Any]]:
    """The uploads that the page sends from here on."""
    found = list[dict[str, Any]]()

    def sent(frame: str | bytes) -> None:
        found.extend(task for task in json.loads(frame) if task["taskType"] == "imageUpload")

    page.on("websocket", lambda socket: socket.on("framesent", sent))
    return found


async def names(page: Page) -> list[str]:
    return await page.locator("picture-shelf .thumb-name").all_inner_texts()


async def reload(page: Page) -> None:
    await page.reload()
    await stands(page, "online")


async def test_reloaded(page, installation, picture):
    """What was on the shelf is there after a reload, chosen or not, with its bytes; what the server has is not
    uploaded again."""
    elsewhere = "https://example.com/coat.png"
    await page.route(elsewhere, lambda route: route.fulfill(body=picture, content_type="image/jpeg"))
    await visit(page, installation)
    await drop_file(page, "shoe.jpg", picture)
    await run_form(page, "upscale")
    await ends(page, "upscale")
    await drop_file(page, "hat.jpg", picture)
    await page.get_by_label("URL of a picture").fill(elsewhere)
    await page.get_by_role("button", name="Add the picture at this URL").click()
    await page.get_by_label("Use coat.png").uncheck()
    sent = uploads(page)
    await reload(page)
    await expect(page.get_by_label("Use coat.png")).not_to_be_checked()
    assert await names(page) == ["shoe.jpg", "hat.jpg", "coat.png"]
    await expect(page.locator(".thumb img").first).to_have_js_property("naturalWidth", 256)
    await run_form(page, "vectorize")
    await ends(page, "vectorize", count=2)
    assert len(sent) == 1


async def test_removed(page, installation, picture):
    """What was taken from the shelf stays away; another picture under its name is another one."""
    await visit(page, installation)
    await drop_file(page, "shoe.jpg", picture)
    await drop_file(page, "hat.jpg", picture)
    await page.get_by_role("button", name="Remove shoe.jpg").click()
    await reload(page)
    await expect(page.get_by_label("Use hat.jpg")).to_be_checked()
    assert await names(page) == ["hat.jpg"]
    await page.get_by_role("button", name="Remove hat.jpg").click()
    await drop_file(page, "hat.jpg", encoded(photo(64, 64), "JPG"))
    await reload(page)
    await expect(page.locator(".thumb img")).to_have_js_property("naturalWidth", 64)


async def test_another_tab(page, installation, picture):
    """Each tab has its own; one that was not here for a day is forgotten."""
    await visit(page, installation)
    await drop_file(page, "shoe.jpg", picture)
    other = await page.context.new_page()
    await visit(other, installation)
    await expect(other.locator("picture-shelf .drop")).to_be_visible()
    assert await names(other) == []
    aged = """async () => {
        const base = await new Promise((done) => {
            const asked = indexedDB.open("taskarray");
            asked.onsuccess = () => done(asked.result);
        });
        const writing = base.transaction(["shelves"], "readwrite");
        const shelves = writing.objectStore("shelves");
        shelves.openCursor().onsuccess = ({ target: { result: cursor } }) => {
            if (!cursor) return;
            cursor.update({ ...cursor.value, at: cursor.value.at - 86_400_001 });
            cursor.continue();
        };
        await new Promise((done) => { writing.oncomplete = done; });
    }"""
    left = """() => new Promise((done) => {
        indexedDB.open("taskarray").onsuccess = ({ target: { result: base } }) => {
            base.transaction("files").objectStore("files").count().onsuccess = (event) => done(event.target.result);
        };
    })"""
    assert await other.evaluate(left) == 1
    await other.evaluate(aged)
    await reload(page)
    assert await names(page) == []
    assert await page.evaluate(left) == 0


async def test_without_a_database(page, installation, picture):
    """A browser that keeps nothing has a shelf all the same."""
    await page.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }")
    await visit(page, installation)
    await drop_file(page, "shoe.jpg", picture)
    await run_form(page, "upscale")
    await ends(page, "upscale")
