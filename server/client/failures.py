"""What keeps a command from its results: of one task, or of all of them."""

from __future__ import annotations

from typing import Any

from server.errors import CODES


class Failed(Exception):
    """One task has no result: a code of the server's, empty for what went wrong here, and a sentence."""

    def __init__(self, message: str, code: str = "", wait: float = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.wait = wait
        """Seconds after which the server wants to be asked again."""

    @classmethod
    def told(cls, errors: list[dict[str, Any]]) -> Failed:
        """What the errors of a task say; of one that fell with another, what is wrong with that one."""
        first = errors[0]
        cause = first.get("cause")
        if isinstance(cause, dict) and "code" in cause:
            return cls(first["message"], cause["code"], float(cause.get("retryAfter", 0)))
        sentences = " ".join(error["message"] for error in errors)
        return cls(sentences, first["code"], float(first.get("retryAfter", 0)))

    @property
    def retryable(self) -> bool:
        """Whether the same may succeed another time."""
        return self.code in CODES and CODES[self.code].retryable

    @property
    def refused(self) -> bool:
        """Whether the server has not taken the task, for now: it was never tried."""
        return self.code in ("rateLimitExceeded", "serviceUnavailable")

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


class Lost(Exception):
    """There is no server to work with (any more). The message says why, and what to do."""
