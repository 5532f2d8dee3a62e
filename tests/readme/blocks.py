"""The blocks of the README, and which runner tries each: one that no runner claims fails a test."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FEATURES = "What no other server has"
_LINE = re.compile(r"^(?:```(?P<language>\w*)|## (?P<section>.+))$", re.M)


@dataclass(frozen=True)
class Block:
    """What stands between two fences: its language, its text, the chapter that it is in."""

    language: str
    text: str
    section: str

    def __str__(self) -> str:
        """The name of its test."""
        return re.sub(r"\W+", "-", f"{self.section} {self.text[:40]}").strip("-")


def _blocks() -> list[Block]:
    found, section, place = list[Block](), "", 0
    while line := _LINE.search(README, place):
        place = line.end()
        if line["section"]:
            section = line["section"]
            continue
        end = README.index("\n```", place)
        found.append(Block(line["language"], README[place + 1 : end + 1], section))
        place = end + 4
    return found


BLOCKS = _blocks()
RUNNERS: dict[str, Callable[[Block], bool]] = {
    "install": lambda block: block.language == "sh" and "pip install ." in block.text,
    "test": lambda block: block.language == "sh" and "pytest" in block.text,
    "curl": lambda block: block.language == "sh" and block.text.startswith("curl "),
    "commands": lambda block: block.language == "sh" and block.text.startswith("taskarray "),
    "client": lambda block: block.language in ("python", "js") and "install" in block.text.partition("\n")[0],
    "task file": lambda block: block.language == "python" and "@task(" in block.text,
    "own server": lambda block: block.language == "sh" and block.text.startswith("TASKARRAY_TASKS="),
    "own message": lambda block: block.language == "json" and "sepia" in block.text,
    "tasks file": lambda block: block.language == "json" and block.section == "Command line",
    "pasted": lambda block: block.language == "json" and block.section == FEATURES,
    "shown": lambda block: (
        block.language == "json" and block.section != FEATURES and any(uuid in block.text for uuid in SHOWN)
    ),
    "models": lambda block: block.language == "toml",
    "picture": lambda block: block.language == "text",
}
"""Who tries which blocks: install, curl, commands, tasks file, client, shown and models in test_story, test in
test_claimed, the tasks of one's own in test_own_task, pasted in test_messages. A picture is no code."""
SHOWN = ("50836053-a0ee-4cf5-b9d6-ae7c5d140ada", "6a2e9d0c-55f5-4b7c-8a57-1b2f6f1c7e11")
"""The taskUUIDs of messages that have their answer below them."""


def of(runner: str) -> list[Block]:
    """The blocks that a runner tries."""
    return [block for block in BLOCKS if RUNNERS[runner](block)]
