"""Every failure a client can see.

A failure is a code, an HTTP status, a public sentence and whether trying again may help. Nothing outside
this module invents a code. The names follow the patterns by which the official clients sort errors into
categories ("invalid…" is a validation error, "…NotFound" a missing thing, "…RateLimit…" a limit).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

CODES: dict[str, type[ApiError]] = {}
"""Every class of failure by its code; a parameter's failure stands here under its pattern (`invalid*`)."""


class ApiError(Exception):
    """Something went wrong that the client may know about."""

    code: str
    status: ClassVar[int]
    retryable: ClassVar[bool]
    sentence: ClassVar[str] = ""

    def __init__(self, message: str = "", *, parameter: str | None = None, **details: Any) -> None:
        self.message = message or self.sentence
        super().__init__(self.message)
        self.parameter = parameter
        self.code = type(self).code.replace("*", _pascal(parameter or ""))
        self.details = {name: value for name, value in details.items() if value is not None}

    def __init_subclass__(cls, *, code: str, status: int, retryable: bool) -> None:
        if code in CODES:
            raise TypeError(f"code {code!r} is declared twice: {CODES[code].__name__}, {cls.__name__}")
        cls.code, cls.status, cls.retryable = code, status, retryable
        CODES[code] = cls

    def as_dict(self) -> dict[str, Any]:
        """The failure as it crosses a process border and as it is kept in an outcome."""
        found: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.parameter is not None:
            found["parameter"] = self.parameter
        return found | self.details | {"status": self.status, "retryable": self.retryable}


def wire(failure: Mapping[str, Any], **envelope: Any) -> dict[str, Any]:
    """A failure in the shape of the task array protocol; `status` and `retryable` are ours, not the wire's."""
    shown = {name: value for name, value in failure.items() if name not in ("status", "retryable")}
    return shown | {name: value for name, value in envelope.items() if value is not None}


def status_of(code: str) -> int:
    """The HTTP status of a code; a code made of a parameter's name is a bad request."""
    return CODES[code].status if code in CODES else 400


def _pascal(parameter: str) -> str:
    """The parameter's name as it stands in a code: the last word of its path, without indexes."""
    word = [part for part in parameter.replace("[", ".").replace("]", "").split(".") if not part.isdigit()][-1]
    return word[:1].upper() + word[1:]


class InvalidParameter(ApiError, code="invalid*", status=400, retryable=False):
    """A parameter has the wrong type, form or range. The code is `invalid` and the parameter's name."""


class MissingParameter(ApiError, code="missing*", status=400, retryable=False):
    """A required parameter is absent, null or empty. The code is `missing` and the parameter's name."""


class UnknownParameter(ApiError, code="unknownParameter", status=400, retryable=False):
    """The task said `"strict": true` and carries a parameter that this task type does not have."""


class InvalidRequest(ApiError, code="invalidRequest", status=400, retryable=False):
    """The message is not a JSON array of task objects."""

    sentence = "Send a JSON array of task objects."


class InvalidApiKey(ApiError, code="invalidApiKey", status=401, retryable=False):
    """The key is absent, unknown or revoked. Clients stop on exactly this code."""

    sentence = "The API key was not accepted. Check it with `taskarray keys list`."


class ScopeMissing(ApiError, code="scopeMissing", status=403, retryable=False):
    """The key is known and good, and may not do this: it was made for something else."""


class NotFound(ApiError, code="notFound", status=404, retryable=False):
    """There is nothing at this address of the server."""


class MethodNotAllowed(ApiError, code="methodNotAllowed", status=405, retryable=False):
    """The address exists, but not for this HTTP method."""


class OriginNotAllowed(ApiError, code="originNotAllowed", status=403, retryable=False):
    """A web page of an origin that is not allowed tried to connect."""


class UnsupportedTaskType(ApiError, code="unsupportedTaskType", status=400, retryable=False):
    """No task type of that name is installed."""


class ConflictTaskUUID(ApiError, code="conflictTaskUUID", status=400, retryable=False):
    """This key has used the taskUUID before, for another task."""

    sentence = "This taskUUID was used for another task. Send every task with a fresh random UUID v4."


class TaskNotFound(ApiError, code="taskNotFound", status=404, retryable=False):
    """No task of this key has that taskUUID, or its result is no longer kept."""

    sentence = "There is no such task of this key, or its result is no longer kept."


class TaskExpired(ApiError, code="taskExpired", status=404, retryable=False):
    """The task waited so long that the bytes which came with it are no longer kept."""

    sentence = "The image sent with this task is no longer kept. Send it again, as a new task."


class InvalidTaskReference(ApiError, code="invalidTaskReference", status=400, retryable=False):
    """The task names another one that is unknown, has no such result, or stands on this one in turn."""


class DependencyFailed(ApiError, code="dependencyFailed", status=424, retryable=False):
    """A task that this one builds on has failed; `cause` is the first failure. This one was not run."""

    sentence = "Task %s, which this one builds on, ended with %s. Mend that one, and send both as new tasks."


class TaskCancelled(ApiError, code="taskCancelled", status=409, retryable=False):
    """The task, or one that it builds on, was cancelled."""

    sentence = "The task was cancelled."


class DeadlineExceeded(ApiError, code="deadlineExceeded", status=504, retryable=True):
    """The task was not started or not ended within the time that it gave itself, and was given up."""

    sentence = "The task was not %s within the time it gave itself. Give it more, or send it when less is waiting."


class MediaNotFound(ApiError, code="mediaNotFound", status=404, retryable=False):
    """No image of this key has that UUID: it never existed, has expired or was deleted."""


class ModelNotFound(ApiError, code="modelNotFound", status=404, retryable=False):
    """The model is not installed, or not known here. The message says which file to put where."""


class UnsupportedImageFormat(ApiError, code="unsupportedImageFormat", status=400, retryable=False):
    """The bytes are of a kind that this server does not read."""


class ValueTooLarge(ApiError, code="valueTooLarge", status=413, retryable=False):
    """The image is larger, in bytes or once decoded, than a limit of this server."""


class MaxRequestSizeExceeded(ApiError, code="maxRequestSizeExceeded", status=413, retryable=False):
    """The message, body or array is larger than a limit of this server."""


class InvalidImageURL(ApiError, code="invalidImageURL", status=400, retryable=False):
    """The URL may not be fetched or does not lead to an image. Trying again will not help."""


class DownloadFailed(ApiError, code="downloadFailed", status=400, retryable=True):
    """The URL could not be reached or its server failed. Trying again may help."""


class RateLimitExceeded(ApiError, code="rateLimitExceeded", status=429, retryable=True):
    """The key holds or sends more than its limits allow for now."""


class ProcessingFailed(ApiError, code="processingFailed", status=500, retryable=True):
    """The task could not be carried out, twice: its process crashed or ran out of memory."""


class TaskTimeout(ApiError, code="taskTimeout", status=504, retryable=True):
    """The task ran longer than its time limit and was ended."""


class ResponseTimeout(ApiError, code="responseTimeout", status=504, retryable=True):
    """The task still runs; only the waiting for it has ended."""

    sentence = "The task is still running. It goes on: ask for it with getResponse and the same taskUUID."


class ServiceUnavailable(ApiError, code="serviceUnavailable", status=503, retryable=True):
    """The server is stopping, or something it stands on does not answer. Nothing was accepted."""

    sentence = "The server cannot take this task right now; nothing was accepted. Send it again in a moment."


class UploadFailed(ApiError, code="uploadFailed", status=503, retryable=True):
    """The image could not be stored, for want of space or because the blob store failed."""


class InternalServerError(ApiError, code="internalServerError", status=500, retryable=True):
    """A bug. The message carries an id under which the log has the traceback."""
