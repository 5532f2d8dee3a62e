"""A small honest client of /v2."""

from __future__ import annotations

import base64
import io
from typing import Any
from uuid import uuid4

from PIL import Image

from tests.client import Reply, request
from tests.harness import KEY, Installation

BOUNDARY = f"----{uuid4().hex}"


async def post(where: Installation, body: Any, path: str = "/v2", key: str | None = KEY, **headers: str) -> Reply:
    """The answer to a body. Without another content type a dict goes as JSON."""
    told = {"content_type": "application/json"} | ({"x_api_key": key} if key else {}) | headers
    return await request("POST", where.url + path, body, **told)


async def post_form(where: Installation, *parts: tuple[str, str | bytes], **headers: str) -> Reply:
    """The answer to a multipart form: text is a field, bytes are a file."""
    return await post(where, form(*parts), content_type=f"multipart/form-data; boundary={BOUNDARY}", **headers)


def form(*parts: tuple[str, str | bytes], end: str = "--\r\n") -> bytes:
    """A multipart form as bytes."""
    body = b""
    for name, value in parts:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, bytes):
            head += '; filename="picture"\r\nContent-Type: application/octet-stream'
            body += f"{head}\r\n\r\n".encode() + value + b"\r\n"
        else:
            body += f"{head}\r\n\r\n{value}\r\n".encode()
    return body + f"--{BOUNDARY}{end}".encode()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(data: bytes | str) -> Image.Image:
    """A decoded answer: bytes, or strict base64."""
    image = Image.open(io.BytesIO(data if isinstance(data, bytes) else base64.b64decode(data, validate=True)))
    image.load()
    return image


def refused(answer: Reply, status: int, code: str, message: str | None = None) -> dict[str, Any]:
    """The error of an answer, which must be this one, in the one form that all have."""
    error = answer.json["error"]
    assert (answer.status, error["status"], error["code"]) == (status, status, code), error
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert error["request_id"] == answer.headers["x-request-id"]
    assert set(error) == {"code", "message", "status", "request_id"} | ({"details"} if status == 422 else set())
    if message is not None:
        assert error["message"] == message
    return error
