"""A TCP proxy that keeps everything back for a while, each way: the distance to a server that is far off."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from bench.subjects import free_port


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Every piece goes on when its time has come, however many are on their way."""
    loop, last = asyncio.get_running_loop(), 0.0
    while piece := await reader.read(2**16):
        last = loop.time() + seconds
        loop.call_at(last, writer.write, piece)
    await asyncio.sleep(max(0.0, last - loop.time()) + seconds)
    writer.close()


async def _serve(port: int, target: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        with suppress(OSError):
            await asyncio.gather(_pass(reader, back, seconds), _pass(there, writer, seconds))

    async with await asyncio.start_server(connected, "127.0.0.1", port) as server:
        await server.serve_forever()


def _run(port: int, target: int, seconds: float) -> None:
    asyncio.run(_serve(port, target, seconds))


@contextmanager
def distant(url: str, seconds: float) -> Iterator[str]:
    """The URL under which the server of `url` is so many seconds away, each way."""
    parts, port = urlsplit(url), free_port()
    assert parts.port
    arguments = port, parts.port, seconds
    process = multiprocessing.get_context("spawn").Process(target=_run, args=arguments, daemon=True)
    process.start()
    try:
        yield parts._replace(netloc=f"127.0.0.1:{port}").geturl()
    finally:
        process.kill()
        process.join()
