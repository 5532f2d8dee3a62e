import base64
import time
from pathlib import Path

from server.errors import ProcessingFailed
from server.task import Annotated, Context, Field, ImageRef, NewImage, Params, Result, task

_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Notes(Params):
    book: str
    name: str
    images: Annotated[list[ImageRef], Field(max_length=12, default_factory=list)]
    seconds: Annotated[float, Field(ge=0, le=20)] = 0
    fails: bool = False


class Noted(Result):
    image_uuid: str
    read: int


@task("notes", seconds=25)
def notes(params: Notes, context: Context) -> Noted:
    """Make an image of others, and write its begin and its end into a book that many tasks share."""
    with Path(params.book).open("a") as book:
        book.write(f"begin {params.name}\n")
    read = sum(context.file(image).stat().st_size for image in params.images)
    time.sleep(params.seconds)
    if params.fails:
        raise ProcessingFailed("It may not be.")
    path = context.scratch(".png")
    path.write_bytes(_PNG)
    stored = context.store(NewImage(path, "PNG", 1, 1))
    with Path(params.book).open("a") as book:
        book.write(f"end {params.name}\n")
    return Noted(image_uuid=stored.uuid, read=read)
