"""The models by the names that clients use: which there are, whether their weights are installed, and what to do.

The table is `models.toml` and, over it, the operator's own. Weights lie in one folder; nothing is ever downloaded.
"""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import orjson
from blake3 import blake3
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from server.errors import InvalidParameter, ModelNotFound
from server.schema import spelled
from server.task import Model

BUILT_IN = "taskarray:"
"""What the names of the server's own engines begin with."""
OWN = "built-in"
"""The `engine` of these."""
_LOOK_SECONDS = 2.0


class Entry(BaseModel):
    """A model as the table has it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    air: str
    name: str
    kind: str
    engine: str
    file: str = ""
    aliases: list[str] = []
    options: dict[str, Any] = {}
    licence: str = ""
    source: str = ""
    default: bool = False

    @model_validator(mode="after")
    def _names_its_weights(self) -> Self:
        if not self.file and self.engine != OWN:
            raise ValueError(f"{self.air} needs a file")
        return self

    @property
    def names(self) -> list[str]:
        """What a request may call it: with its version, and without."""
        return [name for full in (self.air, *self.aliases) for name in (full, full.partition("@")[0])]


_ENTRIES = TypeAdapter(list[Entry])


class Models:
    """The table and the folder with the weights. Raises ValueError for a table that cannot be read."""

    def __init__(self, table: Path | None, folder: Path, missing: Literal["fallback", "error"]) -> None:
        self.folder = folder.absolute()
        self.missing = missing
        own = _read(table) if table else {}
        shipped = _read(Path(__file__).with_name("models.toml"))
        self._own = own.keys()
        self.entries = [*own.values(), *(entry for air, entry in shipped.items() if air not in own)]
        self._held = dict[Path, int]()
        self._seen, self._look_at = "", 0.0

    def path(self, entry: Entry) -> Path | None:
        """Where its weights lie; None when they are not installed, or are no file: an engine of our own."""
        if entry.engine == OWN:
            return None
        path = (self.folder / entry.file).resolve()
        return path if path.exists() and path.is_relative_to(self.folder.resolve()) else None

    def choose(
        self, air: str | int | None, kind: str, *, required: bool = False, parameter: str = "model"
    ) -> Model | None:
        """See `Context.model`."""
        if air is None:
            return self._default(kind, required, parameter)
        name = str(air)
        entry = self._named(name, kind, parameter)
        if name.startswith(BUILT_IN) and not required:
            return None
        if entry and (path := self.path(entry)):
            return _model(entry, path)
        if not required and self.missing == "fallback":
            return None
        raise ModelNotFound(self._advice(name, entry, kind), parameter=parameter)

    def held(self, model: Model) -> int:
        """Bytes of all the weights that this process has been lent, this model's now among them."""
        files = model.path.rglob("*") if model.path.is_dir() else [model.path]
        self._held[model.path] = sum(file.stat().st_size for file in files if file.is_file())
        return sum(self._held.values())

    def fingerprint(self) -> str:
        """What becomes another one when the table or a file of weights does. Looked at anew after some seconds."""
        if time.monotonic() >= self._look_at:
            files = [[entry.model_dump(), *self._state(self.path(entry))] for entry in self.entries]
            self._seen = blake3(orjson.dumps([self.missing, files])).hexdigest()
            self._look_at = time.monotonic() + _LOOK_SECONDS
        return self._seen

    def _state(self, path: Path | None) -> list[tuple[str, int, int]]:
        """Each file of some weights with its size and the time it was written."""
        if path is None:
            return []
        found = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
        return [(str(file), (about := file.stat()).st_size, about.st_mtime_ns) for file in found]

    def _default(self, kind: str, required: bool, parameter: str) -> Model | None:
        weights = [entry for entry in self.entries if entry.kind == kind and entry.engine != OWN]
        fitting = [entry for entry in weights if entry.default or required]
        for entry in sorted(fitting, key=lambda entry: (entry.air not in self._own, not entry.default)):
            if path := self.path(entry):
                return _model(entry, path)
        if required:
            known = ", ".join(entry.air for entry in fitting) or "none"
            sentence = (
                f"This needs a {kind} model, and none is installed. Known ones: {known};"
                " `taskarray models list` says which file to put where."
            )
            raise ModelNotFound(sentence, parameter=parameter)
        return None

    def _named(self, name: str, kind: str, parameter: str) -> Entry | None:
        """The exact name first, then the name without its version. Raises InvalidParameter for another kind."""
        exact = [entry for entry in self.entries if name in (entry.air, *entry.aliases)]
        found = exact or [entry for entry in self.entries if "@" not in name and name in entry.names]
        if not found:
            return None
        if fitting := [entry for entry in found if entry.kind == kind]:
            return fitting[0]
        sentence = f"{name} is of kind {found[0].kind}; this needs a model of kind {kind}."
        raise InvalidParameter(sentence, parameter=parameter)

    def _advice(self, name: str, entry: Entry | None, kind: str) -> str:
        if entry is None:
            return (
                f"There is no model {name!r} in the table of models. Add a [[model]] of kind {kind!r} to the file that"
                " TASKARRAY_MODELS names, or leave the model out. `taskarray models list` shows what there is."
            )
        return (
            f"{name} ({entry.name}) is not installed: put {entry.file} ({entry.source or 'see its publisher'}) into the"
            " folder TASKARRAY_MODELS_DIR. `taskarray models list` shows the folder and what is there."
        )

    def listed(self) -> list[dict[str, Any]]:
        """See `Context.models`."""
        return [
            {
                "air": entry.air, "name": entry.name, "kind": entry.kind, "engine": entry.engine,
                "licence": entry.licence, "source": entry.source, "architecture": entry.options.get("architecture", ""),
                "installed": entry.engine == OWN or self.path(entry) is not None,
            }
            for entry in self.entries
        ]  # fmt: skip


def _model(entry: Entry, path: Path) -> Model:
    return Model(entry.air, entry.name, entry.kind, entry.engine, path, entry.options)


def _read(table: Path) -> dict[str, Entry]:
    try:
        entries = _ENTRIES.validate_python(tomllib.loads(table.read_text()).get("model"))
    except ValidationError as wrong:
        fault = wrong.errors()[0]
        sentence = f"{spelled(('model', *fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
        raise ValueError(f"The table of models {table} cannot be read: {sentence}.") from wrong
    except (OSError, ValueError) as failure:
        raise ValueError(f"The table of models {table} cannot be read: {failure}.") from failure
    return {entry.air: entry for entry in entries}
