"""Ops that look images up between their pixels, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row, Typed
from op_rows_images import MODES, along, grid

CORNERS = ("CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST")
CENTRES = ("CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST")


def mirrored(place: Array, low: float, high: float) -> Array:
    span = high - low
    if span <= 0:
        return np.full_like(place, low)
    turns, rest = np.divmod(np.abs(place - low), span)
    return np.where(turns % 2 == 0, low + rest, high - rest)


def looked_up(x: Array, places: Array, how: dict[str, Any]) -> Array:
    """x [B, C, H, W] at places [B, H, W, 2], in pairs of x and y."""
    pixels = []
    for axis, length in ((0, x.shape[3]), (1, x.shape[2])):
        pair = places[..., axis]
        if how["coordinates_mode"] != "unnormalized":
            from_one = how["coordinates_mode"] == "normalized_minus_one_to_one"
            part = (pair + 1) / 2 if from_one else pair
            pair = part * (length - 1) if how["align_corners"] else part * length - 0.5
        mode = how["padding_mode"]
        if mode == "border":
            pair = np.clip(pair, 0, length - 1)
        elif mode == "reflection":
            pair = mirrored(pair, 0, length - 1)
        elif mode == "symmetric":
            pair = np.clip(mirrored(pair, -0.5, length - 0.5), 0, length - 1)
        pixels.append(pair)
    column, row = pixels
    if how["sampling_mode"] == "nearest":
        return corner(x, np.rint(row), np.rint(column), how)
    top, left = np.floor(row), np.floor(column)
    total = np.zeros(())
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - (row - top)) * np.abs(1 - right - (column - left))
            part = corner(x, top + down, left + right, how)
            total = total + np.where(weight[:, None] == 0, 0, weight[:, None] * part)
    return total


def corner(x: Array, row: Array, column: Array, how: dict[str, Any]) -> Array:
    inside = (row >= 0) & (column >= 0) & (row < x.shape[2]) & (column < x.shape[3])
    batch = np.arange(len(x))[:, None, None]
    safe = (np.where(inside, row, 0).astype(int), np.where(inside, column, 0).astype(int))
    found = np.moveaxis(x[batch, :, safe[0], safe[1]], -1, 1)
    return np.where(inside[:, None], found, float(how["padding_value"]))


def draw_resample(d: Draw) -> dict[str, Any]:
    x = d.array((d.integer(1, 2), d.integer(1, 3), d.integer(2, 5), d.integer(2, 5)))
    mode = d.choice("unnormalized", "normalized_minus_one_to_one", "normalized_zero_to_one")
    reach = 5.0 if mode == "unnormalized" else 1.5
    places = d.array(
        (len(x), d.integer(1, 4), d.integer(1, 4), 2), d.like("coordinates"), -reach, reach
    )
    return {
        "x": x,
        "coordinates": places,
        "sampling_mode": d.choice("bilinear", "nearest"),
        "padding_mode": d.choice("constant", "border", "reflection", "symmetric"),
        "padding_value": Typed(str(x.dtype).replace("float", "fp"), d.choice(0.0, 1.5)),
        "coordinates_mode": mode,
        "align_corners": d.flag(),
    }


def resample(x: Array, coordinates: Array, **how: Any) -> Array:
    return looked_up(x, coordinates.astype(np.float64), how)


def draw_affine(d: Draw) -> dict[str, Any]:
    x = d.array((d.integer(1, 2), d.integer(1, 3), d.integer(2, 5), d.integer(2, 5)))
    matrix = d.array((d.choice(1, len(x)), 6), low=-1.2, high=1.2)
    return {
        "x": x,
        "transform_matrix": matrix,
        "output_height": d.integer(1, 5),
        "output_width": d.integer(1, 5),
        "sampling_mode": "bilinear",
        "padding_mode": "constant",
        "padding_value": Typed(str(x.dtype).replace("float", "fp"), 0.0),
        "coordinates_mode": "normalized_minus_one_to_one",
        "align_corners": True,
    }


def affine(
    x: Array, transform_matrix: Array, output_height: int, output_width: int, **how: Any
) -> Array:
    rows = np.linspace(-1, 1, output_height) if output_height > 1 else np.zeros(1)
    columns = np.linspace(-1, 1, output_width) if output_width > 1 else np.zeros(1)
    down, right = np.meshgrid(rows, columns, indexing="ij")
    ones = np.stack([right, down, np.ones_like(down)], -1)
    places = np.einsum("hwk,bpk->bhwp", ones, transform_matrix.reshape(-1, 2, 3))
    return looked_up(x, np.broadcast_to(places, (len(x), *places.shape[1:])), how)


def draw_crop_resize(d: Draw) -> dict[str, Any]:
    images, channels, high, wide = (
        d.integer(1, 3),
        d.integer(1, 2),
        d.integer(3, 6),
        d.integer(3, 6),
    )
    x = d.array((images, channels, high, wide))
    new = "boxes" in d.version.arguments
    count, normal = d.integer(1, 3), d.flag()
    mode = d.choice(*CORNERS, *CENTRES)
    reach = 1.2 if normal else 4.0
    boxes = d.random.uniform(0, reach, (count, 4))
    if mode in CORNERS:
        boxes[:, 2:] = boxes[:, :2] + d.random.uniform(0, reach / 2, (count, 2))
    given: dict[str, Any] = {"x": x}
    whose = d.random.integers(0, images, count)
    if new:
        given["boxes"] = boxes.astype(x.dtype)
        given["box_indices"] = whose.astype(np.int32)
    elif d.flag():
        given["roi"] = boxes.astype(x.dtype).reshape(count, 1, 4, 1, 1)
    else:
        whole = np.concatenate([whose[:, None], boxes], 1)
        given["roi"] = whole.astype(x.dtype).reshape(count, 1, 5, 1, 1)
    return given | {
        "target_height": d.integer(1, 4),
        "target_width": d.integer(1, 4),
        "normalized_coordinates": normal,
        "box_coordinate_mode": mode,
        **d.some(spatial_scale=d.choice(1.0, 0.5), sampling_mode=d.choice(*MODES)),
        **d.some(pad_value=Typed(str(x.dtype).replace("float", "fp"), 2.5)),
    }


def crop_resize(
    x: Array,
    *,
    target_height: int,
    target_width: int,
    normalized_coordinates: bool,
    box_coordinate_mode: str,
    roi: Array | None = None,
    boxes: Array | None = None,
    box_indices: Array | None = None,
    spatial_scale: float = 1.0,
    sampling_mode: str = "DEFAULT",
    pad_value: Any = 0.0,
) -> Array:
    if roi is not None:
        flat = roi.reshape(len(roi), -1)
        indexed = flat.shape[1] == 5
        parts = [
            [(image, box[-4:]) for image in ([int(box[0])] if indexed else range(len(x)))]
            for box in flat
        ]
    else:
        assert boxes is not None and box_indices is not None
        parts = [[(int(i), box)] for i, box in zip(box_indices, boxes, strict=True)]
    found = []
    for row in parts:
        for image, box in row:
            sides = (
                box.reshape(2, 2)
                if "HEIGHT_FIRST" in box_coordinate_mode
                else box.reshape(2, 2)[:, ::-1]
            )
            start, end = sides[0], sides[1]
            if box_coordinate_mode in CENTRES:
                start, end = start - end / 2, start + end / 2
            if normalized_coordinates:
                start, end = start * (np.array(x.shape[2:]) - 1), end * (np.array(x.shape[2:]) - 1)
            start, end = start * spatial_scale, end * spatial_scale
            down, right = (
                grid(sampling_mode, a, b - a + 1, n)
                for a, b, n in zip(start, end, (target_height, target_width), strict=True)
            )
            value = along(along(x[image], 2, right), 1, down)
            out = ((down < 0) | (down > x.shape[2] - 1))[:, None] | (
                (right < 0) | (right > x.shape[3] - 1)
            )
            found.append(np.where(out, float(pad_value), value))
    whole = np.stack(found)
    if roi is not None:
        whole = whole.reshape(len(roi), -1, *whole.shape[1:])
    return whole


ROWS: list[Row] = [
    Row("resample", draw_resample, resample, ulps=1, cancels=True),
    Row("affine", draw_affine, affine, ulps=1, cancels=True),
    Row(
        "crop_resize",
        draw_crop_resize,
        crop_resize,
        ulps=1,
        cancels=True,
        # coremltools gives the earlier form one image too many.
        oracle=lambda given: "boxes" in given,
    ),
]
