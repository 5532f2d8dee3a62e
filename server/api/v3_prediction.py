"""The prediction object: a task as the predictions API shows it, in answers, lists and webhooks. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from server.api.v3_models import MODELS, OWN
from server.jobs import Known

SYNC_TIMEOUT = 5004
_STATUS = {
    "held": "created", "queued": "created", "running": "processing", "succeeded": "completed", "failed": "failed",
    "deleted": "deleted",
}  # fmt: skip
_CODES = {
    "mediaNotFound": 1402, "taskExpired": 1402, "invalidImageURL": 1402, "downloadFailed": 1402,
    "unsupportedImageFormat": 1402, "valueTooLarge": 1401, "unknownParameter": 1401, "processingFailed": 1403,
    "internalServerError": 5000, "serviceUnavailable": 5003, "uploadFailed": 5003, "taskTimeout": 5004,
    "deadlineExceeded": 5004, "dependencyFailed": 1402,
}  # fmt: skip
_OTHER = 1405
_ENVELOPE = {"webhookURL": "webhook"}
"""What our parameters besides those of a task are called here."""
_RERUN = re.compile(r"time(?=out)|connec(?=tion)|http(?= [45])|4(?=29)", re.IGNORECASE)
"""Clients send a failed task again when they find these words in its error."""


def identifier(uuid: str) -> str:
    """A task's UUID as the id of a prediction."""
    return uuid.replace("-", "").lower()


def task_uuid(identifier: str) -> str | None:
    """The task's UUID of an id, with or without dashes; None for what is no id."""
    bare = identifier.replace("-", "")
    return str(UUID(bare)) if re.fullmatch("[0-9a-fA-F]{32}", bare) else None


def prediction(uuid: str, known: Known, base_url: str) -> dict[str, Any]:
    """A task as a prediction. Its outputs are URLs, or texts; those that went inline are missing."""
    model, given = described(known.request)
    outcome = known.outcome or {}
    failure: Mapping[str, Any] = outcome.get("failure") or {}
    outputs = [output for item in outcome.get("items", ()) for output in results(item)]
    milliseconds = round(known.seconds * 1000)
    return filled(
        {
            "id": identifier(uuid),
            "model": model,
            "input": given,
            "status": _STATUS[known.state],
            "urls": {"get": f"{base_url}/api/v3/predictions/{identifier(uuid)}/result"},
            "created_at": written(known.created),
            "error": sentence(failure, model) if failure else "",
            "code": task_code(failure["code"]) if failure else 0,
            "executionTime": milliseconds,
            "timings": {"inference": milliseconds},
        },
        outputs,
    )


def filled(shown: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
    """A prediction with these outputs."""
    return shown | {"outputs": outputs, "output": outputs, "has_nsfw_contents": [False] * len(outputs)}


def described(request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model and the input of a request; of one that came by another face, our own model of its task type."""
    about, given = request.get("prediction"), request.get("input")
    if isinstance(about, dict) and isinstance(about.get("model"), str):
        return about["model"], given if isinstance(given, dict) else {}
    members = {name: value for name, value in request.items() if name not in ("taskType", "taskUUID")}
    return f"{OWN}{request.get('taskType', '')}", members


def wants_base64(request: Mapping[str, Any]) -> bool:
    """Whether the outputs of a request are to be shown as base64."""
    about = request.get("prediction")
    return isinstance(about, dict) and about.get("base64") is True


def results(item: Mapping[str, Any]) -> list[str]:
    """What an item gives as outputs: its URLs, else its text, else all of it, unless that goes inline."""
    urls = [value for name, value in item.items() if name.endswith("URL")]
    if urls or "inline" in item:
        return urls
    return [item["text"]] if isinstance(item.get("text"), str) else [orjson.dumps(item).decode()]


def task_code(code: str) -> int:
    """The task code of one of our failures."""
    if code in _CODES:
        return _CODES[code]
    return 1400 if code.startswith("missing") else 1401 if code.startswith("invalid") else _OTHER


def sentence(failure: Mapping[str, Any], model: str = "") -> str:
    """A failure in words, with parameters named as the model names them. Where a second run would fail as well,
    no client takes a word of it for a reason to try: an invisible character parts those."""
    text: str = failure["message"]
    names = MODELS[model].names if model in MODELS else {}
    for ours, theirs in (_ENVELOPE | names).items():
        text = re.sub(rf"\b{ours}\b", theirs, text)
    return text if failure.get("retryable") else _RERUN.sub("\\g<0>\u200b", text)


def written(seconds: float) -> str:
    """A time in seconds since 1970, as RFC 3339 writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
