"""Ops that resize or crop images, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row, Typed

MODES = ("DEFAULT", "STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "OFFSET_CORNERS", "UNALIGN_CORNERS")


def grid(mode: str, begin: float, length: float, count: int) -> Array:
    """Where `count` points lie on a stretch of `length` elements from `begin` on."""
    i = np.arange(count, dtype=np.float64)
    if mode in ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS"):
        if count == 1:
            return np.array([begin if mode[0] == "S" else begin + (length - 1) / 2])
        return begin + i * (length - 1) / (count - 1)
    if mode == "DEFAULT":
        points = i * length / count
    elif mode == "OFFSET_CORNERS":
        points = (i + 0.5) * max(1, length - 1) / count
    else:
        points = (i + 0.5) * length / count - 0.5
    low, high = min(0, length - 1), max(0, length - 1)
    return begin + np.clip(points, low, high)


def along(x: Array, axis: int, points: Array) -> Array:
    """Values of `x` between neighbours of an axis."""
    below = np.clip(np.floor(points).astype(int), 0, x.shape[axis] - 1)
    above = np.minimum(below + 1, x.shape[axis] - 1)
    weight = np.expand_dims(points - below, tuple(range(1, x.ndim - axis % x.ndim)))
    first, second = np.take(x, below, axis), np.take(x, above, axis)
    return np.where(weight == 0, first, first + (second - first) * weight)


def near(x: Array, axis: int, points: Array) -> Array:
    picked = np.clip(np.floor(points + 0.5).astype(int), 0, x.shape[axis] - 1)
    return np.take(x, picked, axis)


def image(d: Draw) -> Array:
    return d.array(d.shape(3, 5, 5))


def bilinear(x: Array, height: int, width: int, mode: str) -> Array:
    for axis, size in ((-1, width), (-2, height)):
        x = along(x, axis, grid(mode, 0, x.shape[axis], size))
    return x


def resize_bilinear(
    x: Array,
    target_size_height: int = 1,
    target_size_width: int = 1,
    sampling_mode: str = "DEFAULT",
) -> Array:
    return bilinear(x, target_size_height, target_size_width, sampling_mode)


def draw_resize_bilinear(d: Draw) -> dict[str, Any]:
    some = d.some(
        target_size_height=d.integer(1, 7),
        target_size_width=d.integer(1, 7),
        sampling_mode=d.choice(*MODES),
    )
    return {"x": image(d), **some}


def floored(x: Array, height: int, width: int) -> Array:
    rows = np.arange(height) * x.shape[-2] // height
    columns = np.arange(width) * x.shape[-1] // width
    return x[..., rows, :][..., columns]


def draw_resize_nearest(d: Draw) -> dict[str, Any]:
    height, width = d.integer(1, 7), d.integer(1, 7)
    return {"x": image(d), "target_size_height": height, "target_size_width": width}


def resize_nearest(x: Array, target_size_height: int, target_size_width: int) -> Array:
    return floored(x, target_size_height, target_size_width)


def draw_upsample(d: Draw) -> dict[str, Any]:
    whole = d.flag()

    def scale() -> Any:
        return d.integer(1, 3) if whole else d.choice(1.0, 1.5, 2.0, 2.5, 0.75)

    x = d.array((*d.shape(1, 3, 3), d.integer(2, 5), d.integer(2, 5)))
    some = d.some(scale_factor_height=scale(), scale_factor_width=scale())
    if "align_corners" in d.version.arguments:
        some |= d.some(align_corners=d.flag())
        if not some.get("align_corners", True) and "half_pixel_centers" in d.version.arguments:
            some |= d.some(half_pixel_centers=d.flag())
        elif d.engine:
            some["half_pixel_centers"] = not some["align_corners"]
    return {"x": x, **some}


def scaled(x: Array, high: float, wide: float) -> tuple[int, int]:
    return int(np.floor(x.shape[-2] * float(high))), int(np.floor(x.shape[-1] * float(wide)))


def upsample_nearest(x: Array, scale_factor_height: Any = 1, scale_factor_width: Any = 1) -> Array:
    return floored(x, *scaled(x, scale_factor_height, scale_factor_width))


def upsample_bilinear(
    x: Array,
    scale_factor_height: Any = 1,
    scale_factor_width: Any = 1,
    align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> Array:
    centred = not align_corners if half_pixel_centers is None else half_pixel_centers
    plain = "UNALIGN_CORNERS" if centred else "DEFAULT"
    mode = "STRICT_ALIGN_CORNERS" if align_corners else plain
    return bilinear(x, *scaled(x, scale_factor_height, scale_factor_width), mode)


def draw_resize(d: Draw) -> dict[str, Any]:
    x = d.array(d.shape(1, 4, 4), low=-9, high=9)
    axes = d.integer(1, x.ndim)
    shape = [d.integer(0, 6) for _ in range(d.integer(axes, x.ndim))]
    return {
        "x": x,
        "shape": np.array(shape, np.int32),
        "resized_dims": Typed("uint32", axes),
        **d.some(
            interpolation_mode="NEAREST_NEIGHBOR"
            if x.dtype.kind == "i"
            else d.choice("LINEAR", "NEAREST_NEIGHBOR"),
            sampling_mode=d.choice(*MODES),
        ),
    }


def resize(
    x: Array,
    shape: Array,
    resized_dims: Array,
    interpolation_mode: str = "LINEAR",
    sampling_mode: str = "DEFAULT",
) -> Array:
    axes, kind = int(resized_dims), x.dtype
    for axis, size in zip(range(x.ndim - axes, x.ndim), shape[len(shape) - axes :], strict=True):
        pick = along if interpolation_mode == "LINEAR" else near
        points = grid(sampling_mode, 0, x.shape[axis], int(size) or x.shape[axis])
        x = pick(x, axis, points)
    return np.trunc(x) if kind.kind == "i" else x


def draw_crop(d: Draw) -> dict[str, Any]:
    x = d.array((*d.shape(1, 3, 3), d.integer(3, 6), d.integer(3, 6)))
    return {
        "x": x,
        "crop_height": [d.integer(0, 1), d.integer(0, 1)],
        "crop_width": [d.integer(0, 1), d.integer(0, 1)],
    }


def crop(x: Array, crop_height: list[int], crop_width: list[int]) -> Array:
    (top, bottom), (left, right) = crop_height, crop_width
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


ROWS: list[Row] = [
    Row("resize_bilinear", draw_resize_bilinear, resize_bilinear, ulps=1),
    Row("resize_nearest_neighbor", draw_resize_nearest, resize_nearest),
    Row("upsample_nearest_neighbor", draw_upsample, upsample_nearest),
    Row("upsample_bilinear", draw_upsample, upsample_bilinear, ulps=1),
    Row("resize", draw_resize, resize, known=("shape",), ulps=1),
    Row("crop", draw_crop, crop),
]
