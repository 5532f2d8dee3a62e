"""The clients of the predictions API as their registries hand them out, with nothing changed but the address."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.clients import colours
from tests.clients.install import OLDER_WAVESPEED_JS, WAVESPEED_JS, Package, installed
from tests.clients.program import Client, Program, Refused
from tests.clients.proof import CLIENTS, proves
from tests.harness import KEY, Installation

pytestmark = pytest.mark.clients

HERE = Path(__file__).parent
UPSCALER = "wavespeed-ai/real-esrgan"
PICTURE = colours.data_uri(colours.plain(5))
EVERY = pytest.mark.parametrize("name", [name for name in CLIENTS if "wavespeed" in name])
Connect = Callable[..., Awaitable[Client]]


def command(package: Package) -> list[str]:
    """What runs the program of a client."""
    folder = installed(package)
    if package in (WAVESPEED_JS, OLDER_WAVESPEED_JS):
        return [*package.command(folder), str(HERE / "wavespeed_js.mjs"), str(folder)]
    return [*package.command(folder), "-m", "tests.clients.wavespeed_python"]


@pytest.fixture(scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[str], Awaitable[Program]]]:
    """The program of a client, started when it is first asked for."""
    running, logs = dict[str, Program](), tmp_path_factory.mktemp("wavespeed")

    async def program(name: str) -> Program:
        if name not in running:
            told = await asyncio.to_thread(command, CLIENTS[name])
            running[name] = Program(name, told, logs / name)
            await running[name].start()
        return running[name]

    yield program
    for found in running.values():
        await found.stop()


@pytest.fixture
async def connect(clients: Callable[[str], Awaitable[Program]], installation: Installation) -> AsyncIterator[Connect]:
    """`await connect("wavespeed")` is a client of the shared installation, or of another `url`."""
    async with AsyncExitStack() as stack:

        async def opened(name: str, url: str = "", key: str = KEY, **options: Any) -> Client:
            program = await clients(name)
            return await stack.enter_async_context(program.client(url or installation.url, key, **options))

        yield opened


@pytest.fixture(scope="module")
def hurried(installation: Installation) -> Iterator[Installation]:
    """A gateway of the shared installation that holds a request for half a second."""
    told = {"TASKARRAY_PREFIX": installation.environment["TASKARRAY_PREFIX"], "TASKARRAY_SYNC_WAIT": "500ms"}
    found = Installation(installation.folder, installation.environment["REDIS_URL"], **told)
    found.start("gateway")
    yield found
    found.stop()


@proves("upscale", "async")
@EVERY
async def test_run(connect: Connect, name: str) -> None:
    """A model is submitted, asked after and found completed, with URLs that open without a key."""
    client = await connect(name)
    given = {"image": colours.data_uri(colours.plain(1)), "scale": 2}
    (url,) = await client.do("run", model=UPSCALER, given=given)
    assert (await colours.download(url)).size == (48, 32)


TASKS = {
    "controlNetPreprocess": {"inputImage": PICTURE, "preProcessorType": "canny"},
    "imageMasking": {"inputImage": PICTURE, "model": "runware:35@1"},
    "imageTransform": {"inputImage": PICTURE, "operations": [{"operation": "resize", "width": 30}]},
    "imageUpload": {"image": PICTURE},
    "mediaStorage": {"media": PICTURE},
    "vectorize": {"inputImage": PICTURE},
}


@proves("{task}")
@EVERY
@pytest.mark.parametrize("task", TASKS)
async def test_every_task(connect: Connect, name: str, task: str) -> None:
    """Every task that gives a picture is a model of its own, and its output opens without a key."""
    client = await connect(name)
    (url,) = await client.do("run", model=f"taskarray/{task}", given=TASKS[task])
    assert await colours.status(url) == 200


@EVERY
async def test_sync(connect: Connect, name: str) -> None:
    """In sync mode the result is in the answer; an output of one model is an input of the next."""
    client = await connect(name)
    picture = colours.base64(colours.plain(2))
    (url,) = await client.do("run", model=UPSCALER, given={"image": picture, "guidance_scale": 3}, sync=True)
    (again,) = await client.do("run", model="taskarray/upscale", given={"inputImage": url}, sync=True)
    assert (await colours.download(again)).size == (144, 96)


@proves("base64")
@EVERY
@pytest.mark.parametrize("sync", [False, True])
async def test_base64(connect: Connect, name: str, sync: bool) -> None:
    """Base64 comes naked, in the sync answer and in later ones."""
    client = await connect(name)
    given = {"width": 32, "outputFormat": "PNG", "enable_base64_output": True}
    (output,) = await client.do("run", model="taskarray/paints", given=given, sync=sync)
    with Image.open(io.BytesIO(base64.b64decode(output, validate=True))) as picture:
        assert (picture.format, picture.size, picture.getpixel((0, 0))) == ("PNG", (32, 32), (255, 0, 0))


@proves("removeBackground")
@EVERY
async def test_cut_out(connect: Connect, name: str) -> None:
    """The model that removes backgrounds gives a cut-out."""
    client = await connect(name)
    (url,) = await client.do("run", model="wavespeed-ai/image-background-remover", given={"image": PICTURE})
    assert (await colours.download(url)).mode == "RGBA"


@EVERY
async def test_upload(connect: Connect, name: str, tmp_path: Path) -> None:
    """A file is uploaded, by a ticket or by a form, and its URL is an input and opens for everybody."""
    path, picture = tmp_path / "colour of tea.png", colours.plain(3)
    picture.save(path)
    client = await connect(name)
    url = await client.do("upload", path=str(path))
    await colours.assert_shows(url, picture)
    (output,) = await client.do("run", model=UPSCALER, given={"image": url, "scale": 2}, sync=True)
    assert (await colours.download(output)).size == (48, 32)


@proves("failure")
@EVERY
@pytest.mark.parametrize("sync", [False, True])
async def test_failure(connect: Connect, name: str, sync: bool) -> None:
    """A failed task is told of in its own words, once."""
    client = await connect(name)
    given = {"image": colours.data_uri(colours.plain(4)), "how": "refuse"}
    with pytest.raises(Refused, match="After all, no"):
        await client.do("run", model="taskarray/regrets", given=given, sync=sync)


@proves("key")
@EVERY
async def test_refusal(connect: Connect, name: str) -> None:
    """What is not taken is refused at once, with the reason: a missing input, an unknown model, a wrong key."""
    client, stranger = await connect(name), await connect(name, key="wrong")
    with pytest.raises(Refused, match=r"HTTP 400.*image is required"):
        await client.do("run", model=UPSCALER, given={})
    with pytest.raises(Refused, match="HTTP 404"):
        await client.do("run", model="nobody/nothing", given={})
    with pytest.raises(Refused, match=r"HTTP 401.*invalid authentication"):
        await stranger.do("run", model=UPSCALER, given={})


@EVERY
async def test_sync_timeout(connect: Connect, hurried: Installation, name: str) -> None:
    """Where the wait ends before the task, the client says so, and the task goes on."""
    client = await connect(name, url=hurried.url)
    with pytest.raises(Refused, match="Sync mode timed out"):
        await client.do("run", model="taskarray/sleeps", given={"seconds": 2}, sync=True)


async def test_impatient_client(connect: Connect, tmp_path: Path) -> None:
    """A client that gives up and sends the same again, over and over, gets the one task's result."""
    client = await connect("older wavespeed js", connectionTimeout=0.7, retryInterval=0.3)
    marker = tmp_path / "starts"
    given = {"seconds": 3, "marker": str(marker)}
    assert await client.do("run", model="taskarray/sleeps", given=given, sync=True) == ["slept 3.0"]
    assert marker.read_text() == "started\n"
