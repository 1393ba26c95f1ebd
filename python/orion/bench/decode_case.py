"""Tokens a second after a short prompt, of the models' shapes, beside the streaming read rate.

A token reads the weights and the keys and values before it once; the limit is how often a second
memory gives that many bytes, measured in turn with the model. With a peer only the cases that it
runs are measured.

Memory is the most that the whole process ever held (Python, numpy and all libraries
among it), less the weights and the longest cache; another process compiled the model before.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from .machine import READ_LEAST, Limits, measure_limits
from .model_peers import runs, start_model, start_model_peer
from .model_shapes import MODELS
from .rows import Row, interleaved, make_row

BEFORE, TOKENS = 32, 128
CASES = (
    ("gpt2", "fp16"),
    ("gpt2", "int8"),
    ("gpt2", "fp32"),
    ("stories110m", "fp16"),
    ("stories110m", "int8"),
    ("stories110m", "fp32"),
)


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    for model, weights in CASES:
        if runs(peer, "decode", model, weights):
            yield decode(limits, repeats, peer, model, weights)


def decode(limits: Limits, repeats: int, peer: str | None, model: str, weights: str) -> Row:
    shape = MODELS[model]
    request = {"work": "decode", "before": BEFORE, "tokens": TOKENS}
    answers: list[dict[str, Any]] = []
    with start_model(model, weights) as first:
        compiled = first.ask(**request)  # where that was not yet done
    with ExitStack() as stack:
        ours = stack.enter_context(start_model(model, weights))

        def rate() -> float:
            answers.append(ours.ask(**request))
            return float(answers[-1]["rate"])

        bodies: dict[str, Callable[[], float]] = {
            "read": lambda: measure_limits().read,
            "ours": rate,
        }
        if peer is not None:
            other = stack.enter_context(start_model_peer(peer, model, weights, limits.threads))
            bodies[peer] = lambda: float(other.ask(**request)["rate"])
        for name, body in bodies.items():
            if name != "read":
                body()
        found = interleaved(bodies, repeats)
    cache = shape.cache_bytes * (BEFORE + TOKENS // 2)
    bytes_a_token = shape.weight_bytes(weights) + cache
    read = statistics.median(found["read"])
    longest = shape.cache_bytes * (BEFORE + TOKENS + 2)
    needed = shape.weight_bytes(weights) + longest
    over = max(each["peak_bytes"] for each in answers) - needed
    return make_row(
        f"decode/{model}/{weights}",
        found["ours"],
        "tokens/s",
        limit=read * 1e9 / bytes_a_token if read >= READ_LEAST else None,
        peer=(peer, found[peer]) if peer else None,
        detail={
            "read_gb_s": read,
            "used_gb_s": statistics.median(found["ours"]) * bytes_a_token / 1e9,
            "mb_over_weights_and_cache": over / 1e6,
            "mb_over_first_time": (compiled["peak_bytes"] - needed) / 1e6,
        },
    )
