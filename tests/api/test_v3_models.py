"""The models of the predictions API: what each takes, how it is translated, what the list says of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from server.api.v3_models import MODELS
from server.api.v3_order import Order, order, receiver, requested
from server.api.v3_schemas import inputs_of
from server.catalog import Catalog, read
from server.errors import ApiError
from server.prepare import ENVELOPE
from server.schema import Params, wire_name
from tests.api.predictions import data, refusal, run
from tests.harness import KEY, Installation
from tests.tasks.desk import data_uri

RED = data_uri(Image.new("RGB", (16, 8), "red"))
CATALOG = Catalog.discover()


def translated(model: str, **inputs: Any) -> dict[str, Any]:
    """The parameters of the task that does a model's work; they are such as that task takes."""
    found = requested(CATALOG, Order(model, inputs, False, False, None))
    fields = {name: value for name, value in found.fields.items() if name not in ENVELOPE}
    task = CATALOG.named(found.fields["taskType"])
    assert isinstance(read(task, fields, strict=True), Params), fields
    assert fields.pop("outputType") == "URL"
    return {name: value for name, value in fields.items() if name not in ("inputImage", "seedImage")}


@pytest.mark.parametrize(
    ("inputs", "factor"),
    [
        ({}, 4), ({"guidance_scale": 2}, 2), ({"guidance_scale": 0}, 2), ({"guidance_scale": 10}, 4),
        ({"scale": 3}, 3), ({"scale": 2.6}, 3), ({"scale": 1e400}, 4), ({"guidance_scale": 2, "scale": 4}, 2),
        ({"guidance_scale": None}, 4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("maker", ["wavespeed-ai", "nightmareai"])
def test_esrgan(maker: str, inputs: dict[str, Any], factor: int) -> None:
    """guidance_scale, or scale, is how many times larger, within what this server does; other inputs are tolerated."""
    found = translated(f"{maker}/real-esrgan", image=RED, face_enhance=True, **inputs)
    assert found == {"upscaleFactor": factor, "outputFormat": "PNG"}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, {"targetMegapixels": 8}),
        ({"target_resolution": "2k", "output_format": "webp"}, {"targetMegapixels": 4, "outputFormat": "webp"}),
        ({"target_resolution": "8k", "creativity": -2}, {"targetMegapixels": 33}),
    ],
)
def test_upscaler(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    """target_resolution is how many megapixels are wanted."""
    assert translated("wavespeed-ai/image-upscaler", image=RED, **inputs) == expected


SQUARE = {"width": 1024, "height": 1024}
LORAS = [{"path": "civitai:1@2", "scale": 0.5}, {"path": "civitai:3@4"}]
LORA = [{"model": "civitai:1@2", "weight": 0.5}, {"model": "civitai:3@4", "weight": 1}]
PLAIN = {"positivePrompt": "a cat", "steps": 28, "CFGScale": 3.5}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, SQUARE | {"seed": None}),
        ({"size": "1536*256"}, {"width": 1536, "height": 256, "seed": None}),
        ({"size": "1023x1025", "seed": -1}, SQUARE | {"seed": None}),
        ({"width": 300, "height": 500, "size": "9*9"}, {"width": 304, "height": 496, "seed": None}),
        ({"image": RED, "strength": 0.5, "mask_image": RED}, {"strength": 0.5, "maskImage": RED, "seed": None}),
        ({"seed": 0, "num_images": 3, "output_format": "png"},
         SQUARE | {"seed": 2**31, "numberResults": 3, "outputFormat": "png"}),
        ({"seed": 7, "num_inference_steps": 10, "guidance_scale": 2}, SQUARE | {"seed": 7, "steps": 10, "CFGScale": 2}),
        ({"loras": LORAS, "enable_safety_checker": True}, SQUARE | {"seed": None, "lora": LORA}),
    ],
)  # fmt: skip
def test_flux(inputs: dict[str, Any], expected: dict[str, Any]) -> None:
    """A prompt with what may come with it; a picture to start from brings its own size."""
    assert translated("wavespeed-ai/flux-dev", prompt="a cat", **inputs) == PLAIN | expected


@pytest.mark.parametrize(
    ("model", "inputs", "parameter"),
    [
        ("wavespeed-ai/flux-dev", {"size": "large"}, "size"),
        ("wavespeed-ai/flux-dev", {"width": "9"}, "width"),
        ("wavespeed-ai/flux-dev", {"loras": {"path": "x"}}, "loras"),
        ("wavespeed-ai/image-upscaler", {"target_resolution": "3k"}, "target_resolution"),
        ("wavespeed-ai/image-upscaler", {"target_resolution": ["2k"]}, "target_resolution"),
        ("wavespeed-ai/real-esrgan", {"guidance_scale": True}, "guidance_scale"),
    ],
)
def test_bad_inputs(model: str, inputs: dict[str, Any], parameter: str) -> None:
    """What cannot be translated is refused under the name that it was sent by."""
    with pytest.raises(ApiError) as refused:
        translated(model, prompt="a cat", image=RED, **inputs)
    assert refused.value.parameter == parameter
    assert refused.value.message.startswith(parameter)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ""), ("x=1", ""), ("webhook=", ""), ("notwebhook=https://a.example", ""),
        ("webhook=https://a.example/h", "https://a.example/h"),
        ("webhook=https://a.example/h&x=1", "https://a.example/h"),
        ("webhook=https://a.example/h?x=1&y=2", "https://a.example/h?x=1&y=2"),
        ("x=1&webhook=https://a.example/h?x=%20", "https://a.example/h?x=%20"),
        (f"webhook={quote('https://a.example/h?x=1&y=%20', safe='')}&x=1", "https://a.example/h?x=1&y=%20"),
    ],
)  # fmt: skip
def test_receiver(query: str, found: str) -> None:
    """The receiver comes percent-encoded, or raw with a query of its own."""
    assert receiver(query) == found
    assert order("m", query, {}).webhook == (found or None)
    assert order("m", "", {"webhook_url": found}).webhook == (found or None)


def test_own_models() -> None:
    """Every task is a model under its own wire names; what makes it this task and not another cannot be overridden."""
    sent = {"inputImage": RED, "settings": {"upscaleFactor": 3}, "outputType": "dataURI", "ttl": None}
    envelope = {"taskType": "imageUpload", "taskUUID": "x", "deliveryMethod": "x", "webhookURL": "https://a.example"}
    for name in ("upscale", "imageUpscale"):
        found = requested(CATALOG, order(f"taskarray/{name}", "", sent | envelope))
        assert found.fields.pop("taskUUID") == found.sent["taskUUID"] != "x"
        kept = {"inputImage": RED, "upscaleFactor": 3, "outputType": "URL"}
        assert found.fields == kept | {"taskType": "upscale", "deliveryMethod": "async"}


async def test_list(installation: Installation) -> None:
    """Every model says what it takes, with nothing that is defined elsewhere, and runs at the address it names."""
    models = {model["model_id"]: model for model in await data(installation, "GET", "/models")}
    assert set(models) > {*MODELS, "taskarray/removeBackground", "taskarray/nothing"}
    assert [model["sort_order"] for model in models.values()] == list(range(len(models)))
    for name, model in models.items():
        (run_,) = model["api_schema"]["api_schemas"]
        schema = run_["request_schema"]
        assert (run_["type"], run_["method"], run_["api_path"]) == ("model_run", "POST", f"/api/v3/{name}")
        assert run_["server"] == installation.url
        assert schema["x-order-properties"] == list(schema["properties"])
        assert set(schema["required"]) <= set(schema["properties"]) >= {"enable_sync_mode", "enable_base64_output"}
        assert "$" not in str(schema)
        assert all("type" in one or "anyOf" in one or "oneOf" in one for one in schema["properties"].values()), name
        assert (model["base_price"], model["description"] != "") == (0, True)
    kinds = {"flux-dev": "text-to-image", "real-esrgan": "image-to-image"}
    assert {name: models[f"wavespeed-ai/{name}"]["type"] for name in kinds} == kinds
    transform = models["taskarray/imageTransform"]["api_schema"]["api_schemas"][0]["request_schema"]
    steps = transform["properties"]["operations"]["items"]["oneOf"]
    assert {"resize"} < {step["properties"]["operation"]["const"] for step in steps}


@pytest.mark.parametrize("task", sorted({task.task_type for task in CATALOG.by_name.values()}))
def test_schemas_tell_of_every_parameter(task: str) -> None:
    """The properties of a task's model are its parameters, all but the form of the output."""
    properties, _ = inputs_of(CATALOG.by_name[task])
    names = {wire_name(name) for name in CATALOG.by_name[task].params.model_fields}
    assert set(properties) == names - {"outputType"}


async def test_money(installation: Installation) -> None:
    """Nothing costs anything; a price is told for each model there is."""
    for path in ("/balance", "/account/balance", "/api/v2/balance"):
        assert await data(installation, "GET", path) == {"balance": 0, "currency": "USD"}
    for path in ("/model/price", "/model/pricing"):
        for model in ("wavespeed-ai/real-esrgan", "taskarray/upscale"):
            found = await data(installation, "POST", path, {"model_id": model, "inputs": {}})
            assert (found["model_id"], found["price"], found["discounted_price"]) == (model, 0, 0)
            assert (found["unit_price"], found["currency"]) == (0, "USD")
        for model in ("taskarray/x", "x", None, ["x"]):
            assert (await refusal(installation, "POST", path, {"model_id": model}))[0] == 404
    for method, path in {"GET": "/account/billings", "POST": "/billings/search"}.items():
        found = await data(installation, method, path, {} if method == "POST" else None)
        assert (found["page"], found["has_more"], found["items"]) == (1, False, [])


async def test_usage(installation: Installation) -> None:
    """Usage is counted by model and by day, whichever face a task came by."""

    async def counted(method: str, path: str, body: Any = None) -> tuple[int, int, int]:
        found = await data(installation, method, path, body)
        one = [row["total_requests"] for row in found["per_model_usage"] if row["model"] == "taskarray/upscale"]
        days = sum(row["total_requests"] for row in found["daily_usage"])
        return sum(one), days, found["summary"]["total_requests"]

    before = await counted("GET", "/account/usage")
    await run(installation, "nightmareai/real-esrgan", image=RED, scale=2)
    assert await counted("POST", "/user/usage_stats", {}) == tuple(count + 1 for count in before)
    assert await counted("GET", "/account/usage?end_date=2020-01-01") == (0, 0, 0)
    only = await counted("GET", "/account/usage?model=taskarray/upscale&start_date=2020-01-01")
    assert only == (before[0] + 1,) * 3
    assert (await refusal(installation, "GET", "/account/usage?start_date=soon"))[:2] == (400, 1401)


async def test_webhook_secret(installation: Installation) -> None:
    """Each key's owner has one secret, and it stays."""
    path = "/webhook/secret"
    mine = [await data(installation, "GET", path, key=KEY) for _ in range(2)]
    other = await data(installation, "GET", f"/api/v2{path}", key="other-key")
    assert mine[0] == mine[1] != other
    assert mine[0]["secret"].startswith("whsec_")
    assert len(mine[0]["secret"]) == 6 + 44
