"""The OpenAPI document: valid, as the code has it, and true of a running server."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from PIL import Image
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.routing import Mount, WebSocketRoute

from server.api import v2_order
from server.api.answers import CONVERSATION
from server.api.v3_models import MODELS, OWN
from server.app import build
from server.catalog import Catalog
from server.config import Config
from server.errors import ApiError
from server.gateway import Gateway
from server.openapi import document
from server.openapi.parts import failures
from server.prepare import ENVELOPE
from tests.client import Client, new_task, request
from tests.harness import KEY, OTHER_KEY, Installation
from tests.pictures.files import encoded

CATALOG = Catalog.discover()
DOCUMENT = document(CATALOG)
SCHEMAS = DOCUMENT["components"]["schemas"]
DOT = encoded(Image.new("RGB", (2, 2), "red"), "PNG")
TEXT = base64.b64encode(DOT).decode()
CLOSED = "http://127.0.0.1:9/"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
_SENT = ("webhook", "webhook_url", "webhookURL", "uploadEndpoint")


def faults(name: str, value: Any) -> list[Any]:
    """Where a value is not as a schema of the document says."""
    return list(Draft202012Validator({"$ref": f"#/components/schemas/{name}"} | DOCUMENT).iter_errors(value))


async def test_served(installation: Installation) -> None:
    """Every server has the document of its own tasks, valid by the meta-schema of OpenAPI 3.1."""
    answer = await request("GET", f"{installation.url}/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == document(Catalog.discover(("tests.misbehaving",)))
    assert answer.json["openapi"] == "3.1.0"
    validate(answer.json)


def test_every_address() -> None:
    """Every address of the server is in the document with its methods, and no other; those of models one by one."""
    found, shown = dict[str, set[str]](), dict[str, set[str]]()
    for route in build(Gateway(Config.read({}))).routes:
        if isinstance(route, WebSocketRoute | Mount) or not route.include_in_schema:
            continue  # not HTTP, and what only browsers are shown
        path = route.path.replace(":path}", "}").replace("/api/v2/", "/api/v3/").removesuffix("/") or "/"
        methods = {"POST"} if path == "/v2" else getattr(route, "methods", None) or {"GET"}
        found.setdefault(path, set()).update(methods - {"HEAD"})
    assert found.pop("/api/v3/{model}") == {"POST"}
    del found["/api/v3/{path}"]  # where every other method is refused
    for path, operations in DOCUMENT["paths"].items():
        if path.removeprefix("/api/v3/") not in (*MODELS, *(f"{OWN}{name}" for name in CATALOG.by_name)):
            shown[path] = {method.upper() for method in operations} - {"HEAD"}
    assert shown == found


def test_tasks() -> None:
    """A task object is one of the catalogue under each of its names, or one about the conversation."""
    mapping = SCHEMAS["TaskObject"]["discriminator"]["mapping"]
    assert set(mapping) == {*CATALOG.by_name, *CONVERSATION}
    assert {choice["$ref"] for choice in SCHEMAS["TaskObject"]["oneOf"]} == set(mapping.values())
    assert set(SCHEMAS["TaskEnvelope"]["properties"]) == set(ENVELOPE)
    for sent in (
        new_task("imageUpload", image="x"),
        new_task("imageUpscale", input_image="x", output_type="URL", target_megapixels=8),
        new_task("upscale", input_image="x", output_type=["URL", "dataURI"], delivery_method="async"),
        new_task("ping"),
        {"taskType": "authentication", "apiKey": "x"},
    ):
        assert not faults("TaskObject", sent)
    for sent in (
        new_task("imageUpscale"),
        new_task("unknown", image="x"),
        new_task("upscale", input_image="x", target_megapixels=65),
        new_task("upscale", input_image="x", output_type=[]),
        {"taskType": "imageUpload", "image": "x"},
    ):
        assert faults("TaskObject", sent)


@pytest.mark.parametrize("failure", list(failures()), ids=lambda failure: type(failure).__name__)
def test_codes(failure: ApiError) -> None:
    """Every failure of the task array is as the document says, under a status that it tells."""
    shown = {"code": failure.code, "message": "…"}
    assert not faults("TaskFailure", shown)
    assert faults("TaskFailure", shown | {"code": f"not{failure.code}"})
    assert str(failure.status) in DOCUMENT["paths"]["/v1"]["post"]["responses"]


def test_words_of_removal() -> None:
    """What a request to /v2 may choose from is in the document, and nothing else."""
    for name in ("RemovalForm", "RemovalObject"):
        told = SCHEMAS[name]["properties"]
        assert set(told["format"]["enum"]) == {*v2_order._FORMATS, *v2_order._FORMAT_ALIASES}
        assert set(told["size"]["enum"]) == set(v2_order._SIZES)
        assert set(told["channels"]["enum"]) == set(v2_order._CHANNELS)
        assert set(told["crop"]["anyOf"][1]["enum"]) == set(v2_order._BOOLEANS)
    assert set(v2_order._SOURCES) <= {*SCHEMAS["RemovalForm"]["properties"], *SCHEMAS["RemovalObject"]["properties"]}


async def test_inputs_of_models(installation: Installation) -> None:
    """Each model's inputs are those that the list of models tells, and a webhook."""
    answer = await request("GET", f"{installation.url}/api/v3/models", authorization=f"Bearer {KEY}")
    shown = (await request("GET", f"{installation.url}/openapi.json")).json["paths"]
    for model in answer.json["data"]:
        told = model["api_schema"]["api_schemas"][0]
        schema = shown[told["api_path"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        properties = {name: about for name, about in schema["properties"].items() if name != "webhook_url"}
        assert properties == told["request_schema"]["properties"]
        assert schema.get("required", []) == told["request_schema"]["required"]


async def test_items(client: Client) -> None:
    """What tasks give is as the document says."""
    for name, members in {
        "imageUpload": {"image": TEXT},
        "imageUpscale": {"input_image": TEXT, "output_type": ["dataURI", "base64Data"]},
        "imageTransform": {"input_image": TEXT, "operations": [{"operation": "blur", "sigma": 1}]},
        "removeBackground": {"input_image": TEXT, "include_cost": True},
        "modelSearch": {},
    }.items():
        item = await client.run(name, **members)
        assert not faults("TaskItem", item)
        head = SCHEMAS["TaskObject"]["discriminator"]["mapping"][name].rpartition("/")[2].removesuffix("Task")
        assert not faults(f"{head}Item", item)
        assert faults(f"{head}Item", item | {"taskType": "other"})


def tame(value: Any, name: str = "") -> Any:
    """A generated value without what would leave this machine; every other image in it is one."""
    match value:
        case dict():
            return {member: tame(inner, member) for member, inner in value.items() if member not in _SENT}
        case list():
            return [tame(item, name) for item in value]
        case str() if name == "image_url":
            return CLOSED
        case str() | bytes() if ("image" in name.lower() or name in ("file", "media")) and len(value) % 2:
            return TEXT if isinstance(value, str) else DOT
        case _:
            return value


@pytest.mark.parametrize("mode", GenerationMode)
def test_any_input(installation: Installation, mode: GenerationMode) -> None:
    """No input makes the server fail, at any address, whether the document allows it or not, and each answer is as
    the document says."""
    with requests.Session() as session:
        for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations():
            operation = found.ok()
            shaped = any(body.media_type != "application/octet-stream" for body in operation.body)
            if shaped or mode is GenerationMode.POSITIVE:
                _walk(operation, mode, installation.url, session)


def _walk(operation: Any, mode: GenerationMode, url: str, session: requests.Session) -> None:
    """A number of requests at one address."""
    runs = "enable_sync_mode" in str(operation.definition.raw)
    examples = (10 if mode is GenerationMode.POSITIVE else 4) * (3 if operation.path == "/v1" else 1)

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode))
    def walk(case: Any) -> None:
        case.query, case.body = tame(case.query), tame(case.body)
        if runs and isinstance(case.body, dict):
            case.body["enable_sync_mode"] = True  # so that the answer tells what came of it
        headers = {"authorization": f"Bearer {OTHER_KEY}", "x-api-key": OTHER_KEY}
        answer = case.call(base_url=url, headers=headers, session=session)
        assert b"incident" not in answer.content, answer.content[:500]
        case.validate_response(answer, checks=CHECKS)

    walk()
