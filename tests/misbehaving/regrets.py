import os
from typing import Literal

from server.errors import InvalidParameter
from server.task import Annotated, Context, Field, ImageRef, NewImage, Params, Result, task

_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6364f8cf500f000e030180"
    "5a347d6b0000000049454e44ae426082"
)


class Regrets(Params):
    image: ImageRef
    how: Annotated[Literal["raise", "refuse", "exit", "lose the file"], Field()]


class Regretted(Result):
    image_uuid: str
    image_url: str


@task("regrets", seconds=10)
def regrets(params: Regrets, context: Context) -> Regretted:
    """Make an image, give up the one that came, and then fail after all."""
    path = context.scratch(".png")
    path.write_bytes(_PNG)
    stored = context.store(NewImage(path, "PNG", 1, 1))
    context.forget(params.image)
    match params.how:
        case "raise":
            raise RuntimeError("after all")
        case "refuse":
            raise InvalidParameter("After all, no.", parameter="image")
        case "exit":
            os._exit(3)
        case "lose the file":
            path.unlink()
    return Regretted(image_uuid=stored.uuid, image_url=stored.url)
