import os
import time
from pathlib import Path

from server.errors import InvalidParameter
from server.task import Annotated, Context, Field, ImageRef, ImageResult, OutputParams, task


class Repeats(OutputParams):
    input_image: ImageRef
    mask_image: ImageRef | None = None
    marker: str
    seconds: Annotated[float, Field(ge=0, le=20)] = 0
    fails: bool = False
    number_results: Annotated[int, Field(ge=1, le=4)] = 1


class Repeated(ImageResult):
    input_image_uuid: str
    mask_image_uuid: str | None = None


@task("repeats", seconds=20, deterministic=True)
def repeats(params: Repeats, context: Context) -> list[Repeated]:
    """Give the image back, and write its process into a marker file at each start: the same work, done again or not."""
    with Path(params.marker).open("a") as file:
        file.write(f"{os.getpid()}\n")
    end = time.monotonic() + params.seconds
    while time.monotonic() < end:
        context.progress(0.5)
        time.sleep(0.05)
    if params.fails:
        raise InvalidParameter("It may not be.", parameter="inputImage")
    picture = context.open(params.input_image)
    uuid = context.uuid(params.input_image)
    mask = context.uuid(params.mask_image) if params.mask_image else None
    return [
        Repeated(**context.save(picture, params), input_image_uuid=uuid, mask_image_uuid=mask)
        for _ in range(params.number_results)
    ]
