"""The manual at /docs: all of it is there, it leads where it says, and its examples are what the server does."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
from html import unescape
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest

from server.catalog import Catalog, read
from server.config import Config, variable_of
from server.errors import CODES
from server.manual import book, examples, failures, recording
from server.openapi import task_array
from tests.client import request
from tests.harness import KEY, Installation
from tests.messages import faults

CATALOG = Catalog.discover(("tests.misbehaving",))
BOOK = book.written(CATALOG, Config.read({}))
PAGES = {path: content.decode() for path, content in BOOK.html.items()}
BUILT_IN = {task.task_type: task for task in Catalog.discover().by_name.values()}
PROSE = {path.stem: path.read_text() for path in recording.PROSE.glob("*.md")}


IDS = {path: [unescape(found) for found in re.findall(r' id="([^"]*)"', page)] for path, page in PAGES.items()}


def shape(value: Any) -> Any:
    """The names of members and the kinds of values, whatever the values are."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(part), sort_keys=True) for part in value})
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


async def test_served(installation: Installation):
    """Every page is served as it is written, with the policy of the pages, and not again to who has it already."""
    for path in ("/docs", "/docs/errors", "/docs/errors/", "/docs/tasks/upscale", "/docs/tasks/imageUpscale/"):
        page = await request("GET", installation.url + path)
        assert (page.status, page.body.decode()) == (200, PAGES[path.rstrip("/")])
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'self';" in page.headers["content-security-policy"]
        again = await request("GET", installation.url + path, if_none_match=page.headers["etag"])
        assert (again.status, again.body) == (304, b"")
    assert (await request("GET", f"{installation.url}/docs/search.json")).body == BOOK.search
    assert (await request("GET", f"{installation.url}/llms.txt")).body == BOOK.llms
    for path in ("/docs/nothing", "/docs/tasks/nothing-here", "/docs/tasks/a/b", "/docs/../schema.py"):
        answer = await request("GET", installation.url + path)
        assert (answer.status, answer.json["error"]["code"]) == (404, "notFound")


async def test_links(installation: Installation):
    """Every link within the server leads somewhere, every anchor stands on its page, once; the menu names each page."""
    elsewhere = set[str]()
    for path, page in PAGES.items():
        assert len(IDS[path]) == len(set(IDS[path])), path
        for link in re.findall(r'(?:href|src)="([^"]+)"', page):
            target, anchor = urldefrag(urljoin(f"http://server{path}", unescape(link)))
            place = target.removeprefix("http://server")
            if place in PAGES:
                assert not anchor or anchor in IDS[place], f"{path}: {link}"
            elif target.startswith("http://server/"):
                elsewhere.add(place)
    assert "/docs/search.json" not in elsewhere
    for place in elsewhere:
        assert (await request("GET", installation.url + place)).status == 200, place
    menu = set(re.findall(r'<a href="(/docs[^"#]*)"', PAGES["/docs"]))
    aliases = {f"/docs/tasks/{name}" for name, task in CATALOG.by_name.items() if name != task.task_type}
    assert menu >= set(PAGES) - aliases


def test_complete():
    """Every task type has a page with its names, parameters and results; every code and setting has its place; and the
    search knows all of them."""
    for task in CATALOG.by_name.values():
        path = f"/docs/tasks/{task.task_type}"
        assert all(f"<code>{name}</code>" in PAGES[path] for name in task.aliases)
        for model, head in ((task.params, "param"), (task.result, "result")):
            by_alias = model.model_json_schema(by_alias=True)["properties"]
            assert {f"{head}-{name}" for name in by_alias} <= set(IDS[path])
    settings = {variable_of(name) for name in Config.model_fields}
    assert settings <= set(IDS["/docs/settings"])
    assert {code.replace("*", "Parameter") for code in CODES} <= set(IDS["/docs/errors"])
    names = {entry["name"] for entry in json.loads(BOOK.search)}
    assert settings | {code.replace("*", "‹Parameter›") for code in CODES} <= names
    assert {*BUILT_IN, "upscaleFactor", "controlNet", "Sessions", "Settings"} <= names
    assert all(f"/docs/tasks/{name})" in BOOK.llms.decode() for name in BUILT_IN)


def test_remedies():
    """There is a word for each code on what to do, once, and for none that is not."""
    told = [failure.code for group in failures.groups() for failure in group.failures]
    assert sorted(told) == sorted(code.replace("*", "‹Parameter›") for code in CODES)


@pytest.mark.parametrize(
    ("task", "codes"),
    [
        ("batch", {"missingOf", "invalidPolicy", "dependencyFailed"}),
        ("removeBackground", {"missingInputImage", "invalidRgba", "modelNotFound", "mediaNotFound", "taskTimeout"}),
        ("imageTransform", {"missingOperations", "invalidAngle", "unsupportedImageFormat"}),
        ("imageUpload", {"missingImage", "invalidImageHash"}),
    ],
)
def test_risks(task: str, codes: set[str]):
    """The page of a task type has the codes of its parameters, of its images, of its file and of every task."""
    told = PAGES[f"/docs/tasks/{task}"].partition('<h2 id="errors">')[2].partition("<h2")[0]
    assert codes <= set(re.findall(r"<code>(\w+)</code>", told))
    assert ("mediaNotFound" in told) == (task != "batch")


@pytest.mark.settings(TEST_MODE="1")
async def test_examples(own_installation: Installation):
    """Every message of the manual is answered as it says; `python -m server.manual` writes the answers anew."""
    own_installation.start_all(workers=1)
    kept = examples.stored()
    assert kept["tasks"].keys() == BUILT_IN.keys()
    host = own_installation.url.removeprefix("http://")
    found = await asyncio.to_thread(recording.recorded, host, KEY)
    for name, example in kept["tasks"].items():
        assert shape(found["tasks"][name]["answers"]) == shape(example["answers"]), name
    assert found["protocol"].keys() == kept["protocol"].keys()
    for name, answers in kept["protocol"].items():
        assert shape(found["protocol"][name]) == shape(answers), name
        assert name == "simulate" or "errors" not in json.dumps(answers), name


def test_made_examples():
    """A task type of a user has a message made of its schema, which can be sent as it is."""
    definitions = task_array.schemas(CATALOG)
    for task in set(CATALOG.by_name.values()) - set(BUILT_IN.values()):
        schema = definitions[f"{task_array.pascal(task.task_type)}Params"]
        (sent,) = examples.of(task, schema, definitions).message
        fields = {name: value for name, value in sent.items() if name not in ("taskType", "taskUUID")}
        assert not isinstance(read(task, fields), list), sent


def test_side_frames():
    """What the prose shows of side frames is what the AsyncAPI document says they are."""
    shown = [json.loads(text) for text in re.findall(r"```json\n(\{\"events.*?)```", PROSE["protocol"], re.S)]
    assert len(shown) == 3
    assert [faults("events", frame) for frame in shown] == [[], [], []]


@pytest.mark.parametrize("number", range(4))
async def test_curl(number: int, installation: Installation, tmp_path):
    """The commands of the other dialects work with the address and the key of a server."""
    command = re.findall(r"```sh run\n(.*?)```", PROSE["dialects"], re.S)[number]
    picture = examples.stored()["pictures"]["cup"]
    (tmp_path / "cup.webp").write_bytes(base64.b64decode(picture.partition(",")[2]))
    command = command.replace("http://127.0.0.1:8000", installation.url).replace("…", KEY)
    done = await asyncio.to_thread(
        subprocess.run, f"{command.strip()} -sS --fail", shell=True, cwd=tmp_path, capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    written = tmp_path / "cutout.png"
    assert written.read_bytes().startswith(b"\x89PNG") if "-o " in command else json.loads(done.stdout)


def test_hostile_words():
    """What a task file says is shown as it stands, and is never markup, a template or a script."""
    for path in ("/docs/tasks/boasts", "/docs"):
        page = PAGES[path]
        assert re.search(r"&lt;script&gt;alert\(&(#34|quot);summary", page)
        assert "{{ 7 * 191 }}" in page
        assert "1337" not in page
        assert len(re.findall("<script", page)) == 1
        assert not re.search(r"<img src=.?x|href=.?javascript|<!-- to", page)
    page = PAGES["/docs/tasks/boasts"]
    assert page.count("&lt;script&gt;") >= 6
