"""Faces and eyes by the cascades of OpenCV."""

from __future__ import annotations

import cv2
import numpy
import pytest
from skimage import data

from server.engines.masking.cascades import eyes, faces
from server.engines.masking.detection import Detection
from server.engines.masking.mask import box_in

ASTRONAUT = data.astronaut()
FACE = (177, 67, 270, 160)
PUPILS = (203, 101), (248, 103)


def _inside(detection: Detection, x: float, y: float) -> bool:
    return any(cv2.pointPolygonTest(outline.astype(numpy.float32), (x, y), False) > 0 for outline in detection.outlines)


def test_a_face_is_found():
    """The one face of a portrait is found, surely, with the chin in its outline and the shoulders outside."""
    (face,) = faces(ASTRONAUT, 0.25)
    assert box_in(face, ASTRONAUT) == pytest.approx(FACE, abs=6)
    assert face.confidence > 0.8
    assert _inside(face, 222, 172)
    assert not _inside(face, 222, 200)
    assert not _inside(face, 182, 72)


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "camera", "brick", "gravel", "page", "moon"])
def test_no_face_where_there_is_none(name: str):
    """Where no face looks at the viewer, none is found."""
    picture = getattr(data, name)()
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.ndim == 2 else picture
    assert faces(picture, 0.25) == []
    assert eyes(picture, 0.25) == []


def test_faces_of_other_sizes():
    """The face is found in a picture half and three times as large, in the same place."""
    for scale in (0.5, 3):
        picture = cv2.resize(ASTRONAUT, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        (face,) = faces(picture, 0.25)
        assert numpy.array(face.box) / scale == pytest.approx(FACE, abs=10)


def test_several_faces():
    """Every face of a picture is found."""
    three = numpy.hstack([ASTRONAUT[:256, 100:356]] * 3)
    found = sorted(round(face.box[0]) for face in faces(three, 0.25))
    assert found == pytest.approx([77, 77 + 256, 77 + 512], abs=8)


def test_confidence_leaves_out():
    """A face that is less sure than asked for is left out; turned to the side, it is less sure."""
    turned = cv2.warpAffine(ASTRONAUT, cv2.getRotationMatrix2D((223, 113), 20, 1), (512, 512))
    (upright,), (tilted,) = faces(ASTRONAUT, 0.25), faces(turned, 0.25)
    assert tilted.confidence < upright.confidence - 0.2
    assert faces(turned, 0.8) == []


def test_eyes_of_a_face_are_found_together():
    """The eyes of a face are one find with an outline for each; brows and cheeks lie outside."""
    (found,) = eyes(ASTRONAUT, 0.25)
    assert len(found.outlines) == 2
    for x, y in PUPILS:
        assert _inside(found, x, y)
        assert not _inside(found, x, y - 14)
        assert not _inside(found, x, y + 14)
    assert box_in(found, ASTRONAUT) == pytest.approx((189, 92, 263, 112), abs=6)


def test_pictures_without_room_for_a_face():
    """In a picture too small or too narrow for a face there is none."""
    for size in ((1, 1), (1, 500), (500, 1), (23, 400)):
        for find in (faces, eyes):
            assert find(numpy.full((*size, 3), 128, numpy.uint8), 0) == []
