"""Ways to change the weights that a device computes with."""

from .base import Strategy, Writer
from .inputs import Inputs

__all__ = ["Inputs", "Strategy", "Writer"]
