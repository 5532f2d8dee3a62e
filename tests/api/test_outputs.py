"""How results are handed over: as URLs, as base64, as data URIs; for how long; to which client."""

from __future__ import annotations

import base64
import io

import pytest
import redis
from PIL import Image

from tests.client import new_task, request
from tests.harness import Installation
from tests.programs import python
from tests.tasks.desk import data_uri


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


async def test_output_types(installation: Installation):
    """outputType says how an image comes: the URL, naked base64, a data URI, or several of them."""
    async with installation.client() as client:
        item = await client.run("paints")
        assert {"imageURL"} == {"imageURL", "imageBase64Data", "imageDataURI"} & set(item)
        item = await client.run("paints", outputType="base64Data", outputFormat="PNG")
        assert decoded(item["imageBase64Data"]).format == "PNG"
        assert "imageURL" not in item
        item = await client.run("paints", outputType=["URL", "dataURI"], outputFormat="webp")
        head, _, text = item["imageDataURI"].partition(",")
        assert (head, decoded(text).format) == ("data:image/webp;base64", "WEBP")
        assert (await request("GET", item["imageURL"])).body == base64.b64decode(text)


@pytest.mark.parametrize(("sent", "format"), [("JPEG", "JPEG"), ("jpg", "JPEG"), ("Png", "PNG"), ("WEBP", "WEBP")])
async def test_formats(installation: Installation, sent: str, format: str):
    """outputFormat is read in any case, and JPEG is JPG; a JPG shows what is transparent as white."""
    async with installation.client() as client:
        item = await client.run("paints", outputType="base64Data", outputFormat=sent, opaque=False)
    picture = decoded(item["imageBase64Data"])
    assert picture.format == format
    if format == "JPEG":
        assert picture.getpixel((3, 3)) == (255, 255, 255)
    else:
        assert picture.convert("RGBA").getpixel((3, 3))[3] == 0


async def test_quality(installation: Installation):
    """outputQuality decides about the size of the file."""
    async with installation.client() as client:
        small, large = [
            len(
                (await client.run("paints", outputType="base64Data", outputQuality=quality, noise=True))[
                    "imageBase64Data"
                ]
            )
            for quality in (30, 95)
        ]
    assert small * 2 < large


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"outputType": "file"}, "invalidOutputType"),
        ({"outputType": []}, "invalidOutputType"),
        ({"outputType": ["URL", 7]}, "invalidOutputType"),
        ({"outputFormat": "TIFF"}, "invalidOutputFormat"),
        ({"outputFormat": 1}, "invalidOutputFormat"),
        ({"outputQuality": 100}, "invalidOutputQuality"),
        ({"outputQuality": 19}, "invalidOutputQuality"),
        ({"ttl": 59}, "invalidTtl"),
        ({"uploadEndpoint": "https://10.0.0.1/"}, "invalidUploadEndpoint"),
    ],
    ids=str,
)
async def test_refused(installation: Installation, members: dict, code: str):
    """A wrong output parameter is refused by its name."""
    async with installation.client() as client:
        assert (await client.fail("paints", **members))["code"] == code


async def test_async_results_by_getresponse(installation: Installation):
    """An async task's base64 comes with getResponse, also when it is asked for twice, and from another socket."""
    async with installation.client() as client:
        task = new_task("paints", outputType="base64Data", deliveryMethod="async", numberResults=2)
        await client.ask(task)
    async with installation.client() as other:
        for _ in range(2):
            while True:
                (frame,) = await other.ask({"taskType": "getResponse", "taskUUID": task["taskUUID"]})
                if frame["data"][0]["status"] != "processing":
                    break
            assert [item["status"] for item in frame["data"]] == ["success"] * 2
            assert len({item["imageUUID"] for item in frame["data"]}) == 2
            assert all(decoded(item["imageBase64Data"]).size == (64, 64) for item in frame["data"])


async def test_base64_of_an_image_that_is_gone(installation: Installation):
    """A result whose image was deleted is asked for again in vain, by its code; the socket lives on."""
    async with installation.client() as client:
        task = new_task("paints", outputType="base64Data")
        (frame,) = await client.ask(task)
        uuid = frame["data"][0]["imageUUID"]
        await client.run("mediaStorage", operation="delete", media=uuid)
        for blob in (installation.folder / "images").rglob(f"{uuid}.*"):
            blob.unlink()
        (frame,) = await client.ask({"taskType": "getResponse", "taskUUID": task["taskUUID"]})
        assert frame["errors"][0]["code"] == "mediaNotFound"
        await client.ping()


async def test_frames_for_the_new_python_client(installation: Installation):
    """A client whose library hangs up on messages above 1 MiB gets the URL of a larger result, and a word about it."""
    large = {"width": 1500, "noise": True, "outputFormat": "PNG", "outputType": "base64Data"}
    client = installation.client()
    await client.connect(user_agent_header="runware-python/1.8.0 (python/3.11; Linux x86_64) schemas/1")
    item = await client.run("paints", **large)
    assert item["warnings"] == ["resultTooLargeForConnection"]
    assert "imageBase64Data" not in item
    assert len((await request("GET", item["imageURL"])).body) > 2**20
    small = await client.run("paints", **large | {"width": 64})
    assert {"imageBase64Data"} == {"imageBase64Data", "imageURL", "warnings"} & small.keys()
    await client.close()
    async with installation.client() as other:
        assert decoded((await other.run("paints", **large))["imageBase64Data"]).size == (1500, 1500)


async def test_input_uuid(installation: Installation):
    """An input that came inline is registered, so that the answer can name it and later tasks can use it."""
    async with installation.client() as client:
        sent = data_uri(Image.new("RGB", (30, 20), "blue"))
        item = await client.run("paints", inputImage=sent)
        assert item["imageUUID"] != item["inputImageUUID"]
        again = await client.run("paints", inputImage=item["inputImageUUID"])
        assert again["inputImageUUID"] == item["inputImageUUID"]
        by_url = await client.run("paints", inputImage=again["imageURL"])
        assert by_url["inputImageUUID"] == again["imageUUID"]


@pytest.mark.settings(IMAGE_TTL="100d")
async def test_ttl(own_installation: Installation):
    """With ttl an image is gone after so many seconds, used or not; caches are told."""
    own_installation.start_all(workers=1)
    async with own_installation.client() as client:
        item = await client.run("paints", ttl=60)
        answer = await request("GET", item["imageURL"])
        assert answer.status == 200
        assert 50 <= int(answer.headers["cache-control"].split("max-age=")[1].partition(",")[0]) <= 60
        await client.run("paints", inputImage=item["imageUUID"])
    store = redis.Redis.from_url(own_installation.environment["REDIS_URL"])
    (key,) = store.scan_iter(f"{own_installation.environment['TASKARRAY_PREFIX']}*:image:*{item['imageUUID']}")
    assert store.ttl(key) <= 60


@pytest.mark.settings(TASK_MEMORY="300MiB")
async def test_a_task_that_outgrows_its_memory(own_installation: Installation):
    """A task whose process outgrows its bound is ended with an error of its own; the next one works."""
    own_installation.start_all(workers=1)
    async with own_installation.client() as client:
        greedy, modest = new_task("paints", hoard=600), new_task("paints")
        first, second = await client.ask(greedy, modest)
        assert first["errors"][0]["code"] == "processingFailed"
        assert "TASKARRAY_TASK_MEMORY" in first["errors"][0]["message"]
        assert second["data"]


def test_gateways_load_no_engine():
    """A gateway knows all tasks by their schemas and loads nothing of what they work with."""
    source = (
        "from server.catalog import Catalog; import sys; Catalog.discover();"
        "print(*[name for name in ('cv2', 'numpy', 'onnxruntime', 'PIL', 'torch', 'vtracer') if name in sys.modules])"
    )
    with python(source) as (_, words):
        assert words == []
