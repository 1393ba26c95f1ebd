"""Ops without operands: what a graph is given. The caller binds them; they compute nothing."""

from __future__ import annotations

from typing import Any

from ..row import Op
from ..shapes import source


def unbound(**attributes: Any) -> Any:
    raise LookupError("a source's value comes from outside the graph")


# fmt: off
ROWS = (
    # A tensor given at every evaluation. `role` is what the host puts there: "key_cache layer=0".
    Op("input", "", "dtype:dtype shape:shape role:text=none", source, unbound, source=True),
    # A tensor of the checkpoint by its name there, its elements in row-major order seen as this
    # shape: all of them, or as many as the shape holds from row `first` on. `part` "codes" or
    # "scales" is one of the two that quantisation makes of it.
    Op(
        "weight",
        "",
        "dtype:dtype shape:shape key:text first:int=none part:text=none",
        source,
        unbound,
        source=True,
    ),
    # A tensor that is part of the graph.
    Op("constant", "", "dtype:dtype shape:shape value:array", source, unbound, source=True),
)
# fmt: on
