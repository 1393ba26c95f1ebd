"""The machine's limits, measured in the run whose figures stand beside them."""

from __future__ import annotations

from dataclasses import dataclass

from ..runtime import kernels
from .rows import LIMIT_NOT_REACHED, Row

# What two cores of the smallest machine that we measure on reach; below, something disturbs.
FLOPS_LEAST, READ_LEAST = 180.0, 30.0


@dataclass(frozen=True)
class Limits:
    """Gflop/s of fp32 multiply-adds, GB/s of streaming reads and of a copy (read and written)."""

    threads: int
    kernels: str
    flops: float
    read: float
    copy: float

    @property
    def flops_limit(self) -> float | None:
        """None: the limit was not reached, and no share is told."""
        return self.flops if self.flops >= FLOPS_LEAST else None

    @property
    def read_limit(self) -> float | None:
        return self.read if self.read >= READ_LEAST else None

    @property
    def copy_limit(self) -> float | None:
        """The copy counts only where the reads reached theirs."""
        return self.copy if self.read >= READ_LEAST else None

    def rows(self) -> list[Row]:
        detail = {"threads": self.threads, "kernels": self.kernels}
        of = {True: {}, False: dict(LIMIT_NOT_REACHED)}
        flops, read = of[self.flops >= FLOPS_LEAST], of[self.read >= READ_LEAST]
        return [
            Row("limit/multiply-add", self.flops, "Gflop/s", detail=detail | flops),
            Row("limit/read", self.read, "GB/s", detail=read),
            Row("limit/copy", self.copy, "GB/s"),
        ]


def measure_limits() -> Limits:
    found = kernels.limits()
    return Limits(
        found["threads"],
        found["kernels"],
        found["multiply_add_gflops"],
        found["read_gb_s"],
        found["copy_gb_s"],
    )
