"""Training: parameters, a plan's executor, optimizer, loop, checkpoints, metrics, strategies."""

from .checkpoint import FOLDER as CHECKPOINTS
from .divergence import DivergedError
from .ending import finish, settings_of, write_settings
from .lora import Lora
from .metrics import read_metrics
from .ranks import LostRankError, Ranks, RanksError, find_ranks
from .settings import Settings, read_config
from .trainer import Trainer
from .verify import PartedError

__all__ = [
    "CHECKPOINTS",
    "DivergedError",
    "Lora",
    "LostRankError",
    "PartedError",
    "Ranks",
    "RanksError",
    "Settings",
    "Trainer",
    "find_ranks",
    "finish",
    "read_config",
    "read_metrics",
    "settings_of",
    "write_settings",
]
