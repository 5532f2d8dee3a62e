"""JSON as a page shows it: short things on one line, coloured by what they are, long text with its end out of sight."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape

_LINE = 88
_LONG = 64
_LABELS = {"sh": "Shell", "python": "Python", "js": "JavaScript", "json": "JSON", "toml": "TOML", "yaml": "YAML"}
_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<word>-?\d[\d.eE+-]*|true|false|null)')


def pretty(value: Any, indent: int = 0) -> str:
    """A value as JSON, each object and list on one line where it fits."""
    flat = json.dumps(value, ensure_ascii=False)
    if not value or not isinstance(value, dict | list) or (len(flat) + indent <= _LINE and _is_small(value)):
        return flat
    pad, inner = " " * indent, " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {pretty(one, indent + 2)}" for name, one in value.items()]
        return "{\n" + inner + f",\n{inner}".join(parts) + f"\n{pad}}}"
    if len(value) == 1:
        return f"[{pretty(value[0], indent)}]"
    return "[\n" + inner + f",\n{inner}".join(pretty(one, indent + 2) for one in value) + f"\n{pad}]"


def _is_small(value: Any) -> bool:
    """Whether nothing lies two levels deep."""
    parts = value.values() if isinstance(value, dict) else value
    return not any(isinstance(part, dict | list) and part for part in parts) or not isinstance(value, dict)


def coloured(text: str) -> Markup:
    """JSON with the class of each of its parts: `key`, `text`, `word`."""
    return Markup("").join(_parts(text))


def _parts(text: str) -> Iterator[Markup]:
    end = 0
    for found in _TOKEN.finditer(text):
        yield escape(text[end : found.start()])
        end = found.end()
        if word := found["word"]:
            yield Markup('<span class="word">{}</span>').format(word)
        elif found["colon"]:
            yield Markup('<span class="key">{}</span>{}').format(found["string"], found["colon"])
        else:
            kind = "text long" if _is_bytes(found["string"]) else "text"
            yield Markup('<span class="{}">{}</span>').format(kind, found["string"])
    yield escape(text[end:])


def _is_bytes(string: str) -> bool:
    """Whether nobody reads a text: a data URI, or base64."""
    return len(string) > _LONG and not re.search(r" |://|blake3:", string)


def _short(text: str) -> Markup:
    """Code with the end of each data URI and base64 in it out of sight."""
    words = re.split(r"((?:data:[\w/;]+,)?[\w+/=]{100,})", text)
    return Markup("").join(
        Markup('<span class="long">{}</span>').format(word) if place % 2 else escape(word)
        for place, word in enumerate(words)
    )


def block(text: str, language: str, label: str = "") -> Markup:
    """Code as a block of its own, which can be scrolled and copied."""
    shown = coloured(text) if language == "json" else _short(text)
    label = label or _LABELS.get(language, language or "Text")
    return Markup(
        '<div class="code"><p class="label">{}</p>'
        '<pre tabindex="0" role="region" aria-label="{}"><code>{}</code></pre></div>'
    ).format(label, label, shown)
