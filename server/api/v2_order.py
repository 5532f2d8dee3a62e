"""What a request to /v2 asks for: which image, and how it is to come out. Told by its fields alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from server.api.v2_base64 import strictly_decoded
from server.api.v2_colours import Colour, colour
from server.api.v2_errors import MAX_IMAGE, Failure, bad_request, invalid_image, misshapen, too_many_bytes
from server.api.v2_form import Form

_SOURCES = ("image_file", "image_file_b64", "image_base64", "image", "image_url")
"""Where the image may stand. The first that is there counts."""
_FORMATS = ("bmp", "gif", "jpg", "png", "tiff", "webp")
_FORMAT_ALIASES = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff"}
_SIZES = {"auto": 50.0, "full": 50.0, "hd": 4.0, "medium": 1.5, "preview": 0.25}
"""Megapixels that a result may have."""
_CHANNELS = ("alpha", "rgba")
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_WEB = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """An image and what is wanted of it. `image` is the bytes of a file, or text that stands in the field `source`."""

    source: str
    image: str | bytes
    format: str
    mask: bool
    megapixels: float
    crop: bool
    despill: bool
    background: Colour | None


def read_order(form: Form) -> Order:
    """The order in a form; the image is not decoded yet. Raises Failure for the first thing that is wrong."""
    fields = form.fields
    source = next((name for name in _SOURCES if name in fields), None)
    if source is None:
        raise bad_request(f"No image provided. Send one of {', '.join(_SOURCES)}.")
    image = fields[source]
    if not isinstance(image, str | bytes):
        raise misshapen("string_type", ["body", source], "Input should be a valid string")
    return Order(
        source=source,
        image=image,
        format=_choice(fields, "format", _FORMATS, "png", _FORMAT_ALIASES),
        megapixels=_SIZES[_choice(fields, "size", tuple(_SIZES), "full")],
        mask=_choice(fields, "channels", _CHANNELS, "rgba") == "alpha" or (form.json and source == "image"),
        crop=_flag(fields, "crop"),
        despill=_flag(fields, "despill"),
        background=_background(fields),
    )


def _choice(
    fields: dict[str, Any], name: str, allowed: tuple[str, ...], default: str, aliases: dict[str, str] | None = None
) -> str:
    value = fields.get(name, default)
    word = value.strip().lower() if isinstance(value, str) else ""
    word = (aliases or {}).get(word, word)
    if word not in allowed:
        raise bad_request(f"{name} must be one of {list(allowed)}")
    return word


def _flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    found = _BOOLEANS.get(str(value).strip().lower()) if isinstance(value, str | bool | int) else None
    if found is None:
        raise bad_request(f"{name} must be a boolean")
    return found


def _background(fields: dict[str, Any]) -> Colour | None:
    if "bg_color" not in fields:
        return None
    value = fields["bg_color"]
    found = colour(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Failure(400, "invalid_bg_color", "bg_color must be a valid hex or named color.")
    return found


def image_of(order: Order) -> str | bytes:
    """The bytes of the image, or the URL where it is. Raises Failure."""
    if order.source == "image_url":
        return _url(order.image)
    data = _bytes_of(order.source, order.image)
    if len(data) > MAX_IMAGE:
        raise too_many_bytes()
    if not data:
        raise invalid_image()
    return data


def _url(value: str | bytes) -> str:
    if not isinstance(value, str) or not _WEB.match(value.strip()):
        raise Failure(
            400, "image_url_fetch_failed", "cannot download image_url: it must begin with http:// or https://."
        )
    return value.strip()


def _bytes_of(source: str, value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        # Under the other names a file is expected to hold text.
        return value if source in ("image_file", "image") else strictly_decoded(value.decode("latin-1"), source)
    try:
        return strictly_decoded(value, source)
    except Failure as malformed:
        # A field for files promises no base64.
        raise (invalid_image() if source == "image_file" else malformed) from None
