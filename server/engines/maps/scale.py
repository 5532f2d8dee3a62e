"""How large a picture is when it is looked at: details are measured against the picture, not in pixels."""

from __future__ import annotations

from server.engines.vision import Array, cv2, shrunk

_WORKING_SIDE = 1024
"""Pixels of the longer side at which outlines are looked for; ControlNet's own maps are made at 512."""
_USUAL_SIDE = 512


def reduced(picture: Array) -> Array:
    """The picture at the size at which outlines are looked for."""
    return shrunk(picture, _WORKING_SIDE)


def restored(map_: Array, like: Array) -> Array:
    """A map of a reduced picture, at the size of the picture."""
    height, width = like.shape[:2]
    if map_.shape[:2] == (height, width):
        return map_
    return cv2.resize(map_, (width, height), interpolation=cv2.INTER_CUBIC)


def unit(picture: Array) -> float:
    """What a pixel of a picture of the usual 512 pixels is in this one; not below one pixel."""
    return max(1.0, max(picture.shape[:2]) / _USUAL_SIDE)
