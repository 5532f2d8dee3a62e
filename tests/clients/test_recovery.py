"""Lost connections: what each official client does about it by itself, and what it needs of the server for that."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.clients import colours
from tests.clients.conftest import Connect
from tests.clients.network import Held, Proxy
from tests.clients.program import Client, Refused
from tests.clients.proof import proves
from tests.harness import Installation
from tests.outside import Website, answer

pytestmark = pytest.mark.clients
PICTURE = colours.plain(7)


@pytest.fixture
async def proxy(installation: Installation) -> AsyncIterator[Proxy]:
    """A proxy before the shared installation."""
    async with Proxy(installation.ports[0]) as found:
        yield found


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    """A picture on the web that comes when it is let: a task that needs it runs until then."""
    page = Held(answer(colours.png(PICTURE)))
    async with Website({"/held.png": page}) as website:
        page.url = website.url("/held.png")
        yield page
        page.let.set()


async def start(client: Client, held: Held, verb: str, **arguments: str) -> asyncio.Task:
    """Begin a task and wait until it runs."""
    task = asyncio.create_task(client.do(verb, **arguments))
    await asyncio.wait_for(held.asked.wait(), 10)
    return task


async def cut(proxy: Proxy, held: Held, ends: str) -> None:
    """Cut the connection; the task ends while the client is away, or once it is back."""
    proxy.away = ends == "while away"
    opened = proxy.opened
    proxy.cut()
    if proxy.away:
        held.let.set()
        await asyncio.sleep(0.5)  # the old Python client comes back at once: keep it out until the task has ended
        proxy.away = False
    else:
        async with asyncio.timeout(15):
            while proxy.opened == opened:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        held.let.set()


ENDS = pytest.mark.parametrize("ends", ["while away", "once back"])


@proves("cut", by="legacy", note="sent again under its `taskUUID`")
@ENDS
async def test_legacy(connect: Connect, proxy: Proxy, held: Held, ends: str):
    """The old Python client sends a lost task again under its taskUUID, and gets the one result (rules 15 and 16)."""
    client = await connect("legacy", proxy.ws_url)
    task = await start(client, held, "store", media=held.url)
    await cut(proxy, held, ends)
    stored = await task
    (item,) = (await client.do("details", task=stored["task"]))["response"]
    await colours.assert_shows(item["mediaURL"], PICTURE)
    assert held.times == 1


@proves("cut", by="new", note="async tasks go on; sync ones fail at once, by its design")
@ENDS
async def test_new_async(connect: Connect, proxy: Proxy, held: Held, ends: str):
    """The new Python client resumes its session, sends an async task again, and gets the one result (rule 16)."""
    client = await connect("new", proxy.ws_url)
    session = await client.do("state")
    task = await start(client, held, "run", taskType="imageUpload", image=held.url)
    await cut(proxy, held, ends)
    (item,) = (await task)["items"]
    await colours.assert_shows(item["imageURL"], PICTURE)
    assert held.times == 1
    assert await client.do("state") == session


@proves("cut", by="new")
@ENDS
async def test_new_sync(connect: Connect, proxy: Proxy, held: Held, ends: str):
    """The new Python client gives a sync task up when its connection is lost, as it documents; the next call works."""
    client = await connect("new", proxy.ws_url)
    task = await start(client, held, "upload", image=held.url)
    await cut(proxy, held, ends)
    with pytest.raises(Refused, match="Connection lost before the response arrived") as refused:
        await task
    assert refused.value.about["code"] == "connection"
    uploaded = await client.do("upload", image=colours.data_uri(PICTURE))
    await colours.assert_shows(uploaded["url"], PICTURE)


@ENDS
async def test_no_stray_errors(connect: Connect, proxy: Proxy, held: Held, ends: str):
    """The failure of a task that the new Python client has given up does not reach it: it would fail all its other
    calls (rule 9)."""
    other = Held(held.answer)
    held.answer, uuid = answer(b"not an image at all"), str(uuid4())
    client, witness = await connect("new", proxy.ws_url), await connect("new")
    async with Website({"/other.png": other}) as website:
        lost = await start(client, held, "upload", image=held.url, taskUUID=uuid)
        kept = await start(client, other, "run", taskType="imageUpload", image=website.url("/other.png"))
        await cut(proxy, held, ends)
        with pytest.raises(Refused, match="Connection lost"):
            await lost
        await fails(witness, uuid)
        await client.do("upload", image=colours.data_uri(PICTURE))  # by then a stray error would have come too
        other.let.set()
        (item,) = (await kept)["items"]
    await colours.assert_shows(item["imageURL"], PICTURE)


async def fails(client: Client, uuid: str) -> None:
    """Wait until a task has failed."""
    with pytest.raises(Refused, match="image"):
        async with asyncio.timeout(15):
            while True:
                assert (await client.do("response", task=uuid))[0]["status"] == "processing"


@proves("cut", by="js", note="after its own timeout, under a new `taskUUID`")
@ENDS
async def test_js(connect: Connect, proxy: Proxy, held: Held, ends: str):
    """The JavaScript client waits its own time, then sends the task again under a new taskUUID, and gets a result."""
    client = await connect("js", proxy.ws_url, timeoutDuration=2000, globalMaxRetries=6)
    task = await start(client, held, "upload", image=held.url)
    await cut(proxy, held, ends)
    await colours.assert_shows((await task)["url"], PICTURE)
    assert held.times > 1


@pytest.mark.parametrize("name", ["legacy", "new", "js"])
async def test_idle(connect: Connect, proxy: Proxy, name: str):
    """After a cut while nothing runs, the next call works.

    It waits until the client is back: a call amid its return makes the old Python client connect twice at a time, and
    the one whose authentication is answered second waits for ever, whatever a server does.
    """
    client = await connect(name, proxy.ws_url)
    opened = proxy.opened
    proxy.cut()
    async with asyncio.timeout(15):
        while proxy.opened == opened or not (await client.do("state")).get("session"):
            await asyncio.sleep(0.02)
    assert await client.do("store", media=colours.data_uri(PICTURE))


@pytest.mark.settings(DUPLICATE_TASK="conflict")
async def test_conflict(connect: Connect, own_installation: Installation):
    """Where the same task again is always conflictTaskUUID, both Python clients take that for an ack and ask for the
    result (rule 16)."""
    await asyncio.to_thread(own_installation.start_all, workers=1, sweepers=0)
    async with Proxy(own_installation.ports[0]) as proxy:
        legacy, new = await connect("legacy", proxy.ws_url), await connect("new", proxy.ws_url)
        first, second = str(uuid4()), str(uuid4())
        tasks = [
            asyncio.create_task(legacy.do("hum", duration=2, results=2, task=first)),
            asyncio.create_task(new.do("hum", duration=2, results=2, task=second, delivery="async")),
        ]
        await asyncio.sleep(1)
        proxy.cut()
        for found in await asyncio.gather(*tasks):
            assert len({item["uuid"] for item in found}) == len(found) == 2


@pytest.mark.settings(DRAIN_TIMEOUT="200ms")
async def test_restart(connect: Connect, own_installation: Installation, held: Held):
    """A gateway that is told to stop closes with 1012, and every client finds the one that follows it on the same
    port, its tasks included (rule 17)."""
    await asyncio.to_thread(own_installation.start_all, workers=1, sweepers=0)
    gateway = list(own_installation.processes)[-1]
    url, port = own_installation.ws_url, own_installation.ports[0]
    options = {"legacy": {}, "new": {}, "js": {"timeoutDuration": 3000, "globalMaxRetries": 6}}
    legacy, new, js = [await connect(name, url, **given) for name, given in options.items()]
    tasks = [
        asyncio.create_task(legacy.do("store", media=held.url)),
        asyncio.create_task(new.do("run", taskType="mediaStorage", media=held.url)),
        asyncio.create_task(js.do("store", media=held.url)),
    ]
    async with own_installation.client() as plain:
        async with asyncio.timeout(15):
            while held.times < 3:
                await asyncio.sleep(0.02)
        own_installation.kill(gateway, signal.SIGTERM)
        assert (await plain.closed())[0] == 1012
    await asyncio.to_thread(gateway.wait)
    await asyncio.to_thread(own_installation.start, "gateway", port=port)
    held.let.set()
    uuids = [found.get("uuid") or found["items"][0]["mediaUUID"] for found in await asyncio.gather(*tasks)]
    assert len(set(uuids)) == 3
    assert held.times > 3  # only the JavaScript client's task ran again


async def test_pings(connect: Connect, held: Held):
    """Pings are answered while 20 tasks of their connection run, and the connection stays (rule 5)."""
    legacy, js = await connect("legacy"), await connect("js", heartbeatInterval=10_000)
    clients = (legacy, js)
    before = [await client.do("state") for client in clients]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.do("store", media=held.url)) for client in clients for _ in range(20)]
        async with asyncio.timeout(20):
            while any([(await client.do("state"))["pongs"] < 2 - (client is js) for client in clients]):
                await asyncio.sleep(0.1)
        assert not any(task.done() for task in tasks)
        held.let.set()
    assert len({task.result()["uuid"] for task in tasks}) == 40
    assert [(await client.do("state"))["session"] for client in clients] == [state["session"] for state in before]
