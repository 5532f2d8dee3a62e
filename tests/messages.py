"""What is said on a socket, held against the AsyncAPI document."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft7Validator

from server.asyncapi import document
from server.catalog import Catalog

DOCUMENT = document(Catalog.discover())


def faults(message: str, value: Any) -> list[str]:
    """Where a value is not as this message of the document."""
    place = {"$ref": f"#/components/messages/{message}/payload"}
    return [fault.message for fault in Draft7Validator(place | DOCUMENT).iter_errors(value)]
