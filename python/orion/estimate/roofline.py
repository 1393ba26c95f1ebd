"""Programs under the roofs of a chip as a PNG: operations for each byte, and a second."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OrionError
from ..files import write_file
from .model import Program

# How far the axes reach beyond the points, as factors: left, right, down.
MARGINS = (12.0, 90.0, 12.0)
COLORS = {"dispatch": "C3", "bandwidth": "C0", "compute": "C2"}
# Labels stand in columns beside the points, this far apart and away from them, in points.
LABEL_STEP, LABEL_DISTANCE = 12, 34


def roofline(
    programs: Sequence[Program], profile: Mapping[str, Any], output: str | Path, title: str
) -> Path:
    """Writes a PNG. OrionError without matplotlib, or when no program computes products."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise OrionError("a plot takes matplotlib: pip install 'orion-ane[plot]'") from None
    points = [program for program in programs if program.work.flops > 0]
    if not points:
        raise OrionError("no program multiplies matrices, so there is nothing to plot")
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 6.5), layout="constrained")
    places = [(intensity(program), program.work.flops / program.time.seconds) for program in points]
    low, high = min(x for x, _ in places) / MARGINS[0], max(x for x, _ in places) * MARGINS[1]
    draw_roofs(axes, profile["cost"], low, high)
    labels = []
    for program, (x, y) in zip(points, places, strict=True):
        axes.plot(x, y, "o", color=COLORS[program.time.bound], markersize=7, zorder=3)
        labels.append((x, y, f"{program.name}  {1e3 * program.time.seconds:.3g} ms"))
    for bound, color in COLORS.items():
        if any(program.time.bound == bound for program in points):
            axes.plot([], [], "o", color=color, label=f"bound by {bound}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(min(y for _, y in places) / MARGINS[2], 2 * peak_of(profile["cost"]))
    axes.set_xlabel("operations for each byte of weights, inputs and outputs")
    axes.set_ylabel("operations a second")
    axes.set_title(f"{title} on {profile['name']} ({profile['chip']}): predicted")
    axes.grid(which="major", alpha=0.25)
    axes.legend(loc="lower right", fontsize=9)
    figure.canvas.draw()
    place_labels(axes, labels)
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    pyplot.close(figure)
    target = Path(output)
    write_file(target, picture.getvalue())
    return target


def intensity(program: Program) -> float:
    work = program.work
    return work.flops / max(1, work.weights + work.inputs + work.outputs)


def peak_of(cost: Mapping[str, Any]) -> float:
    return float(max(cost["conv_flops"], cost["matmul_flops"]))


def draw_roofs(axes: Any, cost: Mapping[str, Any], low: float, high: float) -> None:
    """Slopes are rates of memory, flat lines peaks of products."""
    peak = peak_of(cost)
    slopes = (
        ("weight_bytes", "weights", "-"),
        ("input_bytes", "inputs", "--"),
        ("output_bytes", "outputs", ":"),
    )
    for name, what, style in slopes:
        rate = cost[name]
        if rate > 0:
            axes.plot(
                [low, peak / rate],
                [low * rate, peak],
                style,
                color="0.35",
                linewidth=1.4,
                label=f"{what} at {rate / 1e9:.3g} GB/s",
                zorder=1,
            )
    for name, what in (("conv_flops", "convolutions"), ("matmul_flops", "matrix products")):
        axes.axhline(cost[name], color="0.6", linewidth=1, zorder=1)
        axes.annotate(
            f"{what}, {cost[name] / 1e12:.3g} TFLOP/s",
            (high, cost[name]),
            xytext=(-4, 4),
            textcoords="offset points",
            ha="right",
            fontsize=9,
            color="0.35",
        )


def place_labels(axes: Any, labels: Sequence[tuple[float, float, str]]) -> None:
    """The left half's in a column to the left of all, the others' to the right."""
    places = axes.transData.transform([(x, y) for x, y, _ in labels])
    scale = axes.figure.dpi / 72
    left, right = min(x for x, _ in places), max(x for x, _ in places)
    for side in (-1, 1):
        edge = left if side < 0 else right
        column = [
            (label, place)
            for label, place in zip(labels, places, strict=True)
            if (place[0] > (left + right) / 2) == (side > 0)
        ]
        ceiling = float("inf")
        for (x, y, text), (across, height) in sorted(column, key=lambda entry: -entry[1][1]):
            ceiling = min(height, ceiling - LABEL_STEP * scale)
            shift = (edge - across) / scale + side * LABEL_DISTANCE
            axes.annotate(
                text,
                (x, y),
                xytext=(shift, (ceiling - height) / scale),
                textcoords="offset points",
                ha="right" if side < 0 else "left",
                va="center",
                fontsize=8.5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5},
                arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkB": 3},
            )
