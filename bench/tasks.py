"""The processing tasks at 1024 px: through the server, against the same handlers in a bare loop, and one-liners."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pybase64
from PIL import Image
from skimage import data

from bench.client import SLOT
from bench.load import keep_busy
from bench.report import Aim, Plan, Row, Table
from bench.subjects import KEY, Subject, ours
from server.catalog import Catalog
from server.child import perform
from server.models import Models
from server.run import Run
from server.task import Limits

_SIDE = 1024
_IN_FLIGHT = 2
_WARM_SECONDS = 0.5
_LONG = 3.0
"""Slow tasks need windows of some seconds for their rates to mean anything."""

TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "cut-out of a photo": ("removeBackground", {"outputFormat": "PNG"}),
    "upscale ×2 of a JPEG": ("upscale", {"upscaleFactor": 2}),
    "canny": ("controlNetPreprocess", {"preProcessorType": "canny"}),
    "soft edges": ("controlNetPreprocess", {"preProcessorType": "softedge"}),
    "line art": ("controlNetPreprocess", {"preProcessorType": "lineart"}),
    "face mask": ("imageMasking", {"model": "runware:35@1"}),
    "trace to SVG": ("vectorize", {}),
    "resize to 512": ("imageTransform", {"operations": [{"operation": "resize", "width": 512}]}),
}


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Rates of each task with one worker, and the peak memory of its task process."""
    found = defaultdict[str, list[float]](list)
    seconds = max(plan.seconds, _LONG)
    with tempfile.TemporaryDirectory(prefix="bench-tasks-") as name, ours(TASKARRAY_WORKERS="1") as server:
        path = Path(name) / "photo.jpg"
        Image.fromarray(data.astronaut()).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS).save(path, quality=90)
        uuid = _uploaded(server, path)
        for task in TASKS:
            _ours(server, elsewhere, task, uuid, _WARM_SECONDS)
            for _ in range(plan.rounds):
                found[task].append(_ours(server, elsewhere, task, uuid, seconds))
                found[f"bare {task}"].append(elsewhere.submit(_bare, task, path, seconds).result())
        for task, line in _LINES.items():
            found[f"line {task}"] = [elsewhere.submit(_repeated, line, path, seconds).result()]
        peak = max(_peak(process.pid) for process in server.processes()["task"])
    return Table("Tasks", _rows(found, peak), _NOTES)


def _uploaded(server: Subject, path: Path) -> str:
    """The UUID of the photo, kept by the server."""
    url = server.url.replace("ws://", "http://")
    image = pybase64.b64encode_as_string(path.read_bytes())
    task = {"taskType": "imageUpload", "taskUUID": str(uuid4()), "image": image}
    request = urllib.request.Request(url, orjson.dumps([task]), {"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())["data"][0]["imageUUID"]


def _ours(server: Subject, elsewhere: Executor, task: str, uuid: str, seconds: float) -> float:
    task_type, fields = TASKS[task]
    asked = {"taskType": task_type, "taskUUID": SLOT.decode(), "inputImage": uuid, "cache": "off", **fields}
    payload = orjson.dumps([asked])
    return elsewhere.submit(keep_busy, server.url, KEY, payload, 1, _IN_FLIGHT, seconds).result().rate


def _bare(task: str, path: Path, seconds: float) -> float:
    """Times a second that the handler alone does it: file in, files out, no server."""
    task_type, fields = TASKS[task]
    catalog, models = Catalog.discover(), Models(None, path.parent / "models", "fallback")

    def once(picture: Path) -> None:
        with tempfile.TemporaryDirectory(dir=picture.parent) as scratch:
            order = {
                "task_type": task_type, "params": {"inputImage": "it", **fields}, "uuids": [], "scratch": scratch,
                "inputs": {"it": {"path": str(picture), "parameter": "inputImage", "uuid": "it"}}, "images_url": "",
            }  # fmt: skip
            answer = perform(catalog, order, Run(order, Limits(), models, lambda message: None))
            if "failure" in answer:
                raise RuntimeError(str(answer["failure"]))

    return _repeated(once, path, seconds)


def _repeated(work: Callable[[Path], None], path: Path, seconds: float) -> float:
    """How often a second a work can be done, the first time not counted."""
    work(path)
    begin, count = time.monotonic(), 0
    while (spent := time.monotonic() - begin) < seconds or not count:
        work(path)
        count += 1
    return count / spent


def _pillow_resize(path: Path) -> None:
    Image.open(path).resize((512, 512), Image.Resampling.LANCZOS).save(path.with_suffix(".small.jpg"), quality=95)


def _opencv_canny(path: Path) -> None:
    import cv2

    cv2.setNumThreads(1)
    cv2.imwrite(str(path.with_suffix(".canny.jpg")), cv2.Canny(cv2.imread(str(path)), 100, 200))


_LINES = {"resize to 512": _pillow_resize, "canny": _opencv_canny}


def _peak(pid: int) -> float:
    """The most memory a process has held, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _rows(found: dict[str, list[float]], peak: float) -> list[Row]:
    rows = [
        Row(task, "bare handler", "/s", found[task], found[f"bare {task}"], Aim("≥", 0.9)) for task in TASKS
    ]  # fmt: skip
    names = {"resize to 512": "Pillow, one line", "canny": "OpenCV, one line"}
    rows += [Row(task, names[task], "/s", found[task][:1], found[f"line {task}"]) for task in _LINES]
    return [*rows, Row("peak memory of the task process", "", "MB", [peak / 2**20])]


_NOTES = [
    f"One worker, a {_SIDE} × {_SIDE} JPEG kept by the server, {_IN_FLIGHT} tasks in flight on one socket; the load "
    "generator, gateway and Redis run on the same cores.",
    "Bare: the same handler in a loop in one process, from file to file. One line: no check of the input, no alpha.",
]
