"""The addresses of the predictions API, under both of its prefixes. A model's name may have any number of slashes,
so its route comes after all others."""

from __future__ import annotations

from starlette.routing import Route

from server.api import v3_account, v3_listing, v3_predictions, v3_schemas, v3_uploads
from server.api.v3_answers import Endpoint, Keyless, answered, keyed, misused
from server.gateway import Gateway

_PREFIXES = ("/api/v3", "/api/v2")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_KEYED: list[tuple[str, str, Endpoint]] = [
    ("GET", "/predictions/{id}/result", v3_predictions.result),
    ("GET", "/predictions/{id}", v3_predictions.result),
    ("POST", "/predictions/{id}/cancel", v3_predictions.cancel),
    ("DELETE", "/predictions/{id}", v3_listing.delete),
    ("POST", "/predictions", v3_listing.posted),
    ("GET", "/predictions", v3_listing.queried),
    ("POST", "/predictions/delete", v3_listing.delete_many),
    ("POST", "/media/uploads", v3_uploads.ticket),
    ("POST", "/media/upload/binary", v3_uploads.form),
    ("POST", "/upload", v3_uploads.form),
    ("GET", "/models", v3_schemas.models),
    ("POST", "/model/price", v3_account.price),
    ("POST", "/model/pricing", v3_account.price),
    ("GET", "/balance", v3_account.balance),
    ("GET", "/account/balance", v3_account.balance),
    ("GET", "/account/usage", v3_account.usage),
    ("POST", "/user/usage_stats", v3_account.usage),
    ("GET", "/account/billings", v3_account.billings),
    ("POST", "/billings/search", v3_account.billings),
    ("GET", "/webhook/secret", v3_account.secret),
    ("POST", "/{model:path}", v3_predictions.submit),
]
_KEYLESS: list[tuple[str, str, Keyless]] = [
    ("PUT", "/media/uploads/{tenant}/{token}/{filename:path}", v3_uploads.put),
]


def routes(gateway: Gateway) -> list[Route]:
    """Every route of the predictions API."""
    endpoints = _KEYLESS + [(method, path, keyed(endpoint)) for method, path, endpoint in _KEYED]
    found = list[Route]()
    for prefix in _PREFIXES:
        found += [
            Route(prefix + path, answered(gateway, endpoint), methods=[method]) for method, path, endpoint in endpoints
        ]
        found.append(Route(prefix + "/{path:path}", answered(gateway, misused), methods=_METHODS))
    return found
