"""How an image is brought from a URL, without doing harm to others or taking any."""

from __future__ import annotations

import asyncio
import gzip
import time
from contextlib import asynccontextmanager
from ipaddress import ip_network

import httpcore2
import pytest

from server.errors import ApiError, DownloadFailed, InvalidImageURL, ValueTooLarge
from server.fetch import Fetcher
from tests.outside import Website, answer, redirect

LOOPBACK = [ip_network("127.0.0.0/8")]
LIMIT = 100_000
PICTURE = bytes(range(256)) * 300

SPELLINGS = [
    "http://127.0.0.1:{port}/", "http://127.1:{port}/", "http://127.0.1:{port}/", "http://2130706433:{port}/",
    "http://0x7f000001:{port}/", "http://0x7f.1:{port}/", "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/", "http://0:{port}/", "http://0.0.0.0:{port}/", "http://127.0.0.1.:{port}/",
    "http://localhost:{port}/", "http://LOCALHOST.:{port}/", "http://127.255.255.254:{port}/",
    "http://[::1]:{port}/", "http://[::]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[0:0:0:0:0:ffff:7f00:1]:{port}/", "http://[::127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/", "http://127。0。0。1:{port}/", "http://127．0．0．1:{port}/",
    "http://127｡0｡0｡1:{port}/", "http://１２７.０.０.１:{port}/", "http://①②⑦.⓪.⓪.①:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/", "http://user@127.0.0.1:{port}/", "http://example.com@127.0.0.1:{port}/",
    "http://example.com:80@127.0.0.1:{port}/", "http://example.com\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.com/", "http://127.0.0.1:{port}#@example.com/",
    "http://127%2e0%2e0%2e1:{port}/", "http:127.0.0.1:{port}", "http:///127.0.0.1:{port}/",
    "http://\t127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "//127.0.0.1:{port}/",
]  # fmt: skip


@pytest.fixture
def connects(monkeypatch):
    """Every address that a TCP connection is opened to."""
    reached, connect = list[str](), httpcore2.AnyIOBackend.connect_tcp

    async def noted(self, host, *arguments, **options):
        reached.append(host)
        return await connect(self, host, *arguments, **options)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", noted)
    return reached


@asynccontextmanager
async def fetching(allow=LOOPBACK, **options):
    fetcher = Fetcher(allow, LIMIT, **options)
    try:
        yield fetcher
    finally:
        await fetcher.close()


async def failure_of(url, folder, **options) -> ApiError:
    """What a fetch fails with; it leaves no file."""
    async with fetching(**options) as fetcher:
        with pytest.raises(ApiError) as failed:
            await fetcher.fetch(url, folder / "image", "inputImage")
    assert list(folder.iterdir()) == []
    assert failed.value.parameter == "inputImage"
    return failed.value


@pytest.mark.parametrize("written", SPELLINGS)
async def test_no_way_in(written, tmp_path, connects):
    """However a URL writes an address of this machine, no connection is opened."""
    async with Website({"/": answer(b"secret")}) as site:
        failure = await failure_of(written.format(port=site.port), tmp_path, allow=[], ports=(80, 443, site.port))
    assert isinstance(failure, InvalidImageURL | DownloadFailed)
    assert (site.connects, connects) == (0, [])


async def test_fetch(tmp_path, connects):
    """The body of a URL becomes a file; nothing is sent but the request, and the connection serves again."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (PICTURE[:9], PICTURE[9:])) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: content-length\r\n\r\n"
    async with Website({"/a?b=%20c": answer(PICTURE), "/chunked": head + chunks}) as site, fetching() as fetcher:
        for path in ("/a?b= c", "/chunked"):
            await fetcher.fetch(site.url(path), tmp_path / "image", "image")
            assert (tmp_path / "image").read_bytes() == PICTURE
        sent = site.requests[0].lower()
        assert f"host: 127.0.0.1:{site.port}\r\n".encode() in sent
        assert b"accept-encoding: identity\r\n" in sent
        assert not any(word in sent for word in (b"cookie", b"authorization", b"referer"))
    assert connects == ["127.0.0.1"]


async def test_redirects(tmp_path):
    """Three redirects are followed, absolute or relative, without cookies."""
    async with Website({"/image": answer(PICTURE), "/2": redirect("/3", 307), "/3": redirect("image", 308)}) as site:
        site.pages["/1"] = redirect(site.url("/2"), 301)
        async with fetching() as fetcher:
            await fetcher.fetch(site.url("/1"), tmp_path / "image", "image")
    assert (tmp_path / "image").read_bytes() == PICTURE
    assert len(site.requests) == 4 and not any(b"seen=1" in request for request in site.requests)


async def test_too_many_redirects(tmp_path):
    """A fourth redirect is refused, and so is a circle."""
    async with Website({"/": redirect("/")}) as site:
        failure = await failure_of(site.url("/"), tmp_path)
    assert isinstance(failure, InvalidImageURL) and "3 times" in failure.message
    assert len(site.requests) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "//[::1]/",
        "http://10.0.0.1:8080/",
        "file:///etc/passwd",
        "gopher://x/1",
    ],
)
async def test_redirect_inside(location, tmp_path, connects):
    """Every redirect is checked like the first URL, before a connection is opened."""
    async with Website({"/": redirect(location)}) as site:
        assert isinstance(await failure_of(site.url(), tmp_path), InvalidImageURL)
    assert connects == ["127.0.0.1"]


async def test_name_that_changes(tmp_path, connects):
    """A name that answers first with an allowed address and then with another is refused the second time."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def resolver(host):
        return answers.pop(0)

    async with Website({}) as site:
        site.pages["/"] = redirect(f"https://flips.example:{site.port}/again")
        failure = await failure_of(site.url(host="flips.example"), tmp_path, resolver=resolver)
    assert isinstance(failure, InvalidImageURL) and "TASKARRAY_FETCH_ALLOW" in failure.message
    assert "169.254" not in failure.message
    assert (connects, answers) == (["127.0.0.1"], [])


async def test_names_stay(tmp_path):
    """The server that is connected to is told the name of the URL, in TLS as in HTTP."""

    async def resolver(host):
        return ["127.0.0.1"]

    async with Website({"/": answer(b"")}) as site:
        await failure_of(f"http://images.example:{site.port}/", tmp_path, resolver=resolver)
        assert f"Host: images.example:{site.port}\r\n".encode() in site.requests[0]

    hello = asyncio.get_running_loop().create_future()

    async def listen(reader, writer):
        hello.set_result(await reader.read(4096))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        failure = await failure_of(f"https://images.example:{port}/", tmp_path, resolver=resolver)
    assert isinstance(failure, DownloadFailed)
    assert b"images.example" in await hello


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (answer(status=404), InvalidImageURL),
        (answer(status=403), InvalidImageURL),
        (answer(status=304), InvalidImageURL),
        (answer(status=302), InvalidImageURL),
        (answer(PICTURE, status=206), InvalidImageURL),
        (answer(status=204, content_length=None), InvalidImageURL),
        (answer(b""), InvalidImageURL),
        (answer(gzip.compress(bytes(50_000_000)), content_encoding="gzip"), InvalidImageURL),
        (answer(b"x", content_encoding="identity, BR"), InvalidImageURL),
        (answer(status=429), DownloadFailed),
        (answer(status=500), DownloadFailed),
        (answer(status=503), DownloadFailed),
        (answer(PICTURE, content_length=len(PICTURE) + 1, connection="close"), DownloadFailed),
        (answer(PICTURE, content_length="many"), DownloadFailed),
        (b"SSH-2.0-OpenSSH_9.6\r\n", DownloadFailed),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, DownloadFailed),
        (answer(b"x", content_length=LIMIT + 1), ValueTooLarge),
        (answer(bytes(LIMIT + 1)), ValueTooLarge),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value.__name__,
)
async def test_bad_answers(page, error, tmp_path):
    """An answer that trying again may mend is a failed download; another is an invalid URL, or too large."""

    async def ends(writer):
        writer.write(page)

    async with Website({"/": ends}) as site:
        failure = await failure_of(site.url(), tmp_path)
    assert type(failure) is error
    assert failure.retryable == (error is DownloadFailed)


async def test_limit_is_inclusive(tmp_path):
    """An image of exactly the limit is taken."""
    async with Website({"/": answer(bytes(LIMIT))}) as site, fetching() as fetcher:
        await fetcher.fetch(site.url(), tmp_path / "image", "image")
    assert (tmp_path / "image").stat().st_size == LIMIT


async def test_endless_body(tmp_path):
    """A body without an end is cut off at the limit."""
    sent = 0

    async def pour(writer):
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(50_000))
            sent += 50_000
            await writer.drain()

    async with Website({"/": pour}) as site:
        failure = await failure_of(site.url(), tmp_path)
    assert isinstance(failure, ValueTooLarge) and str(LIMIT) in failure.message
    assert sent < 20_000_000


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n"]
)
async def test_slow_answers(start, tmp_path):
    """A server that sends nothing, or a byte now and then, is left after the time is up."""

    async def drip(writer):
        writer.write(start)
        while True:
            writer.write(b"y")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with Website({"/": drip}) as site:
        started = time.monotonic()
        failure = await failure_of(site.url(), tmp_path, seconds=0.3, first_byte_seconds=0.2)
    assert isinstance(failure, DownloadFailed)
    assert time.monotonic() - started < 10


async def test_unreachable(tmp_path):
    """A name without an address, a slow look-up and a closed port are failures that may pass."""

    async def none(host):
        return []

    async def slow(host):
        await asyncio.sleep(60)

    async with Website({}) as site:
        closed = site.url()
    for url, options in (
        ("http://gone.example/", {"resolver": none}),
        ("http://slow.example/", {"resolver": slow, "first_byte_seconds": 0.1}),
        (closed, {}),
    ):
        assert isinstance(await failure_of(url, tmp_path, **options), DownloadFailed)
