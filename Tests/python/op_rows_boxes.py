"""The choice of boxes, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row, Typed


def draw(d: Draw) -> dict[str, Any]:
    batch, count, classes = d.integer(1, 2), d.integer(1, 12), d.integer(1, 4)
    boxes = d.array((batch, count, 4), low=0, high=4)
    # Different everywhere, so that the order is certain.
    ranks = d.random.permutation(batch * count * classes).reshape(batch, count, classes)
    scores = (ranks / 8 - 3).astype(boxes.dtype)
    dtype = str(boxes.dtype).replace("float", "fp")
    given = {
        "boxes": boxes,
        "scores": scores,
        "iou_threshold": Typed(dtype, d.choice(0.125, 0.5)),
        "max_boxes": d.integer(1, 14),
        **d.some(per_class_suppression=d.flag()),
    }
    if "score_threshold" in d.version.arguments:
        return given | {"score_threshold": Typed(dtype, d.choice(-4.0, -1.0, 9.0))}
    return given | {"boxes": boxes.transpose(0, 2, 1), "scores": scores.transpose(0, 2, 1)}


def overlap(a: Array, b: Array) -> float:
    low = np.maximum(a[:2] - a[2:] / 2, b[:2] - b[2:] / 2)
    high = np.minimum(a[:2] + a[2:] / 2, b[:2] + b[2:] / 2)
    shared = np.prod(np.maximum(high - low, 0))
    whole = np.prod(a[2:]) + np.prod(b[2:]) - shared
    return float(shared / whole) if whole > 0 else 0.0


def chosen(boxes: Array, scores: Array, limit: float, least: float, kinds: Array) -> list[int]:
    best, kept = scores.max(1), []
    order = np.argsort(-best, kind="stable")
    for box in order:
        rivals = [other for other in kept if kinds[other] == kinds[box]]
        if best[box] > least and all(overlap(boxes[o], boxes[box]) <= limit for o in rivals):
            kept.append(int(box))
    return kept or [int(order[0])]


def suppressed(
    boxes: Array,
    *,
    scores: Array,
    iou_threshold: Any,
    max_boxes: int,
    score_threshold: Any = None,
    per_class_suppression: bool = False,
) -> list[Array]:
    last = score_threshold is None
    if last:
        boxes, scores = boxes.transpose(0, 2, 1), scores.transpose(0, 2, 1)
    least = -np.inf if last else float(score_threshold)
    batch, count = len(boxes), max_boxes
    kept = [np.zeros((batch, count, part.shape[2])) for part in (boxes, scores)]
    places, counts = np.full((batch, count), -1), np.zeros(batch, int)
    for b in range(batch):
        kinds = scores[b].argmax(1) if per_class_suppression else np.zeros(len(scores[b]))
        found = chosen(boxes[b], scores[b], float(iou_threshold), least, kinds)[:count]
        kept[0][b, : len(found)], kept[1][b, : len(found)] = boxes[b, found], scores[b, found]
        places[b, : len(found)], counts[b] = found, len(found)
    if last:
        return [kept[0].transpose(0, 2, 1), kept[1].transpose(0, 2, 1), places]
    return [*kept, places, counts]


def types(given: dict[str, Any]) -> list[str]:
    dtype = str(given["boxes"].dtype).replace("float", "fp")
    return [dtype, dtype, "int32"] + ["int32"] * ("score_threshold" in given)


ROWS: list[Row] = [Row("non_maximum_suppression", draw, suppressed, result=types, host=True)]
