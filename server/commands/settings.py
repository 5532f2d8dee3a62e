"""The settings as commands read them: what is wrong with them ends the command with a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.exits import configured, fail

if TYPE_CHECKING:
    from server.config import Config
    from server.models import Models


def settings() -> Config:
    """The settings of this process, and with them its table of models."""
    found = configured()
    table(found)
    return found


def table(config: Config) -> Models:
    """The models of these settings."""
    from server.models import Models

    try:
        return Models(config.models, config.models_folder, config.missing)
    except ValueError as wrong:
        fail(f"TASKARRAY_MODELS: {wrong}")
