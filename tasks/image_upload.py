"""Keep an image, to be named by its UUID in later tasks."""

from __future__ import annotations

from pydantic import BeforeValidator

from server.content import CONTENT, content
from server.errors import InvalidParameter
from server.imaging import admit
from server.task import Annotated, Context, Field, ImageRef, Params, Result, Stored, image_ref, rule, task


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class ImageUpload(Params):
    """What to keep: the image, or the hash of one that may be kept already."""

    image: ImageRef | None = None
    image_hash: Annotated[
        str | None,
        BeforeValidator(_lower),
        image_ref(unless="image"),
        Field(
            pattern=f"^{CONTENT}$",
            description="`blake3:` and 64 hex digits: the hash of the file. Alone, it asks for the image that is kept"
            " with this content, and mediaNotFound says that there is none: then send the bytes. With the image, its"
            " bytes must have this hash.",
        ),
    ] = None

    @rule("image", missing=True)
    def some_image(self) -> bool:
        """image is required, or imageHash for an image that is kept already."""
        return bool(self.image or self.image_hash)


class UploadedImage(Result):
    """The image as it can be named from now on."""

    image_uuid: str
    image_url: str


@task("imageUpload", seconds=60)
def image_upload(params: ImageUpload, context: Context) -> UploadedImage:
    """Keep an image, to be named by its UUID in later tasks."""
    kept = _kept(params, context)
    return UploadedImage(image_uuid=kept.uuid, image_url=kept.url)


def _kept(params: ImageUpload, context: Context) -> Stored:
    """The image, registered; the one that is registered already where only its hash came."""
    if params.image is None:
        assert params.image_hash, "one of both is there, or the rule had refused the task"
        return context.stored(params.image_hash)
    file = context.file(params.image)
    if params.image_hash and content(file) != params.image_hash:
        sentence = f"The image has the hash {content(file)}, not this one. Send the bytes that it was made of."
        raise InvalidParameter(sentence, parameter="imageHash")
    return context.store(admit(file, context.scratch, context.limits, parameter="image"))
