"""imageUpload and mediaStorage: an image goes in, in whatever form, and can be named and downloaded from then on."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image

from tests.api.conftest import Beside
from tests.client import Client, new_task, request
from tests.harness import KEY, Installation, wait_for
from tests.outside import Website, answer
from tests.pictures.drawing import difference, photo
from tests.pictures.files import encoded, opened
from tests.tasks.context import data_uri

PHOTO = photo(200, 150)
PNG = encoded(PHOTO, "PNG")
BASE64 = base64.b64encode(PNG).decode()
FORMS = {
    "data URI": f"data:image/png;base64,{BASE64}",
    "data URI of another kind": f"data:text/plain;charset=utf-8;BASE64,{BASE64}",
    "data URI with spaces": f"  data:image/png;base64, {BASE64}\n",
    "base64": BASE64,
    "base64 in lines": base64.encodebytes(PNG).decode().replace("\n", "\r\n"),
    "base64 with spaces": " " + " ".join(BASE64[at : at + 5] for at in range(0, len(BASE64), 5)) + "\t",
    "base64 without padding": base64.b64encode(PNG + bytes(-len(PNG) % 3 + 1)).decode().rstrip("="),
}


async def downloaded(url: str) -> bytes:
    """The bytes at an imageURL."""
    found = await request("GET", url)
    assert found.status == 200
    return found.body


def told(error: dict[str, Any], task: dict[str, Any]) -> tuple[str, str]:
    """The code and the parameter of an error, which must be of this task."""
    assert {name: error[name] for name in ("taskUUID", "taskType")} == {
        "taskUUID": task["taskUUID"], "taskType": task["taskType"],
    }  # fmt: skip
    assert error["message"]
    return error["code"], error["parameter"]


@pytest.mark.parametrize("form", FORMS)
async def test_inline(client: Client, form: str) -> None:
    """An image may be a data URI or base64, whose whitespace and missing padding are forgiven."""
    item = await client.run("imageUpload", image=FORMS[form])
    assert opened(await downloaded(item["imageURL"])).tobytes() == PHOTO.tobytes()


async def test_answer(client: Client) -> None:
    """The answer names the task as it was sent, and the image by a UUID v4 and a URL that downloads."""
    task = new_task("imageUpload", image=BASE64)
    (frame,) = await client.ask(task)
    (item,) = frame["data"]
    assert item.keys() == {"taskType", "taskUUID", "imageUUID", "imageURL"}
    assert (item["taskType"], item["taskUUID"]) == ("imageUpload", task["taskUUID"])
    assert str(UUID(item["imageUUID"])) == item["imageUUID"]
    assert UUID(item["imageUUID"]).version == 4
    assert item["imageURL"].endswith(f"/{item['imageUUID']}.png")
    assert await downloaded(item["imageURL"]) == PNG


async def test_uuids(client: Client) -> None:
    """Every upload has an imageUUID of its own, also of the same bytes, and its answer names its task."""
    tasks = [new_task("imageUpload", image=BASE64) for _ in range(20)]
    frames = await client.ask(*tasks)
    assert [frame["data"][0]["taskUUID"] for frame in frames] == [task["taskUUID"] for task in tasks]
    assert len({frame["data"][0]["imageUUID"] for frame in frames}) == 20
    assert len({frame["data"][0]["imageURL"] for frame in frames}) == 20


@pytest.mark.parametrize("ending", ["jpeg", "jpg", "png", "webp", "bmp", "gif"])
async def test_from_url(client: Client, ending: str) -> None:
    """A URL may lead to a JPEG, PNG, WebP, BMP or GIF; what it is called does not matter."""
    image = PHOTO.quantize(64).convert("RGB") if ending == "gif" else PHOTO
    data = encoded(image, {"jpeg": "JPG"}.get(ending, ending.upper()))
    async with Website({f"/picture.{ending}": answer(data, content_type="text/html")}) as website:
        item = await client.run("imageUpload", image=website.url(f"/picture.{ending}"))
        assert website.connects == 1
    found = await request("GET", item["imageURL"])
    kind = {"jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"}.get(ending, "png")
    assert found.headers["content-type"] == f"image/{kind}"
    assert difference(opened(found.body).convert("RGB"), opened(data).convert("RGB")) < 1


@pytest.mark.parametrize(
    ("size", "stored"),
    [((4096, 1024), (2048, 512)), ((600, 3000), (410, 2048)), ((2048, 2048), (2048, 2048)), ((2049, 9), (2048, 9))],
)
async def test_cap(client: Client, size: tuple[int, int], stored: tuple[int, int]) -> None:
    """An image is stored with at most 2048 pixels in width or height, in its own proportions."""
    item = await client.run("imageUpload", image=data_uri(encoded(Image.new("RGB", size, "teal"), "JPG")))
    assert opened(await downloaded(item["imageURL"])).size == stored


async def test_large(client: Client) -> None:
    """There is no limit on the size of an image that one is likely to meet: 64 megapixels are taken."""
    item = await client.run("imageUpload", image=data_uri(encoded(Image.new("L", (8000, 8000)), "JPG")), within=60)
    assert opened(await downloaded(item["imageURL"])).size == (2048, 2048)


async def test_stored_again(client: Client) -> None:
    """A stored image can be uploaded again by its UUID, in either case, or its URL: that makes another image."""
    first = await client.run("imageUpload", image=BASE64)
    for image in (first["imageUUID"], first["imageUUID"].upper(), first["imageURL"]):
        again = await client.run("imageUpload", image=image)
        assert again["imageUUID"] != first["imageUUID"]
        assert await downloaded(again["imageURL"]) == PNG


async def test_data_is_an_object(installation: Installation) -> None:
    """At /v1?data=object the answer's `data` is the one object that the documents show, on a socket and over HTTP."""
    async with installation.client(query="?data=object") as client:
        task = new_task("imageUpload", image=BASE64)
        (frame,) = await client.ask(task)
    url = f"{installation.url}/v1?data=object"
    posted = (await request("POST", url, [task | {"taskUUID": str(uuid4())}], authorization=f"Bearer {KEY}")).json
    for item in (frame["data"], posted["data"]):
        assert item.keys() == {"taskType", "taskUUID", "imageUUID", "imageURL"}
        assert await downloaded(item["imageURL"]) == PNG


async def test_own_url(client: Client, beside: Beside) -> None:
    """A URL that this server gave out is its image itself: it is not fetched, wherever the URL may lead."""
    async with beside(PUBLIC_URL="http://10.0.0.1:8000").client() as behind:
        item = await behind.run("imageUpload", image=BASE64)
        assert item["imageURL"].startswith("http://10.0.0.1:8000/im/")
        again = await behind.run("imageUpload", image=item["imageURL"])
        assert again["imageUUID"] != item["imageUUID"]
        unknown = item["imageURL"].replace(item["imageUUID"], str(uuid4()))
        error = await behind.fail("imageUpload", image=unknown)
        assert (error["code"], error["parameter"]) == ("mediaNotFound", "image")
        assert (await behind.fail("imageUpload", image="http://10.0.0.1:8000/other"))["code"] == "invalidImageURL"
    used = await client.run("imageUpload", image=again["imageUUID"])
    assert await downloaded(used["imageURL"]) == PNG


async def test_media(client: Client) -> None:
    """mediaStorage keeps an image like imageUpload, under the names of its own, and its UUID is an image's."""
    for members in ({"operation": "upload"}, {}):
        item = await client.run("mediaStorage", media=BASE64, **members)
        assert item.keys() == {"taskType", "taskUUID", "operation", "mediaUUID", "mediaURL"}
        assert (item["operation"], UUID(item["mediaUUID"]).version) == ("upload", 4)
        again = await client.run("imageUpload", image=item["mediaUUID"])
        assert await downloaded(item["mediaURL"]) == await downloaded(again["imageURL"]) == PNG


async def test_delete(client: Client, installation: Installation) -> None:
    """A deleted image is 404 at its URL, its UUID names nothing any more, and its bytes go."""
    item, kept = [await client.run("imageUpload", image=BASE64) for _ in range(2)]
    blobs = Path(installation.environment["TASKARRAY_DATA"], "images", "images")
    assert len(list(blobs.rglob(f"{item['imageUUID']}*"))) == 1
    gone = await client.run("mediaStorage", operation="delete", media=item["imageUUID"].upper())
    assert gone.keys() == {"taskType", "taskUUID", "operation", "mediaUUID"}
    assert (gone["operation"], gone["mediaUUID"]) == ("delete", item["imageUUID"])
    assert (await request("GET", item["imageURL"])).status == 404
    for task in (new_task("imageUpload", image=item["imageUUID"]), new_task("imageUpload", image=item["imageURL"])):
        ((error,),) = [frame["errors"] for frame in await client.ask(task)]
        assert told(error, task) == ("mediaNotFound", "image")
    error = await client.fail("mediaStorage", operation="delete", media=item["imageUUID"])
    assert (error["code"], error["parameter"]) == ("mediaNotFound", "media")
    wait_for(lambda: not list(blobs.rglob(f"{item['imageUUID']}*")))
    assert await downloaded(kept["imageURL"]) == PNG
