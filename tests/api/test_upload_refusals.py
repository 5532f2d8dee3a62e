"""What imageUpload and mediaStorage refuse: in which words, and without harm to anything."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_upload import BASE64, PHOTO, PNG, told
from tests.client import Client, new_task
from tests.harness import Installation
from tests.outside import Website, answer
from tests.pictures.files import encoded, png
from tests.pictures.metadata import webp_chunks, webp_of
from tests.tasks.context import data_uri

BAD = {
    "not base64": "%%%",
    "base64 cut short": BASE64[:-3] + "*",
    "no base64 in a data URI": "data:image/png;base64,###",
    "a data URI that is not in base64": "data:image/svg+xml,<svg/>",
    "base64 of nothing": "data:image/png;base64,",
    "base64 of a text": base64.b64encode(b"hello world").decode(),
    "an image that was cut off": data_uri(PNG[:-20]),
    "an image with a hole": data_uri(PNG[:500] + PNG[900:]),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize(("task_type", "member"), [("imageUpload", "image"), ("mediaStorage", "media")])
async def test_undecodable(client: Client, task_type: str, member: str, what: str) -> None:
    """What is no image, or does not decode, is refused under the parameter's name as it was sent."""
    for place, task in (
        (member, new_task(task_type, **{member: BAD[what]})),
        (f"settings.{member}", new_task(task_type, settings={member: BAD[what]})),
    ):
        ((error,),) = [frame["errors"] for frame in await client.ask(task)]
        assert told(error, task) == (f"invalid{member.capitalize()}", place)


@pytest.mark.parametrize("kind", [b"II+\0" + bytes(64), b"<svg xmlns='x'></svg>", b"%PDF-1.4 ", b"\0\0\0 ftypavif"])
async def test_other_kinds(client: Client, kind: bytes) -> None:
    """A file of a kind that is not read here is refused as such."""
    task = new_task("imageUpload", image=data_uri(kind))
    ((error,),) = [frame["errors"] for frame in await client.ask(task)]
    assert told(error, task) == ("unsupportedImageFormat", "image")


@pytest.mark.parametrize("members", [{}, {"image": None}, {"image": ""}, {"inputImage": BASE64}])
async def test_no_image(client: Client, members: dict[str, Any]) -> None:
    """No image, null and an empty string are a missing parameter."""
    task = new_task("imageUpload", **members)
    ((error,),) = [frame["errors"] for frame in await client.ask(task)]
    assert told(error, task) == ("missingImage", "image")


@pytest.mark.parametrize(
    "path",
    [
        __file__, str(Path(__file__).with_suffix("")), "/etc/passwd", "/etc/hosts", "~/cat.png", "./cat.png", "cat.png",
        "../cat", "cat", "pictures/cats", "C:\\cat.png", "\\\\server\\cat", "image",
    ],
)  # fmt: skip
async def test_path(client: Client, path: str) -> None:
    """A path is never opened; whoever sends one is told so."""
    task = new_task("imageUpload", image=path)
    ((error,),) = [frame["errors"] for frame in await client.ask(task)]
    assert told(error, task) == ("invalidImage", "image")
    assert "never opens paths" in error["message"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "FILE://localhost/etc/passwd", "ftp://example.com/a", "x://"])
async def test_other_schemes(client: Client, url: str) -> None:
    """Only http and https URLs are fetched."""
    task = new_task("imageUpload", image=url)
    ((error,),) = [frame["errors"] for frame in await client.ask(task)]
    assert told(error, task) == ("invalidImageURL", "image")


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "192.168.0.1:8000", "0x0a000001"])
async def test_private_url(client: Client, host: str) -> None:
    """A URL into a private network is refused, with the setting that would allow it."""
    task = new_task("imageUpload", image=f"http://{host}/a.png")
    ((error,),) = [frame["errors"] for frame in await client.ask(task)]
    assert told(error, task) == ("invalidImageURL", "image")
    assert "TASKARRAY_FETCH_ALLOW" in error["message"]


async def test_url_of_no_image(client: Client) -> None:
    """A URL that leads to no image is refused; one whose server fails may be tried again."""
    pages = {"/text": answer(b"hello"), "/broken": answer(PNG[:-9]), "/down": answer(status=503), "/empty": answer()}
    async with Website(pages) as website:
        codes = [(await client.fail("imageUpload", image=website.url(path)))["code"] for path in (*pages, "/nothing")]
    assert codes == ["invalidImage", "invalidImage", "downloadFailed", "invalidImageURL", "invalidImageURL"]


@pytest.mark.parametrize("media", [BASE64, "cat", "%%%"])
async def test_delete_something_else(client: Client, media: str) -> None:
    """Only what a UUID names can be deleted."""
    error = await client.fail("mediaStorage", operation="delete", media=media)
    assert (error["code"], error["parameter"]) == ("invalidMedia", "media")


def hostile() -> dict[str, bytes]:
    """Files that unfold to gigabytes, end too soon, or say of themselves what is not true."""
    wide = bytearray(webp_chunks(encoded(PHOTO, "WEBP"))[0][1])
    wide[6:10] = b"\xff\x3f\xff\x3f"
    jpeg, gif = encoded(PHOTO, "JPG", progressive=True), encoded(PHOTO, "GIF")
    large = jpeg.index(b"\xff\xc2") + 5
    return {
        "bomb.png": png(40_000, 40_000, 1, 0, bytes(5001) * 4),
        "lying.png": png(200, 150, 8, 2, bytes(601 * 20)),
        "interlaced.png": png(20_000, 20_000, 8, 6, b"", interlaced=True),
        "bomb.webp": webp_of((b"VP8 ", bytes(wide))),
        "bomb.gif": gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        "bomb.jpg": jpeg[:large] + b"\xff\xdc\xff\xdc" + jpeg[large + 4 :],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.gif": gif[: len(gif) // 2],
        "cut.webp": encoded(PHOTO, "WEBP")[:-100],
        "cut.bmp": encoded(PHOTO, "BMP")[:-100],
        "only a head.png": PNG[:33],
        "lying.bmp": encoded(PHOTO, "BMP")[:18] + b"\xff\xff\xff\x7f" + encoded(PHOTO, "BMP")[22:],
    }


async def test_hostile_files(client: Client, installation: Installation) -> None:
    """No file takes a worker or its task process down: each is refused in its own words, and work goes on."""

    def processes() -> set[int]:
        running = [process for process, port in installation.processes.items() if not port]
        assert all(process.poll() is None for process in running)
        return {child.pid for process in running for child in installation.children(process)}

    for _ in range(4):
        await client.run("imageUpload", image=BASE64)
    before, files = processes(), hostile()
    tasks = [new_task("imageUpload", image=data_uri(data)) for data in files.values()]
    good = [new_task("imageUpload", image=BASE64) for _ in range(4)]
    frames = await client.ask(*tasks, *good)
    for name, task, frame in zip(files, tasks, frames, strict=False):
        code, parameter = told(frame["errors"][0], task)
        assert (code in ("invalidImage", "valueTooLarge"), parameter) == (True, "image"), (name, code)
        assert ("bomb" not in name) or code == "valueTooLarge", name
    assert all("data" in frame for frame in frames[-4:])
    assert processes() == before
