"""Our worker of a model, and those of the peers that run the same shape."""

from __future__ import annotations

import json

from ..errors import OrionError
from ..weights import presets
from .model_shapes import MODELS
from .peer import Worker, start_ours, start_peer

# peer: its worker's script, and what it calls our types of weights
PEERS = {
    "llama.cpp": ("model_llama", {"fp32": "F32", "fp16": "F16", "int8": "Q8_0"}),
    "onnxruntime": ("model_onnx", {"fp32": "fp32"}),
}


def start_model(model: str, weights: str) -> Worker:
    preset = MODELS[model].preset
    return start_ours(f"{model} {weights}", "orion.bench.model_worker", preset, weights)


def start_model_peer(peer: str, model: str, weights: str, threads: int) -> Worker:
    script, types = PEERS[peer]
    if weights not in types:
        raise OrionError(f"peer {peer} runs {', '.join(types)} weights here, not {weights}")
    config = json.dumps(presets.PRESETS[MODELS[model].preset])
    return start_peer(peer, script, config, types[weights], str(threads))
