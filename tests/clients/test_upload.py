"""Images go in through the official clients in every form, and are the same when they are downloaded."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from tests.clients import colours
from tests.clients.conftest import Connect
from tests.clients.program import Client, Refused
from tests.clients.proof import proves
from tests.outside import Website, answer
from tests.pictures.drawing import corners

pytestmark = pytest.mark.clients
ALL = pytest.mark.parametrize("name", ["legacy", "new", "js"])


async def address(client: Client, uploaded: dict[str, str]) -> str:
    """Where an uploaded image can be downloaded. What the old Python client stores it tells no address of."""
    if "url" in uploaded:
        return uploaded["url"]
    (item,) = (await client.do("details", task=uploaded["task"]))["response"]
    return item["mediaURL"]


async def put(client: Client, image: str) -> dict[str, str]:
    """Upload by the client's plainest means. The old Python client has `uploadImage` for files only."""
    if client.program.name == "legacy" and not image.endswith(".png"):
        return await client.do("store", media=image)
    return await client.do("upload", image=image)


@proves("forms")
@pytest.mark.parametrize("form", ["data URI", "base64", "URL", "file"])
@ALL
async def test_forms(connect: Connect, tmp_path: Path, name: str, form: str):
    """An image is taken as a data URI, raw base64, a URL or a file, and its imageURL shows the same (rule 20)."""
    picture, client = corners(), await connect(name)
    (tmp_path / "picture.png").write_bytes(colours.png(picture))
    async with Website({"/picture": answer(colours.png(picture))}) as website:
        image = {
            "data URI": colours.data_uri(picture),
            "base64": colours.base64(picture),
            "URL": website.url("/picture"),
            "file": str(tmp_path / "picture.png"),
        }[form]
        uploaded = await put(client, image)
    await colours.assert_shows(await address(client, uploaded), picture)


@proves("mediaStorage")
@ALL
async def test_media_storage(connect: Connect, tmp_path: Path, name: str):
    """mediaStorage keeps an image like imageUpload does, and takes the old Python client's base64 without its kind."""
    picture, client = corners(), await connect(name)
    file = tmp_path / "picture.png"
    file.write_bytes(colours.png(picture))
    stored = await client.do("store", media=str(file) if name == "legacy" else colours.base64(picture))
    await colours.assert_shows(await address(client, stored), picture)


@pytest.mark.parametrize("name", ["new", "js"])
async def test_delete(connect: Connect, name: str):
    """mediaStorage deletes an image by its UUID; then its address is 404 and its UUID names nothing."""
    client = await connect(name)
    stored = await client.do("store", media=colours.data_uri(colours.plain(1)))
    deleted = await client.do("delete", media=stored["uuid"])
    assert (deleted["operation"], deleted["mediaUUID"]) == ("delete", stored["uuid"])
    assert await colours.status(stored["url"]) == 404
    with pytest.raises(Refused, match="image") as refused:
        await client.do("upload", image=stored["uuid"])
    assert refused.value.about["code"] == {"new": "notFound", "js": "mediaNotFound"}[name]


@proves("imageUpload", "many")
@ALL
async def test_twenty_at_once(connect: Connect, tmp_path: Path, name: str):
    """Of 20 uploads at once each gets its own image, under a UUID of its own (rules 7 and 14)."""
    client, pictures = await connect(name), [colours.plain(number) for number in range(20)]
    images = [colours.data_uri(picture) for picture in pictures]
    if name == "legacy":
        for number, picture in enumerate(pictures):
            (tmp_path / f"{number}.png").write_bytes(colours.png(picture))
        images = [str(tmp_path / f"{number}.png") for number in range(20)]
    uploaded = await asyncio.gather(*(client.do("upload", image=image) for image in images))
    shown = zip(uploaded, pictures, strict=True)
    await asyncio.gather(*(colours.assert_shows(found["url"], picture) for found, picture in shown))
    for member in ("uuid", "task"):
        assert len({found[member] for found in uploaded}) == 20


@ALL
async def test_bad_among_good(connect: Connect, name: str):
    """Of 20 uploads at once the bad ones fail, each with its own words, and the good ones succeed (rules 7, 8, 9)."""
    client, pictures = await connect(name), [colours.plain(number) for number in range(20)]
    images = [colours.data_uri(picture) for picture in pictures]
    for number in range(0, 20, 4):
        images[number] = f"http://192.0.2.{number}/" if number % 8 else f"%{number}"
    calls = (client.do("store", media=image) for image in images)
    found = await asyncio.gather(*calls, return_exceptions=True)
    for number, (picture, given) in enumerate(zip(pictures, found, strict=True)):
        if number % 4:
            await colours.assert_shows(await address(client, given), picture)
        else:
            assert ("192.0.2" in given.message) == bool(number % 8), given


BAD = {
    "not an image": (colours.base64(colours.plain(1))[:40], "image"),
    "not base64": ("###", "base64"),
    "unknown UUID": (str(uuid4()), "UUID"),
    "private address": ("http://10.0.0.1/a.png", "10.0.0.1"),
}


@proves("failure")
@pytest.mark.parametrize("kind", BAD)
@ALL
async def test_bad_image(connect: Connect, name: str, kind: str):
    """A bad image raises the client's own exception at once, with the server's sentence, and the next call works
    (rule 8)."""
    client, (image, word) = await connect(name), BAD[kind]
    with pytest.raises(Refused, match=word) as refused:
        await client.do("store", media=image)
    assert refused.value.seconds < 5
    assert refused.value.kind == {"legacy": "RunwareAPIError", "new": "RunwareError", "js": "object"}[name]
    assert refused.value.about["parameter"] == "media"
    assert refused.value.about["taskUUID"]
    stored = await client.do("store", media=colours.data_uri(colours.plain(2)))
    await colours.assert_shows(await address(client, stored), colours.plain(2))


@pytest.mark.parametrize("name", ["new", "js"])
async def test_path_of_the_server(connect: Connect, name: str):
    """A path where an image should be is refused: the server opens no files for its clients (rule 20)."""
    client = await connect(name)
    with pytest.raises(Refused, match="path"):
        await client.do("upload", image=str(Path(__file__)))


@pytest.mark.parametrize("name", ["new", "js"])
async def test_uuid_is_echoed(connect: Connect, name: str):
    """A taskUUID comes back byte for byte as it was sent, capitals too: else this call would wait for ever (rule 6)."""
    client, uuid = await connect(name), str(uuid4()).upper()
    given = await client.do("upload", image=colours.data_uri(colours.plain(3)), taskUUID=uuid)
    assert given["task"] == uuid
    with pytest.raises(Refused) as refused:
        await client.do("upload", image="###", taskUUID=(other := str(uuid4()).upper()))
    assert refused.value.about["taskUUID"] == other


@ALL
async def test_large(connect: Connect, name: str):
    """An image of several megabytes goes in as the one frame that the clients make of it."""
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 3), np.uint8)
    picture, client = Image.fromarray(noise), await connect(name)
    stored = await client.do("store", media=colours.base64(picture))
    await colours.assert_shows(await address(client, stored), picture)
