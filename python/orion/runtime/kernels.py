"""The host's share of a training step over numpy arrays: optimizer, gradients, loss, embedding.

One function for each kernel of the C interface; they run on the engine's threads and let other
Python threads run meanwhile. Arrays may have any leading axes as long as these are evenly spaced
rows of a dense last axis, as views of tensors are.
Legend: V vocabulary, C channels, S columns (tokens).

Errors: UsageError names the array, what was expected and what came.
"""

import json
import math
from collections.abc import Sequence
from ctypes import POINTER, byref, c_bool, c_double, c_float, c_int32, c_size_t, cast, sizeof
from typing import Any

import numpy as np

from orion.errors import UsageError
from orion.runtime.abi import AdamWOptions, KernelMatrix, library, take_text

_NUMBERS = {np.dtype(np.float16): 1, np.dtype(np.float32): 2}


def adamw(
    weights: np.ndarray,
    gradient: np.ndarray,
    first_moment: np.ndarray,
    second_moment: np.ndarray,
    *,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
    gradient_scale: float = 1.0,
    copy: np.ndarray | None = None,
) -> int:
    """Moves weights and moments by one step, as torch.optim.AdamW does; `step` is 1 for the first.

    The four arrays are dense fp32 of one size. Every gradient is multiplied by `gradient_scale`
    first. `copy`, fp16 of as many values in the same order, receives the new weights, held within
    +-65504; the result is how many of them fp16 cannot hold. A gradient that is not finite makes
    its weight so too.
    """
    options = AdamWOptions(
        struct_size=sizeof(AdamWOptions),
        gradient_scale=gradient_scale,
        learning_rate=learning_rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=epsilon,
        weight_decay=weight_decay,
        step=step,
    )
    for name, array in (
        ("gradient", gradient),
        ("first_moment", first_moment),
        ("second_moment", second_moment),
    ):
        if array.size != weights.size:
            raise UsageError(
                f"{name}: {array.size} values, expected {weights.size} as the weights."
            )
    overflows = c_size_t()
    library().orion_kernel_adamw(
        byref(options),
        weights.size,
        _floats(weights, "weights", written=True),
        _floats(gradient, "gradient"),
        _floats(first_moment, "first_moment", written=True),
        _floats(second_moment, "second_moment", written=True),
        None if copy is None else byref(_matrix(copy, "copy", written=True)),
        byref(overflows),
    )
    return overflows.value


def sum_of_squares(values: np.ndarray) -> float:
    """Sum of the squares of dense fp32 values, in double; finite exactly when all of them are."""
    total = c_double()
    library().orion_kernel_sum_of_squares(_floats(values, "values"), values.size, byref(total))
    return total.value


def accumulate(
    target: np.ndarray, source: np.ndarray, scale: float = 1.0, *, fresh: bool = False
) -> bool:
    """target += scale * source, or with `fresh` target = scale * source.

    The result is whether all of target is finite. `target` is dense fp32; `source` fp32 or fp16,
    of as many values in the same order.
    """
    finite = c_bool()
    library().orion_kernel_accumulate(
        byref(_matrix(source, "source")),
        scale,
        fresh,
        _floats(target, "target", written=True),
        target.size,
        byref(finite),
    )
    return finite.value


def convert(source: np.ndarray, target: np.ndarray) -> int:
    """Copies fp32 or fp16 values into an array of the same shape.

    In an fp16 target finite values from 65520 on become +-65504; infinities and NaNs stay. The
    result is how many values of both kinds it was given.
    """
    if source.shape != target.shape:
        raise UsageError(f"target: shape {target.shape}, expected {source.shape} as the source.")
    overflows = c_size_t()
    columns = source.shape[-1] if source.ndim else 1
    library().orion_kernel_convert(
        byref(_matrix(source, "source", columns=columns)),
        byref(_matrix(target, "target", columns=columns, written=True)),
        byref(overflows),
    )
    return overflows.value


def cross_entropy(
    logits: np.ndarray | Sequence[np.ndarray],
    targets: np.ndarray,
    *,
    scale: float = 1.0,
    gradient: np.ndarray | Sequence[np.ndarray] | None = None,
) -> tuple[float, int]:
    """Sum over the columns of -log softmax(logits)[target], and how many columns counted.

    `logits`: [V, S] fp32 or fp16, or several arrays of S columns that make up the vocabulary in
    order. `targets`: int32 [S]; -1 leaves a column out. `gradient`, alike (or the logits
    themselves), receives scale * (softmax(logits) - 1 at the target), 0 where a column is left
    out. A column with a NaN or +infinity among its logits gives NaN.
    """
    parts = [logits] if isinstance(logits, np.ndarray) else list(logits)
    written = [gradient] if isinstance(gradient, np.ndarray) else list(gradient or ())
    if written and len(written) != len(parts):
        raise UsageError(f"gradient: {len(written)} arrays, expected {len(parts)} as the logits.")
    columns = targets.size
    loss, counted = c_double(), c_size_t()
    library().orion_kernel_cross_entropy(
        len(parts),
        _matrices(parts, "logits", columns, written=False),
        _matrices(written, "gradient", columns, written=True) if written else None,
        columns,
        _ids(targets, "targets"),
        scale,
        byref(loss),
        byref(counted),
    )
    return loss.value, counted.value


def embedding_gather(table: np.ndarray, tokens: np.ndarray, out: np.ndarray) -> None:
    """Column s of `out` becomes row `tokens[s]` of `table`.

    `table` [V, C] fp32, `tokens` int32 [S], `out` [C, S] fp32 or fp16.
    """
    library().orion_kernel_embedding_gather(
        byref(_matrix(table, "table", columns=table.shape[-1])),
        tokens.size,
        _ids(tokens, "tokens"),
        byref(_matrix(out, "out", columns=tokens.size, written=True)),
    )


def embedding_scatter_add(
    table: np.ndarray, tokens: np.ndarray, gradient: np.ndarray, scale: float = 1.0
) -> bool:
    """Row `tokens[s]` of `table` grows by `scale` times column s of `gradient`, token by token.

    The result is whether all sums are finite. Shapes as for embedding_gather.
    """
    finite = c_bool()
    library().orion_kernel_embedding_scatter_add(
        byref(_matrix(gradient, "gradient", columns=tokens.size)),
        tokens.size,
        _ids(tokens, "tokens"),
        scale,
        byref(_matrix(table, "table", columns=table.shape[-1], written=True)),
        byref(finite),
    )
    return finite.value


def limits() -> dict[str, Any]:
    """What the machine can do at most, measured in about a second with 256 MB.

    {threads, kernels, multiply_add_gflops, read_gb_s, copy_gb_s}; copies count bytes read and
    bytes written.
    """
    found: dict[str, Any] = json.loads(take_text(library().orion_kernel_limits))
    return found


# ---- arrays as the C interface takes them ----


def _matrix(
    array: np.ndarray, name: str, *, columns: int | None = None, written: bool = False
) -> KernelMatrix:
    """Rows of `columns` values (by default of the last axis), `row_bytes` apart."""
    number = _NUMBERS.get(array.dtype)
    if number is None:
        raise UsageError(f"{name}: {array.dtype}, expected float32 or float16.")
    _require_writeable(array, name, written)
    if columns is None:
        columns = array.shape[-1] if array.ndim else 1
    if columns == 0 or array.size == 0:
        rows = 0 if columns else math.prod(array.shape[:-1])
        return KernelMatrix(None, rows, columns, columns * array.itemsize, number, 0)
    if array.size % columns or not _is_dense_run(array, columns):
        raise UsageError(
            f"{name}: shape {array.shape} at strides {array.strides}, expected evenly spaced rows"
            f" of {columns} values that are next to each other."
        )
    rows = array.size // columns
    row_bytes = _row_bytes(array, columns)
    if row_bytes is None:
        raise UsageError(
            f"{name}: shape {array.shape} at strides {array.strides}, whose rows of {columns}"
            " values are not evenly spaced. Pass a copy, or one slice of the first axis at a time."
        )
    return KernelMatrix(array.ctypes.data, rows, columns, row_bytes, number, 0)


def _axes(array: np.ndarray) -> list[tuple[int, int]]:
    """Length and stride of axes longer than 1; neighbours that are one in memory are joined."""
    axes: list[tuple[int, int]] = []
    for length, stride in zip(array.shape, array.strides, strict=True):
        if length == 1:
            continue
        if axes and axes[-1][1] == stride * length:
            axes[-1] = (axes[-1][0] * length, stride)
        else:
            axes.append((length, stride))
    return axes


def _is_dense_run(array: np.ndarray, columns: int) -> bool:
    axes = _axes(array)
    if columns == 1:
        return True
    return bool(axes) and axes[-1][1] == array.itemsize and axes[-1][0] % columns == 0


def _row_bytes(array: np.ndarray, columns: int) -> int | None:
    """From a row to the next, or None if that is not the same everywhere."""
    axes = _axes(array)
    if columns > 1:
        length, stride = axes.pop()
        if length > columns:
            axes.append((length // columns, stride * columns))
    if not axes:
        return columns * array.itemsize
    if len(axes) > 1 or axes[0][1] < 0:
        return None
    return axes[0][1]


def _matrices(arrays: Sequence[np.ndarray], name: str, columns: int, *, written: bool) -> Any:
    found = [
        _matrix(array, f"{name}[{index}]", columns=columns, written=written)
        for index, array in enumerate(arrays)
    ]
    return (KernelMatrix * len(found))(*found)


def _floats(array: np.ndarray, name: str, *, written: bool = False) -> Any:
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise UsageError(
            f"{name}: {array.dtype} at strides {array.strides}, expected dense float32."
        )
    _require_writeable(array, name, written)
    return cast(array.ctypes.data, POINTER(c_float))


def _ids(array: np.ndarray, name: str) -> Any:
    if array.dtype != np.int32 or array.ndim != 1 or not array.flags.c_contiguous:
        raise UsageError(
            f"{name}: {array.dtype} of shape {array.shape}, expected dense int32 of one axis."
        )
    return cast(array.ctypes.data, POINTER(c_int32))


def _require_writeable(array: np.ndarray, name: str, written: bool) -> None:
    if written and not array.flags.writeable:
        raise UsageError(f"{name}: a read-only array; pass one that can be written.")
