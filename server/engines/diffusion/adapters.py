"""What is changed in the networks of a pipeline for one order, and undone after it: LoRAs, layers left out."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from server.engines.pytorch import Weights, unpickled
from server.errors import InvalidParameter


@dataclass(frozen=True)
class Adapter:
    """A LoRA and its share."""

    weights: Weights
    share: float = 1.0


@contextmanager
def adapted(pipe: Any, adapters: Sequence[Adapter]) -> Generator[None]:
    """A pipeline with LoRAs for the while, and its networks as they were afterwards. Raises InvalidParameter."""
    try:
        for index, adapter in enumerate(adapters):
            _adapt(pipe, adapter, index)
        if adapters:
            pipe.set_adapters([f"lora{index}" for index in range(len(adapters))], [one.share for one in adapters])
        yield
    finally:
        if adapters:
            pipe.unload_lora_weights()


def _adapt(pipe: Any, adapter: Adapter, index: int) -> None:
    name, weights = f"lora{index}", unpickled(adapter.weights)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Already found a `peft_config`")  # of a second LoRA
            pipe.load_lora_weights(str(weights.path), adapter_name=name, local_files_only=True, use_safetensors=True)
        fits = any(name in names for names in pipe.get_list_adapters().values())
    except Exception as failure:  # the failures of these libraries have no common class
        raise _unfit(weights.name, index) from failure
    if not fits:
        raise _unfit(weights.name, index)


def _unfit(name: str, index: int) -> InvalidParameter:
    sentence = f"The LoRA {name} does not fit this checkpoint. Use one that was made for it, as .safetensors."
    return InvalidParameter(sentence, parameter=f"lora[{index}].model")


@contextmanager
def skipping(pipe: Any, layers: int) -> Generator[None]:
    """A pipeline that can leave out the last layers of its text encoder.

    Those for Stable Diffusion 1 look for the encoder's last norm in `text_model`, which transformers 5.6 did away with
    (diffusers issue 14124). While the name stands, no LoRA can be loaded into the encoder.
    """
    encoder = getattr(pipe, "text_encoder", None)
    if not layers or encoder is None or hasattr(encoder, "text_model"):
        yield
        return
    object.__setattr__(encoder, "text_model", encoder)  # a plain setattr would make the encoder a part of itself
    try:
        yield
    finally:
        object.__delattr__(encoder, "text_model")
