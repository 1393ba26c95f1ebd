"""Low-rank adapters in PEFT's form: adapter_config.json and adapter_model.safetensors.

    y = W x + scale * B (A x)        A [rank, inputs], B [outputs, rank], scale = alpha / rank

Modules carry the checkpoint's names; knows no graph and no device.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from . import safetensors

CONFIG = "adapter_config.json"
TENSORS = "adapter_model.safetensors"
PREFIX = "base_model.model."
# What holds a layer, and the layer's number.
LAYER = re.compile(r"(?:.*?\.)??([^.]+)\.(\d+)\.")
# Ways in which A and B began that leave the model's own weights alone; others move a part of the
# weights into A and B, so that the adapter is not one of the checkpoint.
BEGINNINGS = (True, False, "gaussian", "orthogonal", "eva")
# Fields that change the numbers, with the values that are carried out; null and none are as good.
FIXED: dict[str, tuple[Any, ...]] = {
    "init_lora_weights": BEGINNINGS,
    "use_dora": (False,),
    "bias": ("none",),
    "rank_pattern": ({},),
    "alpha_pattern": ({},),
    "modules_to_save": ([],),
    "lora_bias": (False,),
}
# Fields that are read here, or that the tensors speak for, or that say how it was trained.
HARMLESS = frozenset(
    (
        *("peft_type", "r", "lora_alpha", "use_rslora", "lora_dropout", "base_model_name_or_path"),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("auto_mapping", "peft_version", "revision", "task_type", "inference_mode"),
        *("fan_in_fan_out", "megatron_config", "megatron_core", "runtime_config"),
        *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config"),
        *("qalora_group_size", "ensure_weight_tying"),
    )
)


@dataclass(frozen=True)
class Adapter:
    """`matrices`: of every module that changes, A [rank, inputs] and B [outputs, rank] in fp32.

    `partial`: a target's module of another layer does not change. `turned`: the weights of the
    checkpoint are [inputs, outputs].
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    matrices: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(repr=False)
    dropout: float = 0.0
    rooted: bool = False
    base: str | None = None
    partial: bool = False
    turned: bool = False

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers of the layers that change."""
        return tuple(sorted({int(place[2]) for place in self._places()}))

    @property
    def stacks(self) -> tuple[str, ...]:
        """The last parts of the names of what holds these layers: `layers`, or GPT-2's `h`."""
        return tuple(sorted({place[1] for place in self._places()}))

    def _places(self) -> list[re.Match[str]]:
        return [place for module in self.matrices if (place := LAYER.match(module))]

    @property
    def scale(self) -> float:
        return self.alpha / (sqrt(self.rank) if self.rooted else self.rank)

    @property
    def largest_rank(self) -> int:
        return max((len(a) for a, _ in self.matrices.values()), default=self.rank)


def read(directory: str | Path) -> Adapter:
    """OrionError says which file, field or tensor is not that of a low-rank adapter."""
    folder = Path(directory)
    config = read_config(folder / CONFIG)
    path = folder / TENSORS
    if not path.is_file():
        raise OrionError(f"{path}: not found; expected the adapter's tensors there")
    tensors = safetensors.read(path)
    matrices = {}
    for module in dict.fromkeys(module_of(path, name) for name in tensors):
        pair = []
        for letter in "AB":
            head = f"{PREFIX}{module}.lora_{letter}"
            names = (f"{head}.weight", f"{head}.default.weight")
            found = next((tensors[name] for name in names if name in tensors), None)
            if found is None or len(found.shape) != 2:
                what = "is missing" if found is None else f"has the shape {list(found.shape)}"
                raise OrionError(f"{path}: {module}.lora_{letter}.weight {what}; expected 2 axes")
            pair.append(np.array(found, np.float32))
        a, b = pair
        if a.shape[0] != b.shape[1]:
            raise OrionError(
                f"{path}: {module}: lora_A has {a.shape[0]} rows, lora_B {b.shape[1]} columns;"
                " expected one rank"
            )
        matrices[module] = (a, b)
    if not matrices:
        raise OrionError(f"{path}: holds no tensors")
    return Adapter(
        rank=config["r"],
        alpha=float(config["lora_alpha"]),
        targets=tuple(sorted({module.rsplit(".", 1)[-1] for module in matrices})),
        matrices=matrices,
        dropout=float(config.get("lora_dropout") or 0),
        rooted=bool(config.get("use_rslora")),
        base=config.get("base_model_name_or_path"),
        partial=config.get("layers_to_transform") is not None,
        turned=bool(config.get("fan_in_fan_out")),
    )


def read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OrionError(
            f"{path}: cannot be read: {error.strerror}; expected an adapter's directory there"
        ) from None
    except ValueError as error:
        raise OrionError(f"{path}: not JSON: {error}") from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else config
        raise OrionError(f"{path}: peft_type is {kind!r}; expected 'LORA'")
    for name, value in config.items():
        if not value or name in HARMLESS:
            continue
        if name not in FIXED:
            raise OrionError(
                f"{path}: {name} is {value!r}, of which nothing is known here, so what it changes"
                " would be missing; merge the adapter with PEFT, or remove the field if it changes"
                " nothing"
            )
        if value not in FIXED[name]:
            expected = " or ".join(map(repr, FIXED[name]))
            raise OrionError(f"{path}: {name} is {value!r}; only {expected} is carried out")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or rank < 1:
        raise OrionError(f"{path}: r is {rank!r}; expected the rank, 1 or more")
    if not isinstance(alpha, (int, float)):
        raise OrionError(f"{path}: lora_alpha is {alpha!r}; expected a number")
    return config


def module_of(path: Path, name: str) -> str:
    if name.startswith(PREFIX) and name.endswith(".weight"):
        for mark in (".lora_A", ".lora_B"):
            head, found, tail = name[len(PREFIX) :].rpartition(mark)
            if found and tail in (".weight", ".default.weight"):
                return head
    raise OrionError(
        f"{path}: tensor {name} is no matrix of a low-rank adapter; expected names as"
        f" {PREFIX}MODULE.lora_A.weight"
    )


def write(adapter: Adapter, directory: str | Path) -> None:
    """Both files into a directory that is there, as PEFT reads them."""
    from safetensors.numpy import save_file

    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": adapter.base,
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": adapter.dropout,
        "target_modules": list(adapter.targets),
        # Without them PEFT expects matrices of the targets in all layers.
        "layers_to_transform": list(adapter.layers) if adapter.partial else None,
        "layers_pattern": list(adapter.stacks) if adapter.partial else None,
        "use_rslora": adapter.rooted,
        "use_dora": False,
        "bias": "none",
        "fan_in_fan_out": adapter.turned,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
    }
    tensors = {
        f"{PREFIX}{module}.lora_{letter}.weight": np.ascontiguousarray(matrix, np.float32)
        for module, pair in adapter.matrices.items()
        for letter, matrix in zip("AB", pair, strict=True)
    }
    folder = Path(directory)
    save_file(tensors, folder / TENSORS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
