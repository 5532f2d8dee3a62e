import base64
import time

from server.task import Annotated, Context, Field, NewImage, Params, Result, task

_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


class Hums(Params):
    duration: Annotated[float, Field(ge=0, le=60)]
    number_results: Annotated[int, Field(ge=1, le=20)] = 1


class Hummed(Result):
    audio_uuid: str
    audio_url: str


@task("audioInference", seconds=8)
def hums(params: Hums, context: Context) -> list[Hummed]:
    """Take long over several results, all of them dots: the one such task that every official client can send."""
    end = time.monotonic() + params.duration
    while (left := end - time.monotonic()) > 0:
        context.progress(1 - left / params.duration)
        time.sleep(min(left, 0.1))
    return [_hummed(context) for _ in range(params.number_results)]


def _hummed(context: Context) -> Hummed:
    path = context.scratch(".png")
    path.write_bytes(base64.b64decode(_DOT))
    stored = context.store(NewImage(path, "PNG", 1, 1))
    return Hummed(audio_uuid=stored.uuid, audio_url=stored.url)
