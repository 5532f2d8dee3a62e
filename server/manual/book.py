"""All pages of the manual, written at once: what each shows, how one leads to the others, what a search finds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from server.api.v3_models import MODELS, OWN
from server.catalog import Catalog, read
from server.config import Config
from server.errors import wire
from server.manual import examples, failures, options
from server.manual.chapters import Chapter, chapters_of, conversation, every_task
from server.manual.prose import Prose, first_sentence, title_of
from server.manual.samples import block, pretty
from server.models import Models
from server.openapi import task_array

_FOLDER = Path(__file__).parent
_GUIDE = ("index", "protocol", "images", "webhooks", "models", "dialects", "deploy")
"""The order of these pages of prose in the menu; others come after them."""
_EXTRA = {"index": "index.html", "models": "models.html", "dialects": "dialects.html"}
"""What stands below the prose of a page."""
_HEADING = re.compile(r'<h([23])[^>]* id="([^"]+)"[^>]*>(.*?)</h\1>', re.S)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Page:
    """A page: its address, its title, a sentence on it, and what lies between header and footer."""

    path: str
    title: str
    summary: str
    body: Markup

    @cached_property
    def headings(self) -> list[tuple[str, str, str]]:
        """Level, anchor and text of each."""
        return [(level, anchor, unescape(_TAG.sub("", text))) for level, anchor, text in _HEADING.findall(self.body)]


@dataclass(frozen=True)
class Book:
    """The pages as they go out, by address; the index for the search; the index for language models."""

    html: dict[str, bytes]
    search: bytes
    llms: bytes


def written(catalog: Catalog, config: Config) -> Book:
    """The manual of a server with these tasks and settings."""
    writer = _Writer(catalog, config)
    menu = writer.menu()
    pages = [page for _, found in menu for page in found]
    html = {page.path: writer.whole(page, menu).encode() for page in pages}
    html |= {f"/docs/tasks/{name}": html[f"/docs/tasks/{task.task_type}"] for name, task in catalog.by_name.items()}
    llms = writer.render("llms.txt", menu=menu, address=config.public_url.rstrip("/"))
    return Book(html, orjson.dumps(list(writer.findable(menu))), llms.encode())


class _Writer:
    """Fills the templates."""

    def __init__(self, catalog: Catalog, config: Config) -> None:
        self.catalog = catalog
        self.tasks = task_array.tasks(catalog)
        self.definitions = task_array.schemas(catalog)
        self.chapters = {task.task_type: chapters_of(task, self.definitions) for task in self.tasks}
        self.models = Models(config.models, config.models_folder, config.missing).entries
        names = {name: f"/docs/tasks/{task.task_type}" for name, task in catalog.by_name.items()}
        self.prose = Prose(names | failures.places() | options.places(), self.answered)
        self.environment = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self.environment.filters |= {
            "md": self.prose.line,
            "code": self.prose.code,
            "json": _shown,
        }

    def render(self, template: str, **words: Any) -> str:
        return self.environment.get_template(template).render(**words)

    def whole(self, page: Page, menu: list[tuple[str, list[Page]]]) -> str:
        """A page with its header, its menu and its footer."""
        return self.render("page.html", page=page, menu=menu, version=version("taskarray"))

    def menu(self) -> list[tuple[str, list[Page]]]:
        """All pages, by the heading that they stand under."""
        files = {path.stem: path.read_text() for path in sorted((_FOLDER / "prose").glob("*.md"))}
        order = [*(name for name in _GUIDE if name in files), *(name for name in files if name not in _GUIDE)]
        return [
            ("Guide", [self._prose(name, files[name]) for name in order]),
            ("Task types", [self._task(task) for task in sorted(self.tasks, key=lambda task: task.task_type)]),
            ("Reference", list(self._reference())),
        ]

    def _prose(self, name: str, text: str) -> Page:
        body = self.prose.page(text)
        if name in _EXTRA:
            shown = {"tasks": self.tasks, "models": self.models, "predictions": MODELS, "own": OWN}
            body += Markup(self.render(_EXTRA[name], **shown))
        path = "/docs" if name == "index" else f"/docs/{name}"
        return Page(path, title_of(text), first_sentence(text), body)

    def _task(self, task: Any) -> Page:
        chapter = self.chapters[task.task_type]
        schema = self.definitions[f"{task_array.pascal(task.task_type)}Params"]
        example = examples.of(task, schema, self.definitions)
        predictions = [name for name, model in MODELS.items() if model.task_type == task.task_type]
        words = {"task": task, "chapter": chapter, "example": example}
        body = self.render("task.html", **words, predictions=[f"{OWN}{task.task_type}", *predictions])
        return Page(f"/docs/tasks/{task.task_type}", task.task_type, task.summary, Markup(body))

    def _reference(self) -> Iterator[Page]:
        told = {
            "every-task": ("every.html", {"chapter": every_task(self.definitions)}),
            "conversation": ("conversation.html", {"objects": conversation(self.definitions)}),
            "errors": ("errors.html", {"groups": failures.groups(), "shown": self.refusal()}),
            "settings": ("settings.html", {"groups": options.groups()}),
        }
        for name, (template, words) in told.items():
            body = self.render(template, **words)
            title = unescape(_TAG.sub("", body.partition("<h1>")[2].partition("</h1>")[0]))
            summary = _TAG.sub("", body.partition('<p class="lead">')[2].partition("</p>")[0])
            yield Page(f"/docs/{name}", title, unescape(" ".join(summary.split())), Markup(body))

    def refusal(self) -> dict[str, Any]:
        """What a client is told of a wrong value."""
        task = self.catalog.named("upscale")
        found = read(task, {"inputImage": "…", "upscaleFactor": 7})
        assert isinstance(found, list), "no image becomes seven times as large"
        return wire(found[0].as_dict(), taskType=task.task_type, taskUUID=examples.uuid_of(task.task_type))

    def answered(self, name: str) -> Markup:
        """The stored answer to a message of the prose."""
        frames = examples.stored()["protocol"].get(name, [])
        return block("\n".join(pretty(frame) for frame in frames), "json", "Answer") if frames else escape("")

    def findable(self, menu: list[tuple[str, list[Page]]]) -> Iterator[dict[str, str]]:
        """What the search finds: pages, parameters, codes, settings, and headings. `in` is the page they stand on."""
        for kind, pages in menu:
            for page in pages:
                yield {"name": page.title, "in": kind, "path": page.path, "text": page.summary}
        for task_type, chapter in self.chapters.items():
            yield from _members(task_type, chapter)
        for kind, places in (("Errors", failures.places()), ("Settings", options.places())):
            yield from ({"name": name, "in": kind, "path": place, "text": ""} for name, place in places.items())
        for _, pages in menu:
            for page in pages:
                found = [heading for heading in page.headings if not page.path.startswith("/docs/tasks/")]
                yield from (
                    {"name": text, "in": page.title, "path": f"{page.path}#{anchor}", "text": ""}
                    for _, anchor, text in found
                )


def _shown(value: Any, label: str = "") -> Markup:
    return block(pretty(value), "json", label)


def _members(task_type: str, chapter: Chapter) -> Iterator[dict[str, str]]:
    for table in chapter.parameters:
        for member in table.members:
            path = f"/docs/tasks/{task_type}#{member.anchor}"
            yield {"name": member.row.place, "in": task_type, "path": path, "text": member.row.description}
