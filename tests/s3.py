"""A bucket on a loopback port that speaks as much of S3 as stores are asked for: put, copy, get, list, delete."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "pictures"


class Bucket(ThreadingHTTPServer):
    """What is in the bucket, by name: bytes and the time of writing. With `failing`, every request is a 500."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.failing = False

    @property
    def environment(self) -> dict[str, str]:
        """How a process is told of the bucket."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A bucket that is served."""
    with Bucket() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


class _Request(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    @property
    def name(self) -> str:
        """The object that the path names."""
        return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")

    def do_PUT(self) -> None:
        data = self._body()
        if self._fails():
            return
        if source := self.headers.get("x-amz-copy-source"):
            self._copy(unquote(source).removeprefix("/").removeprefix(f"{BUCKET}/"))
        else:
            self.server.objects[self.name] = (data, datetime.now(UTC))
            self._answer(200, b"", etag=_etag(data))

    def _copy(self, source: str) -> None:
        if found := self.server.objects.get(source):
            self.server.objects[self.name] = (found[0], datetime.now(UTC))
            self._answer(200, f"<CopyObjectResult><ETag>{_etag(found[0])}</ETag></CopyObjectResult>".encode())
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_GET(self) -> None:
        if self._fails():
            return
        if "list-type=2" in self.path:
            self._list()
        elif found := self.server.objects.get(self.name):
            self._give(*found)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """Delete many."""
        names = [unquote(name) for name in re.findall(r"<Key>(.*?)</Key>", self._body().decode())]
        if self._fails():
            return
        for name in names:
            self.server.objects.pop(name, None)
        deleted = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
        self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())

    def _give(self, data: bytes, written: datetime) -> None:
        headers = {"etag": _etag(data), "last_modified": f"{written:%a, %d %b %Y %H:%M:%S GMT}"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if not asked:
            self._answer(200, data, **headers)
            return
        start, end = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1) + 1
        self._answer(206, data[start:end], content_range=f"bytes {start}-{end - 1}/{len(data)}", **headers)

    def _list(self) -> None:
        prefix = parse_qs(urlsplit(self.path).query).get("prefix", [""])[0]
        rows = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{written:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{_etag(data)}</ETag><Size>{len(data)}</Size></Contents>"
            for name, (data, written) in sorted(self.server.objects.items())
            if name.startswith(prefix)
        )
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"
        self._answer(200, body.encode())

    def _fails(self) -> bool:
        if self.server.failing:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        return self.server.failing

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
