"""Pictures from words by diffusion: from nothing, from a picture, or in a part of one; with ControlNets and LoRAs."""

from server.engines.diffusion.adapters import Adapter
from server.engines.diffusion.canvas import Canvas, extended, repainted
from server.engines.diffusion.drawing import Control, Order, draw
from server.engines.diffusion.loading import PACKAGES
from server.engines.diffusion.schedulers import NAMES, known

__all__ = ["NAMES", "PACKAGES", "Adapter", "Canvas", "Control", "Order", "draw", "extended", "known", "repainted"]
