"""accountManagement: who a key belongs to, and what it has had done."""

from __future__ import annotations

from tests.client import new_task, request
from tests.harness import KEY, OTHER_KEY, Installation


async def test_details(installation: Installation):
    """getDetails counts the tasks of this key alone, and names its owner."""
    async with installation.client() as client, installation.client(key=OTHER_KEY) as other:
        before = await client.run("accountManagement", operation="getDetails")
        elsewhere = await other.run("accountManagement", operation="getDetails")
        await client.ask(*(new_task("nothing") for _ in range(5)))
        after = await client.run("accountManagement", operation="getDetails")
        assert (after["organizationName"], after["balance"], after["apiKeys"]) == ("tester", 0, [{"name": "tester"}])
        for span in ("total", "today", "last7Days", "last30Days"):
            assert after["usage"][span]["requests"] == before["usage"][span]["requests"] + 5
        assert after["organizationUUID"] == before["organizationUUID"] != elsewhere["organizationUUID"]
        assert (await other.run("accountManagement"))["usage"] == elsewhere["usage"]


async def test_refused(installation: Installation):
    """Another operation is refused with the one that there is."""
    async with installation.client() as client:
        error = await client.fail("accountManagement", operation="getUsageErrors")
    assert (error["code"], error["allowedValues"]) == ("invalidOperation", ["getDetails"])


async def test_over_http(installation: Installation):
    """Over HTTP the same."""
    answer = await request(
        "POST", f"{installation.url}/v1", [new_task("accountManagement")], Authorization=f"Bearer {KEY}"
    )
    assert answer.json["data"][0]["organizationName"] == "tester"
