"""Results on the playground: compared, looked at closely, taken along."""

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.client import new_task
from tests.pictures.drawing import photo
from tests.pictures.files import encoded, opened
from tests.web.conftest import shot, violations
from tests.web.driving import card, ends, send, visit
from tests.web.test_composer import CAMERA, COFFEE, composing, press, sent

_DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="4"/>'


async def transformed(page: Page, installation, *files: Path, preset: str = "Black and white") -> None:
    """Pictures on the shelf, each with the result of a quick task."""
    await composing(page, installation, *files)
    await press(page, preset)
    await press(page, "Run")
    await ends(page, "imageTransform", count=len(files))


async def test_slider(page, installation):
    """Before and after lie over each other; the border between them follows the keys and the pointer."""
    await transformed(page, installation, COFFEE)
    slider = page.get_by_role("slider", name="Before and after: coffee.jpg")
    await expect(slider).to_have_attribute("aria-valuenow", "50")
    for key, share in (("ArrowRight", 52), ("PageDown", 32), ("Home", 0), ("ArrowLeft", 0), ("End", 100)):
        await slider.press(key)
        await expect(slider).to_have_attribute("aria-valuenow", str(share))
    await expect(slider).to_have_attribute("aria-valuetext", "100 % before")
    box = await page.locator("before-after").bounding_box()
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 10, steps=4)
    await page.mouse.up()
    await expect(slider).to_have_attribute("aria-valuenow", "25")
    handle = await slider.bounding_box()
    assert handle["width"] >= 40
    await shot(page, "before-after")


async def test_behind(page, installation):
    """What shows through a transparent picture can be chosen, for all results at once; an opaque one has no choice."""
    await visit(page, installation)
    await send(page, *(new_task("paints", opaque=False, outputFormat="PNG", cache="off") for _ in range(2)))
    await ends(page, "paints", count=2)
    behind = page.get_by_role("radiogroup", name="Behind transparent parts")
    await behind.first.get_by_role("radio", name="Checkerboard").press("ArrowRight")
    await expect(behind.last.get_by_role("radio", name="White")).to_be_checked()
    for picture in await page.locator("result-view img").all():
        await expect(picture).to_have_css("background-color", "rgb(255, 255, 255)")
    await behind.last.get_by_role("radio", name="A colour").check()
    await behind.last.get_by_label("Colour behind transparent parts").fill("#ff0000")
    await expect(page.locator("result-view img").first).to_have_css("background-color", "rgb(255, 0, 0)")
    await send(page, new_task("paints"))
    await ends(page, "paints", count=3)
    await expect(behind).to_have_count(2)


async def test_viewer(page, installation):
    """A result fills the window, is zoomed and moved by keys and wheel, shows its transparency alone and what it was
    made of, and gives the focus back when it is closed."""
    await transformed(page, installation, COFFEE, preset="Framed in white")
    await page.get_by_role("button", name="Zoom").click()
    viewer = page.get_by_role("dialog", name="Picture in full size")
    picture, zoom = viewer.locator(".pane img"), viewer.get_by_label("Zoom", exact=True)
    await expect(picture).to_have_js_property("naturalWidth", 696)
    await expect(zoom).to_have_text("100 %")
    await page.keyboard.press("+")
    await expect(zoom).to_have_text("150 %")
    await page.keyboard.press("ArrowRight")
    await expect(picture).to_have_attribute(
        "style", "transform: translate(-50%, -50%) translate(-60px, 0px) scale(1.5);"
    )
    await page.keyboard.press("1")
    await expect(zoom).to_have_text("100 %")
    box = await picture.bounding_box()
    await page.mouse.move(box["x"] + 10, box["y"] + 10)
    await page.mouse.wheel(0, -800)
    await expect(zoom).to_have_text("739 %")
    near = await picture.bounding_box()
    assert near["x"] + 10 * near["width"] / box["width"] == pytest.approx(box["x"] + 10, abs=2)
    await page.keyboard.press("a")
    await expect(picture).to_have_css("filter", 'url("#alpha-alone")')
    await viewer.get_by_role("button", name="Before").click()
    await expect(picture).to_have_js_property("naturalWidth", 600)
    assert not await violations(page)
    await page.keyboard.press("Escape")
    await expect(viewer).to_have_count(0)
    await expect(page.get_by_role("button", name="Zoom")).to_be_focused()


async def test_side_by_side(page, installation):
    """Several results stand side by side, each with its own name."""
    await visit(page, installation)
    await send(page, new_task("paints", numberResults=3, outputType="base64Data", outputFormat="WEBP"))
    await ends(page, "paints")
    names = ["paints.webp", "paints-2.webp", "paints-3.webp"]
    await expect(page.locator("result-view figcaption")).to_have_text(names)
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Download paints-2.webp").click()
    saved = await started.value
    assert saved.suggested_filename == "paints-2.webp"
    assert opened((await saved.path()).read_bytes()).format == "WEBP"


async def test_zip(page, installation, tmp_path):
    """Everything is saved as one zip under the names of the originals; what has the same name gets a number."""
    shoe = tmp_path / "Schuh é 1.jpeg"
    shoe.write_bytes(encoded(photo(64, 48), "JPG"))
    await transformed(page, installation, shoe, CAMERA, preset="Square thumbnail")
    await press(page, "Run")
    await ends(page, "imageTransform", count=4)
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Download all").click()
    saved = await started.value
    with zipfile.ZipFile(await saved.path()) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == [
            "Schuh é 1-image-transform-2.webp", "Schuh é 1-image-transform.webp",
            "camera-image-transform-2.webp", "camera-image-transform.webp",
        ]  # fmt: skip
        sizes = {opened(archive.read(name)).size for name in archive.namelist()}
    assert sizes == {(256, 256)}


async def test_as_input(page, installation):
    """A result goes on the shelf as the input of the next task, under the UUID that the server has it by."""
    tasks = sent(page)
    await transformed(page, installation, COFFEE)
    await page.get_by_label("Use coffee.jpg").uncheck()
    await page.get_by_role("button", name="As input").click()
    await expect(page.get_by_label("Use coffee-image-transform.jpg")).to_be_checked()
    await press(page, "Run")
    await ends(page, "imageTransform", count=2)
    assert [task["taskType"] for task in tasks[1]] == ["imageTransform"]
    await expect(card(page, "imageTransform").first).to_contain_text("coffee-image-transform.jpg")


async def test_words_and_tables(page, installation):
    """Words are shown as words, other members as a line or a table, drawings as pictures; nothing of them is markup."""
    await visit(page, installation)
    found = {"x_min": 3, "y_min": 4}
    items = [
        {"text": "A cat <b>sat</b>.", "model": "x:1@1", "detections": [found, found], "tags": ["one"], "results": []},
        {"imageUUID": "u", "imageBase64Data": base64.b64encode(_DRAWING).decode()},
    ]
    await page.evaluate(
        """(items) => {
            const view = document.createElement("result-view");
            view.result = { items, before: null, name: "cat.jpg", taskType: "vectorize" };
            document.querySelector("#cards").append(view);
        }""",
        items,
    )
    view = page.locator("result-view")
    await expect(view.get_by_text("A cat <b>sat</b>.")).to_be_visible()
    await expect(view.locator("dl")).to_have_text("Modelx:1@1")
    await expect(view.get_by_role("region", name="Detections").get_by_role("row")).to_have_count(3)
    await expect(view.get_by_text("Results: none.")).to_be_visible()
    await expect(view.get_by_role("img", name="cat-vectorize.svg")).to_have_js_property("naturalWidth", 8)


async def test_on_a_phone_in_the_dark(page, installation):
    """On a phone in the dark nothing is wider than the window, and results can be read and worked as well."""
    await page.set_viewport_size({"width": 375, "height": 780})
    await page.emulate_media(color_scheme="dark")
    await transformed(page, installation, COFFEE, CAMERA, preset="Vivid and sharp")
    await page.locator("before-after").first.scroll_into_view_if_needed()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 375
    assert not await violations(page)
    await shot(page, "phone-dark")
    await page.get_by_role("button", name="Zoom").first.click()
    assert await page.evaluate("document.querySelector('dialog').scrollWidth") <= 375
    await shot(page, "phone-dark-viewer")
