"""Enlarging: by the built-in networks, or by an ONNX model of the ESRGAN kind."""

from server.engines.upscaling.builtin import CLEAN, ROBUST, enlarge
from server.engines.upscaling.sources import is_damaged
from server.engines.upscaling.supplied import enlarge_with

__all__ = ["CLEAN", "ROBUST", "enlarge", "enlarge_with", "is_damaged"]
