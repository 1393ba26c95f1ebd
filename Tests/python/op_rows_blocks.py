"""Blocks between depth, space and batch, and reversals, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row
from op_rows_moves import never


def blocks(argument: str, into_space: bool) -> Any:
    def draw(d: Draw) -> dict[str, Any]:
        n, c, h, w = (d.integer(1, 3) for _ in range(4))
        block = d.integer(1, 3)
        x = (n, c * block * block, h, w) if into_space else (n, c, h * block, w * block)
        return {"x": d.array(x), argument: block}

    return draw


def depth_to_space(x: Array, block_size: int) -> Any:
    n, c, h, w = x.shape
    b = block_size
    parts = x.reshape(n, b, b, c // b // b, h, w).transpose(0, 3, 4, 1, 5, 2)
    return parts.reshape(n, c // b // b, h * b, w * b)


def space_to_depth(x: Array, block_size: int) -> Any:
    n, c, h, w = x.shape
    b = block_size
    parts = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * b * b, h // b, w // b)


def pixel_shuffle(x: Array, upscale_factor: int) -> Any:
    n, c, h, w = x.shape
    f = upscale_factor
    parts = x.reshape(n, c // f // f, f, f, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // f // f, h * f, w * f)


def pixel_unshuffle(x: Array, downscale_factor: int) -> Any:
    n, c, h, w = x.shape
    f = int(downscale_factor)
    parts = x.reshape(n, c, h // f, f, w // f, f).transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * f * f, h // f, w // f)


def batches(d: Draw) -> dict[str, Any]:
    block = [d.integer(1, 3), d.integer(1, 3)]
    pads = [[d.integer(0, 1), d.integer(0, 1)] for _ in range(2)]
    height, width = (b * d.integer(1, 3) + b * 2 - sum(p) for b, p in zip(block, pads, strict=True))
    return {
        "x": d.array((d.integer(1, 2), d.integer(1, 2), height, width)),
        "block_shape": block,
        "paddings": np.array(pads, np.int32),
    }


def space_to_batch(x: Array, block_shape: list[int], paddings: Array) -> Any:
    padded = np.pad(x, [(0, 0), (0, 0), *map(tuple, paddings)])
    n, c, h, w = padded.shape
    a, b = block_shape
    parts = padded.reshape(n, c, h // a, a, w // b, b).transpose(3, 5, 0, 1, 2, 4)
    return parts.reshape(n * a * b, c, h // a, w // b)


def crops(d: Draw) -> dict[str, Any]:
    block = [d.integer(1, 3), d.integer(1, 3)]
    shape = (d.integer(1, 2) * block[0] * block[1], d.integer(1, 2), 2, 3)
    cut = [[d.integer(0, b // 2), d.integer(0, b // 2)] for b in block]
    return {"x": d.array(shape), "block_shape": block, "crops": np.array(cut, np.int32)}


def batch_to_space(x: Array, block_shape: list[int], crops: Array) -> Any:
    n, c, h, w = x.shape
    a, b = block_shape
    parts = x.reshape(a, b, n // a // b, c, h, w).transpose(2, 3, 4, 0, 5, 1)
    whole = parts.reshape(n // a // b, c, h * a, w * b)
    (top, bottom), (left, right) = crops
    return whole[:, :, top : h * a - bottom, left : w * b - right]


def reversals(d: Draw) -> dict[str, Any]:
    x = d.shape(1)
    return {"x": d.array(x)} | d.some(axes=d.axes(len(x)))


def sequences(d: Draw) -> dict[str, Any]:
    x = d.shape(2, 4)
    order = [int(a) for a in d.random.permutation(len(x))[:2]]
    lengths = d.random.integers(0, x[order[0]] + 1, x[order[1]]).astype(np.int32)
    return {"x": d.array(x), "lengths": lengths, "seq_axis": order[0], "batch_axis": order[1]}


def reverse_sequence(x: Array, lengths: Array, seq_axis: int, batch_axis: int) -> Any:
    result = x.copy()
    for group, length in enumerate(lengths):
        whole: list[Any] = [slice(None)] * x.ndim
        whole[batch_axis] = group
        whole[seq_axis] = slice(0, int(length))
        axis = seq_axis - (batch_axis < seq_axis)
        result[tuple(whole)] = np.flip(x[tuple(whole)], axis)
    return result


ROWS: list[Row] = [
    Row("depth_to_space", blocks("block_size", True), depth_to_space),
    Row("pixel_shuffle", blocks("upscale_factor", True), pixel_shuffle),
    Row("space_to_depth", blocks("block_size", False), space_to_depth),
    Row("pixel_unshuffle", blocks("downscale_factor", False), pixel_unshuffle, oracle=never),
    Row("space_to_batch", batches, space_to_batch),
    Row("batch_to_space", crops, batch_to_space),
    Row("reverse", reversals, lambda x, axes=None: np.flip(x, axes)),
    # coremltools declares no value for it.
    Row("reverse_sequence", sequences, reverse_sequence, oracle=never),
]  # fmt: skip
