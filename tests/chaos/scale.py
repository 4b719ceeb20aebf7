"""How large a scenario is played: the issue's own figures, a share of them, or short enough for the suite."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`share` 1 is the full size, 0 the short one. Only a scale with `bars` holds anybody to a time."""

    share: float
    bars: bool
    seed: int
    minutes: float | None = None

    def size(self, short: int, full: int) -> int:
        return max(short, round(full * self.share))

    def random(self) -> random.Random:
        return random.Random(self.seed)

    def order(self, prefix: str, number: int) -> str:
        """The name of an order, another one in each scenario and round."""
        return f"{prefix}-{self.seed}-{number}"
