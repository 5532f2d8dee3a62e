"""What browsers are given at the addresses of the pages."""

from __future__ import annotations

from tests.client import request


async def test_root(installation):
    """A browser gets the playground at `/`, a program the doors of the server, and caches are told of it."""
    page = await request("GET", installation.url + "/", accept="text/html,application/xhtml+xml;q=0.9")
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    doors = await request("GET", installation.url + "/", accept="*/*")
    assert doors.json["name"] == "taskarray"
    assert "accept" in page.headers["vary"] and "accept" in doors.headers["vary"]


async def test_policy(installation):
    """Nothing but the server's own files runs in a page, nobody frames it, and its files have the right type."""
    page = await request("GET", installation.url + "/board")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert (await request("GET", installation.url + "/web/index.html")).headers["content-security-policy"] == policy
    again = await request("GET", installation.url + "/web/index.html", if_none_match=page.headers["etag"])
    assert again.status in (200, 304)


async def test_nowhere(installation):
    """What is not there is answered like everywhere, and nothing outside the folder is."""
    for path in ("/web/absent.js", "/web/../schema.py", "/web/%2e%2e/schema.py", "/web/"):
        answer = await request("GET", installation.url + path)
        assert (answer.status, answer.json["error"]["code"]) == (404, "notFound")


async def test_schemas(installation):
    """The schemas of all tasks are there for forms, one by one as well, and say where a picture is named."""
    every = (await request("GET", installation.url + "/schemas.json")).json
    assert "removeBackground" in every["tasks"]
    assert "priority" in every["envelope"]["properties"]
    assert "simulate" not in every["envelope"]["properties"], "what this server refuses"
    one = (await request("GET", installation.url + "/schemas/imageUpscale.json")).json
    assert one == every["tasks"]["upscale"]
    assert one["params"]["properties"]["inputImage"]["x-image"] is True
    assert (await request("GET", installation.url + "/schemas/nothing-here.json")).status == 404
