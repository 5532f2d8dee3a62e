"""What tests do on the playground, in the words of someone who sits before it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.harness import KEY, Installation

MILLISECONDS = 40_000
"""For what takes a moment, on a busy machine."""


async def visit(page: Page, installation: Installation, *, key: str = KEY) -> None:
    """Open the playground as `taskarray serve` says, and wait until it is connected."""
    await page.goto(f"{installation.url}/#key={key}")
    await stands(page, "online")


async def stands(page: Page, state: str) -> None:
    """Wait until the connection is in this state."""
    await expect(page.locator(f"connection-pill[data-state={state}]")).to_be_visible(timeout=MILLISECONDS)


async def send(page: Page, *tasks: dict[str, Any]) -> None:
    """Write an array of tasks and run it."""
    await page.get_by_role("tab", name="JSON").click()
    await page.get_by_label("Array of tasks as JSON").fill(json.dumps(tasks))
    await page.get_by_role("button", name="Run", exact=True).click()


def card(page: Page, task_type: str, state: str = "") -> Locator:
    """The cards of a task type, or those of them in a state."""
    found = f"task-card[data-state={state}]" if state else "task-card"
    return page.locator(found, has=page.get_by_role("heading", name=task_type, exact=True))


async def ends(page: Page, task_type: str, state: str = "done", count: int = 1) -> Locator:
    """Wait until so many tasks of a type have ended so; the newest."""
    found = card(page, task_type, state)
    await expect(found).to_have_count(count, timeout=MILLISECONDS)
    return found.first


async def choose(page: Page, choice: str) -> None:
    """Take a choice of the connection's menu."""
    await page.locator("#pill").click()
    await page.get_by_role("button", name=choice).click()


async def drop_file(page: Page, name: str, content: bytes) -> None:
    """Let go of an image file over the page."""
    dropped = await page.evaluate_handle(
        """([name, base64]) => {
            const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: "image/jpeg" }));
            return carried;
        }""",
        [name, b64encode(content).decode()],
    )
    await page.dispatch_event("#results", "drop", {"dataTransfer": dropped})
    await expect(page.get_by_label(f"Use {name}")).to_be_checked()


async def run_form(page: Page, task_type: str) -> None:
    """Run a task of a type with what its form says at first."""
    await page.get_by_role("tab", name="Form").click()
    await page.get_by_label("Task", exact=True).select_option(task_type)
    await page.get_by_role("button", name="Run", exact=True).click()
