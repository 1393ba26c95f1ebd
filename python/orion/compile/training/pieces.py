"""One piece of a model, a layer or the head, as a forward and a backward program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...autodiff import gradients, part
from ...ir import Graph
from ...passes import run_passes
from ..manifest import Program

STREAM, STREAM_GRADIENT = "x", "d_x"


@dataclass(frozen=True)
class Piece:
    """`outputs` are the forward program's beside its taps; `gradients` name for each trainable
    port the output of the backward program.
    """

    forward: Program
    backward: Program
    outputs: tuple[str, ...]
    taps: tuple[str, ...]
    gradients: Mapping[str, str]


def make_piece(
    graph: Graph, trainable: Sequence[str], profile: Mapping[str, Any], name: str
) -> Piece:
    """`graph` reads the stream `x` and is changed; `trainable` names inputs of it.

    Each output `o` has a seed `d_o` in the backward program, which gives `d_x` and, for a
    trainable `w_name`, `g_name`.
    """
    outputs = {output.name: output.value for output in graph.outputs}
    inputs = {node.result.name: node.result for node in graph.inputs}
    seeds = {
        value: graph.input(f"d_{output}", value.type.dtype, value.type.shape)
        for output, value in outputs.items()
    }
    wanted = [STREAM, *trainable]
    names = [STREAM_GRADIENT, *(gradient_name(port) for port in trainable)]
    found = gradients(graph, [inputs[port] for port in wanted], seeds)
    late = {key: value for key, value in zip(names, found, strict=True) if value is not None}
    graph.name = name
    parts = part(graph, seeds.values(), outputs, late, profile)
    return Piece(
        Program(f"{name}_forward", run_passes(parts.forward, profile)),
        Program(f"{name}_backward", run_passes(parts.backward, profile)),
        tuple(outputs),
        parts.taps,
        dict(zip(trainable, names[1:], strict=True)),
    )


def gradient_name(port: str) -> str:
    return f"g_{port.removeprefix('w_')}"
