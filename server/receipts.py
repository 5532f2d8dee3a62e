"""Receipts: where the time of a task went, on what it worked, and what it made."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field

from server.schema import Schema

Milliseconds = Annotated[float, Field(ge=0)]
Hash = Annotated[str, Field(description="`blake3:` and the hash of the file.")]


class Taken(Schema):
    """An image that a task worked on."""

    parameter: Annotated[str, Field(description="Where the task names it.")]
    hash: Hash
    bytes: int


class Made(Schema):
    """An image that a task made."""

    image_uuid: str
    hash: Hash
    bytes: int


class Spent(Schema):
    """Where the time went."""

    queued_ms: Annotated[Milliseconds, Field(description="Waiting: for its turn, or for other tasks.")] = 0
    fetch_ms: Annotated[Milliseconds, Field(description="Getting the inputs.")] = 0
    decode_ms: Annotated[Milliseconds, Field(description="Reading their pixels.")] = 0
    run_ms: Annotated[Milliseconds, Field(description="The work itself.")] = 0
    encode_ms: Annotated[Milliseconds, Field(description="Writing the results' pixels.")] = 0
    store_ms: Annotated[Milliseconds, Field(description="Keeping them.")] = 0
    total_ms: Annotated[Milliseconds, Field(description="From the receipt of the task to its end.")] = 0


class Receipt(Spent):
    """What one result is and where its time went; with `includeReceipt`."""

    worker: Annotated[str, Field(description="Who did it.")]
    attempt: Annotated[int, Field(ge=1, description="How often the task was begun.")]
    inputs: list[Taken]
    outputs: list[Made]
    cached: Annotated[bool, Field(description="true: it is an earlier result of the same work.")]
    cost: float = 0
    model: Annotated[str | None, Field(description="What did the work, where the result names it.")] = None


class Clock:
    """The time of one task, stage by stage. `submitted` is in seconds since 1970."""

    def __init__(self, submitted: float) -> None:
        self._submitted = submitted
        self._spent = {"queued": max(0.0, time.time() - submitted)}

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """What happens within belongs to this stage."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.add(**{name: time.monotonic() - start})

    def add(self, **seconds: float) -> None:
        """So many seconds more went into these stages."""
        for name, more in seconds.items():
            self._spent[name] = self._spent.get(name, 0.0) + more

    def told(self) -> dict[str, Any]:
        """Milliseconds of every stage up to now, as they are kept and shown (see `Spent`)."""
        spent = self._spent | {"total": max(0.0, time.time() - self._submitted)}
        shown = {f"{name}_ms": round(seconds * 1000, 1) for name, seconds in spent.items()}
        return Spent(**shown).model_dump(by_alias=True)
