"""Runs as a picture: loss, learning rate, loss scale and throughput by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import OrionError
from .metrics import METRICS, read_metrics

# What a panel shows: key of the metrics, title, whether its axis is logarithmic.
PANELS = (
    ("loss", "loss (nats a token)", False),
    ("learning_rate", "learning rate", False),
    ("loss_scale", "loss scale", True),
    ("tokens_per_s", "tokens a second", False),
)
# Steps that a smoothed line looks back over, as a share of the run.
SMOOTHED = 0.01


def plot(runs: Sequence[str | Path], output: str | Path, labels: Sequence[str] = ()) -> Path:
    """Writes a PNG. OrionError without matplotlib, or for a run without metrics."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise OrionError("a plot takes matplotlib: pip install 'orion-ane[plot]'") from None
    mpl.use("Agg")
    from matplotlib import pyplot

    rows = {name: read_metrics(run) for name, run in zip(names(runs, labels), runs, strict=True)}
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), layout="constrained")
    for (key, title, is_logarithmic), panel in zip(PANELS, axes.flat, strict=True):
        for color, (name, lines) in enumerate(rows.items()):
            draw(panel, key, name, lines, f"C{color}")
        panel.set_title(title, fontsize=10)
        panel.set_xlabel("step", fontsize=9)
        panel.grid(alpha=0.25)
        panel.margins(x=0.01)
        if is_logarithmic:
            panel.set_yscale("log", base=2)
    handles, texts = axes.flat[0].get_legend_handles_labels()
    if len(rows) > 1 or len(texts) > 1:
        axes.flat[0].legend(handles, texts, fontsize=9)
    target = Path(output)
    try:
        figure.savefig(target, dpi=120, format="png")
    except OSError as error:
        raise OrionError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        pyplot.close(figure)
    return target


def draw(panel: Any, key: str, name: str, lines: list[dict[str, Any]], color: str) -> None:
    found = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
    if not found:
        return
    steps, values = zip(*found, strict=True)
    if key not in ("loss", "tokens_per_s"):
        panel.plot(steps, values, color=color, linewidth=1.5, label=name)
        return
    panel.plot(steps, values, color=color, linewidth=0.6, alpha=0.3)
    panel.plot(steps, smoothed(values), color=color, linewidth=1.5, label=name)
    judged = [(line["step"], line["val_loss"]) for line in lines if line.get("val_loss")]
    if key == "loss" and judged:
        at, losses = zip(*judged, strict=True)
        panel.plot(
            at,
            losses,
            color=color,
            marker="o",
            markersize=4,
            linestyle="--",
            linewidth=1,
            label=f"{name}, validation",
        )


def smoothed(values: Sequence[float]) -> list[float]:
    """Means over the steps before, as many as a hundredth of the run."""
    width = max(1, round(len(values) * SMOOTHED))
    return [
        sum(values[max(0, i + 1 - width) : i + 1]) / min(width, i + 1) for i in range(len(values))
    ]


def names(runs: Sequence[str | Path], labels: Sequence[str]) -> list[str]:
    """Given ones first; else those of the directories, with their parents' where they are alike."""
    places = [path.parent if path.name == METRICS else path for path in map(Path, runs)]
    found = [*labels, *(str(place.name or place) for place in places[len(labels) :])]
    return found if len(set(found)) == len(found) else [str(place) for place in places]
