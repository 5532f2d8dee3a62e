"""Keep an image, or delete one that is kept."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from server.errors import InvalidParameter
from server.imaging import admit
from server.task import Annotated, Context, Field, ImageRef, Params, Result, task


class MediaStorage(Params):
    """What to keep or delete."""

    media: ImageRef
    operation: Annotated[Literal["upload", "delete"], Field(description="Keep the image, or delete it.")] = "upload"


class StoredMedia(Result):
    """The image that was kept, or whose deletion was asked for."""

    operation: Literal["upload", "delete"]
    media_uuid: str
    media_url: str | None = None


@task("mediaStorage", seconds=60)
def media_storage(params: MediaStorage, context: Context) -> StoredMedia:
    """Keep an image, or delete one that is kept."""
    if params.operation == "delete":
        return _deleted(params.media, context)
    stored = context.store(admit(context.file(params.media), context.scratch, context.limits, parameter="media"))
    return StoredMedia(operation="upload", media_uuid=stored.uuid, media_url=stored.url)


def _deleted(media: str, context: Context) -> StoredMedia:
    try:
        uuid = str(UUID(media))
    except ValueError as error:
        raise InvalidParameter("Name the image to delete by its UUID.", parameter="media") from error
    context.forget(media)
    return StoredMedia(operation="delete", media_uuid=uuid)
