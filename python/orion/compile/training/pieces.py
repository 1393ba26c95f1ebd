"""One piece of a model, a layer or the head, as a forward and a backward program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...autodiff import gradients, part
from ...ir import Graph
from ...passes import run_passes
from ..manifest import Program
from .ports import WeightPort

STREAM, STREAM_GRADIENT = "x", "d_x"


@dataclass(frozen=True)
class Piece:
    """`outputs` are the forward program's beside its taps; `gradients` name for each trainable
    port the output of the backward program. That is None where there is nothing for it to give.
    """

    forward: Program
    backward: Program | None
    outputs: tuple[str, ...]
    taps: tuple[str, ...]
    gradients: Mapping[str, str]
    passes_on: bool


def make_piece(
    graph: Graph,
    trainable: Sequence[WeightPort],
    profile: Mapping[str, Any],
    name: str,
    *,
    passes_on: bool,
) -> Piece:
    """`graph` reads the stream `x` and is changed; `trainable` are weights of it.

    Each output `o` has a seed `d_o` in the backward program, which gives `d_x`, when the piece
    passes it on, and, for a trainable `w_name`, `g_name`.
    """
    graph.name = name
    outputs = {output.name: output.value for output in graph.outputs}
    (stream,) = [node.result for node in graph.inputs if node.result.name == STREAM]
    seeds = {
        value: graph.input(f"d_{output}", value.type.dtype, value.type.shape)
        for output, value in outputs.items()
    }
    wanted = {gradient_name(port.name): port.value for port in trainable}
    if passes_on:
        wanted[STREAM_GRADIENT] = stream
    found = dict(zip(wanted, gradients(graph, list(wanted.values()), seeds), strict=True))
    late = {output: gradient for output, gradient in found.items() if gradient is not None}
    parts = part(graph, seeds.values(), outputs, late, profile)
    return Piece(
        Program(f"{name}_forward", run_passes(parts.forward, profile)),
        Program(f"{name}_backward", run_passes(parts.backward, profile)) if late else None,
        tuple(outputs),
        parts.taps,
        {port.name: gradient_name(port.name) for port in trainable},
        passes_on,
    )


def gradient_name(port: str) -> str:
    return f"g_{port.removeprefix('w_')}"
