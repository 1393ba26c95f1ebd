"""The models that decoding, prefill, start-up and compiling are measured with, and their bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from ..weights import presets

VALUE_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}


@dataclass(frozen=True)
class ModelShape:
    """A preset. Its weights are random: speed does not depend on them."""

    preset: str

    @cached_property
    def matrix_values(self) -> int:
        """Values that a token is multiplied by, the tied head among them."""
        tensors = presets.make(self.preset).tensors
        return sum(
            math.prod(tensor.shape)
            for name, tensor in tensors.items()
            if len(tensor.shape) == 2 and not name.endswith(".wpe.weight")
        )

    @property
    def vocabulary(self) -> int:
        return int(presets.PRESETS[self.preset]["vocab_size"])

    @property
    def cache_bytes(self) -> int:
        """Of the keys and values of one position, fp32."""
        config = presets.PRESETS[self.preset]
        if config["model_type"] == "gpt2":
            return 2 * 4 * int(config["n_layer"]) * int(config["n_embd"])
        size = config["hidden_size"] // config["num_attention_heads"]
        layers, heads = config["num_hidden_layers"], config["num_key_value_heads"]
        return 2 * 4 * int(layers) * int(heads) * int(size)

    def weight_bytes(self, weights: str) -> int:
        """Read for each token; int8 without its scales, half a percent."""
        return self.matrix_values * VALUE_BYTES[weights]

    def prefill_flops(self, tokens: int) -> float:
        """Of the products with weights; logits of the last token alone."""
        head = self.vocabulary * self.width
        return 2.0 * ((self.matrix_values - head) * tokens + head)

    @property
    def width(self) -> int:
        config = presets.PRESETS[self.preset]
        return int(config["n_embd"] if config["model_type"] == "gpt2" else config["hidden_size"])


MODELS = {"gpt2": ModelShape("gpt2"), "stories110m": ModelShape("stories110m")}
