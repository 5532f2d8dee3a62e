"""imageUpload and mediaStorage."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError

from server.errors import InvalidParameter, UnsupportedImageFormat, ValueTooLarge
from server.task import Limits
from tasks.image_upload import ImageUpload, image_upload
from tasks.media_storage import MediaStorage, media_storage
from tests.pictures.drawing import photo
from tests.pictures.files import VARIANTS, encoded
from tests.tasks.context import FolderContext, data_uri


@pytest.fixture
def context(tmp_path: Path) -> FolderContext:
    return FolderContext(tmp_path)


@pytest.mark.parametrize("name", VARIANTS)
def test_an_upload_is_stored(name: str, context: FolderContext) -> None:
    """An uploaded image is stored, and the answer names it."""
    done = image_upload.handler(ImageUpload(image=data_uri(VARIANTS[name]())), context)
    assert not isinstance(done, list)
    image = context.stored[done.image_uuid]
    assert (image.width, image.height) == (160, 120)
    assert done.model_dump(by_alias=True) == {"imageUUID": done.image_uuid, "imageURL": done.image_url}


def test_the_type_is_taken_from_the_bytes(context: FolderContext) -> None:
    """What a client declares about its bytes counts for nothing."""
    done = image_upload.handler(ImageUpload(image=data_uri(encoded(photo(64, 48), "WEBP"), "image/png")), context)
    assert not isinstance(done, list)
    assert context.stored[done.image_uuid].format == "WEBP"


def test_a_large_upload_is_made_smaller(tmp_path: Path) -> None:
    """An image larger than the cap is stored at the cap."""
    context = FolderContext(tmp_path, Limits(max_side=100))
    image_upload.handler(ImageUpload(image=data_uri(encoded(photo(400, 300), "JPG"))), context)
    (image,) = context.stored.values()
    assert (image.width, image.height) == (100, 75)


def test_refused_uploads(tmp_path: Path) -> None:
    """An upload that is no image, of another kind or too large is refused by its code, and nothing is stored."""
    context = FolderContext(tmp_path, Limits(max_pixels=1000))
    for data, kind, code in (
        (b"hello", InvalidParameter, "invalidImage"),
        (encoded(photo(64, 48), "PNG")[:-20], InvalidParameter, "invalidImage"),
        (b"%PDF-1.7", UnsupportedImageFormat, "unsupportedImageFormat"),
        (encoded(photo(64, 48), "PNG"), ValueTooLarge, "valueTooLarge"),
    ):
        with pytest.raises(kind) as caught:
            image_upload.handler(ImageUpload(image=data_uri(data)), context)
        assert (caught.value.code, caught.value.parameter) == (code, "image")
    assert not context.stored


def test_media_is_stored(context: FolderContext) -> None:
    """mediaStorage stores an image, as is its operation when none is given."""
    media = data_uri(encoded(photo(64, 48), "PNG"))
    for params in (MediaStorage(media=media), MediaStorage(media=media, operation="upload")):
        done = media_storage.handler(params, context)
        assert not isinstance(done, list)
        assert context.stored[done.media_uuid].format == "PNG"
        shown = done.model_dump(by_alias=True, exclude_none=True)
        assert shown == {"operation": "upload", "mediaUUID": done.media_uuid, "mediaURL": done.media_url}


def test_media_is_deleted(context: FolderContext) -> None:
    """mediaStorage deletes the image that a UUID names, in whatever case it is written."""
    uuid = str(uuid4())
    done = media_storage.handler(MediaStorage(media=uuid.upper(), operation="delete"), context)
    assert not isinstance(done, list)
    assert done.model_dump(by_alias=True, exclude_none=True) == {"operation": "delete", "mediaUUID": uuid}
    assert context.forgotten == [uuid.upper()]


def test_only_a_uuid_can_be_deleted(context: FolderContext) -> None:
    """To delete something that is no image UUID is refused."""
    for media in ("https://example.com/cat.png", data_uri(encoded(photo(64, 48), "PNG")), "cat"):
        with pytest.raises(InvalidParameter) as caught:
            media_storage.handler(MediaStorage(media=media, operation="delete"), context)
        assert (caught.value.code, caught.value.parameter) == ("invalidMedia", "media")
    assert not context.forgotten


def test_refused_media(context: FolderContext) -> None:
    """Media that are no image are refused under their own parameter; there is no third operation."""
    with pytest.raises(InvalidParameter) as caught:
        media_storage.handler(MediaStorage(media=data_uri(b"hello")), context)
    assert (caught.value.code, caught.value.parameter) == ("invalidMedia", "media")
    with pytest.raises(ValidationError):
        MediaStorage(media="x", operation="move")  # type: ignore[arg-type]
