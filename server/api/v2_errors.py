"""What can go wrong at /v2, in its dialect, and what our own failures are called there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.responses import Response

MAX_IMAGE = 30 * 2**20
"""Bytes of an image file, whatever way it came."""
MAX_PIXELS = 100_000_000

Told = Mapping[str, Any]
"""One of our failures, as `ApiError.as_dict` gives it."""


class Failure(Exception):
    """An answer that is no image: `status`, the code and sentence of this dialect, and `details` of a wrong shape."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error: dict[str, Any] = {"code": code, "message": message, "status": status}
        self.details = details
        self.headers = dict(headers or {})

    def response(self, request_id: str) -> Response:
        """The failure as it goes out."""
        error = self.error | {"request_id": request_id} | ({"details": self.details} if self.details else {})
        return Response(orjson.dumps({"error": error}), self.status, self.headers, "application/json")


def bad_request(message: str) -> Failure:
    """A parameter is missing or wrong."""
    return Failure(400, "bad_request", message)


def misshapen(kind: str, place: list[str], message: str, given: object = None) -> Failure:
    """The request is not built as it should be."""
    detail = {"type": kind, "loc": place, "msg": message, "input": given}
    return Failure(422, "validation_error", "Request validation failed.", details=[detail])


def invalid_image(why: str = "") -> Failure:
    """There are bytes, and they are no image that is read here."""
    return Failure(400, "invalid_image", f"body is not a valid image{why}")


def too_many_bytes() -> Failure:
    """The image file is too long."""
    return Failure(413, "payload_too_large", "image too large (>30 MB).")


def unavailable(message: str, seconds: float = 1) -> Failure:
    """Not now; the same request may succeed in a while."""
    return Failure(503, "service_unavailable", message, headers={"retry-after": str(max(1, round(seconds)))})


def internal(message: str) -> Failure:
    """It is the server's fault."""
    return Failure(500, "internal_error", message)


def translated(failure: Told) -> Failure:
    """One of our failures in this dialect."""
    return _CALLED.get(failure["code"], _internal)(failure)


def _internal(failure: Told) -> Failure:
    return internal(failure["message"])


def _unavailable(failure: Told) -> Failure:
    return unavailable(failure["message"])


def _too_large(failure: Told) -> Failure:
    if pixels := failure.get("maxPixels"):
        return Failure(413, "image_too_large", f"image exceeds {pixels} pixels.")
    return too_many_bytes() if failure.get("maxBytes") else Failure(413, "image_too_large", failure["message"])


def _not_fetched(failure: Told) -> Failure:
    status = failure.get("httpStatus", 404 if failure["code"] == "mediaNotFound" else None)
    why = f" (HTTP {status})" if status else f": {failure['message']}"
    return Failure(400, "image_url_fetch_failed", f"cannot download image_url{why}")


def _too_often(failure: Told) -> Failure:
    wait = str(max(1, round(failure.get("retryAfter", 1))))
    return Failure(429, "rate_limited", "Too many requests.", headers={"retry-after": wait})


_CALLED: dict[str, Callable[[Told], Failure]] = {
    "invalidApiKey": lambda _: Failure(401, "invalid_api_key", "Invalid or revoked API key."),
    "scopeMissing": lambda _: Failure(401, "invalid_api_key", "This API key may not run tasks."),
    "invalidInputImage": lambda _: invalid_image(),
    "unsupportedImageFormat": lambda failure: invalid_image(f": {failure['message']}"),
    "valueTooLarge": _too_large,
    "invalidImageURL": _not_fetched,
    "downloadFailed": _not_fetched,
    "mediaNotFound": _not_fetched,
    "rateLimitExceeded": _too_often,
    "serviceUnavailable": _unavailable,
    "uploadFailed": _unavailable,
    "taskExpired": _unavailable,
    "taskTimeout": _unavailable,
    "taskCancelled": _unavailable,
    "deadlineExceeded": _unavailable,
}
