"""Hugging Face directories of small random models, for tests to load and to damage."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from orion import models

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
}
QWEN2 = {**LLAMA, "model_type": "qwen2", "use_sliding_window": False, "sliding_window": 16}
QWEN3 = {**LLAMA, "model_type": "qwen3", "head_dim": 16}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "vocab_size": 64,
    "n_positions": 64,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
}


def random_tensors(config: Mapping[str, Any], seed: int = 0) -> dict[str, np.ndarray]:
    """Every tensor of a checkpoint of this config; no norm is 1, and no bias 0."""
    family = models.find(config["model_type"])
    read = family.read_config(config)
    random = np.random.RandomState(seed)
    tensors = {}
    for name, shape in family.shapes(read).items():
        values = random.standard_normal(shape) * 0.2
        is_norm = len(shape) == 1 and name.endswith(".weight")
        tensors[name] = (values + is_norm).astype(np.float32)
    return {name: np.ascontiguousarray(t) for name, t in family.restore(read, tensors).items()}


def write_model(
    directory: Path, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray] | None = None
) -> Path:
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    save_file(dict(tensors or random_tensors(config)), directory / "model.safetensors")
    return directory


def write_sharded(directory: Path, config: Mapping[str, Any], count: int = 3) -> Path:
    from safetensors.numpy import save_file

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    tensors = random_tensors(config)
    places = {
        name: f"model-{i % count + 1:05}-of-{count:05}.safetensors"
        for i, name in enumerate(tensors)
    }
    for shard in set(places.values()):
        held = {name: tensor for name, tensor in tensors.items() if places[name] == shard}
        save_file(held, directory / shard)
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def raw_safetensors(header: Mapping[str, Any] | bytes, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def write_raw(path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    """name: the file's dtype, shape, bytes."""
    header, body = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        place = [len(body), len(body) + len(content)]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": place}
        body += content
    path.write_bytes(raw_safetensors(header, body))


def edit_json(path: Path, **changes: Any) -> None:
    """Keys of an object in a file; None removes one."""
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
