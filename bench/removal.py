"""Background removal with the same weights: our server against rembg's own HTTP server, one process of work each."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import numpy
import onnx
import pybase64
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data

from bench.pictures import cache
from bench.report import Plan, Row, Table
from bench.subjects import KEY, free_port, ours

_REMBG = "rembg[cpu,cli]==2.0.86"
_SIDE, _NETWORK_SIDE = 1024, 320
_START_SECONDS = 120


def run(plan: Plan, elsewhere: Executor) -> Table:
    """Seconds a picture, sent and brought back whole, one after the other."""
    found = defaultdict[str, list[float]](list)
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).resize((_SIDE, _SIDE)).save(file, "JPEG", quality=90)
    with tempfile.TemporaryDirectory(prefix="bench-removal-") as name:
        weights = Path(name) / "models" / "u2net.onnx"
        weights.parent.mkdir()
        onnx.save(_network(), weights)
        settings = {"TASKARRAY_MODELS_DIR": str(weights.parent), "TASKARRAY_WORKERS": "1"}
        with ours(**settings) as server, _rembg(weights.parent) as peer:
            url = server.url.replace("ws://", "http://")
            found["first"].append(elsewhere.submit(_timed, "ours", url, file.getvalue(), 0).result())
            elsewhere.submit(_timed, "rembg", peer, file.getvalue(), 0).result()
            for _ in range(plan.rounds):
                found["ours"].append(elsewhere.submit(_timed, "ours", url, file.getvalue(), plan.seconds).result())
                found["rembg"].append(elsewhere.submit(_timed, "rembg", peer, file.getvalue(), plan.seconds).result())
    rows = [
        Row("cut-out with the same network", "rembg s", "s", found["ours"], found["rembg"]),
        Row("the first, which loads the weights", "later ones", "s", found["first"], found["ours"][:1]),
    ]
    return Table("Background removal with weights", rows, _NOTES)


def _network() -> onnx.ModelProto:
    """A network of U²-Net's signature with weights by chance: five convolutions of 64 channels at half size."""
    source, nodes, values = numpy.random.default_rng(1), list[onnx.NodeProto](), list[onnx.TensorProto]()
    last = "x"
    for place, (inputs, outputs, stride) in enumerate([(3, 64, 2), *[(64, 64, 1)] * 3, (64, 4, 1)]):
        weight = source.normal(0, 0.05, (outputs, inputs, 3, 3)).astype(numpy.float32)
        values.append(numpy_helper.from_array(weight, f"w{place}"))
        nodes.append(helper.make_node("Conv", [last, f"w{place}"], [f"c{place}"], pads=[1] * 4, strides=[stride] * 2))
        nodes.append(helper.make_node("Relu", [f"c{place}"], [f"r{place}"]))
        last = f"r{place}"
    nodes += [
        helper.make_node("DepthToSpace", [last], ["up"], blocksize=2),
        helper.make_node("Sigmoid", ["up"], ["d0"]),
    ]
    shape = [1, 1, _NETWORK_SIDE, _NETWORK_SIDE]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, _NETWORK_SIDE, _NETWORK_SIDE])],
        [helper.make_tensor_value_info("d0", TensorProto.FLOAT, shape)],
        values,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _timed(whose: str, url: str, picture: bytes, seconds: float) -> float:
    """Median seconds of a request; of one alone where seconds is 0."""
    ask = {"ours": _ask_ours, "rembg": _ask_rembg}[whose]
    times, end = list[float](), time.monotonic() + seconds
    while not times or time.monotonic() < end:
        start = time.monotonic()
        Image.open(io.BytesIO(ask(url, picture))).verify()
        times.append(time.monotonic() - start)
    return float(numpy.median(times))


def _ask_ours(url: str, picture: bytes) -> bytes:
    task = {
        "taskType": "removeBackground", "taskUUID": str(uuid4()), "model": "local:u2net@1", "outputFormat": "PNG",
        "inputImage": pybase64.b64encode_as_string(picture), "outputType": "base64Data", "cache": "off",
    }  # fmt: skip
    request = urllib.request.Request(url, json.dumps([task]).encode(), {"Authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        item = json.loads(answer.read())["data"][0]
    if item["model"] != "local:u2net@1":
        raise RuntimeError(f"{item['model']} answered in the place of the weights")
    return pybase64.b64decode(item["imageBase64Data"])


def _ask_rembg(url: str, picture: bytes) -> bytes:
    edge = uuid4().hex
    head = f'--{edge}\r\nContent-Disposition: form-data; name="model"\r\n\r\nu2net\r\n'
    head += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = head.encode() + picture + f"\r\n--{edge}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=60) as answer:
        return answer.read()


@contextmanager
def _rembg(models: Path) -> Iterator[str]:
    """`rembg s` over the same file, in an environment of its own that is kept in the cache."""
    home = cache() / "rembg"
    if not (home / "bin" / "rembg").exists():
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "pip", "install", "-q", _REMBG], check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    command = [home / "bin" / "rembg", "s", "--no-ui", "-h", "127.0.0.1", "-p", str(port), "-l", "error"]
    process = subprocess.Popen(command, env=os.environ | threads | {"U2NET_HOME": str(models)}, stdout=sys.stderr)
    try:
        end = time.monotonic() + _START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("rembg's server did not start")
            time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/api/remove"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


_NOTES = [
    f"A {_SIDE} × {_SIDE} JPEG in, a PNG out, over HTTP and back, one after the other; the network is made here, of "
    "U²-Net's signature and the same file for both. Ours in JSON and base64 through queue and worker; rembg's own "
    "server in multipart, in its own process. One thread each.",
]
