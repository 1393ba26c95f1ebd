"""Runs as a picture: loss, learning rate, gradients, throughput and loss scale by step."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ..errors import OrionError
from ..files import write_file
from .metrics import METRICS, read_metrics

# What a panel shows: key of the metrics, title, base of a logarithmic axis (0: from zero on).
PANELS = (
    ("loss", "loss (nats a token)", None),
    ("learning_rate", "learning rate", 0),
    ("grad_norm", "gradient norm", 10),
    ("tokens_per_s", "tokens a second", 0),
    ("loss_scale", "loss scale", 2),
)
# Panels that say nothing of runs in which their numbers never change.
MAY_BE_DULL = ("loss_scale",)
# These jump from step to step: a smoothed line over a faint one.
NOISY = ("loss", "grad_norm", "tokens_per_s")
# Steps that a smoothed line looks at: a share of the run, and at least some.
SMOOTHED, SMOOTHED_MIN = 0.02, 5
# Runs that agree are seen as lines upon wider ones.
WIDTHS = (2.6, 1.7, 1.0)
LABEL_LENGTH = 48

Lines = Sequence[dict[str, Any]]


def plot(runs: Sequence[str | Path], output: str | Path, labels: Sequence[str] = ()) -> Path:
    """Writes a PNG. OrionError without matplotlib, or for a run without metrics."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise OrionError("a plot takes matplotlib: pip install 'orion-ane[plot]'") from None
    mpl.use("Agg")
    from matplotlib import pyplot

    rows = {name: read_metrics(run) for name, run in zip(names(runs, labels), runs, strict=True)}
    shown = [row for row in PANELS if says_something(row[0], list(rows.values()))]
    height = -(-len(shown) // 2)
    figure, axes = pyplot.subplots(
        height, 2, figsize=(11, 3.3 * height + 0.6), layout="constrained", squeeze=False
    )
    for panel in axes.flat[len(shown) :]:
        panel.set_axis_off()
    widths = WIDTHS if len(rows) > 1 else WIDTHS[1:]
    for (key, title, base), panel in zip(shown, axes.flat, strict=False):
        for number, (name, lines) in enumerate(rows.items()):
            look = {"color": f"C{number}", "linewidth": widths[min(number, len(widths) - 1)]}
            draw(panel, key, lines, shortened(name), look)
        finish(panel, key, title, base)
    handles, texts = axes.flat[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, texts, loc="outside lower center", ncols=2, fontsize=9, frameon=False
        )
    picture = io.BytesIO()
    figure.savefig(picture, dpi=120, format="png")
    pyplot.close(figure)
    target = Path(output)
    write_file(target, picture.getvalue())
    return target


def says_something(key: str, runs: Sequence[Lines]) -> bool:
    found = [{line[key] for line in lines if line.get(key) is not None} for lines in runs]
    return any(found) and (key not in MAY_BE_DULL or any(len(values) > 1 for values in found))


def draw(panel: Any, key: str, lines: Lines, name: str, look: dict[str, Any]) -> None:
    found = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
    if not found:
        return
    steps, values = zip(*found, strict=True)
    if key in NOISY:
        panel.plot(steps, values, **{**look, "linewidth": 0.6}, alpha=0.35)
    line = smoothed(values) if key in NOISY else values
    panel.plot(steps, line, label=name, **look)
    judged = [(line["step"], line["val_loss"]) for line in lines if line.get("val_loss")]
    if key == "loss" and judged:
        at, losses = zip(*judged, strict=True)
        dots = {"marker": "o", "markersize": 4, "linestyle": "--"}
        panel.plot(at, losses, label=f"{name}, validation", **{**look, "linewidth": 1}, **dots)


def finish(panel: Any, key: str, title: str, base: int | None) -> None:
    """Its axes and title."""
    from matplotlib.ticker import EngFormatter, StrMethodFormatter

    panel.set_title(title, fontsize=10, loc="left", fontweight="bold")
    panel.set_xlabel("step", fontsize=9)
    panel.tick_params(labelsize=9)
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(x=0.01)
    if base:
        panel.set_yscale("log", base=base)
    elif base is not None:
        panel.set_ylim(bottom=0)
        form = EngFormatter(sep="") if key == "tokens_per_s" else StrMethodFormatter("{x:g}")
        panel.yaxis.set_major_formatter(form)


def shortened(name: str) -> str:
    return name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…"


def smoothed(values: Sequence[float]) -> list[float]:
    """Medians of the values around each: a step out of line moves none, and nothing lags."""
    half = max(SMOOTHED_MIN, round(len(values) * SMOOTHED)) // 2
    return [median(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]


def names(runs: Sequence[str | Path], labels: Sequence[str]) -> list[str]:
    """Given ones first; else those of the directories, with their parents' where they are alike."""
    places = [path.parent if path.name == METRICS else path for path in map(Path, runs)]
    found = [*labels, *(str(place.name or place) for place in places[len(labels) :])]
    return found if len(set(found)) == len(found) else [str(place) for place in places]
