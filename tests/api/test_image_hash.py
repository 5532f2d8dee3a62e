"""An image that is kept is found by the hash of its content: no byte is sent twice."""

from __future__ import annotations

import pytest
from blake3 import blake3

from tests.client import Client, request
from tests.pictures.drawing import photo
from tests.tasks.desk import data_uri, encoded


def hash_of(data: bytes) -> str:
    return f"blake3:{blake3(data).hexdigest()}"


def picture(seed: int, side: int = 64) -> bytes:
    """A picture that no other test sends."""
    return encoded(photo(side, 48, seed=seed), "JPEG")


async def test_known(client: Client):
    """imageUpload with the hash of what is kept answers with that image, without any bytes; the hash in any case."""
    data = picture(901)
    kept = await client.run("imageUpload", image=data_uri(data))
    for written in (hash_of(data), hash_of(data).upper(), "blake3:" + hash_of(data)[7:].upper()):
        found = await client.run("imageUpload", imageHash=written)
        assert (found["imageUUID"], found["imageURL"]) == (kept["imageUUID"], kept["imageURL"])


async def test_as_it_came_and_as_it_is_kept(client: Client):
    """An image that was made smaller is found by the hash of the file that came, and of the one that is kept."""
    data = picture(902, side=2500)
    kept = await client.run("imageUpload", image=data_uri(data))
    stored = (await request("GET", kept["imageURL"])).body
    assert stored != data
    for file in (data, stored):
        assert (await client.run("imageUpload", imageHash=hash_of(file)))["imageUUID"] == kept["imageUUID"]


async def test_what_a_task_made(client: Client):
    """Results are found by their hash, and so are inputs that came with a task."""
    data = picture(903)
    made = await client.run("upscale", inputImage=data_uri(data), outputFormat="PNG")
    result = (await request("GET", made["imageURL"])).body
    for file, uuid in ((result, made["imageUUID"]), (data, made["inputImageUUID"])):
        assert (await client.run("imageUpload", imageHash=hash_of(file)))["imageUUID"] == uuid


async def test_in_place_of_an_image(client: Client):
    """Wherever an image is named, the hash of one that is kept will do; one that is not kept is mediaNotFound."""
    data = picture(904)
    turned = {"operations": [{"operation": "grayscale"}]}
    error = await client.fail("imageTransform", inputImage=hash_of(data), **turned)
    assert (error["code"], error["parameter"]) == ("mediaNotFound", "inputImage")
    kept = await client.run("imageUpload", image=data_uri(data))
    for written in (hash_of(data), "blake3:" + hash_of(data)[7:].upper()):
        item = await client.run("imageTransform", inputImage=written, **turned)
        assert item["inputImageUUID"] == kept["imageUUID"]


async def test_unknown(client: Client, other: Client):
    """The hash of what is not kept, no longer or by another key alone, is answered so that the client sends the
    bytes."""
    data = picture(905)
    kept = await client.run("imageUpload", image=data_uri(data))
    await client.run("mediaStorage", operation="delete", media=kept["imageUUID"])
    mine, foreign = picture(906), picture(907)
    await other.run("imageUpload", image=data_uri(foreign))
    for file in (data, mine, foreign):
        error = await client.fail("imageUpload", imageHash=hash_of(file))
        assert (error["code"], error["parameter"]) == ("mediaNotFound", "imageHash")
        assert "Send its bytes" in error["message"]


async def test_with_the_image(client: Client):
    """An image and its hash are kept when they agree, whether or not it is kept already; else the hash is refused."""
    data = picture(908)
    kept = [await client.run("imageUpload", image=data_uri(data), imageHash=hash_of(data)) for _ in range(2)]
    assert kept[0]["imageUUID"] != kept[1]["imageUUID"]
    error = await client.fail("imageUpload", image=data_uri(data), imageHash=hash_of(b"other"))
    assert (error["code"], error["parameter"]) == ("invalidImageHash", "imageHash")


@pytest.mark.parametrize("written", ["blake3:12", "12" * 32, "sha256:" + "1" * 64, "blake3:" + "g" * 64, 7])
async def test_no_hash(client: Client, written: object):
    """What is no hash of the one kind that is taken is refused before anything is looked for."""
    error = await client.fail("imageUpload", imageHash=written)
    assert (error["code"], error["parameter"]) == ("invalidImageHash", "imageHash")
