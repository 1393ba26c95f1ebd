"""From a family and a config to the programs of a training step, and the order they run in."""

from .adapters import Adapters
from .constants import weights_of, with_constants
from .make import make_training_plan
from .plan import Call, HostCall, ParameterLayout, Slot, TrainingPlan
from .text import program_text

__all__ = [
    "Adapters",
    "Call",
    "HostCall",
    "ParameterLayout",
    "Slot",
    "TrainingPlan",
    "make_training_plan",
    "program_text",
    "weights_of",
    "with_constants",
]
