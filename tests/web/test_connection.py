"""The playground's connection: what was sent is answered, whatever becomes of the socket, the gateway or the page."""

from __future__ import annotations

from playwright.async_api import expect

from tests.client import new_task
from tests.harness import KEY
from tests.web.driving import card, choose, ends, send, stands, visit

_OTHER_SESSION = "00000000-0000-4000-8000-000000000001"


async def test_drop(page, installation):
    """A connection that drops while a task runs comes back by itself, is told of, and brings the result."""
    await visit(page, installation)
    await expect(page.locator("#pill")).to_contain_text("ms")
    await send(page, new_task("audioInference", duration=2))
    await card(page, "audioInference", "running").wait_for()
    await choose(page, "Drop now")
    await expect(page.locator("#pill")).to_contain_text("Reconnecting in 3 s (attempt 1)")
    await expect(page.get_by_text("Connection lost.")).to_be_attached()
    await send(page, new_task("nothing"))
    await expect(card(page, "nothing", "unsent")).to_be_visible()
    await ends(page, "audioInference")
    await ends(page, "nothing")
    await stands(page, "online")


async def test_gateway_killed(page, own_installation):
    """A gateway that is killed under a running task costs nothing: the page finds the next one, and the result."""
    own_installation.start_all(workers=1, sweepers=0)
    page.expected.append("WebSocket connection to")
    await visit(page, own_installation)
    await send(page, new_task("audioInference", duration=3))
    await card(page, "audioInference", "running").wait_for()
    gateway, port = next((process, port) for process, port in own_installation.processes.items() if port)
    own_installation.kill(gateway)
    await stands(page, "waiting")
    own_installation.start("gateway", port=port)
    await ends(page, "audioInference")


async def test_reload(page, installation):
    """Tasks survive a reload of the page: those that run bring their result, those that have ended are still there,
    with the bytes that were too many to keep."""
    await visit(page, installation)
    painted = new_task("paints", width=128, noise=True, outputType="base64Data", outputFormat="PNG")
    await send(page, painted, new_task("audioInference", duration=2))
    await ends(page, "paints")
    await card(page, "audioInference", "running").wait_for()
    await page.reload()
    await ends(page, "audioInference")
    shown = (await ends(page, "paints")).locator("img").first
    await expect(shown).to_have_js_property("naturalWidth", 128)


async def test_session_gone(page, installation):
    """A result whose session is gone is asked for, and comes."""
    await visit(page, installation)
    await send(page, new_task("audioInference", duration=2))
    await card(page, "audioInference", "running").wait_for()
    await page.evaluate(
        """other => addEventListener("pagehide", () => {
            const kept = JSON.parse(sessionStorage.getItem("taskarray.tab"));
            sessionStorage.setItem("taskarray.tab", JSON.stringify({ ...kept, session: other }));
        })""",
        _OTHER_SESSION,
    )
    await page.reload()
    await ends(page, "audioInference")


async def test_cancel(page, installation):
    """A task can be cancelled while it runs, and run again, under a new taskUUID."""
    await visit(page, installation)
    await send(page, new_task("audioInference", duration=30))
    running = card(page, "audioInference", "running")
    await running.get_by_role("button", name="Cancel").click()
    cancelled = await ends(page, "audioInference", "cancelled")
    await expect(cancelled.locator(".failures .code")).to_have_text("taskCancelled")
    await cancelled.get_by_role("button", name="Run again").click()
    await running.get_by_role("button", name="Cancel").click()
    await ends(page, "audioInference", "cancelled", count=2)
    first, second = await page.locator("task-card .tag").all_inner_texts()
    assert first != second


async def test_key(page, installation):
    """Without a key, and with a wrong one, the page asks for one; it stands neither in the address nor in the log."""
    await page.goto(installation.url)
    asked = page.get_by_role("dialog", name="API key")
    await asked.get_by_label("Key").fill("wrong")
    await asked.get_by_role("button", name="Connect").click()
    await stands(page, "refused")
    await expect(asked).to_contain_text("taskarray keys list")
    await asked.get_by_label("Key").fill(KEY)
    await asked.get_by_role("button", name="Connect").click()
    await stands(page, "online")
    await page.goto(f"{installation.url}/#key={KEY}")
    await stands(page, "online")
    await page.get_by_role("heading", name="Frames").click()
    await page.locator(".frames summary", has_text="authentication").first.click()
    assert KEY not in await page.content()
    assert KEY not in page.url


async def test_nothing_kept(page, installation):
    """Where the browser lets the page keep nothing, it works all the same, and forgets with a reload."""
    for storage in ("localStorage", "sessionStorage"):
        await page.add_init_script(
            f"Object.defineProperty(window, '{storage}', {{ get() {{ throw new Error('denied'); }} }})"
        )
    await visit(page, installation)
    await send(page, new_task("nothing"))
    await ends(page, "nothing")
    await page.reload()
    await expect(page.get_by_role("dialog", name="API key")).to_be_visible()
