"""How parameters lie in the ports that give them to programs, by the widths a profile takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .plan import ParameterLayout

# Orders of the axes [out, in] of a matrix.
AS_GIVEN, TURNED = (0, 1), (1, 0)


def fits_width(width: int, limits: Mapping[str, Any]) -> bool:
    return bool(width >= limits["width_min"] and width % limits["width_multiple"] == 0)


def padding_for(width: int, limits: Mapping[str, Any]) -> int:
    multiple = limits["width_multiple"]
    return max(-(-width // multiple) * multiple, int(limits["width_min"])) - width


def choose_layout(
    key: str,
    shape: Sequence[int],
    profile: Mapping[str, Any],
    orders: Sequence[tuple[int, int]] = (TURNED, AS_GIVEN),
    **facts: bool,
) -> ParameterLayout:
    """Vectors lie along the width. A matrix [out, in] lies in the first of `orders` whose width the
    profile takes, else in the first of all with its width padded.
    """
    limits, dtype = profile["limits"], profile["preferences"]["activation"]
    shape = tuple(shape)
    possible = list(orders) if len(shape) == 2 else [tuple(range(len(shape)))]
    fitting = [order for order in possible if fits_width(shape[order[-1]], limits)]
    order = (fitting or possible)[0]
    padding = padding_for(shape[order[-1]], limits)
    rows = shape[order[0]] if len(shape) == 2 else 1
    stored = (1, rows, 1, shape[order[-1]] + padding)
    return ParameterLayout(key, shape, order, stored, dtype, padding, **facts)
