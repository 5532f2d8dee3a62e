"""The prediction object by itself: what becomes of a task that is known."""

from __future__ import annotations

from typing import Any

import pytest

from server.api.v3_prediction import prediction, sentence, task_code, task_uuid
from server.errors import CODES, InvalidParameter, MissingParameter
from server.jobs import Known
from tests.api.predictions import checked

UUID = "0f9d2c31-b6f9-4d0c-9a6c-1b7f2e3d4a55"


def known(state: str = "succeeded", request: dict[str, Any] | None = None, **outcome: Any) -> Known:
    request = {"taskType": "upscale", "taskUUID": UUID} if request is None else request
    return Known(request, state, "async", [], None, "", outcome or None, 1767607200.1234, 0.8124)


def test_success() -> None:
    """A task that went well, with all its outputs in their order."""
    items = [{"imageUUID": "x", "imageURL": "https://a.example/1.png"}, {"text": "two"}, {"results": [3]}]
    request = {"prediction": {"model": "a/b", "base64": False}, "input": {"prompt": "x"}, "taskType": "upscale"}
    assert checked(prediction(UUID, known(request=request, items=items), "https://a.example")) == {
        "id": "0f9d2c31b6f94d0c9a6c1b7f2e3d4a55",
        "model": "a/b",
        "input": {"prompt": "x"},
        "status": "completed",
        "outputs": ["https://a.example/1.png", "two", '{"results":[3]}'],
        "output": ["https://a.example/1.png", "two", '{"results":[3]}'],
        "urls": {"get": "https://a.example/api/v3/predictions/0f9d2c31b6f94d0c9a6c1b7f2e3d4a55/result"},
        "has_nsfw_contents": [False, False, False],
        "created_at": "2026-01-05T10:00:00.123Z",
        "error": "",
        "code": 0,
        "executionTime": 812,
        "timings": {"inference": 812},
    }


@pytest.mark.parametrize(("state", "status"), [("queued", "created"), ("running", "processing")])
def test_unfinished(state: str, status: str) -> None:
    """A task that has not ended has no outputs, and no error."""
    shown = checked(prediction(UUID, known(state), ""))
    assert (shown["status"], shown["outputs"], shown["error"], shown["code"]) == (status, [], "", 0)


@pytest.mark.parametrize("about", [7, None, [], {}, {"model": 7, "base64": "x"}])
def test_odd_requests(about: object) -> None:
    """A task of another face may have members of any kind under the names that are used here."""
    request = {"taskType": "upscale", "taskUUID": UUID, "prediction": about, "input": "x"}
    shown = checked(prediction(UUID, known(request=request, items=[]), ""))
    assert (shown["model"], shown["input"]) == ("taskarray/upscale", {"prediction": about, "input": "x"})


CODED = {
    "missingImage": 1400, "invalidImage": 1401, "unknownParameter": 1401, "valueTooLarge": 1401, "mediaNotFound": 1402,
    "invalidImageURL": 1402, "downloadFailed": 1402, "unsupportedImageFormat": 1402, "processingFailed": 1403,
    "modelNotFound": 1405, "internalServerError": 5000, "serviceUnavailable": 5003, "taskTimeout": 5004,
}  # fmt: skip


def test_codes() -> None:
    """Each failure has a task code that is documented."""
    assert {code: task_code(code) for code in CODED} == CODED
    assert {task_code(code) for code in CODES if code} <= {1400, 1401, 1402, 1403, 1405, 5000, 5003, 5004}


@pytest.mark.parametrize("words", ["HTTP 503", "HTTP 429", "http 5", "Timeout", "a timeout", "Connection", "4290"])
def test_words_of_failures(words: str) -> None:
    """The words for which clients run a task again stand only where another run may go better."""
    failure = {"code": "invalidX", "message": f"It says {words} here.", "retryable": False}
    shown = sentence(failure)
    assert not any(word in shown.lower() for word in ("http 5", "http 429", "timeout", "connection", "429"))
    assert shown.replace("\u200b", "") == failure["message"]
    assert sentence(failure | {"retryable": True}) == failure["message"]


def test_names_in_failures() -> None:
    """A failure names inputs as they were sent; a word that only contains such a name stays."""
    request = {"prediction": {"model": "wavespeed-ai/real-esrgan"}, "input": {}, "taskType": "upscale"}
    for refusal, words in {
        MissingParameter("inputImage is required.", parameter="inputImage"): "image is required.",
        InvalidParameter("inputImages: no. upscaleFactor: no.", parameter="x"): "inputImages: no. guidance_scale: no.",
    }.items():
        shown = checked(prediction(UUID, known("failed", request, failure=refusal.as_dict()), ""))
        assert (shown["status"], shown["error"], shown["outputs"]) == ("failed", words, [])


def test_identifiers() -> None:
    """An id is a UUID, with dashes or without."""
    bare = UUID.replace("-", "")
    assert {task_uuid(name) for name in (UUID, bare, UUID.upper())} == {UUID}
    assert {task_uuid(name) for name in ("", "x", bare[1:], bare + "0", f"{bare}\n", "g" * 32)} == {None}
