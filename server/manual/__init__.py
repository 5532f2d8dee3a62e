"""The manual of a server, at /docs: written from its catalogue, its failures, its settings and a few pages of prose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.catalog import Catalog
from server.config import Config

if TYPE_CHECKING:
    from server.manual.book import Book


def written(catalog: Catalog, config: Config) -> Book:
    """The manual of a server with these tasks and settings."""
    from server.manual import book  # what it is written with is loaded when somebody first reads

    return book.written(catalog, config)
