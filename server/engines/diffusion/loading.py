"""Checkpoints and ControlNets from local files: folders as diffusers keeps them, or single files beside a folder of
configuration. Nothing is fetched and nothing unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from server.engines.pytorch import Shelf, Weights, device, library, precision
from server.errors import ModelNotFound

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors")
_CONTROLNETS = 2
"""How many stay loaded beside their checkpoint; each takes a third of its memory."""


def checkpoint(weights: Weights) -> Any:
    """The pipeline of a checkpoint, which draws from words; kept until another is asked for. Raises ModelNotFound."""
    return _checkpoints.get(weights)


def controlnet(weights: Weights) -> Any:
    """A ControlNet; the last two are kept. Raises ModelNotFound."""
    return _controlnets.get(weights)


def _load_checkpoint(weights: Weights) -> Any:
    about = _described(weights, "model_index.json")
    # Some checkpoints come with a classifier of contents. Here the operator answers for contents.
    unchecked = {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in about else {}
    return _load(weights, about, **unchecked)


def _load_controlnet(weights: Weights) -> Any:
    return _load(weights, _described(weights, "config.json"))


def _described(weights: Weights, name: str) -> dict[str, Any]:
    """What a network is, as the file of this name in its folder of configuration says."""
    return json.loads((_configuration(weights) / name).read_text())


def _load(weights: Weights, about: dict[str, Any], **more: Any) -> Any:
    diffusers = library("diffusers")
    diffusers.utils.logging.disable_progress_bar()
    kind = getattr(diffusers, about["_class_name"])
    more |= {"local_files_only": True, "dtype": precision()}
    if weights.path.is_dir():
        return kind.from_pretrained(str(weights.path), use_safetensors=True, **more).to(device())
    return kind.from_single_file(str(weights.path), config=str(_configuration(weights)), **more).to(device())


def _configuration(weights: Weights) -> Path:
    """The folder that tells how a network is built: its own; for a single file `config` of its options, which lies
    beside the file or further up."""
    if weights.path.is_dir():
        return weights.path
    if "config" not in weights.options:
        sentence = (
            f"{weights.name} is a single file, and its entry in the table of models does not say how it is built: put"
            ' `options = { config = "FOLDER" }` there, a folder in the layout of diffusers, with or without weights.'
        )
        raise ModelNotFound(sentence, parameter="model")
    name = str(weights.options["config"])
    found = [folder / name for folder in weights.path.parents if (folder / name).is_dir()]
    if not found:
        sentence = f"{weights.name} needs the folder {name}, which its entry in the table of models names as `config`."
        raise ModelNotFound(sentence, parameter="model")
    return found[0]


_checkpoints = Shelf(1, _load_checkpoint)
_controlnets = Shelf(_CONTROLNETS, _load_controlnet)
