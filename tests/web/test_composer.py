"""Where tasks are put together on the playground: pictures, forms made from schemas, JSON, code to copy."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from server.api.web import FOLDER
from tests.client import request
from tests.clients.install import JAVASCRIPT, NEW_PYTHON, installed
from tests.pictures.drawing import corners
from tests.pictures.files import encoded
from tests.web.conftest import shot, violations
from tests.web.driving import card, ends, visit

COFFEE, CAMERA = FOLDER / "pictures" / "samples" / "coffee.jpg", FOLDER / "pictures" / "samples" / "camera.jpg"


async def composing(page: Page, installation, *files: Path, task: str = "imageTransform") -> None:
    """Open the playground with these pictures on the shelf and the form of a task type."""
    await visit(page, installation)
    if files:
        await page.locator("picture-shelf input[type=file]").set_input_files(files)
    await page.get_by_label("Task", exact=True).select_option(task)


async def array(page: Page) -> list[dict[str, Any]]:
    """The array that the form would send, as the JSON tab shows it; then the form again."""
    await page.get_by_role("tab", name="JSON").click()
    text = await page.get_by_label("Array of tasks as JSON").input_value()
    await page.get_by_role("tab", name="Form").click()
    return [{name: value for name, value in task.items() if name != "taskUUID"} for task in json.loads(text)]


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


def sent(page: Page) -> list[list[dict[str, Any]]]:
    """The arrays of tasks that the page sends from now on."""
    found: list[list[dict[str, Any]]] = []

    def keep(frame: str | bytes) -> None:
        tasks = json.loads(frame)
        if tasks[0]["taskType"] not in ("authentication", "ping"):
            found.append(tasks)

    page.on("websocket", lambda socket: socket.on("framesent", keep))
    return found


async def test_forms(page, installation):
    """Every task type has a form with a field for each of its parameters that can have more than one value, and an
    empty form sends nothing but what is needed."""
    await composing(page, installation)
    every = (await request("GET", installation.url + "/schemas.json")).json["tasks"]
    fields = await page.evaluate(_FIELDS, list(every))
    for task, schema in every.items():
        properties = {name for name, value in schema["params"]["properties"].items() if "const" not in value}
        assert properties <= set(fields[task]), task
        assert not {"taskType", "taskUUID", "validateOnly"} & set(fields[task])
    await page.get_by_label("Task", exact=True).select_option("modelSearch")
    assert await array(page) == [{"taskType": "modelSearch", "includeReceipt": True}]


async def test_values(page, installation):
    """What is entered is sent in its types and its order: steps can be added, moved and taken out, colours picked;
    what was emptied is not sent. Presets fill the form in."""
    await composing(page, installation, COFFEE)
    await press(page, "Vivid and sharp")
    steps = page.get_by_role("group", name="Operations")
    await steps.get_by_label("What to add").select_option("resize")
    await steps.get_by_role("button", name="Add to Operations").click()
    await steps.get_by_label("Width").fill("120")
    await steps.get_by_label("Fit").select_option(label="inside")
    await steps.get_by_label("Enlarge").uncheck()
    await steps.get_by_role("button", name="Move up: Resize").click()
    await steps.get_by_role("button", name="Remove: Sharpen").click()
    await steps.get_by_label("Contrast").fill("")
    (task,) = await array(page)
    resize = {"operation": "resize", "width": 120, "fit": "inside", "enlarge": False}
    assert task["operations"] == [{"operation": "adjust", "saturation": 1.35}, resize]
    assert task["inputImage"] == "@coffee.jpg"
    await page.get_by_label("Task", exact=True).select_option("removeBackground")
    await press(page, "On blue")
    await page.get_by_text("Model and output").click()
    await page.get_by_label("dataURI").check()
    (task,) = await array(page)
    shown = {name: task[name] for name in ("rgba", "outputFormat", "outputType")}
    assert shown == {"rgba": [37, 99, 235, 255], "outputFormat": "JPG", "outputType": ["URL", "dataURI"]}
    await shot(page, "composer-form", whole=True)


async def test_wrong(page, installation):
    """What is wrong by the schema is said beside its field, to assistive technology too, and is not run."""
    tasks = sent(page)
    await composing(page, installation, task="upscale")
    await press(page, "Run")
    picture = page.get_by_role("combobox", name="Input image")
    await expect(picture).to_have_attribute("aria-invalid", "true")
    await expect(picture).to_have_accessible_description(re.compile("Add a picture above, and choose it.$"))
    await page.locator("picture-shelf input[type=file]").set_input_files([COFFEE])
    await expect(picture).not_to_have_attribute("aria-invalid", "true")
    size = page.get_by_label("Target megapixels")
    await size.fill("65")
    await press(page, "Run")
    await expect(size).to_be_focused()
    await expect(size).to_have_accessible_description(re.compile("It must be from 1 to 64.$"))
    assert not await violations(page)
    assert not tasks


async def test_server_says(page, installation):
    """The server has the last word: Check asks it without doing anything, and what it finds wrong stands beside the
    field that it names."""
    await composing(page, installation, COFFEE, task="controlNetPreprocess")
    await press(page, "Canny edges")
    await page.get_by_label("Low threshold canny").fill("220")
    await press(page, "Check")
    await ends(page, "controlNetPreprocess", "failed")
    low = page.get_by_label("Low threshold canny")
    await expect(low).to_have_attribute("aria-invalid", "true")
    await expect(low).to_have_accessible_description(re.compile("must be less than highThresholdCanny.$"))
    await low.fill("20")
    await press(page, "Check")
    await ends(page, "controlNetPreprocess", "checked")


async def test_once_uploaded(page, installation):
    """A task is made for each chosen picture, and a picture is uploaded once, however often it is used."""
    tasks = sent(page)
    await composing(page, installation, COFFEE, CAMERA)
    await press(page, "Square thumbnail")
    await page.get_by_label("Use camera.jpg").uncheck()
    await press(page, "Run")
    await ends(page, "imageTransform", count=1)
    await page.get_by_label("Use camera.jpg").check()
    await press(page, "Run")
    await ends(page, "imageTransform", count=3)
    kinds = [[task["taskType"] for task in array] for array in tasks]
    assert kinds == [["imageUpload", "imageTransform"], ["imageTransform", "imageUpload", "imageTransform"]]
    (first, _), (again, upload, _) = tasks
    assert again["inputImage"] not in (first["taskUUID"], upload["taskUUID"])
    assert len({task["taskUUID"] for array in tasks for task in array}) == 5


async def test_ways_of_pictures(page, installation):
    """Pictures are dropped, pasted, chosen, named by URL or taken from the samples, keep their names, and can be
    removed; a URL is given to the server as it is."""
    tasks = sent(page)
    await composing(page, installation, COFFEE)
    for event, name, kind in (("drop", "coffee.jpg", "DragEvent"), ("paste", "pasted.jpg", "ClipboardEvent")):
        await page.evaluate(_HAND_OVER, [event, name, kind, base64.b64encode(COFFEE.read_bytes()).decode()])
    await page.get_by_role("button", name="Add the sample: Astronaut").click()
    address = installation.url.replace("127.0.0.1", "localhost") + "/web/pictures/samples/camera.jpg"
    await page.get_by_label("URL of a picture").fill(address)
    await page.get_by_role("button", name="Add the picture at this URL").click()
    names = page.locator(".thumb-name")
    await expect(names).to_have_text(["coffee.jpg", "coffee-2.jpg", "pasted.jpg", "astronaut.jpg", "camera.jpg"])
    for name in ("coffee.jpg", "coffee-2.jpg", "pasted.jpg", "astronaut.jpg"):
        await page.get_by_role("button", name=f"Remove {name}").click()
    await expect(names).to_have_text(["camera.jpg"])
    await press(page, "Black and white")
    await press(page, "Run")
    await ends(page, "imageTransform")
    assert tasks[0][0]["inputImage"] == address


async def test_json(page, installation):
    """The JSON tab says where a text stops being JSON, offers whole arrays about the pictures of the shelf, and gives
    tasks that were sent before new taskUUIDs."""
    tasks = sent(page)
    await composing(page, installation, COFFEE)
    await page.get_by_role("tab", name="Form").press("ArrowRight")
    text = page.get_by_label("Array of tasks as JSON")
    await text.fill('[\n  {"taskType": "nothing",}\n]')
    told = page.locator("#json-told")
    await expect(told).to_have_text("Line 2, column 26: There must be no comma before }.")
    await text.fill("[]")
    await expect(told).to_contain_text("at least one task object")
    await press(page, "Run")
    assert not tasks
    await page.get_by_label("Begin with a sample").select_option("Cut-out, twice as large, edges: a graph")
    await expect(told).to_have_text("4 tasks.")
    await expect(text).to_have_value(re.compile('"image": "@coffee.jpg"'))
    await press(page, "Check")
    for task in ("imageUpload", "removeBackground", "upscale", "controlNetPreprocess"):
        await ends(page, task, "checked")
    await text.fill('[{"taskType": "nothing", "taskUUID": "00000000-0000-4000-8000-0000000000c1"}]')
    await press(page, "Run")
    await press(page, "Run")
    await ends(page, "nothing", count=2)
    await page.get_by_label("Fresh taskUUIDs").uncheck()
    await press(page, "Run")
    assert tasks[-1][0]["taskUUID"] == tasks[-2][0]["taskUUID"]
    await expect(card(page, "nothing")).to_have_count(2)
    await text.fill('[{"taskType": "nothing", "taskUUID": "a"}]')
    await page.get_by_label("Fresh taskUUIDs").check()
    await press(page, "Run")
    await press(page, "Run")
    await expect(text).to_have_value('[{"taskType": "nothing", "taskUUID": "a"}]')
    await text.fill("[" * 20_000)
    await expect(told).to_contain_text("nested too deeply")


async def test_names(page, installation):
    """A label is a wire name as people write it; a picture that is named by a URL has the name of one file, on every
    system."""
    page.expected.append("404")
    await visit(page, installation)
    labels = await page.evaluate("""async () => {
        const { words } = await import("/web/form/shape.js");
        return ["rgba", "CFGScale", "taskUUID", "deadlineMs", "imageBase64Data", "x_min", "outputFormat"].map(words);
    }""")
    assert labels == ["RGBA", "CFG scale", "Task UUID", "Deadline (ms)", "Image base64 data", "X min", "Output format"]
    elsewhere = installation.url.replace("127.0.0.1", "localhost") + "/web/absent/"
    for last, name in (("..%2F..%5Cshoe%3F.png", ".._.._shoe_.png"), ("%ff.png", "%ff.png"), ("", "picture")):
        await page.get_by_label("URL of a picture").fill(elsewhere + last)
        await page.get_by_role("button", name="Add the picture at this URL").click()
        await expect(page.locator(".thumb-name").last).to_have_text(name)


@pytest.mark.clients
async def test_copied_code(page, installation, tmp_path):
    """The code to copy runs as it is against this server: curl, the official Python client and the official JavaScript
    client. The key is in it only when that is asked for."""
    await composing(page, installation, task="vectorize")
    picture = {"name": "it's $(one) small.jpg", "mimeType": "image/jpeg", "buffer": encoded(corners(), "JPG")}
    await page.locator("picture-shelf input[type=file]").set_input_files([picture])
    (tmp_path / picture["name"]).write_bytes(picture["buffer"])
    await press(page, "Copy as…")
    dialog = page.get_by_role("dialog", name="Copy as code")
    await expect(dialog).to_contain_text("YOUR_API_KEY")
    await dialog.get_by_label("With my API key").check()
    await shot(page, "copy-as")
    texts = dict[str, str]()
    for name in ("curl", "Python", "JavaScript"):
        await dialog.get_by_role("tab", name=name).click()
        texts[name] = await dialog.get_by_label(name, exact=True).text_content() or ""
    client = installed(JAVASCRIPT)
    (tmp_path / "node_modules").symlink_to(client / "node_modules")
    (tmp_path / "tasks.mjs").write_text(texts["JavaScript"])
    told = await asyncio.gather(
        _output(tmp_path, "sh", "-c", texts["curl"]),
        _output(tmp_path, *NEW_PYTHON.command(installed(NEW_PYTHON)), "-c", texts["Python"]),
        _output(tmp_path, *JAVASCRIPT.command(client), "tasks.mjs"),
    )
    for text in told:
        assert text.count("imageURL") == 2, text
        assert ".svg" in text


async def test_without_pictures(page, installation):
    """A task type that takes no picture needs none, and what it answers is a table."""
    await composing(page, installation, task="modelSearch")
    await press(page, "Cut-out models")
    await press(page, "Run")
    found = await ends(page, "modelSearch")
    await expect(found.get_by_role("table").first).to_contain_text("taskarray:saliency@1")
    await expect(card(page, "imageUpload")).to_have_count(0)


_FIELDS = """(tasks) => Object.fromEntries(tasks.map((task) => {
    document.querySelector("task-composer").choose(task);
    const names = document.querySelectorAll(".task-form > .fields > .field .wire, .fold > .fields > .field .wire");
    return [task, [...names].map((name) => name.textContent)];
}))"""
_HAND_OVER = """([event, name, kind, data]) => {
    const carried = new DataTransfer();
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
    const given = { bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried };
    document.querySelector(event === "drop" ? ".drop" : "body").dispatchEvent(new window[kind](event, given));
}"""


async def _output(folder: Path, *command: str) -> str:
    """What a program prints; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, wrong = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, wrong.decode()
    return out.decode()
