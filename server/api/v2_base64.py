"""Base64 read strictly, as /v2 promises: the standard alphabet, padded, and nothing else in between."""

from __future__ import annotations

import re

import pybase64

from server.api.v2_errors import Failure

_PREFIX = re.compile(r"data:image/[^,]*;base64,", re.IGNORECASE | re.ASCII)
_HEAD = 256
"""Characters within which the head of a data URL must end."""


def strictly_decoded(text: str, field: str) -> bytes:
    """The bytes in base64, before which one `data:image/…;base64,` may stand. Raises Failure, which names the field."""
    head = _PREFIX.match(text[:_HEAD])
    try:
        return pybase64.b64decode(text[head.end() :] if head else text, validate=True)
    except ValueError:  # also what it raises for characters beyond ASCII
        raise Failure(400, "invalid_base64", f"{field} is not valid base64.") from None
