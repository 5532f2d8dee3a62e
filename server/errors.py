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

    code: str = ""
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = True
    sentence: ClassVar[str] = ""

    def __init__(self, message: str = "", *, parameter: str | None = None, **details: Any) -> None:
        self.message = message or self.sentence
        super().__init__(self.message)
        self.parameter = parameter
        self.code = type(self).code.replace("*", _pascal(parameter or ""))
        self.details = {name: value for name, value in details.items() if value is not None}

    def __init_subclass__(cls) -> None:
        if cls.code in CODES:
            raise TypeError(f"code {cls.code!r} is declared twice: {CODES[cls.code].__name__}, {cls.__name__}")
        CODES[cls.code] = cls

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


class InvalidParameter(ApiError):
    """A parameter has the wrong type, form or range. The code is `invalid` and the parameter's name."""

    code, status, retryable = "invalid*", 400, False


class MissingParameter(ApiError):
    """A required parameter is absent, null or empty. The code is `missing` and the parameter's name."""

    code, status, retryable = "missing*", 400, False


class UnknownParameter(ApiError):
    """The task said `"strict": true` and carries a parameter that this task type does not have."""

    code, status, retryable = "unknownParameter", 400, False


class InvalidRequest(ApiError):
    """The message is not a JSON array of task objects."""

    code, status, retryable = "invalidRequest", 400, False
    sentence = "Send a JSON array of task objects."


class InvalidApiKey(ApiError):
    """The key is absent, unknown or revoked. Clients stop on exactly this code."""

    code, status, retryable = "invalidApiKey", 401, False
    sentence = "The API key was not accepted. Check it with `taskarray keys list`."


class ScopeMissing(ApiError):
    """The key is known and good, and may not do this: it was made for something else."""

    code, status, retryable = "scopeMissing", 403, False


class NotFound(ApiError):
    """There is nothing at this address of the server."""

    code, status, retryable = "notFound", 404, False


class MethodNotAllowed(ApiError):
    """The address exists, but not for this HTTP method."""

    code, status, retryable = "methodNotAllowed", 405, False


class OriginNotAllowed(ApiError):
    """A web page of an origin that is not allowed tried to connect."""

    code, status, retryable = "originNotAllowed", 403, False


class UnsupportedTaskType(ApiError):
    """No task type of that name is installed."""

    code, status, retryable = "unsupportedTaskType", 400, False


class ConflictTaskUUID(ApiError):
    """This key has used the taskUUID before, for another task."""

    code, status, retryable = "conflictTaskUUID", 400, False
    sentence = "This taskUUID was used for another task. Send every task with a fresh random UUID v4."


class TaskNotFound(ApiError):
    """No task of this key has that taskUUID, or its result is no longer kept."""

    code, status, retryable = "taskNotFound", 404, False
    sentence = "There is no such task of this key, or its result is no longer kept."


class TaskExpired(ApiError):
    """The task waited so long that the bytes which came with it are no longer kept."""

    code, status, retryable = "taskExpired", 404, False
    sentence = "The image sent with this task is no longer kept. Send it again, as a new task."


class InvalidTaskReference(ApiError):
    """The task names another one that is unknown, has no such result, or stands on this one in turn."""

    code, status, retryable = "invalidTaskReference", 400, False


class DependencyFailed(ApiError):
    """A task that this one builds on has failed; `cause` is the first failure. This one was not run."""

    code, status, retryable = "dependencyFailed", 424, False
    sentence = "Task %s, which this one builds on, ended with %s. Mend that one, and send both as new tasks."


class TaskCancelled(ApiError):
    """The task, or one that it builds on, was cancelled."""

    code, status, retryable = "taskCancelled", 409, False
    sentence = "The task was cancelled."


class DeadlineExceeded(ApiError):
    """The task was not started or not ended within the time that it gave itself, and was given up."""

    code, status, retryable = "deadlineExceeded", 504, True
    sentence = "The task was not %s within the time it gave itself. Give it more, or send it when less is waiting."


class MediaNotFound(ApiError):
    """No image of this key has that UUID: it never existed, has expired or was deleted."""

    code, status, retryable = "mediaNotFound", 404, False


class ModelNotFound(ApiError):
    """The model is not installed, or not known here. The message says which file to put where."""

    code, status, retryable = "modelNotFound", 404, False


class UnsupportedImageFormat(ApiError):
    """The bytes are of a kind that this server does not read."""

    code, status, retryable = "unsupportedImageFormat", 400, False


class ValueTooLarge(ApiError):
    """The image is larger, in bytes or once decoded, than a limit of this server."""

    code, status, retryable = "valueTooLarge", 413, False


class MaxRequestSizeExceeded(ApiError):
    """The message, body or array is larger than a limit of this server."""

    code, status, retryable = "maxRequestSizeExceeded", 413, False


class InvalidImageURL(ApiError):
    """The URL may not be fetched or does not lead to an image. Trying again will not help."""

    code, status, retryable = "invalidImageURL", 400, False


class DownloadFailed(ApiError):
    """The URL could not be reached or its server failed. Trying again may help."""

    code, status, retryable = "downloadFailed", 400, True


class RateLimitExceeded(ApiError):
    """The key holds or sends more than its limits allow for now."""

    code, status, retryable = "rateLimitExceeded", 429, True


class ProcessingFailed(ApiError):
    """The task could not be carried out, twice: its process crashed or ran out of memory."""

    code, status, retryable = "processingFailed", 500, True


class TaskTimeout(ApiError):
    """The task ran longer than its time limit and was ended."""

    code, status, retryable = "taskTimeout", 504, True


class ResponseTimeout(ApiError):
    """The task still runs; only the waiting for it has ended."""

    code, status, retryable = "responseTimeout", 504, True
    sentence = "The task is still running. It goes on: ask for it with getResponse and the same taskUUID."


class ServiceUnavailable(ApiError):
    """The server is stopping, or something it stands on does not answer. Nothing was accepted."""

    code, status, retryable = "serviceUnavailable", 503, True
    sentence = "The server cannot take this task right now; nothing was accepted. Send it again in a moment."


class UploadFailed(ApiError):
    """The image could not be stored, for want of space or because the blob store failed."""

    code, status, retryable = "uploadFailed", 503, True


class InternalServerError(ApiError):
    """A bug. The message carries an id under which the log has the traceback."""

    code, status, retryable = "internalServerError", 500, True
