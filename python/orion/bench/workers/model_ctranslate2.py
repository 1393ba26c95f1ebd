"""A model of random weights in CTranslate2: decodes or reads prompts whenever a line asks for it.

Arguments: the model's config as JSON, the type of the weights (float32 or int8_float32), threads.
Requests as for our own worker. The first token after a prompt is a step of its own here, and part
of reading it. Needs ctranslate2.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from typing import Any

# Milliseconds for which its threads look for more work: long enough for a token, and over before
# another takes its turn.
os.environ.setdefault("KMP_BLOCKTIME", "50")

import ctranslate2  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from ctranslate2.specs import (  # type: ignore[import-not-found, unused-ignore]
    common_spec,
    transformer_spec,
)

CONFIG, TYPE, THREADS = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
STRIDE = 7919
VOCABULARY = CONFIG["vocab_size"]
RANDOM = np.random.default_rng(0)


def matrix(rows: int, columns: int) -> np.ndarray:
    return RANDOM.standard_normal((rows, columns), np.float32) * np.float32(0.02)


def fill_linear(spec: Any, outputs: int, inputs: int, bias: bool) -> None:
    spec.weight = matrix(outputs, inputs)
    if bias:
        spec.bias = np.zeros(outputs, np.float32)


def fill_norm(spec: Any, width: int, bias: bool) -> None:
    spec.gamma = np.ones(width, np.float32)
    if bias:
        spec.beta = np.zeros(width, np.float32)


def gpt2() -> Any:
    width, layers, heads = (CONFIG[name] for name in ("n_embd", "n_layer", "n_head"))
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers, heads, activation=common_spec.Activation.GELUTanh
    )
    spec.decoder.position_encodings.encodings = matrix(CONFIG["n_positions"], width)
    fill(spec.decoder, width, 3 * width, 4 * width, bias=True)
    return spec


def llama() -> Any:
    width, layers, heads, narrow, inner = (
        CONFIG[name]
        for name in (
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "intermediate_size",
        )
    )
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        layers,
        heads,
        activation=common_spec.Activation.SWISH,
        ffn_glu=True,
        rms_norm=True,
        rotary_dim=0,
        rotary_interleave=False,
        num_heads_kv=None if narrow == heads else narrow,
    )
    fill(spec.decoder, width, width + 2 * (width // heads) * narrow, inner, bias=False)
    for layer in spec.decoder.layer:
        fill_linear(layer.ffn.linear_0_noact, inner, width, bias=False)
    spec.config.layer_norm_epsilon = 1e-5
    return spec


def fill(decoder: Any, width: int, projected: int, inner: int, bias: bool) -> None:
    """What both kinds have; `projected` is queries, keys and values together."""
    decoder.scale_embeddings = False
    decoder.embeddings.weight = matrix(VOCABULARY, width)
    decoder.projection.weight = decoder.embeddings.weight
    fill_norm(decoder.layer_norm, width, bias)
    for layer in decoder.layer:
        fill_norm(layer.self_attention.layer_norm, width, bias)
        fill_linear(layer.self_attention.linear[0], projected, width, bias)
        fill_linear(layer.self_attention.linear[1], width, width, bias)
        fill_norm(layer.ffn.layer_norm, width, bias)
        fill_linear(layer.ffn.linear_0, inner, width, bias)
        fill_linear(layer.ffn.linear_1, width, inner, bias)


def load() -> Any:
    spec = gpt2() if CONFIG["model_type"] == "gpt2" else llama()
    spec.register_vocabulary([str(i) for i in range(VOCABULARY)])
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "0"
    spec.validate()
    spec.optimize(quantization=TYPE)
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as directory:
        spec.save(directory)
        return ctranslate2.Generator(
            directory, device="cpu", compute_type=TYPE, inter_threads=1, intra_threads=THREADS
        )


def main() -> None:
    generator = load()

    def generate(prompt: int, tokens: int) -> list[float]:
        """When it began, and when each token was there."""
        times = [time.perf_counter()]

        def told(_: Any) -> bool:
            times.append(time.perf_counter())
            return False

        generator.generate_batch(
            [[str((i * STRIDE) % VOCABULARY) for i in range(prompt)]],
            min_length=tokens,
            max_length=tokens,
            include_prompt_in_result=False,
            callback=told,
        )
        return times

    for line in sys.stdin:
        request = json.loads(line)
        tokens = request["tokens"]
        if request["work"] == "decode":
            times = generate(request["before"], tokens + 2)
            seconds = times[-1] - times[2]
        else:
            times = generate(tokens, 1)
            seconds = times[-1] - times[0]
        print(json.dumps({"rate": tokens / seconds}), flush=True)


main()
