"""Requests as people write them by hand after the public pages: with curl, Python's own library and Node's fetch."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.clients.proof import proves
from tests.harness import KEY, Installation

PYTHON = """
import base64, json, sys, urllib.request
url, key, path = sys.argv[1:]
encoded = base64.b64encode(open(path, "rb").read()).decode("utf-8")
body = json.dumps({"image_base64": encoded, "format": "png", "size": "full"}).encode()
request = urllib.request.Request(url + "/v2", body, {"x-api-key": key, "Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
NODE = """
const fs = require("fs");
const [url, key, path] = process.argv.slice(1);
const image_base64 = fs.readFileSync(path).toString("base64");
fetch(url + "/v2", {
  method: "POST",
  headers: { "x-api-key": key, "Content-Type": "application/json" },
  body: JSON.stringify({ image_base64, format: "png", size: "full" }),
}).then(async (answer) => console.log(await answer.text()));
"""
POLL = """
import fs from "fs";
const [url, key, path] = process.argv.slice(1);
const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
const image = "data:image/png;base64," + fs.readFileSync(path).toString("base64");
const body = JSON.stringify({ image, enable_base64_output: true });
let answer = await fetch(url + "/api/v3/wavespeed-ai/image-background-remover", { method: "POST", headers, body });
let prediction = (await answer.json()).data;
while (!["completed", "failed"].includes(prediction.status)) {
  await new Promise((done) => setTimeout(done, 200));
  prediction = (await (await fetch(`${url}/api/v3/predictions/${prediction.id}`, { headers })).json()).data;
}
console.log(prediction.output[0]);
"""
CURL = shutil.which("curl")
BY_HAND = {
    "python": [sys.executable, "-c", PYTHON],
    "node": ["node", "-e", NODE],
}


@pytest.fixture(scope="session")
def disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red disc on white."""
    image = Image.new("RGB", (200, 150), "white")
    ImageDraw.Draw(image).ellipse((60, 35, 140, 115), fill=(150, 20, 30))
    path = tmp_path_factory.mktemp("disc") / "input.png"
    image.save(path)
    return path


async def printed(*command: str, text: str = "") -> str:
    """What a program prints; it must succeed."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(text.encode()), 60)
    assert process.returncode == 0, err.decode()
    return out.decode()


def assert_cut(data: bytes) -> None:
    """A cut-out of the disc."""
    cut = Image.open(io.BytesIO(data))
    assert (cut.format, cut.mode, cut.size) == ("PNG", "RGBA", (200, 150))
    assert (cut.getpixel((100, 75))[3], cut.getpixel((5, 5))[3]) == (255, 0)


@pytest.mark.parametrize("program", BY_HAND)
async def test_base64_in_json(installation: Installation, disc: Path, program: str):
    """A picture goes to /v2 as base64 in JSON and comes back so."""
    answer = await printed(*BY_HAND[program], installation.url, KEY, str(disc))
    assert_cut(base64.b64decode(json.loads(answer)["image"], validate=True))


async def test_base64_by_polling(installation: Installation, disc: Path):
    """A prediction with enable_base64_output is polled for, and `output` holds naked base64."""
    program = ["node", "--input-type=module", "-e", POLL]
    answer = await printed(*program, installation.url, KEY, str(disc))
    assert_cut(base64.b64decode(answer.strip(), validate=True))


if CURL:

    @proves("removeBackground", "base64", by="curl")
    @pytest.mark.parametrize("field", ["image_base64", "image_file_b64"])
    async def test_base64_in_a_form(installation: Installation, disc: Path, tmp_path: Path, field: str):
        """curl sends base64 as a field of a form, and the answer is the picture."""
        text, out = base64.b64encode(disc.read_bytes()).decode(), tmp_path / "output.png"
        form = ["-f", installation.url + "/v2", "-F", f"{field}={text}", "-F", "format=png", "-o", str(out)]
        await printed(CURL, "-s", "-H", f"x-api-key: {KEY}", *form)
        assert_cut(out.read_bytes())

    async def test_the_older_field(installation: Installation, disc: Path):
        """curl sends JSON with the older field `image`, and the answer is the mask."""
        body = json.dumps({"image": base64.b64encode(disc.read_bytes()).decode()})
        headers = ["-H", f"x-api-key: {KEY}", "-H", "Content-Type: application/json"]
        answer = json.loads(await printed(CURL, "-s", *headers, installation.url + "/v2", "-d", "@-", text=body))
        mask = Image.open(io.BytesIO(base64.b64decode(answer["mask"], validate=True)))
        assert (mask.mode, mask.size, answer["width"], answer["height"]) == ("L", (200, 150), 200, 150)

    async def test_webhook_with_base64(installation: Installation, disc: Path):
        """A webhook and base64 together are refused with exactly the documented body."""
        body = json.dumps({"image": "https://example.com/a.png", "enable_base64_output": True})
        url = f"{installation.url}/api/v3/wavespeed-ai/image-background-remover?webhook=https://example.com/hook"
        headers = ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json"]
        answer = await printed(CURL, "-s", "-w", " %{http_code}", *headers, url, "-d", body)
        told, _, status = answer.rpartition(" ")
        sentence = "webhook callback does not support base64 output, please use the normal API to use base64 output"
        assert (json.loads(told), status) == ({"error": sentence}, "400")
