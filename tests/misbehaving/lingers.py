import os
import time
from pathlib import Path

from server.task import Annotated, Context, Field, NewImage, Params, Result, task

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf500f000e030180"
    "5a347d6b0000000049454e44ae426082"
)


class Lingers(Params):
    seconds: Annotated[float, Field(ge=0, le=60)]
    marker: str = ""


class Lingered(Result):
    image_uuid: str
    image_url: str


@task("lingers", seconds=30)
def lingers(params: Lingers, context: Context) -> Lingered:
    """Make an image, and take long over it; write its process into a marker file at each start."""
    if params.marker:
        with Path(params.marker).open("a") as file:
            file.write(f"{os.getpid()}\n")
    time.sleep(params.seconds)
    path = context.scratch(".png")
    path.write_bytes(_PNG)
    stored = context.store(NewImage(path, "PNG", 1, 1))
    return Lingered(image_uuid=stored.uuid, image_url=stored.url)
