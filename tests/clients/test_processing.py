"""The processing tasks as the official clients call them, each with what it sends by itself."""

from __future__ import annotations

import asyncio
import base64
import io
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import numpy
import pytest
from PIL import Image
from skimage import data

from tests.clients import colours
from tests.clients.conftest import Connect
from tests.clients.program import Refused
from tests.clients.proof import proves

pytestmark = pytest.mark.clients


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cup on a table, 300 × 200."""
    path = tmp_path_factory.mktemp("photo") / "cup.png"
    Image.fromarray(data.coffee()).resize((300, 200)).save(path)
    return path


@pytest.fixture(scope="session")
def uri(photo: Path) -> str:
    return colours.data_uri(Image.open(photo))


@proves("removeBackground", by="legacy")
async def test_legacy_background(connect: Connect, photo: Path):
    """The old Python client uploads a file, flattens the settings, and gets a cut-out or its mask."""
    client = await connect("legacy")
    (item,) = await client.do("remove", inputImage=str(photo), outputFormat="PNG")
    cut = await colours.download(item["url"])
    assert (cut.mode, cut.size) == ("RGBA", (300, 200))
    low, high = cut.getchannel("A").getextrema()
    assert (low, high) == (0, 255)
    (item,) = await client.do("remove", inputImage=str(photo), settings={"returnOnlyMask": True}, outputFormat="PNG")
    mask = await colours.download(item["url"])
    assert numpy.abs(numpy.asarray(mask.convert("L")).astype(int) - numpy.asarray(cut.getchannel("A"))).mean() < 1


@proves("upscale", by="legacy")
async def test_legacy_upscale(connect: Connect, photo: Path):
    """The old Python client enlarges a file, by its old name and with a model that is not installed."""
    client = await connect("legacy")
    (item,) = await client.do("upscale", inputImage=str(photo), upscaleFactor=2, model="runware:504@1")
    assert (await colours.download(item["url"])).size == (600, 400)


@proves("vectorize", by="legacy")
async def test_legacy_vectorize(connect: Connect, uri: str):
    """The old Python client gets an SVG."""
    client = await connect("legacy")
    (item,) = await client.do("vectorize", image=uri)
    assert item["url"].endswith(".svg")
    assert (await asyncio.to_thread(_svg, item["url"])).attrib["viewBox"] == "0 0 300 200"


@proves("modelSearch", by="legacy")
async def test_legacy_search(connect: Connect):
    """The old Python client finds the server's own engines."""
    client = await connect("legacy")
    found = await client.do("search", search="taskarray", limit=2)
    assert found["total"] >= len(found["results"]) == 2


@proves("modelSearch", by="new")
@proves("modelSearch", by="js")
async def test_search(connect: Connect):
    """The newer clients find the server's own engines too."""
    asked = {"search": "taskarray", "limit": 2}
    (found,) = (await (await connect("new")).do("run", taskType="modelSearch", **asked))["items"]
    same = await (await connect("js")).do("call", method="modelSearch", **asked)
    assert [model["air"] for model in found["results"]] == [model["air"] for model in same["results"]]
    assert found["totalResults"] >= len(found["results"]) == 2


NEW = {
    "removeBackground": {"model": "runware:109@1", "outputFormat": "PNG", "settings": {"postProcessMask": True}},
    "upscale": {"model": "runware:504@1", "upscaleFactor": 2},
    "controlNetPreprocess": {"model": "runware:controlnet-preprocess@canny", "settings": {"lowThresholdCanny": 50}},
    "imageMasking": {"model": "runware:35@1", "settings": {"maxDetections": 2}},
    "vectorize": {"model": "recraft:1@1"},
    "imageTransform": {"operations": [{"operation": "resize", "width": 150}]},
}


@proves("{task}", by="new")
@pytest.mark.parametrize("transport", ["websocket", "rest"])
@pytest.mark.parametrize("task", NEW)
async def test_new(connect: Connect, uri: str, task: str, transport: str):
    """The new Python client runs every task by its new name, asynchronously as it does by itself, over either
    transport."""
    client = await connect("new", transport=transport)
    (item,) = (await client.do("run", taskType=task, inputs={"image": uri}, **NEW[task]))["items"]
    (url,) = [value for member, value in item.items() if member.endswith("URL")]
    if task == "vectorize":
        assert (await asyncio.to_thread(_svg, url)).tag.endswith("svg")
        return
    sizes = {"upscale": (600, 400), "imageTransform": (150, 100)}
    assert (await colours.download(url)).size == sizes.get(task, (300, 200))


JS = {
    "removeBackground": {"outputFormat": "PNG"},
    "upscale": {"upscaleFactor": 2},
    "controlNetPreprocess": {"method": "controlNetPreProcess", "preProcessorType": "softedge"},
    "imageMasking": {"model": "runware:35@1"},
    "vectorize": {"model": "recraft:1@1"},
}


@proves("{task}", by="js")
@pytest.mark.parametrize("task", JS)
async def test_js(connect: Connect, uri: str, task: str):
    """The JavaScript client runs every task under the name and with the members that it sends."""
    client = await connect("js")
    image = {"inputs": {"image": uri}} if task == "vectorize" else {"inputImage": uri}
    found = await client.do("call", **{"method": task} | image | JS[task])
    item = found[0] if isinstance(found, list) else found
    (url,) = [value for member, value in item.items() if member.endswith("URL")]
    assert await colours.status(url) == 200


@proves("base64", by="legacy")
@proves("base64", by="new")
@proves("base64", by="js")
async def test_base64(connect: Connect, uri: str):
    """Pixels in the message, as each client asks for them."""
    legacy, new, js = await connect("legacy"), await connect("new"), await connect("js")
    (item,) = await legacy.do("upscale", inputImage=uri, outputType="base64Data", upscaleFactor=2)
    assert Image.open(io.BytesIO(base64.b64decode(item["base64"]))).size == (600, 400)
    asked = {"inputs": {"image": uri}, "outputType": "base64Data", "upscaleFactor": 2}
    (item,) = (await new.do("run", taskType="upscale", **asked))["items"]
    assert Image.open(io.BytesIO(base64.b64decode(item["imageBase64Data"]))).size == (600, 400)
    item = await js.do("call", method="upscale", inputImage=uri, outputType="base64Data", upscaleFactor=2)
    assert Image.open(io.BytesIO(base64.b64decode(item["imageBase64Data"]))).size == (600, 400)


@pytest.mark.parametrize("name", ["legacy", "new", "js"])
async def test_wrong_parameters(connect: Connect, uri: str, name: str):
    """A wrong parameter fails at once in every client, with the sentence that says what is allowed."""
    client = await connect(name)
    calls = {
        "legacy": client.do("upscale", inputImage=uri, upscaleFactor=7),
        "new": client.do("run", taskType="upscale", inputs={"image": uri}, upscaleFactor=7),
        "js": client.do("call", method="upscale", inputImage=uri, upscaleFactor=7),
    }
    asked = calls.pop(name)
    for other in calls.values():
        other.close()
    with pytest.raises(Refused, match="upscaleFactor"):
        await asyncio.wait_for(asked, 20)


def _svg(url: str) -> ElementTree.Element:
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers["content-type"] == "image/svg+xml"
        return ElementTree.fromstring(answer.read())
