"""Products of matrices, as rows of the comparison."""

import math
from typing import Any

import numpy as np
from op_case import FLOATS, Array, Draw, Row
from op_rows_folds import softmax


def matrices(d: Draw) -> dict[str, Any]:
    m, k, n = (d.integer(1, 6) for _ in range(3))
    flip_x, flip_y = d.flag(), d.flag()
    batch = d.shape(0, 3, 3)
    x = (*batch, *((k, m) if flip_x else (m, k)))
    y = (*batch[d.integer(0, len(batch)) :], *((n, k) if flip_y else (k, n)))
    flips = {"transpose_x": flip_x, "transpose_y": flip_y}
    return {"x": d.array(x), "y": d.array(y)} | (flips if any(flips.values()) else d.some(**flips))


def matmul(x: Array, y: Array, transpose_x: bool = False, transpose_y: bool = False) -> Any:
    return (np.swapaxes(x, -1, -2) if transpose_x else x) @ (
        np.swapaxes(y, -1, -2) if transpose_y else y
    )


def linears(d: Draw) -> dict[str, Any]:
    rows, inner, outputs = d.shape(0, 2), d.integer(1, 8), d.integer(1, 8)
    dtype = d.dtype()
    return {
        "x": d.array((*rows, inner)),
        "weight": d.array((outputs, inner), dtype),
    } | d.some(bias=d.array((outputs,), dtype))


def linear(x: Array, weight: Array, bias: Array | float = 0) -> Any:
    return x @ weight.T + bias


def einsums(d: Draw) -> dict[str, Any]:
    n, c, h, w, u = (d.integer(1, 4) for _ in range(5))
    dtype = "fp16" if d.engine else d.choice(*FLOATS)
    one = [1 if d.random.random() < 0.3 else size for size in (n, h)]
    if d.flag():
        return {
            "values": (d.array((c, h, w), dtype), d.array((w, one[1], u), dtype)),
            "equation": d.choice("chw,whr->chr", "abc,cbd->abd"),
        }
    return {
        "values": (d.array((n, c, h, w), dtype), d.array((one[0], w, one[1], u), dtype)),
        "equation": d.choice("nchw,nwhu->nchu", "abcd,adce->abce"),
    }


def einsum(values: tuple[Array, Array], equation: str) -> Any:
    x, y = values
    axes = (0, 2) if x.ndim == 4 else (1,)
    shape = [max(x.shape[a], y.shape[a]) if a in axes else y.shape[a] for a in range(y.ndim)]
    return np.einsum(equation, x, np.broadcast_to(y, shape))


def attentions(d: Draw) -> dict[str, Any]:
    batch = d.shape(1, 2, 3)
    queries, positions, width, values = (d.integer(1, 6) for _ in range(4))
    given = {
        "query": d.array((*batch, queries, width)),
        "key": d.array((*batch, positions, width)),
        "value": d.array((*batch, positions, values)),
    }
    if d.engine or d.flag():
        return given
    kind = d.dtype("M", "bool", d.dtype())
    mask = d.array((*batch, queries, positions), kind)
    if kind == "bool":
        mask[..., 0] = True
    return given | {"attn_mask": mask}


def attention(query: Array, key: Array, value: Array, attn_mask: Array | None = None) -> Any:
    scores = query @ np.swapaxes(key, -1, -2) / math.sqrt(query.shape[-1])
    if attn_mask is not None and attn_mask.dtype == np.bool_:
        scores = np.where(attn_mask, scores, -np.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return softmax(scores, -1) @ value


def inner(given: dict[str, Any]) -> int:
    return 64


PRODUCT = {"ulps": 1, "inner": inner, "cancels": True}

ROWS: list[Row] = [
    Row("matmul", matrices, matmul, **PRODUCT),
    Row("linear", linears, linear, **PRODUCT),
    Row("einsum", einsums, einsum, result="values", **PRODUCT),
    Row("scaled_dot_product_attention", attentions, attention, result="query", **PRODUCT),
]  # fmt: skip
