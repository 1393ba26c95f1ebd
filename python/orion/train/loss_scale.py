"""What the loss is multiplied by, so that gradients neither vanish nor overflow in fp16."""

from __future__ import annotations

from dataclasses import dataclass

# An overflow at this scale is none of the scale's making.
LEAST = 2.0**-10
MOST = 2.0**24


@dataclass
class LossScale:
    """Powers of two: halved by an overflow, doubled after `patience` good steps in a row.

    Where nothing overflows (fp32) it is fixed.
    """

    value: float
    is_fixed: bool = False
    patience: int = 1000
    good: int = 0

    def note(self, overflowed: bool) -> None:
        """After each step: whether its gradients overflowed."""
        self.good = 0 if overflowed else self.good + 1
        if self.is_fixed:
            return
        if overflowed:
            self.value = max(LEAST, self.value / 2)
        elif self.good >= self.patience:
            self.good = 0
            self.value = min(MOST, self.value * 2)

    @property
    def is_exhausted(self) -> bool:
        """Halving on would change nothing."""
        return self.is_fixed or self.value <= LEAST
