"""Our worker of a model, and those of the peers that run the same shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ..weights import presets
from .model_shapes import MODELS
from .peer import check_modules, peer_binary, start_ours, start_peer
from .worker import Worker

BOTH_MODELS, BOTH_WORKS = ("gpt2", "stories110m"), ("prefill", "decode")


@dataclass(frozen=True)
class ModelPeer:
    """`script` of workers/; `types`: what it calls our types of weights; `modules`: what its Python
    must have; `binary`: it is a program that the user names.
    """

    script: str
    types: Mapping[str, str]
    modules: tuple[str, ...]
    models: tuple[str, ...] = BOTH_MODELS
    works: tuple[str, ...] = BOTH_WORKS
    binary: bool = False

    def runs(self, work: str, model: str, weights: str) -> bool:
        return work in self.works and model in self.models and weights in self.types


PEERS = {
    "llama.cpp": ModelPeer(
        "model_llama",
        {"fp32": "F32", "fp16": "F16", "int8": "Q8_0"},
        ("llama_cpp", "gguf"),
    ),
    "ctranslate2": ModelPeer(
        "model_ctranslate2", {"fp32": "float32", "int8": "int8_float32"}, ("ctranslate2",)
    ),
    "onnxruntime": ModelPeer(
        "model_onnx", {"fp32": "fp32"}, ("onnxruntime", "onnx"), ("gpt2",), ("prefill",)
    ),
    # fp16 is no type that its products on a processor are made for; bfloat16 is as long.
    "torch": ModelPeer(
        "model_torch", {"fp32": "float32", "fp16": "bfloat16"}, ("torch", "transformers")
    ),
    "llama2.c": ModelPeer(
        "model_llama2c", {"fp32": "fp32"}, ("numpy",), ("stories110m",), binary=True
    ),
}


def checks(work: str) -> dict[str, Callable[[], None]]:
    """For each peer that does the work what raises OrionError when it cannot be run."""

    def check(name: str) -> None:
        check_modules(name, PEERS[name].modules)
        if PEERS[name].binary:
            peer_binary(name)

    return {name: partial(check, name) for name, peer in PEERS.items() if work in peer.works}


def runs(peer: str | None, work: str, model: str, weights: str) -> bool:
    """Whether the case is measured: without a peer each is."""
    return peer is None or PEERS[peer].runs(work, model, weights)


def start_model(model: str, weights: str) -> Worker:
    preset = MODELS[model].preset
    return start_ours(f"{model} {weights}", "orion.bench.model_worker", preset, weights)


def start_model_peer(peer: str, model: str, weights: str, threads: int) -> Worker:
    row = PEERS[peer]
    config = json.dumps(presets.PRESETS[MODELS[model].preset])
    program = (peer_binary(peer),) if row.binary else ()
    return start_peer(peer, row.script, config, row.types[weights], str(threads), *program)
