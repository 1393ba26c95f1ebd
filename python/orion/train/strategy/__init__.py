"""Ways to change the weights that a device computes with."""

from .base import StaleWeightsError, Strategy, Writer
from .choose import WAYS, choose, plan_for
from .inputs import Inputs

__all__ = ["WAYS", "Inputs", "StaleWeightsError", "Strategy", "Writer", "choose", "plan_for"]
