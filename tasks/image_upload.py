"""Keep an image, to be named by its UUID in later tasks."""

from __future__ import annotations

from server.imaging import admit
from server.task import Context, ImageRef, Params, Result, task


class ImageUpload(Params):
    """What to keep."""

    image: ImageRef


class UploadedImage(Result):
    """The image as it can be named from now on."""

    image_uuid: str
    image_url: str


@task("imageUpload", seconds=60)
def image_upload(params: ImageUpload, context: Context) -> UploadedImage:
    """Keep an image, to be named by its UUID in later tasks."""
    stored = context.store(admit(context.file(params.image), context.scratch, context.limits, parameter="image"))
    return UploadedImage(image_uuid=stored.uuid, image_url=stored.url)
