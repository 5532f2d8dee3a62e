"""Downloads of images: whoever has the URL gets the bytes, and no browser takes them for anything else."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.client import Client, request
from tests.harness import Installation
from tests.pictures.drawing import photo
from tests.pictures.files import encoded
from tests.tasks.context import data_uri

PNG = encoded(photo(640, 480), "PNG")
"""Longer than one chunk of a download."""
LAST = len(PNG) - 1
SAFE = {
    "content-type": "image/png",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
    "accept-ranges": "bytes",
}


@pytest.fixture
async def url(client: Client) -> str:
    """The URL of a stored image."""
    return (await client.run("imageUpload", image=data_uri(PNG)))["imageURL"]


async def test_download(url: str) -> None:
    """The URL of an image gives its bytes to whoever has it, without a key and to every page."""
    found = await request("GET", url, origin="https://anywhere.example")
    assert (found.status, found.body) == (200, PNG)
    assert found.headers["content-length"] == str(len(PNG))
    assert found.headers["access-control-allow-origin"] == "*"
    assert found.headers["content-disposition"].startswith("inline")


async def test_headers(url: str) -> None:
    """Every answer about an image says that it never changes and that nothing in it may run as a page."""
    whole = await request("GET", url)
    tag = whole.headers["etag"]
    part, same = await request("GET", url, range="bytes=0-9"), await request("GET", url, if_none_match=tag)
    outside, head = await request("GET", url, range=f"bytes={len(PNG)}-"), await request("HEAD", url)
    assert [found.status for found in (whole, part, same, outside, head)] == [200, 206, 304, 416, 200]
    for found in (whole, part, same, outside, head):
        assert SAFE.items() <= found.headers.items()
        policy = found.headers["content-security-policy"].split("; ")
        assert {"sandbox", "default-src 'none'"} <= set(policy)
        kept = found.headers["cache-control"].split(", ")
        assert "immutable" in kept
        assert max(int(word.partition("=")[2] or 0) for word in kept) >= 86400
        assert found.headers["etag"] == tag


async def test_head(url: str) -> None:
    """HEAD says what GET would, without the bytes; a range counts for GET only."""
    got = await request("GET", url)
    for asked in ({}, {"range": "bytes=0-9"}):
        head = await request("HEAD", url, **asked)
        assert (head.status, head.body) == (200, b"")
        assert head.headers | {"date": ""} == got.headers | {"date": ""}


async def test_not_modified(url: str) -> None:
    """Who has the image already is told so, without the bytes."""
    tag = (await request("GET", url)).headers["etag"]
    for told in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            found = await request(method, url, if_none_match=told, range="bytes=0-1")
            assert (found.status, found.body) == (304, b""), told
    for told in ('"other"', "", "nonsense"):
        assert (await request("GET", url, if_none_match=told)).body == PNG


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=262000-262300", 262_000, 262_300),
        ("bytes=0-", 0, LAST),
        (f"bytes={LAST}-", LAST, LAST),
        (f"bytes=0-{LAST}", 0, LAST),
        (f"bytes=5-{LAST + 100}", 5, LAST),
        ("bytes=5-999999999999999999", 5, LAST),
        ("bytes=-1", LAST, LAST),
        ("bytes=-300000", LAST - 299_999, LAST),
        (f"bytes=-{len(PNG) + 1}", 0, LAST),
    ],
)
async def test_range(url: str, asked: str, first: int, last: int) -> None:
    """A range gets exactly its bytes, with their place and number."""
    found = await request("GET", url, range=asked)
    assert (found.status, found.body) == (206, PNG[first : last + 1])
    assert found.headers["content-range"] == f"bytes {first}-{last}/{len(PNG)}"
    assert found.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", [f"bytes={len(PNG)}-", f"bytes={len(PNG)}-{len(PNG) + 5}", "bytes=-0", "bytes=9-5"])
async def test_range_outside(url: str, asked: str) -> None:
    """A range with nothing in it is refused with the length that there is."""
    found = await request("GET", url, range=asked)
    assert (found.status, found.body) == (416, b"")
    assert found.headers["content-range"] == f"bytes */{len(PNG)}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=-", "bytes=", "lines=0-1", "bytes=a-b", "bytes=1", "bytes=0-" + "9" * 5000]
)
async def test_range_not_understood(url: str, asked: str) -> None:
    """Several ranges, or none that is understood, get the whole image."""
    found = await request("GET", url, range=asked)
    assert (found.status, found.body == PNG) == (200, True)
    assert "content-range" not in found.headers


async def test_if_range(url: str) -> None:
    """A download that is taken up again goes on only where it is the same image, else it begins anew."""
    tag = (await request("GET", url)).headers["etag"]
    assert (await request("GET", url, range="bytes=-9", if_range=tag)).body == PNG[-9:]
    for other in ('"other"', f"W/{tag}", "Wed, 21 Oct 2026 07:28:00 GMT"):
        assert (await request("GET", url, range="bytes=-9", if_range=other)).body == PNG


async def test_names(url: str) -> None:
    """The UUID alone names the image: its case and the ending of the path count for nothing."""
    folder, _, name = url.rpartition("/")
    uuid = name.partition(".")[0]
    for other in (uuid, uuid.upper(), f"{uuid}.html", f"{name}?download=1"):
        found = await request("GET", f"{folder}/{other}")
        assert (found.body == PNG, found.headers["content-type"]) == (True, "image/png")


async def test_nothing_there(installation: Installation, client: Client, other: Client, url: str) -> None:
    """An address without an image is 404, whether it never had one, is another tenant's or makes no sense."""
    theirs = urlsplit((await other.run("imageUpload", image=data_uri(PNG)))["imageURL"]).path.split("/")
    ours = urlsplit(url).path.split("/")
    addresses = [
        f"/im/{ours[2]}/{uuid4()}.png", f"/im/{theirs[2]}/{ours[3]}", f"/im/{ours[2]}/{theirs[3]}",
        f"/im/{uuid4().hex[:12]}/{ours[3]}", f"/im/{ours[2]}/x", f"/im/{ours[2]}/.png", "/im/%00/%ff%fe.png",
        f"/im/{ours[2]}/{'x' * 5000}", f"/im/{ours[2]}%3A{ours[3]}/x",
    ]  # fmt: skip
    answers = [await request("GET", installation.url + path) for path in addresses]
    assert len({(found.status, found.body) for found in answers}) == 1
    assert (answers[0].status, answers[0].json["error"]["code"]) == (404, "mediaNotFound")
    assert answers[0].headers["content-type"] == "application/json"
    assert answers[0].headers["x-content-type-options"] == "nosniff"
    head = await request("HEAD", installation.url + addresses[0])
    assert (head.status, head.body) == (404, b"")


@pytest.mark.parametrize("path", ["/im", "/im/", "/im/x", "/im/x/../../etc/passwd", "/im/..%2F..%2Fetc/x", "//im/x/y"])
async def test_no_files(installation: Installation, path: str) -> None:
    """Nothing but images is served: any other path is a JSON 404."""
    found = await request("GET", installation.url + path)
    assert (found.status, found.json["error"]["code"]) == (404, "notFound")


async def test_methods(url: str) -> None:
    """An image can be read only; another method is refused with those that there are."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        found = await request(method, url, b"")
        assert (found.status, "error" in found.json) == (405, True)
        assert {"GET", "HEAD"} <= set(found.headers["allow"].split(", "))
