"""Find the models that this server can work with."""

from __future__ import annotations

from typing import Any

from server.task import Annotated, Context, Field, Params, Result, Schema, task


class ModelSearch(Params):
    """What to look for. `visibility`, `tags` and the like make no difference here: every model is the server's own."""

    search: Annotated[str, Field(max_length=200, description="Words in the name or the AIR id.")] = ""
    category: Annotated[
        str | None, Field(max_length=50, description="Kind of model: checkpoint, lora, matting, upscaler, …")
    ] = None
    architecture: Annotated[str | None, Field(max_length=50, description="Architecture, such as sd15.")] = None
    limit: Annotated[int, Field(ge=1, le=100, description="Results in this answer.")] = 20
    offset: Annotated[int, Field(ge=0, le=10_000, description="Results to pass over.")] = 0


class FoundModel(Schema):
    """A model: weights that are installed, or an engine of the server's own. The old Python client needs every
    member; `comment` is the licence."""

    air: str
    name: str
    version: str
    category: str
    architecture: str
    comment: str
    tags: list[str] = []  # noqa: RUF012
    hero_image: str = ""
    private: bool = False


class FoundModels(Result):
    """One page of what was found, and how much there is."""

    total_results: int
    results: list[FoundModel]


@task("modelSearch", seconds=30)
def model_search(params: ModelSearch, context: Context) -> FoundModels:
    """Find the models that this server can work with."""
    found = [_shown(about) for about in context.models() if about["installed"] and _fits(about, params)]
    return FoundModels(total_results=len(found), results=found[params.offset :][: params.limit])


def _fits(about: dict[str, Any], params: ModelSearch) -> bool:
    told = f"{about['air']} {about['name']}".lower()
    return (
        all(word in told for word in params.search.lower().split())
        and params.category in (None, about["kind"])
        and params.architecture in (None, about["architecture"])
    )


def _shown(about: dict[str, Any]) -> FoundModel:
    version = about["air"].partition("@")[2]
    members = {name: about[name] for name in ("air", "name", "architecture")}
    return FoundModel(version=version, category=about["kind"], comment=about["licence"], **members)
