"""The chain upload → cut-out → upscale as a user of PyPI `runware` 0.5.24 writes it: three calls, one after the other.

Run by that client's own interpreter: the server's URL, the key, a file and how many chains; prints the seconds of each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from runware import IImageBackgroundRemoval, IImageUpscale, Runware


async def main(url: str, key: str, picture: str, count: int) -> list[float]:
    """The chain so many times on one connection."""
    client, found = Runware(api_key=key, url=url), list[float]()
    await client.connect()
    for _ in range(count):
        start = time.perf_counter()
        image = await client.uploadImage(picture)
        cut = await client.imageBackgroundRemoval(IImageBackgroundRemoval(inputImage=image.imageUUID))
        await client.imageUpscale(IImageUpscale(inputImage=cut[0].imageUUID, upscaleFactor=2))
        found.append(time.perf_counter() - start)
    await client.disconnect()
    return found


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the client prints must not mix with the answer
    json.dump(asyncio.run(main(*sys.argv[1:4], int(sys.argv[4]))), answers)
    answers.close()
