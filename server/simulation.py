"""Faults on demand: what a task in test mode asks to suffer before its work (see `envelope.Simulate`)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

from server.errors import CODES, ApiError, InvalidParameter, MissingParameter

_STAGE = "simulated"
_SENTENCE = "Simulated failure."
_OF_A_PARAMETER = re.compile(r"(invalid|missing)([A-Z]\w*)")


async def suffer(faults: Mapping[str, Any], tell: Callable[[float, str], None]) -> None:
    """Wait, tell progress, and raise the failure that was asked for; InvalidParameter at once if there is none such."""
    failure = _failure(faults["error"]) if "error" in faults else None
    percentages: list[int] = faults.get("progress", [])
    pause = faults.get("delay_ms", 0) / 1000 / (len(percentages) + 1)
    for percentage in percentages:
        await asyncio.sleep(pause)
        tell(percentage / 100, _STAGE)
    await asyncio.sleep(pause)
    if failure:
        raise failure


def _failure(code: str) -> ApiError:
    """The failure of a code."""
    if code in CODES and "*" not in code:
        return CODES[code](_SENTENCE)
    if found := _OF_A_PARAMETER.fullmatch(code):
        kind, name = found.groups()
        # The name as the parameter has it: Width is width, CFGScale is CFGScale.
        parameter = name if name[:2].isupper() else name[:1].lower() + name[1:]
        return (InvalidParameter if kind == "invalid" else MissingParameter)(_SENTENCE, parameter=parameter)
    sentence = f"No failure has the code {code!r}. Name one of this server's."
    raise InvalidParameter(sentence, parameter="simulate.error", allowedValues=sorted(CODES))
