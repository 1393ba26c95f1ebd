"""What a run is told: mlx_lm's names first, others' as aliases; knows no device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..errors import OrionError, UsageError
from .lora import Lora
from .schedule import SCHEDULES, learning_rate

STRATEGIES = ("auto", "inputs", "reload", "recompile")


@dataclass(frozen=True)
class Settings:
    """Iterations are optimizer steps. Lengths are in tokens, periods in steps.

    `lr_schedule` falls from `learning_rate` to `lr_end` over the iterations after `warmup`.
    `max_seq_length` 0 takes 256, or the model's context where that is less. `loss_scale` 0 chooses
    one for the device; it is held at 1 where nothing can overflow. `batch_size` is each rank's;
    `rank_timeout` is in seconds.
    """

    iters: int = 1000
    batch_size: int = 4
    grad_accumulation_steps: int = 1
    max_seq_length: int = 0
    learning_rate: float = 1e-4
    lr_schedule: str = "constant"
    lr_end: float = 0.0
    warmup: int = 0
    warmup_init: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    grad_clip: float = 1.0
    loss_scale: float = 0.0
    seed: int = 0
    steps_per_report: int = 10
    steps_per_eval: int = 200
    val_batches: int = 25
    save_every: int = 100
    keep: int = 2
    mask_prompt: bool = False
    weight_update: str = "auto"
    verify: int = 0
    check_ranks_every: int = 100
    rank_timeout: int = 300

    def __post_init__(self) -> None:
        for name, fits, expected in RULES:
            value = getattr(self, name)
            if not fits(value):
                raise UsageError(f"{flag(name)} is {expected}, not {value}.")

    def rate(self, step: int) -> float:
        """The learning rate of step 1, 2, ... `iters`."""
        return learning_rate(
            step,
            peak=self.learning_rate,
            end=self.lr_end,
            schedule=self.lr_schedule,
            warmup=self.warmup,
            iters=self.iters,
            warmup_init=self.warmup_init,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


COUNTS = ("iters", "batch_size", "grad_accumulation_steps", "keep", "rank_timeout")
PERIODS = (
    "max_seq_length",
    "steps_per_report",
    "steps_per_eval",
    "save_every",
    "warmup",
    "verify",
    "check_ranks_every",
)
RULES = (
    *((name, lambda value: value >= 1, "1 or more") for name in COUNTS),
    *((name, lambda value: value >= 0, "0 or more") for name in PERIODS),
    ("seed", lambda value: value >= 0, "0 or more"),
    ("val_batches", lambda value: value >= -1, "-1 (all) or more"),
    ("learning_rate", lambda value: 0 < value < 1e4, "above 0"),
    ("lr_end", lambda value: value >= 0, "0 or more"),
    ("warmup_init", lambda value: value >= 0, "0 or more"),
    ("lr_schedule", lambda value: value in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
    ("weight_update", lambda value: value in STRATEGIES, f"one of {', '.join(STRATEGIES)}"),
    ("beta1", lambda value: 0 <= value < 1, "from 0 up to 1"),
    ("beta2", lambda value: 0 <= value < 1, "from 0 up to 1"),
    ("epsilon", lambda value: value > 0, "above 0"),
    ("weight_decay", lambda value: value >= 0, "0 or more"),
    ("grad_clip", lambda value: value >= 0, "0 (none) or more"),
    ("loss_scale", lambda value: value >= 0, "0 (chosen) or more"),
)

# What others call it: Hugging Face's TrainingArguments, nanoGPT.
ALIASES = {
    "max_steps": "iters",
    "max_iters": "iters",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "grad_accumulation_steps",
    "block_size": "max_seq_length",
    "lr_scheduler_type": "lr_schedule",
    "min_lr": "lr_end",
    "warmup_steps": "warmup",
    "warmup_iters": "warmup",
    "adam_beta1": "beta1",
    "adam_beta2": "beta2",
    "adam_epsilon": "epsilon",
    "max_grad_norm": "grad_clip",
    "logging_steps": "steps_per_report",
    "log_interval": "steps_per_report",
    "eval_steps": "steps_per_eval",
    "eval_interval": "steps_per_eval",
    "eval_iters": "val_batches",
    "save_steps": "save_every",
    "save_total_limit": "keep",
}
# Keys of a config file that are not about the run's arithmetic.
OUTER = ("model", "preset", "data", "adapter_path", "output", "device", "resume", "train")
# mlx's names of schedules.
MLX_SCHEDULES = {"cosine_decay": "cosine", "linear_schedule": "linear", "constant": "constant"}


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def read_config(path: str | Path) -> dict[str, Any]:
    """A YAML file as settings and, under the names in OUTER, paths.

    OrionError names the key that is none, or has a value of another type.
    """
    try:
        import yaml
    except ImportError:
        raise OrionError(f"{path}: YAML takes PyYAML: pip install 'orion-ane[train]'") from None
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise OrionError(f"{path}: is no YAML: {reason}") from None
    if not isinstance(content, dict):
        raise OrionError(f"{path}: expected keys with values, found {type(content).__name__}")
    try:
        return from_keys(content)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def from_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    """Names as here, values of the right types."""
    types = {field.name: field.type for kind in (Settings, Lora) for field in fields(kind)}
    found: dict[str, Any] = {}
    for given, value in content.items():
        name = ALIASES.get(str(given).replace("-", "_"), str(given).replace("-", "_"))
        if name == "lr_schedule" and isinstance(value, Mapping):
            found |= from_mlx_schedule(value)
        elif name in OUTER:
            found[name] = value
        elif name == "lora_parameters" and isinstance(value, Mapping):
            found |= from_lora_parameters(value)
        elif name in types:
            found[name] = typed(name, str(types[name]), value)
        else:
            raise UsageError(f"there is no setting {given}; known are {', '.join(types)}")
    return found


def from_lora_parameters(content: Mapping[str, Any]) -> dict[str, Any]:
    """mlx_lm's {keys, rank, alpha or scale, dropout}; its scale is alpha / rank."""
    found = {name: content[name] for name in ("rank", "alpha", "dropout") if name in content}
    unknown = sorted(set(content) - {*found, "keys", "scale"})
    if unknown:
        raise UsageError(f"lora_parameters: there is no {unknown[0]}")
    if "scale" in content:
        found["alpha"] = float(content["scale"]) * int(content.get("rank", Lora.rank))
    if content.get("keys"):
        names = dict.fromkeys(str(key).rsplit(".", 1)[-1] for key in content["keys"])
        found["target_modules"] = ",".join(names)
    return from_keys(found)


def typed(name: str, kind: str, value: Any) -> Any:
    try:
        if kind == "bool" and isinstance(value, bool):
            return value
        if kind == "int" and not isinstance(value, bool) and int(value) == float(value):
            return int(value)
        # YAML 1.1 reads 1e-4 as text.
        if kind == "float" and not isinstance(value, bool):
            return float(value)
        if kind == "str":
            return str(value)
    except (TypeError, ValueError):
        pass
    raise UsageError(f"{name} takes {kind}, not {value!r}")


def from_mlx_schedule(content: Mapping[str, Any]) -> dict[str, Any]:
    """mlx_lm's {name, warmup, warmup_init, arguments: [first, steps, last]}."""
    name = content.get("name")
    arguments = list(content.get("arguments") or [])
    if name not in MLX_SCHEDULES or not arguments:
        known = ", ".join(MLX_SCHEDULES)
        raise UsageError(f"lr_schedule: expected a name of {known} with arguments, not {content}")
    found: dict[str, Any] = {"lr_schedule": MLX_SCHEDULES[name], "learning_rate": arguments[0]}
    if name == "cosine_decay":
        found["lr_end"] = arguments[2] if len(arguments) > 2 else 0.0
    if name == "linear_schedule" and len(arguments) > 1:
        found["lr_end"] = arguments[1]
    for key in ("warmup", "warmup_init"):
        if key in content:
            found[key] = content[key]
    return from_keys(found)
