"""From the command to the first token with all caches warm, and the imports' part of it."""

from __future__ import annotations

from collections.abc import Iterator

from .checkpoints import checkpoint
from .commands import run_python
from .machine import Limits
from .rows import Row, make_row

MODEL = "gpt2"
# What `orion generate` imports in the end; `import orion` alone puts most of it off.
IMPORTS = ("orion", "orion.generate")
TIMED = "import time; begun = time.perf_counter(); import {}; print(time.perf_counter() - begun)"


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    for name in IMPORTS:
        program = TIMED.format(name)
        runs = [float(run_python("-c", program).output) for _ in range(repeats)]
        yield make_row(f"startup/import {name}", runs, "s", less_is_better=True)
    with checkpoint(MODEL) as model:
        cache = str(model.parent / "cache")
        command = ("-m", "orion", "generate", "--model", str(model), "--device", "cpu")
        wanted = ("--weights", "fp16", "--prompt-ids", "1,2,3,4,5,6,7,8", "--max-tokens", "1")

        def first_token() -> float:
            return run_python(*command, *wanted, variables={"ORION_CACHE": cache}).seconds

        cold = first_token()
        yield make_row(
            f"startup/{MODEL}/first token",
            [first_token() for _ in range(repeats)],
            "s",
            less_is_better=True,
            detail={"cold_s": cold},
        )
