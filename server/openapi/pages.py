"""What belongs to no face in the document: images, and the pages of operators."""

from __future__ import annotations

from server.catalog import Catalog
from server.openapi.parts import Part, answer, component, content, members, parameter, text

TAG = {"name": "server", "description": "Images by their addresses, and how the server does."}
_BYTES = {"image/*": {"schema": {"type": "string", "format": "binary"}}}


def schemas(catalog: Catalog) -> dict[str, Part]:
    """The schemas of these pages."""
    parts = {"type": "object", "additionalProperties": text(), "description": "ok, or what is wrong."}
    return {
        "Failure": members(["error"], error=component("TaskFailure")),
        "Readiness": members(["status", "parts"], status=text(enum=["ready", "not ready"]), parts=parts),
    }


def refusals() -> dict[str, Part]:
    """Every page says for itself what may fail."""
    return {}


def paths(catalog: Catalog) -> dict[str, Part]:
    """The addresses of these pages."""
    live = content(members(["status"], status={"const": "live"}))
    begun = content(members(["status"], status=text(enum=["started", "starting"])))
    version = members(["name", "version", "commit"], name={"const": "taskarray"}, version=text(), commit=text())
    ready, schema = content(component("Readiness")), content({"type": "object"})
    return {
        "/": _page("getDiscovery", "What this server is and where its doors are.", content({"type": "object"})),
        "/livez": _page("getLive", "The process answers.", live),
        "/healthz": _page("getHealth", "The same.", live),
        "/readyz": _page(
            "getReady", "Whether every part that a task needs is there.", ready, **{"503": answer("Not now.", ready)}
        ),
        "/startupz": _page(
            "getStarted", "Whether it has been ready once.", begun, **{"503": answer("Not yet.", begun)}
        ),
        "/version": _page("getVersion", "What runs here.", content(version)),
        "/metrics": _page("getMetrics", "Figures for Prometheus.", content(text(), "text/plain")),
        "/openapi.json": _page("getOpenAPI", "This document.", content({"type": "object"})),
        "/asyncapi.json": _page("getAsyncAPI", "The WebSocket at /v1, in AsyncAPI 3.0.", content({"type": "object"})),
        "/schemas.json": _page("getSchemas", "What every task takes and gives, as JSON Schemas.", schema),
        "/schemas/{name}.json": _one("getSchema", "The same of one task type.", schema),
        "/im/{tenant}/{name}": {"get": _image("getImage"), "head": _image("headImage")},
    }


def _page(name: str, summary: str, found: Part, **others: Part) -> Part:
    about = {"operationId": name, "summary": summary, "security": []}
    return {"get": about | {"responses": {"200": answer(summary, found), **others}}}


def _one(name: str, summary: str, found: Part) -> Part:
    page = _page(name, summary, found, **{"404": answer("There is none.", content(component("Failure")))})
    return {"get": page["get"] | {"parameters": [parameter("path", "name", text("A task type."))]}}


def _image(name: str) -> Part:
    return {
        "operationId": name,
        "summary": "An image. Whoever knows its address may have it, without a key.",
        "security": [],
        "parameters": [
            parameter("path", "tenant", text()),
            parameter("path", "name", text("The image's UUID and the extension of its format.")),
            parameter("header", "range", text(), "One range of bytes."),
            parameter("header", "if-none-match", text()),
        ],
        "responses": {
            "200": answer("The image.", _BYTES),
            "206": answer("A part of it.", _BYTES),
            "304": answer("It is as it was."),
            "404": answer("There is none, or none any more.", content(component("Failure"))),
            "416": answer("It does not reach so far."),
            "503": answer("Not now.", content(component("Failure"))),
        },
    }
