"""The playground, as a newcomer meets it."""

from __future__ import annotations

import json
import zipfile

import pytest
from playwright.async_api import expect

from tests.client import new_task
from tests.pictures.drawing import photo
from tests.pictures.files import encoded
from tests.web.conftest import shot, violations
from tests.web.driving import card, drop_file, ends, run_form, send, visit


@pytest.fixture(scope="module")
def picture() -> bytes:
    return encoded(photo(256, 192), "JPG")


async def test_first_visit(page, installation):
    """One click on a sample gives a cut-out over its original, under a slider."""
    await visit(page, installation)
    await shot(page, "playground-welcome")
    await page.locator("#welcome button").first.click()
    done = await ends(page, "removeBackground")
    await expect(page.locator("#welcome")).to_be_hidden()
    await expect(done.get_by_role("slider")).to_be_visible()
    await expect(page.get_by_text("the result is ready")).to_be_attached()
    await shot(page, "playground")


async def test_three_tasks(page, installation, picture):
    """A picture that is dropped on the page is uploaded once, and three tasks show what they made of it; all of that
    can be taken along as one zip, under the picture's name. Their forms are ready to run as they stand, and each says
    where its time went, stage by stage."""
    await visit(page, installation)
    await drop_file(page, "shoe.jpg", picture)
    for task_type in ("upscale", "vectorize", "controlNetPreprocess"):
        await run_form(page, task_type)
    for task_type in ("upscale", "vectorize", "controlNetPreprocess"):
        done = await ends(page, task_type)
        await expect(done).to_contain_text("shoe.jpg")
        await expect(done.locator("result-view img").first).to_be_visible()
    await page.get_by_role("heading", name="Frames").click()
    await expect(page.locator(".frames .way.out ~ .label", has_text="imageUpload")).to_have_count(1)
    async with page.expect_download() as told:
        await page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(await (await told.value).path()) as archive:
        assert [name.split("-")[0] for name in archive.namelist()] == ["shoe"] * 3
    times = card(page, "upscale").locator("details.total")
    await expect(times.locator("summary")).to_contain_text("in all")
    await times.locator("summary").click()
    stages = await times.get_by_role("rowheader").all_inner_texts()
    assert stages[:6] == ["queued", "fetch", "decode", "run", "encode", "store"]


async def test_error(page, installation):
    """What went wrong stands there with its code, its parameter, and what to do; so does a refusal without a task."""
    await visit(page, installation)
    await send(page, new_task("imageUpload", image="https://example.com/a.jpg") | {"priority": 11})
    refused = await ends(page, "imageUpload", "failed")
    await expect(refused.locator(".failures")).to_contain_text("invalidPriority")
    await expect(refused.locator(".failures")).to_contain_text("parameter priority")
    await expect(refused.locator(".failures")).to_contain_text("What to do: Change the parameter")
    await send(page, new_task("refuses", failure="ProcessingFailed"))
    failed = await ends(page, "refuses", "failed")
    await expect(failed).to_contain_text("It may not be. Send something else.")
    await send(page, {"taskType": "nothing"})
    await expect(page.locator("task-card", has_text="missingTaskUUID")).to_be_visible()


async def test_progress(page, installation):
    """A bar never runs backwards, and is not full before the result is there."""
    await visit(page, installation)
    shown = await page.evaluate("""async () => {
        const { TaskEntry } = await import("/web/wire/entry.js");
        const entry = new TaskEntry({ taskType: "upscale", taskUUID: "00000000-0000-4000-8000-0000000000a1" });
        return [10, 60, 30, undefined, 100].map((progress) => {
            entry.stands({ state: "running", progress });
            return entry.progress;
        });
    }""")
    assert shown == [10, 60, 60, 60, 99]
    await send(page, new_task("audioInference", duration=1.5), new_task("lingers", seconds=1.5))
    bar = card(page, "audioInference", "running").get_by_role("progressbar")
    await expect(bar).to_be_visible()
    assert 0 <= float(await bar.evaluate("bar => bar.value")) < 100
    await expect(card(page, "lingers", "running").locator(".standing")).to_contain_text(" ms")
    await expect(card(page, "lingers", "running").get_by_role("progressbar")).to_have_count(0)
    await ends(page, "audioInference")


async def test_frame_log(page, installation):
    """The log has every frame, the bytes of pictures cut short; it can be filtered, opened, stopped and taken away."""
    await visit(page, installation)
    painted = new_task("paints", width=64, noise=True, outputType="base64Data")
    await send(page, painted)
    await (await ends(page, "paints")).get_by_role("button", name="Frames").click()
    rows = page.locator(".frames li")
    await expect(page.get_by_label("Filter the frames")).to_have_value(painted["taskUUID"])
    await expect(rows.filter(has_text="data")).to_have_count(1)
    await rows.filter(has_text="data").locator("summary").click()
    await expect(rows.locator("pre")).to_contain_text("kB)")
    await page.get_by_label("Filter the frames").fill("authentication")
    await expect(rows).to_have_count(2)
    async with page.expect_download() as told:
        await page.get_by_role("button", name="Download", exact=True).last.click()
    lines = [json.loads(line) for line in (await (await told.value).path()).read_text().splitlines()]
    assert lines[0]["direction"] == "out"
    assert lines[0]["frame"][0]["apiKey"] == "…"
    await page.get_by_label("Filter the frames").fill("")
    await page.get_by_role("button", name="Pause").click()
    await send(page, new_task("nothing"))
    await ends(page, "nothing")
    assert "nothing" not in await page.locator(".frames").inner_text()
    await page.get_by_label("Frame log").get_by_role("button", name="Clear").click()
    await expect(rows).to_have_count(0)


async def test_many_frames(page, installation):
    """However much passes, the log keeps the newest 500 frames, and is drawn a few times a second."""
    await visit(page, installation)
    await page.get_by_role("heading", name="Frames").click()
    drawn, seconds = await page.evaluate("""async () => {
        const { frames } = document.querySelector("frame-log");
        let drawn = 0;
        new MutationObserver(() => { drawn += 1; }).observe(document.querySelector(".frames"), { childList: true });
        const start = performance.now();
        for (let passed = 0; passed < 600; passed += 1) {
            const event = { type: "task", taskUUID: `task-${passed}`, state: "running", progress: passed % 99 };
            frames.add({ direction: "in", at: Date.now(), size: 150, json: { events: [event] } });
            if (passed % 5 === 0) await new Promise((resolve) => setTimeout(resolve));
        }
        return [drawn, (performance.now() - start) / 1000];
    }""")
    await expect(page.locator(".frames li")).to_have_count(500)
    assert 1 <= drawn <= 9 * seconds + 2


async def test_accessible(page, installation, picture):
    """Nothing on the page is serious to people with assistive technology: in light and in dark, with results, and with
    a dialog open."""
    await visit(page, installation)
    await drop_file(page, "shoe.jpg", picture)
    await run_form(page, "upscale")
    await ends(page, "upscale")
    await send(page, new_task("refuses", failure="ProcessingFailed"), new_task("audioInference", duration=60))
    await ends(page, "refuses", "failed")
    await card(page, "audioInference", "running").wait_for()
    await page.get_by_role("heading", name="Frames").click()
    await expect(page.locator(".frames li").first).to_be_visible()
    assert await violations(page) == []
    await shot(page, "playground-light")
    await card(page, "audioInference").get_by_role("button", name="Cancel").click()
    await ends(page, "audioInference", "cancelled")
    await page.emulate_media(color_scheme="dark")
    assert await violations(page, "color-contrast") == []
    await shot(page, "playground-dark")
    await page.locator("#pill").click()
    await page.get_by_role("button", name="Another key…").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_role("button", name="Not now").click()


async def test_phone(page, installation, picture):
    """On a phone all of it is there, and nothing has to be pushed sideways."""
    await page.set_viewport_size({"width": 375, "height": 812})
    await visit(page, installation)
    await shot(page, "playground-phone-welcome", whole=True)
    await drop_file(page, "shoe.jpg", picture)
    await run_form(page, "upscale")
    done = await ends(page, "upscale")
    await done.locator("details.total summary").click()
    await done.locator("details.json summary").click()
    await page.get_by_role("heading", name="Frames").click()
    await page.locator("#pill").click()
    assert await page.evaluate("() => document.documentElement.scrollWidth") == 375
    await shot(page, "playground-phone", whole=True)
