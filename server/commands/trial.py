"""A server of its own, tried: a picture goes in, is stored, is cut out, and comes back. For `taskarray doctor`."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
from PIL import Image, ImageDraw

from server.client.temporary import temporary
from server.commands.machine import Unfit
from server.config import Config

_ANSWER_SECONDS = 60
_SIDE = 256
_SUBJECT, _GROUND = (190, 60, 40), (222, 226, 230)


@dataclass
class Trial:
    """A server that was started to be tried."""

    address: str
    key: str

    def upload(self) -> str:
        """A picture is stored, and comes back as it was."""
        began = time.monotonic()
        item = self._task("imageUpload", image=_drawn())
        if Image.open(io.BytesIO(self._image(item["imageURL"]))).size != (_SIDE, _SIDE):
            raise Unfit("the image that was uploaded came back as another one.")
        return f"stored and downloaded in {time.monotonic() - began:.2f} s"

    def cut_out(self) -> str:
        """The subject of a picture is cut out: the middle is kept, the corner is transparent."""
        began = time.monotonic()
        item = self._task("removeBackground", inputImage=_drawn())
        alpha = Image.open(io.BytesIO(self._image(item["imageURL"]))).getchannel("A")
        middle, corner = alpha.getpixel((_SIDE // 2, _SIDE // 2)), alpha.getpixel((4, 4))
        if not isinstance(middle, int) or not isinstance(corner, int) or middle < 200 or corner > 55:
            raise Unfit(f"{item['model']} did not find a disc on plain ground. `taskarray models verify` looks at it.")
        return f"by {item['model']} in {time.monotonic() - began:.2f} s"

    def _task(self, task_type: str, **members: Any) -> dict[str, Any]:
        task = {"taskType": task_type, "taskUUID": str(uuid4())} | members
        body = orjson.loads(self._asked("POST", "/v1", orjson.dumps([task]))[1])
        if not body.get("data"):
            failure = body.get("errors", [{"message": body}])[0]
            raise Unfit(f"{task_type} failed: {failure.get('code', '')}: {failure['message']}")
        return body["data"][0]

    def _image(self, url: str) -> bytes:
        status, body = self._asked("GET", urlsplit(url).path)
        if status != 200 or not body:
            raise Unfit(f"the image that was made could not be downloaded: status {status}.")
        return body

    def _asked(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        with closing(HTTPConnection(self.address, timeout=_ANSWER_SECONDS)) as connection:
            connection.request(method, path, body or None, {"authorization": f"Bearer {self.key}"})
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextmanager
def tried(settings: Config) -> Generator[Trial]:
    """A server of its own with the tasks and models of these settings, which is gone afterwards. Raises NotStarted."""
    given = {
        "TASKARRAY_WORKERS": "1",
        "TASKARRAY_TASKS": ",".join(settings.tasks),
        "TASKARRAY_MODELS_DIR": str(settings.models_folder.absolute()),
        "TASKARRAY_MODELS": str(settings.models.absolute()) if settings.models else "",
    }
    with temporary(given) as (url, key):
        yield Trial(url.removeprefix("http://"), key)


def _drawn() -> str:
    """A disc on plain ground, as a data URI."""
    picture = Image.new("RGB", (_SIDE, _SIDE), _GROUND)
    edge = _SIDE // 5
    ImageDraw.Draw(picture).ellipse((edge, edge, _SIDE - edge, _SIDE - edge), fill=_SUBJECT)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
