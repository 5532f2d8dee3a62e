"""What belongs to the account: nothing costs anything here, and the counts are the server's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.requests import Request

from server.api.v3_answers import body_object
from server.api.v3_models import MODELS, OWN, unknown
from server.errors import InvalidParameter
from server.gateway import Gateway
from server.tenants import Tenant

_CURRENCY = "USD"
_DAYS = 30


async def balance(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """Nothing is owed and nothing is left to spend."""
    return {"balance": 0, "currency": _CURRENCY}


async def price(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """What a run of a model costs, under the names of both kinds of clients."""
    model = (await body_object(gateway, request)).get("model_id")
    names = [*MODELS, *(f"{OWN}{name}" for name in gateway.catalog.by_name)]
    if model not in names:
        raise unknown(model)
    zero = dict.fromkeys(("price", "discounted_price", "discount_rate", "unit_price"), 0)
    return {"model_id": model, "currency": _CURRENCY} | zero


async def secret(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """What signatures of webhooks are checked with."""
    return {"secret": await gateway.tenants.webhook_secret(tenant)}


async def usage(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """How many tasks were done, by model and by day."""
    asked = await body_object(gateway, request) if request.method == "POST" else dict(request.query_params)
    today = datetime.now(UTC).date()
    first = _day(asked, ("start_date", "start_time"), today - timedelta(days=_DAYS - 1))
    last = _day(asked, ("end_date", "end_time"), today)
    model = asked.get("model") or asked.get("model_uuid")
    models, days = dict[str, int](), dict[str, int]()
    for (number, task_type), count in (await gateway.predictions.counted(tenant.id)).items():
        day, name = date(1970, 1, 1) + timedelta(days=number), f"{OWN}{task_type}"
        if first <= day <= last and model in (None, name):
            models[name] = models.get(name, 0) + count
            days[day.isoformat()] = days.get(day.isoformat(), 0) + count
    return {
        "per_model_usage": [
            {"model_uuid": name, "model": name} | _counts(count) for name, count in sorted(models.items())
        ],
        "daily_usage": [{"date": day} | _counts(count) for day, count in sorted(days.items())],
        "summary": _counts(sum(models.values())),
    }


def _counts(count: int) -> dict[str, int]:
    return {"total_requests": count, "total_cost": 0}


async def billings(gateway: Gateway, request: Request, tenant: Tenant) -> Any:
    """No bill was ever written."""
    return {"page": 1, "has_more": False, "total": 0, "items": list[Any]()}


def _day(asked: dict[str, Any], names: tuple[str, str], default: date) -> date:
    name = next((name for name in names if asked.get(name)), None)
    if name is None:
        return default
    try:
        return datetime.fromisoformat(str(asked[name])).date()
    except ValueError:
        raise InvalidParameter(f"{name} is a date in ISO 8601.", parameter=name, type="string") from None
