"""Ops that fold axes, and norms, as rows of the comparison."""

from collections.abc import Callable
from typing import Any

import numpy as np
from op_case import Array, Draw, Row
from op_rows_elements import number


def cut(x: Array, like: Array) -> Any:
    """Whole numbers give whole ones: what is left after the point is cut."""
    return np.trunc(x).astype(np.int64) if like.dtype.kind == "i" else x


def reduction(
    op: str, meaning: Callable[..., Any], low: float = -4, high: float = 4, **more: Any
) -> Row:
    def draw(d: Draw) -> dict[str, Any]:
        x = d.shape(1)
        return {"x": d.array(x, low=low, high=high)} | d.some(
            axes=d.axes(len(x)), keep_dims=d.flag()
        )

    def folded(x: Array, axes: list[int] | None = None, keep_dims: bool = False) -> Any:
        chosen = None if axes is None else tuple(axes)
        return cut(np.asarray(meaning(x, axis=chosen, keepdims=keep_dims)), x)

    return Row(op, draw, folded, **more)


def log_sum_exp(x: Array, axis: Any, keepdims: bool) -> Any:
    top = x.max(axis=axis, keepdims=True)
    total = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis)


def extremes(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    return {"x": d.array(x, low=-40, high=40)} | d.some(
        axis=d.axis(len(x)), keep_dims=d.flag(), output_dtype=d.choice("int32", "uint16")
    )


def extreme(op: str, meaning: Callable[..., Any]) -> Row:
    def folded(
        x: Array, axis: int = -1, keep_dims: bool = False, output_dtype: str = "int32"
    ) -> Any:
        return meaning(x, axis=axis, keepdims=keep_dims)

    return Row(op, extremes, folded, result=lambda given: [given.get("output_dtype", "int32")])


def softmax(x: Array, axis: int = -1) -> Any:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def softmaxes(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    return {"x": d.array(x)} | d.some(axis=d.axis(len(x)))


def scales(d: Draw, shape: tuple[int, ...], *names: str) -> dict[str, Any]:
    """Arrays of halves for the arguments, in the types that they may have."""
    return {
        name: d.random.uniform(0.25, 2, shape)
        .astype(np.float16)
        .astype(np.float16 if d.like(name) == "fp16" else np.float32)
        for name in names
    }


def layers(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    axes = sorted(axis % len(x) for axis in d.axes(len(x)))
    some = d.some(axes=axes)
    shape = tuple(x[axis] for axis in some.get("axes", range(len(x))))
    return (
        {"x": d.array(x)}
        | some
        | d.some(**scales(d, shape, "gamma", "beta"))
        | {"epsilon": np.asarray(number(d, "epsilon", 0.01, 0.1))}
    )


def layer_norm(
    x: Array,
    epsilon: Array,
    axes: list[int] | None = None,
    gamma: Array | None = None,
    beta: Array | None = None,
) -> Any:
    chosen = tuple(range(x.ndim)) if axes is None else tuple(axes)
    wide = [size if axis in chosen else 1 for axis, size in enumerate(x.shape)]
    centred = x - x.mean(axis=chosen, keepdims=True)
    result = centred / np.sqrt((centred**2).mean(axis=chosen, keepdims=True) + epsilon)
    result = result if gamma is None else result * gamma.reshape(wide)
    return result if beta is None else result + beta.reshape(wide)


def channels(op: str, given_moments: bool, high: int) -> Row:
    def draw(d: Draw) -> dict[str, Any]:
        x = d.shape(3, high)
        moments = scales(d, (x[1],), "mean", "variance") if given_moments else {}
        return (
            {"x": d.array(x)}
            | moments
            | d.some(**scales(d, (x[1],), "gamma", "beta"))
            | {"epsilon": np.asarray(number(d, "epsilon", 0.01, 0.1))}
        )

    def meaning(
        x: Array,
        epsilon: Array,
        mean: Array | None = None,
        variance: Array | None = None,
        gamma: Array | None = None,
        beta: Array | None = None,
    ) -> Any:
        wide = (1, -1, *[1] * (x.ndim - 2))
        planes = tuple(range(2, x.ndim))
        middle = x.mean(planes, keepdims=True) if mean is None else mean.reshape(wide)
        spread = x.var(planes, keepdims=True) if variance is None else variance.reshape(wide)
        result = (x - middle) / np.sqrt(spread + epsilon)
        result = result if gamma is None else result * gamma.reshape(wide)
        return result if beta is None else result + beta.reshape(wide)

    return Row(op, draw, meaning, cancels=True)


def lengths(d: Draw) -> dict[str, Any]:
    return {"x": d.array(d.shape(3)), "epsilon": np.asarray(number(d, "epsilon", 0.01, 0.1))}


def responses(d: Draw) -> dict[str, Any]:
    return {"x": d.array(d.shape(3, 4)), "size": d.integer(1, 5)} | {
        name: np.asarray(number(d, name, 0.1, 2)) for name in ("alpha", "beta", "k")
    }


def local_response_norm(x: Array, size: int, alpha: Array, beta: Array, k: Array) -> Any:
    """A window of `size` channels; an even one reaches further down."""
    before = size // 2
    padded = np.pad(x**2, [(0, 0), (before, size - 1 - before)] + [(0, 0)] * (x.ndim - 2))
    sums = np.lib.stride_tricks.sliding_window_view(padded, size, 1).sum(-1)
    return x / (k + alpha / size * sums) ** beta


def floats_alone(given: dict[str, Any]) -> bool:
    """coremltools folds whole numbers in floats and does not cut the result."""
    return bool(given["x"].dtype.kind == "f")


ROWS: list[Row] = [
    reduction("reduce_sum", np.sum, cancels=True),
    reduction("reduce_mean", np.mean, cancels=True, oracle=floats_alone),
    reduction("reduce_max", np.max),
    reduction("reduce_min", np.min),
    reduction("reduce_prod", np.prod, -1.5, 1.5),
    reduction("reduce_sum_square", lambda x, **how: np.sum(x**2, **how)),
    reduction("reduce_l1_norm", lambda x, **how: np.sum(np.abs(x), **how)),
    reduction(
        "reduce_l2_norm", lambda x, **how: np.sqrt(np.sum(x**2, **how)), oracle=floats_alone
    ),
    reduction(
        "reduce_log_sum", lambda x, **how: np.log(np.sum(x, **how)), 1, 9, cancels=True,
        oracle=floats_alone,
    ),
    reduction("reduce_log_sum_exp", log_sum_exp, cancels=True, oracle=floats_alone),
    extreme("reduce_argmax", np.argmax),
    extreme("reduce_argmin", np.argmin),
    Row("softmax", softmaxes, softmax),
    Row(
        "layer_norm", layers, layer_norm, cancels=True,
        # coremltools can leave out neither the axes nor one of the scales.
        oracle=lambda given: {"axes", "gamma", "beta"} <= set(given),
    ),
    channels("batch_norm", True, 5),
    channels("instance_norm", False, 4),
    Row(
        "l2_norm", lengths,
        lambda x, epsilon: x / np.sqrt((x**2).sum((-3, -2, -1), keepdims=True) + epsilon),
    ),
    Row("local_response_norm", responses, local_response_norm),
]  # fmt: skip
