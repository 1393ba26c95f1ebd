"""Low-rank adapters beside linear layers, as parameters of their own; knows no model.

    %y = linear %x %w                  w has the key "..q_proj.weight", and q_proj is a target

becomes, with a [rank, in] and b [out, rank],

    %y = add (linear %x %w) (linear (mul (linear (mul %x %dropout) %a) alpha/rank) %b)

where the input `dropout`, for which the host draws 0 or 1/(1 - rate), stands when there is a rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import UsageError
from ...ir import Graph, Node, Value
from .ports import short_name

INNER, OUTER = "lora_A.weight", "lora_B.weight"
WEIGHT = ".weight"
DROPOUT = "dropout"


@dataclass(frozen=True)
class Adapters:
    """`targets` are linear layers by the last parts of their names: "q_proj", "mlp.up_proj".

    y = W x + alpha / rank * B (A (dropout of x)). `layers` are all of the model when None.
    """

    targets: tuple[str, ...]
    rank: int
    alpha: float
    dropout: float = 0.0
    layers: tuple[int, ...] | None = None

    def covers(self, key: str) -> bool:
        """Whether the weight `key` gets an adapter."""
        name, dot, last = key.rpartition(WEIGHT)
        if not dot or last:
            return False
        numbers = [int(part) for part in name.split(".") if part.isdigit()]
        inside = self.layers is None or bool(numbers and numbers[0] in self.layers)
        return inside and any(name.endswith(f".{target}") for target in self.targets)

    def shapes(self, model: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The adapters' own parameters. UsageError when a target names no linear layer."""
        for target in self.targets:
            if not any(key.endswith(f".{target}{WEIGHT}") for key in model):
                raise UsageError(
                    f"no linear layer of the model is called {target}; there are"
                    f" {', '.join(linear_names(model))}"
                )
        found: dict[str, tuple[int, ...]] = {}
        for key, shape in model.items():
            if len(shape) == 2 and self.covers(key):
                inner, outer = adapter_keys(key)
                found |= {inner: (self.rank, shape[1]), outer: (shape[0], self.rank)}
        return found


def linear_names(model: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The last parts of the names of matrices that layers have."""
    names = [key for key, shape in model.items() if len(shape) == 2 and ".0." in key]
    return [key.removesuffix(WEIGHT).rpartition(".")[2] for key in names]


def adapter_keys(weight: str) -> tuple[str, str]:
    """Of A and B for the linear layer that has this weight."""
    name = weight.removesuffix("weight")
    return f"{name}{INNER}", f"{name}{OUTER}"


def add_adapters(graph: Graph, adapters: Adapters) -> None:
    for node in graph.walk("linear"):
        weight = node.weight.node
        if weight.op == "weight" and adapters.covers(weight["key"]):
            with graph.before(node), graph.scope(node.result.name):
                base = graph.linear(node.x, node.weight)
                total = graph.add(base, low_rank(graph, node, weight["key"], adapters))
            graph.replace(node.result, total)
            graph.drop([node])


def low_rank(g: Graph, node: Node, key: str, adapters: Adapters) -> Value:
    x, dtype = node.x, node.x.type.dtype
    if adapters.dropout:
        name = short_name(key.removesuffix(WEIGHT))
        x = g.mul(x, g.input(f"{DROPOUT}_{name}", dtype, x.type.shape, DROPOUT))
    inner, outer = adapter_keys(key)
    size, out = x.type.shape[1], node.result.type.shape[1]
    a = g.weight(inner, dtype, (adapters.rank, size, 1, 1), "lora_a")
    b = g.weight(outer, dtype, (out, adapters.rank, 1, 1), "lora_b")
    return g.linear(g.mul(g.linear(x, a), adapters.alpha / adapters.rank), b)
