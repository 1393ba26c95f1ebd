"""`orion compile` of GPT-2's shape from an fp32 checkpoint on disk to a bundle for `cpu`."""

from __future__ import annotations

from collections.abc import Iterator

from .checkpoints import checkpoint
from .commands import run_python
from .machine import Limits
from .rows import Row, make_row

MODEL, WEIGHTS = "gpt2", ("fp16", "int8")


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    with checkpoint(MODEL) as model:
        for weights in WEIGHTS:
            target = model.parent / weights
            command = ("-m", "orion", "compile", "--model", str(model), "--device", "cpu")
            runs = [
                run_python(*command, "--weights", weights, "--output", str(target))
                for _ in range(repeats)
            ]
            size = sum(path.stat().st_size for path in target.iterdir())
            yield make_row(
                f"compile/{MODEL}/{weights}",
                [each.seconds for each in runs],
                "s",
                less_is_better=True,
                detail={
                    "peak_mb": max(each.peak_bytes for each in runs) / 1e6,
                    "bundle_mb": size / 1e6,
                },
            )
