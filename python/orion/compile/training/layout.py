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
    preferred: tuple[int, int] = TURNED,
    **facts: bool,
) -> ParameterLayout:
    """Vectors lie along the width. Of a matrix [out, in] the axis that is preferred as the width
    is taken when the profile takes it, else the other one, else the preferred one is padded.
    """
    limits, dtype = profile["limits"], profile["preferences"]["activation"]
    shape = tuple(shape)
    orders = [preferred, preferred[::-1]] if len(shape) == 2 else [tuple(range(len(shape)))]
    fitting = [order for order in orders if fits_width(shape[order[-1]], limits)]
    order = (fitting or orders)[0]
    padding = padding_for(shape[order[-1]], limits)
    rows = shape[order[0]] if len(shape) == 2 else 1
    stored = (1, rows, 1, shape[order[-1]] + padding)
    return ParameterLayout(key, shape, order, stored, dtype, padding, **facts)
