"""The live board in a browser: what runs is seen and ended, what ended is explained, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.client import Client, new_task
from tests.clients.network import Proxy
from tests.harness import DASH_KEY, Installation
from tests.web.conftest import shot, violations

PHONE = {"width": 375, "height": 800}


@pytest.fixture
async def client(installation: Installation) -> AsyncIterator[Client]:
    async with installation.client() as found:
        yield found


async def opened(page: Page, where: Installation) -> None:
    """The board of an operator."""
    await page.goto(f"{where.url}/board#key={DASH_KEY}")
    await expect(page.locator("#link")).to_have_text("live")


def row(page: Page, list_: str, task: dict[str, Any]) -> Any:
    return page.locator(f"#{list_} li").filter(has_text=task["taskUUID"][:8])


def number(text: str | None) -> int:
    """A number as it is shown, with commas."""
    return int((text or "").replace(",", ""))


async def test_running(page: Page, installation: Installation, client: Client) -> None:
    """A running task appears with its progress; ended from here, with a word before, its client is told, and it stands
    among those that ended. The keyboard is enough, and the key is not in the address."""
    await opened(page, installation)
    assert page.url == f"{installation.url}/board"
    task = new_task("audioInference", duration=7)
    await client.send([task])
    running = row(page, "running", task)
    await expect(running).to_contain_text("tester")
    await expect(running.get_by_role("progressbar")).to_have_attribute("value", re.compile("^[1-9]"))
    await expect(page.locator("#workers")).to_contain_text("audioInference")
    await shot(page, "board-running")
    await running.get_by_role("button", name="Cancel").press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel this task?")
    await dialog.get_by_role("button", name="Keep it").press("Enter")
    await expect(running.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Enter")
    await dialog.get_by_role("button", name="Cancel the task").press("Enter")
    assert (await client.answer(task["taskUUID"]))["errors"][0]["code"] == "taskCancelled"
    await expect(row(page, "ended", task)).to_contain_text("taskCancelled")
    await expect(running).to_have_count(0)
    await expect(page.locator("#notice")).to_contain_text("is cancelled")


async def test_ended(page: Page, installation: Installation, client: Client) -> None:
    """What ended is there with a bar of where its time went, the same in words, and can be looked at, found by the
    beginning of its UUID, and done again."""
    task = new_task("sleeps", seconds=0.6)
    await client.ask(task)
    await opened(page, installation)
    ended = row(page, "ended", task)
    await expect(ended).to_contain_text("done")
    bar = ended.get_by_role("img")
    assert re.search(r"run (\d{3} ms|\d+\.\d* s)", await bar.get_attribute("aria-label") or "")
    wide = await bar.locator(".run").evaluate("bar => bar.getBoundingClientRect().width")
    assert wide > 20
    await page.get_by_label("Find a task").fill(task["taskUUID"][:13])
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Task", exact=True)
    await expect(dialog).to_contain_text(task["taskUUID"])
    await shot(page, "board-task")
    await dialog.get_by_role("button", name="Re-run").click()
    await page.get_by_role("button", name="Run it again").click()
    await expect(page.locator("#notice")).to_contain_text("Queued again as")
    fresh = (await page.locator("#notice").text_content() or "")[-9:-1]
    await expect(page.locator("#ended li").filter(has_text=fresh)).to_contain_text("done")
    page.expected = ["404"]  # type: ignore[attr-defined]
    await page.get_by_label("Find a task").fill(str(uuid4())[:13])
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#notice")).to_contain_text("taskNotFound")


async def test_figures(page: Page, installation: Installation, client: Client) -> None:
    """The figures are those of the server: sockets, what ended in the last minute and hour; the chart says so in words
    as well."""
    await client.ask(*(new_task("nothing") for _ in range(3)))
    await opened(page, installation)
    tile = page.locator("#figures > div")
    await expect(tile.filter(has_text="Sockets").locator("dd").first).to_have_text("1")
    finished = number(await tile.filter(has_text="Finished").locator("dd").first.text_content())
    assert finished >= 3
    words = await page.locator("#chart svg").get_attribute("aria-label") or ""
    assert number(words.partition("hour: ")[2].partition(" finished")[0]) >= finished
    await expect(page.locator("#workers tbody tr")).to_have_count(2)
    await expect(page.locator("#gateways tbody tr")).to_have_count(1)


async def test_pause(page: Page, installation: Installation, client: Client) -> None:
    """Paused, the page stands still; when it goes on it shows what has happened meanwhile."""
    await opened(page, installation)
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#link")).to_have_text("paused")
    task = new_task("nothing")
    await client.ask(task)
    await page.wait_for_timeout(1500)
    await expect(row(page, "ended", task)).to_have_count(0)
    await page.get_by_role("button", name="Go on").click()
    await expect(row(page, "ended", task)).to_have_count(1)


async def test_key(page: Page, installation: Installation) -> None:
    """Without a key, or with one that is not for the board, one is asked for, with what to do; the playground keeps
    its own."""
    page.expected = ["401", "403"]  # type: ignore[attr-defined]
    await page.goto(f"{installation.url}/board#key=test-key")
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("--scope dash")
    await dialog.get_by_label("Key").fill(DASH_KEY)
    await page.keyboard.press("Enter")
    await expect(page.locator("#link")).to_have_text("live")
    assert await page.evaluate("localStorage.getItem('taskarray.key')") == "test-key"
    await page.reload()
    await expect(page.locator("#link")).to_have_text("live")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_for_everybody(page: Page, installation: Installation, client: Client, scheme: Any) -> None:
    """With work on it nothing is in the way of assistive technology, in light and dark, with a dialog open and on a
    phone, where nothing is cut off."""
    await page.emulate_media(color_scheme=scheme)
    done, slow = new_task("sleeps", seconds=0.2), new_task("audioInference", duration=7)
    await client.ask(done, new_task("exits", how="raise"))
    await opened(page, installation)
    await client.send([slow])
    await expect(row(page, "running", slow)).to_have_count(1)
    assert await violations(page) == []
    await shot(page, f"board-{scheme}", whole=True)
    await row(page, "ended", done).get_by_role("button", name="show all of it").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.set_viewport_size(PHONE)
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert await violations(page) == []
    await shot(page, f"board-phone-{scheme}", whole=True)


async def test_comes_back(page: Page, installation: Installation) -> None:
    """When the connection is lost the page says so, and comes back by itself."""
    async with Proxy(installation.ports[0]) as proxy:
        await page.goto(f"http://127.0.0.1:{proxy.port}/board#key={DASH_KEY}")
        await expect(page.locator("#link")).to_have_text("live")
        page.expected = ["Failed to load resource", "ERR_"]  # type: ignore[attr-defined]
        proxy.away = True
        proxy.cut()
        await expect(page.locator("#link")).to_contain_text("reconnecting")
        proxy.away = False
        await expect(page.locator("#link")).to_have_text("live")
