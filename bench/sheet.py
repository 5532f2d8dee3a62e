"""A contact sheet: every task that needs no weights on five photographs, through a server, as one small JPEG.

`python -m bench.sheet` writes `bench/sheet.jpg`. The photographs are those of scikit-image (public domain and CC0).
"""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import pybase64
import pyvips
from PIL import Image, ImageDraw
from skimage import data

from bench.subjects import KEY, Subject, ours

_CELL, _HEAD, _SIDE = 128, 16, 640
_TARGET = Path(__file__).with_name("sheet.jpg")
PHOTOGRAPHS = {
    "astronaut": data.astronaut,
    "coffee": data.coffee,
    "chelsea": data.chelsea,
    "rocket": data.rocket,
    "motorcycle": lambda: data.stereo_motorcycle()[0],
}
_MAPS = ("canny", "softedge", "lineart", "lineart_anime", "scribble", "mlsd", "shuffle", "tile")
COLUMNS: dict[str, dict[str, Any]] = {
    "removeBackground": {"taskType": "removeBackground", "outputFormat": "PNG"},
    "upscale x2, detail": {"taskType": "upscale", "upscaleFactor": 2, "outputFormat": "PNG"},
    **{kind: {"taskType": "controlNetPreprocess", "preProcessorType": kind} for kind in _MAPS},
    "imageMasking": {"taskType": "imageMasking", "model": "runware:35@1"},
    "vectorize": {"taskType": "vectorize"},
    "imageTransform": {
        "taskType": "imageTransform",
        "operations": [
            {"operation": "resize", "width": 300, "height": 300},
            {"operation": "rotate", "angle": 8, "background": "#f4c95d"},
            {"operation": "adjust", "contrast": 1.2, "saturation": 1.3},
        ],
    },
}


def main() -> None:
    """Write the sheet."""
    sheet = Image.new("RGB", (_CELL * (len(COLUMNS) + 1), _HEAD + _CELL * len(PHOTOGRAPHS)), "white")
    for place, name in enumerate(("input", *COLUMNS)):
        ImageDraw.Draw(sheet).text((place * _CELL + 3, 2), name, fill="black")
    with ours() as server:
        for row, load in enumerate(PHOTOGRAPHS.values()):
            photo = Image.fromarray(load())
            photo.thumbnail((_SIDE, _SIDE))
            for column, picture in enumerate([photo, *_made(server, photo)]):
                sheet.paste(_cell(picture), (column * _CELL, _HEAD + row * _CELL))
    sheet.save(_TARGET, quality=82, optimize=True)
    print(f"{_TARGET}: {sheet.size}, {_TARGET.stat().st_size // 1024} kB")


def _made(server: Subject, photo: Image.Image) -> list[Image.Image]:
    """What each task makes of a photograph, in one array."""
    file = io.BytesIO()
    photo.save(file, "PNG")
    (uploaded,) = _post(server, [{"taskType": "imageUpload", "image": pybase64.b64encode_as_string(file.getvalue())}])
    asked = [task | {"inputImage": uploaded["imageUUID"], "cache": "off"} for task in COLUMNS.values()]
    return [
        _picture(next(value for name, value in item.items() if name.endswith("URL"))) for item in _post(server, asked)
    ]


def _post(server: Subject, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items of an array, in its order."""
    named = [task | {"taskUUID": str(uuid4())} for task in tasks]
    body = json.dumps(named).encode()
    request = urllib.request.Request(server.url.replace("ws://", "http://"), body, {"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        answered = json.loads(answer.read())
    if "errors" in answered:
        raise RuntimeError(f"the server refused a task: {answered['errors'][0]}")
    items = {item["taskUUID"]: item for item in answered["data"]}
    return [items[task["taskUUID"]] for task in named]


def _picture(url: str) -> Image.Image:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body = answer.read()
    if url.endswith(".svg"):
        body = pyvips.Image.new_from_buffer(body, "").write_to_buffer(".png")
    return Image.open(io.BytesIO(body))


def _cell(picture: Image.Image) -> Image.Image:
    """A picture on a chequered ground, as large as goes in; of one much larger than that, its middle at half size."""
    if max(picture.size) > _SIDE:
        left, top = ((side - 2 * _CELL) // 2 for side in picture.size)
        picture = picture.crop((left, top, left + 2 * _CELL, top + 2 * _CELL))
    picture = picture.convert("RGBA")
    picture.thumbnail((_CELL - 4, _CELL - 4), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (_CELL, _CELL), "white")
    ground = Image.new("RGB", picture.size)
    pen = ImageDraw.Draw(ground)
    for x in range(0, picture.width, 8):
        for y in range(0, picture.height, 8):
            pen.rectangle((x, y, x + 7, y + 7), fill="#cccccc" if (x + y) // 8 % 2 else "#eeeeee")
    ground.paste(picture, mask=picture.getchannel("A"))
    cell.paste(ground, ((_CELL - picture.width) // 2, (_CELL - picture.height) // 2))
    return cell


if __name__ == "__main__":
    main()
