"""Markdown as HTML. Words in backquotes that the manual knows, such as codes and settings, lead to where they are
told of; headings have anchors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from server.manual.samples import block

SEND = "json send="
"""How the block of a message begins whose real answer is shown after it; its name follows."""


class Prose:
    """A writer of HTML. `places` are the addresses of known words, `answered` shows the answer to a named message."""

    def __init__(self, places: Mapping[str, str], answered: Callable[[str], Markup]) -> None:
        self.places = places
        self._answered = answered
        # Raw HTML in it is shown, not obeyed, and a link leads to the web or to a page.
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        rules: dict[str, Callable[..., str]] = {
            "fence": self._fence, "code_inline": self._word, "heading_open": self._heading,
            "table_open": self._table, "table_close": self._table_end,
        }  # fmt: skip
        renderer = self._markdown.renderer
        assert isinstance(renderer, RendererHTML)
        renderer.rules.update(rules)  # type: ignore[arg-type]: its rules need be no methods

    def page(self, text: str) -> Markup:
        """A whole text."""
        return Markup(self._markdown.render(text))

    def line(self, text: str) -> Markup:
        """A sentence or a few, without a paragraph around them."""
        return Markup(self._markdown.renderInline(text))

    def code(self, word: str) -> Markup:
        """A word as code, which leads to its place if it has one."""
        shown = Markup("<code>{}</code>").format(word)
        place = self.places.get(word)
        return Markup('<a href="{}">{}</a>').format(place, shown) if place else shown

    def _fence(self, tokens: Sequence[Token], at: int, *_: Any) -> str:
        about, text = tokens[at].info.strip(), tokens[at].content.rstrip("\n")
        if about.startswith(SEND):
            return block(text, "json", "Send") + self._answered(about.removeprefix(SEND))
        return block(text, about.partition(" ")[0])

    def _word(self, tokens: Sequence[Token], at: int, *_: Any) -> str:
        before = [token.type for token in tokens[:at]]
        if before.count("link_open") > before.count("link_close"):
            return Markup("<code>{}</code>").format(tokens[at].content)
        return self.code(tokens[at].content)

    def _heading(self, tokens: Sequence[Token], at: int, *_: Any) -> str:
        return f'<{tokens[at].tag} id="{escape(slug(tokens[at + 1].content))}">'

    def _table(self, *_: Any) -> str:
        return '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table>'

    def _table_end(self, *_: Any) -> str:
        return "</table></div>"


def slug(heading: str) -> str:
    """A heading as an anchor."""
    return re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")


def title_of(text: str) -> str:
    """The first heading of a text."""
    return re.findall(r"^# (.+)$", text, re.M)[0]


def first_sentence(text: str) -> str:
    """What a text begins with after its heading, as a summary."""
    blocks = (part for part in re.split(r"\n{2,}", text) if part[:1] not in ("#", "`", "|", "!"))
    plain = re.sub(r"\[([^]]*)]\([^)]*\)|[`*]", r"\1", " ".join(next(blocks, "").split()))
    return re.split(r"(?<=[.!?]) ", plain)[0]
