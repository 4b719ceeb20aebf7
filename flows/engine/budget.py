"""What one run may spend on expressions: a counter, asked once per evaluation."""

from __future__ import annotations

from flows.engine.errors import LimitReached
from flows.engine.values import check_length

CHARS_PER_UNIT = 64


class Budget:
    """Units left. One unit is an operation, or 64 characters made."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, units: int) -> None:
        """Take units away. Raises LimitReached when there are none left."""
        self.left -= units
        if self.left < 0:
            raise LimitReached(
                "The run did more work in its expressions than a run may.",
                code="too_much_work",
                hint="Look for a loop over a large list, or for texts that grow.",
            )

    def spend_text(self, chars: int) -> None:
        """Pay for a text of that length before it is made. Raises LimitReached."""
        check_length(chars)
        self.spend(chars // CHARS_PER_UNIT)
