"""A job that is being done: what its worker knows of it between the claim and the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from server.errors import UploadFailed
from server.inputs import Brought
from server.jobs import Claim, Job
from server.receipts import Clock

Phase = Literal["bringing", "running", "finishing"]


@dataclass
class Piece:
    """The claim, room for files, where the time goes, and whom to tell of each phase and of how far it is."""

    claim: Claim
    scratch: Path
    clock: Clock
    entered: Callable[[Phase], None]
    progress: Callable[[float, str], None]
    attempt: int
    places: dict[str, str] = field(default_factory=dict[str, str])
    """Where the task names its inputs, and what it says there."""
    inputs: dict[str, Brought] = field(default_factory=dict[str, Brought])
    """What was brought, by what the task says."""

    @property
    def job(self) -> Job:
        return self.claim.job

    @property
    def placed(self) -> dict[str, Brought]:
        """What was brought, by where the task names it."""
        return {place: self.inputs[reference] for place, reference in self.places.items()}

    def folder(self) -> Path:
        """The task's folder. It is made when something is to be put there, which most tasks do not need."""
        try:
            self.scratch.mkdir(mode=0o700, exist_ok=True)
            return self.scratch
        except OSError as failure:
            raise UploadFailed("The server has no room to work on images. Try again.") from failure
