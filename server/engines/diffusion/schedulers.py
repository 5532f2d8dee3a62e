"""The schedulers by the names that clients use, and the classes of diffusers that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.engines.pytorch import library
from server.errors import InvalidParameter

_KARRAS = {"use_karras_sigmas": True}
_STOCHASTIC = {"algorithm_type": "sde-dpmsolver++"}
_FLOW = "FlowMatch"
"""What the classes for flow matching begin with; their models work with no others."""

_TABLE: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "DDIM": ("DDIMScheduler", {}),
    "DDPM": ("DDPMScheduler", {}),
    "DEIS": ("DEISMultistepScheduler", {}),
    "DPM++": ("DPMSolverMultistepScheduler", {}),
    "DPM++ Karras": ("DPMSolverMultistepScheduler", _KARRAS),
    "DPM++ 2M": ("DPMSolverMultistepScheduler", {}),
    "DPM++ 2M Karras": ("DPMSolverMultistepScheduler", _KARRAS),
    "DPM++ 2M SDE": ("DPMSolverMultistepScheduler", _STOCHASTIC),
    "DPM++ 2M SDE Karras": ("DPMSolverMultistepScheduler", _STOCHASTIC | _KARRAS),
    "DPM++ SDE": ("DPMSolverSinglestepScheduler", {}),
    "DPM++ SDE Karras": ("DPMSolverSinglestepScheduler", _KARRAS),
    "DPM2": ("KDPM2DiscreteScheduler", {}),
    "DPM2 Karras": ("KDPM2DiscreteScheduler", _KARRAS),
    "DPM2 a": ("KDPM2AncestralDiscreteScheduler", {}),
    "DPM2 a Karras": ("KDPM2AncestralDiscreteScheduler", _KARRAS),
    "Euler": ("EulerDiscreteScheduler", {}),
    "Euler Karras": ("EulerDiscreteScheduler", _KARRAS),
    "Euler a": ("EulerAncestralDiscreteScheduler", {}),
    "Heun": ("HeunDiscreteScheduler", {}),
    "Heun Karras": ("HeunDiscreteScheduler", _KARRAS),
    "LCM": ("LCMScheduler", {}),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),
    "TCD": ("TCDScheduler", {}),
    "UniPC": ("UniPCMultistepScheduler", {}),
    "UniPC Karras": ("UniPCMultistepScheduler", _KARRAS),
    "FlowMatchEuler": ("FlowMatchEulerDiscreteScheduler", {}),
    "FlowMatchHeun": ("FlowMatchHeunDiscreteScheduler", {}),
}
"""As the documentation of diffusers matches names and classes. Those that need SciPy or torchsde are not here."""

NAMES = list(_TABLE)

_BY_ANY_NAME = {kind.casefold(): (kind, dict[str, Any]()) for kind, _ in _TABLE.values()} | {
    name.casefold(): found for name, found in _TABLE.items()
}


def known(name: str | None) -> tuple[str, Mapping[str, Any]] | None:
    """Class and options of a scheduler's name, in any case, or of a class itself; None for the model's own.

    Raises InvalidParameter for a name that is unknown.
    """
    if not name or name.casefold() == "default":
        return None
    if name.casefold() in _BY_ANY_NAME:
        return _BY_ANY_NAME[name.casefold()]
    sentence = f"There is no scheduler {name!r}. Use Default or one of: {', '.join(NAMES)}."
    raise InvalidParameter(sentence, parameter="scheduler", allowedValues=["Default", *NAMES])


def scheduler(name: str | None, own: Any) -> Any:
    """The scheduler of a name for a model whose own is given, without what that one remembers.

    Raises InvalidParameter for an unknown name and for one that the model cannot work with.
    """
    found = known(name)
    if found is None:
        return type(own).from_config(own.config)
    kind, options = found
    if kind.startswith(_FLOW) != type(own).__name__.startswith(_FLOW):
        fitting = [known for known, (other, _) in _TABLE.items() if other.startswith(_FLOW) != kind.startswith(_FLOW)]
        sentence = f"This model does not work with the scheduler {name}. Use Default or one of: {', '.join(fitting)}."
        raise InvalidParameter(sentence, parameter="scheduler", allowedValues=["Default", *fitting])
    return getattr(library("diffusers"), kind).from_config(own.config, **options)
