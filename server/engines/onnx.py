"""ONNX models as every engine uses them: loaded once a process, one thread, no spinning, memory given back."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import onnxruntime

_KEPT = 4
"""Models that a process keeps loaded; each takes about three times its file."""


def session(path: Path) -> onnxruntime.InferenceSession:
    """The model of a file, loaded once; again when the file has changed. Raises what onnxruntime raises."""
    about = path.stat()
    return _loaded(str(path), about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=_KEPT)
def _loaded(path: str, changed: int, size: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())
