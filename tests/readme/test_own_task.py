"""A task of one's own, as the README shows it: the file is put in place, the server started, the message sent."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from PIL import Image

from tests.clients import colours
from tests.readme.blocks import of
from tests.readme.home import PICTURE
from tests.serving import Served


def test_own_task(tmp_path: Path) -> None:
    """The file is a task type at once: it does its work, and has a schema and a page in the manual."""
    (file,), (command,), (message,) = of("task file"), of("own server"), of("own message")
    name = file.text.partition("\n")[0].removeprefix("# ")
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(file.text)
    setting, _, serve = command.text.strip().partition(" ")
    assert serve == "taskarray serve"
    variable, _, value = setting.removeprefix("TASKARRAY_").partition("=")
    (task,) = json.loads(message.text.replace(PICTURE, colours.data_uri(colours.plain(1))))
    del task["taskUUID"]
    with Served(tmp_path, **{variable: value}) as served:
        answer = served.ready().post(task_type=task.pop("taskType"), **task)
        with urllib.request.urlopen(answer["data"][0]["imageURL"], timeout=20) as found, Image.open(found) as picture:
            red, green, blue = picture.convert("RGB").resize((1, 1)).getpixel((0, 0))
        assert red > green > blue
        with urllib.request.urlopen(f"{served.url}/schemas.json", timeout=20) as found:
            assert "strength" in json.dumps(json.load(found)["tasks"]["sepia"])
        with urllib.request.urlopen(f"{served.url}/docs/tasks/sepia", timeout=20) as found:
            assert "How much of the tone." in found.read().decode()
