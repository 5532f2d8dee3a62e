"""/v2 in the document: one image in, the same without its background out."""

from __future__ import annotations

from server.api.v2_errors import Failure, translated
from server.api.v2_removal import Removal
from server.catalog import Catalog
from server.openapi import parts
from server.openapi.parts import (
    Part,
    answer,
    body,
    by_status,
    component,
    content,
    failures,
    members,
    parameter,
    refused,
    summary,
    text,
)

TAG = {"name": "background removal", "description": "/v2: one image in, the same without its background out."}
_FORMATS = {"png": "png", "jpg": "jpeg", "webp": "webp", "bmp": "bmp", "gif": "gif", "tiff": "tiff"}
_FLAG: Part = {"anyOf": [{"type": "boolean"}, text(enum=["true", "false", "1", "0", "yes", "no"])], "default": False}
_IMAGES = {
    "image_file_b64": text("The image in base64, or as a data URI."),
    "image_base64": text("The same."),
    "image_url": text("Where the image is.", format="uri"),
}
_WISHES: Part = {
    "format": text(enum=[*_FORMATS, "jpeg", "jpe", "jfif", "tif"], default="png"),
    "size": text(
        "How large the result may be: full and auto 50 megapixels, hd 4, medium 1.5, preview 0.25.",
        enum=["auto", "full", "hd", "medium", "preview"],
        default="full",
    ),
    "channels": text("alpha: the mask instead of the image.", enum=["alpha", "rgba"], default="rgba"),
    "crop": _FLAG | {"description": "Cut the result down to the subject."},
    "despill": _FLAG | {"description": "Take the backdrop's colour off the edges."},
    "bg_color": text("Colour to put behind the subject: hexadecimal digits or a CSS name."),
}
_OK = {"const": "ok"}
_OWN = [
    (400, "bad_request"), (400, "invalid_json"), (400, "invalid_base64"), (400, "invalid_bg_color"),
    (401, "missing_api_key"), (422, "validation_error"),
]  # fmt: skip
"""What fails only here. All else is a failure that every face has, in this one's words."""


def schemas(catalog: Catalog) -> dict[str, Part]:
    """The schemas of this face."""
    about_api_key = members(valid={"type": "boolean"}, mode=text(), fingerprint=text())
    about_account = {name: text() for name in ("email", "plan", "subscription_status", "billing_model", "usage_unit")}
    size = {"width": {"type": "integer"}, "height": {"type": "integer"}}
    return {
        "RemovalForm": members(image_file=text(format="binary"), **_IMAGES, **_WISHES),
        "RemovalObject": members(image=text("The same, and the answer is the mask."), **_IMAGES, **_WISHES),
        "RemovalResult": members(
            ["width", "height", "format"],
            image=text("The image in base64."),
            mask=text("The mask in base64, in place of the image."),
            **size,
            format=text(enum=sorted(_FORMATS)),
        ),
        "RemovalAccount": members(
            ["status", "api_key", "account"], status=_OK, api_key=about_api_key, account=members(**about_account)
        ),
        "RemovalFailure": members(["error"], error=_failure()),
    }


def paths(catalog: Catalog) -> dict[str, Part]:
    """The addresses of this face."""
    images = {f"image/{kind}": {"schema": {"type": "string", "format": "binary"}} for kind in _FORMATS.values()}
    kinds = parameter("header", "accept", text(), "A kind of image has the bare bytes sent where JSON was asked in.")
    removal = {
        "operationId": "removeBackground",
        "summary": summary(Removal.remove),
        "description": "A form is answered with the bytes of an image, a JSON object with JSON.",
        "security": [{"x-api-key": []}],
        "parameters": [kinds],
        "requestBody": body(
            content(component("RemovalForm"), "multipart/form-data")
            | content(component("RemovalObject"))
            | content(component("RemovalForm"), "application/x-www-form-urlencoded")
        ),
        "responses": {
            "200": answer("The result.", images | content(component("RemovalResult"))),
            **refused(refusals()),
        },
    }
    account = {
        "operationId": "getRemovalAccount",
        "summary": summary(Removal.account),
        "security": [{"x-api-key": []}],
        "responses": {
            "200": answer("The key is good.", content(component("RemovalAccount"))),
            **refused(refusals(), 401, 500, 503),
        },
    }
    health = {
        "operationId": "getRemovalHealth",
        "summary": summary(Removal.health),
        "security": [],
        "responses": {
            "200": answer("It would.", content(members(["status"], status=_OK))),
            **refused(refusals(), 500, 503),
        },
    }
    return {"/v2": {"post": removal}, "/v2/account": {"get": account}, "/v2/health": {"get": health}}


def refusals() -> dict[str, Part]:
    """The answers of this face to what fails."""
    codes = by_status([*_OWN, *((found.status, found.error["code"]) for found in _translated())])
    return parts.refusals(codes, "Removal", component("RemovalFailure"))


def _translated() -> list[Failure]:
    return [translated(failure.as_dict()) for failure in failures()]


def _failure() -> Part:
    detail = members(["type", "loc", "msg"], type=text(), loc={"type": "array", "items": text()}, msg=text(), input={})
    return members(
        ["code", "message", "status", "request_id"],
        code=text(enum=sorted({code for _, code in _OWN} | {found.error["code"] for found in _translated()})),
        message=text(),
        status={"type": "integer"},
        request_id=text("Also in the header x-request-id."),
        details={"type": "array", "items": detail, "description": "What is not built as it should be; with 422."},
    )
