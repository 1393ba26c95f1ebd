"""Tokens a second of a long prompt, of the models' shapes, beside the multiply-add rate.

The share is that of the products with weights alone in the whole time. With a peer only the cases
that it runs are measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from .machine import FLOPS_LEAST, Limits, measure_limits
from .model_peers import runs, start_model, start_model_peer
from .model_shapes import MODELS
from .rows import Row, interleaved, make_row

CASES = (
    ("gpt2", "fp16", 512),
    ("gpt2", "fp32", 512),
    ("gpt2", "int8", 512),
    ("stories110m", "fp16", 256),
    ("stories110m", "fp32", 256),
)


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    for model, weights, tokens in CASES:
        if runs(peer, "prefill", model, weights):
            yield prefill(limits, repeats, peer, model, weights, tokens)


def prefill(
    limits: Limits, repeats: int, peer: str | None, model: str, weights: str, tokens: int
) -> Row:
    with ExitStack() as stack:
        ours = stack.enter_context(start_model(model, weights))
        bodies: dict[str, Callable[[], float]] = {
            "peak": lambda: measure_limits().flops,
            "ours": lambda: float(ours.ask(work="prefill", tokens=tokens)["rate"]),
        }
        if peer is not None:
            other = stack.enter_context(start_model_peer(peer, model, weights, limits.threads))
            bodies[peer] = lambda: float(other.ask(work="prefill", tokens=tokens)["rate"])
        for name, body in bodies.items():
            if name != "peak":
                body()
        found = interleaved(bodies, repeats)
    flops = MODELS[model].prefill_flops(tokens) / tokens
    peak = statistics.median(found["peak"])
    return make_row(
        f"prefill/{model}/{weights}/{tokens}",
        found["ours"],
        "tokens/s",
        limit=peak * 1e9 / flops if peak >= FLOPS_LEAST else None,
        peer=(peer, found[peer]) if peer else None,
        detail={
            "peak_gflop_s": peak,
            "products_gflop_s": statistics.median(found["ours"]) * flops / 1e9,
        },
    )
