"""Find the subject as rembg does, with a model file of its own; an optional extra.

Only sessions that work on this machine with one file are let in: others send pictures away. Files are never
downloaded: the session gets the file that is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

from server.engines.cutout.network import believed
from server.engines.cutout.subject import Subject
from server.engines.onnx import session
from server.engines.vision import Array, Progress, numpy
from server.errors import ModelNotFound, ProcessingFailed

SESSIONS = (
    "birefnet-cod",
    "birefnet-dis",
    "birefnet-general",
    "birefnet-general-fp16",
    "birefnet-general-lite",
    "birefnet-hrsod",
    "birefnet-massive",
    "birefnet-portrait",
    "bria-rmbg",
    "isnet-anime",
    "isnet-general-use",
    "silueta",
    "u2net",
    "u2net_human_seg",
    "u2netp",
)
"""What `session` in a model's options may be."""


def find_with(name: str, path: Path, options: Mapping[str, Any], picture: Array, progress: Progress) -> Subject:
    """The subject of an h×w×3 RGB picture as the session of the model `name` sees it.

    `path` is the session's file, or a folder laid out as rembg's home. Raises ModelNotFound where the session, its
    file or rembg is not there; ProcessingFailed where the file is no such model, or gives no mask.
    """
    chosen = str(options.get("session", ""))
    if chosen not in SESSIONS:
        raise ModelNotFound(
            f"The model {name} needs the option `session` in the table of models, one of {', '.join(SESSIONS)}.",
            parameter="model",
        )
    if find_spec("rembg") is None:
        raise ModelNotFound(f"The model {name} needs rembg: pip install 'taskarray[rembg]'.", parameter="model")
    progress(0.1, "model")
    file = _file(name, path, chosen)
    try:
        with numpy.errstate(all="raise", under="ignore"):
            masks = _loaded(chosen, file, file.stat().st_mtime_ns).predict(Image.fromarray(picture))
    except FloatingPointError as problem:
        raise ProcessingFailed(f"The model {name} gave no mask but one number.", parameter="model") from problem
    except Exception as problem:
        # onnxruntime has an exception of its own for each way in which a file can be wrong.
        reason = str(problem).partition("\n")[0].replace(str(file), file.name)
        raise ProcessingFailed(f"The model {name} cannot be used: {reason}", parameter="model") from problem
    return believed(name, numpy.asarray(masks[0], numpy.float32) / 255)


def _file(name: str, path: Path, chosen: str) -> Path:
    """The file of a session, where rembg would look for it."""
    places = [path / "models" / chosen / f"{chosen}.onnx", path / f"{chosen}.onnx"] if path.is_dir() else [path]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ModelNotFound(f"The model {name} needs the file {places[-1].name} in {path}.", parameter="model")
    return found


@lru_cache(maxsize=2)
def _loaded(chosen: str, file: Path, changed: int) -> Any:
    """rembg's session over our own loading of its file; its loading would download what it misses."""
    kind = import_module("rembg.sessions").sessions[chosen]
    if not kind.is_local():
        raise PermissionError("this session sends pictures to another machine.")
    made = kind.__new__(kind)
    made.model_name = chosen
    made.inner_session = session(file)
    return made
