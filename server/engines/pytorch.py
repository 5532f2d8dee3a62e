"""PyTorch as every engine uses it: packages of an extra, nothing fetched, nothing unpickled, loaded once.

Its packages are imported by name when they are first needed, since most installations have none of them and one that
has waits seconds for the import.
"""

from __future__ import annotations

import gc
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from server.errors import ModelNotFound

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "DIFFUSERS_VERBOSITY": "error",
    "TRANSFORMERS_VERBOSITY": "error",
}
_FOLDERS = re.compile(r"/\S*/")
"""What clients need not see of a path."""


@dataclass(frozen=True)
class Weights:
    """A network on disk: what refusals call it, its file or folder, and what must be known of it."""

    name: str
    path: Path
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def needed(extra: str, *packages: str) -> None:
    """Raises ModelNotFound where a package is not installed, naming the extra that brings it."""
    if missing := [package for package in packages if find_spec(package) is None]:
        sentence = (
            f"The model is there, but this server lacks {', '.join(missing)}, which it is run with."
            f" `pip install 'taskarray[{extra}]'` where the workers run."
        )
        raise ModelNotFound(sentence, parameter="model")


def library(name: str) -> Any:
    """A package that runs networks or is one of PyTorch's, imported offline. PyTorch gets one thread on the CPU unless
    OMP_NUM_THREADS says otherwise."""
    os.environ.update(_ENVIRONMENT)
    if "OMP_NUM_THREADS" not in os.environ:
        import_module("torch").set_num_threads(1)
    return import_module(name)


def unpickled(weights: Weights) -> Weights:
    """The same. Raises ModelNotFound for a file that is not .safetensors: others are pickles, which can run code."""
    if weights.path.is_file() and weights.path.suffix != ".safetensors":
        sentence = f"{weights.name}: {weights.path.name} is not loaded, since such files of weights can run any code."
        raise ModelNotFound(f"{sentence} Install the model as .safetensors.", parameter="model")
    return weights


def device() -> str:
    """Where networks run: a GPU if there is one."""
    return "cuda" if library("torch").cuda.is_available() else "cpu"


def precision() -> Any:
    """The type of numbers that networks run in: half precision on a GPU, which halves the memory too."""
    return library("torch").float16 if device() == "cuda" else library("torch").float32


class Shelf:
    """Networks kept loaded, no more than `most`. The one unused for longest goes before another is loaded."""

    def __init__(self, most: int, load: Callable[[Weights], Any]) -> None:
        self.most = most
        self._load = load
        self._kept = OrderedDict[tuple[Path, int], Any]()

    def get(self, weights: Weights) -> Any:
        """The network of these weights, loaded anew where a file has changed.

        Raises ModelNotFound for weights that are pickled or cannot be loaded.
        """
        key = unpickled(weights).path, _changed(weights.path)
        if key not in self._kept:
            while len(self._kept) >= self.most:
                self._kept.popitem(last=False)
            gc.collect()  # networks refer to themselves
            self._kept[key] = self._loaded(weights)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _loaded(self, weights: Weights) -> Any:
        try:
            return self._load(weights)
        except ModelNotFound:
            raise
        except Exception as failure:  # the failures of these libraries have no common class
            why = _FOLDERS.sub("", str(failure)).strip().partition("\n")[0]
            sentence = f"The files of {weights.name} cannot be loaded: {why[:300]} Replace them."
            raise ModelNotFound(sentence, parameter="model") from failure


def _changed(path: Path) -> int:
    """When a file, or anything in a folder, changed last."""
    return max(found.stat().st_mtime_ns for found in (path, *path.rglob("*")))
