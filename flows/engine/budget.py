"""What a run, and each step of it, may spend on expressions: a counter, asked once per evaluation."""

from __future__ import annotations

from flows.engine.errors import LimitReached
from flows.engine.limits import MAX_STEP_WORK, MAX_VALUE_CHARS
from flows.engine.strictjson import JSON
from flows.engine.values import Size, check_length, measure, measured_text

CHARS_PER_UNIT = 64
KEPT_PER_UNIT = 256
"""Characters that are written down with the run."""

MEASURED_PER_UNIT = 5
"""Values whose size alone is looked at."""


class Budget:
    """Units left. One unit is an operation, a value that is looked at, or 64 characters made."""

    __slots__ = ("_floor", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.begin_step()

    def begin_step(self) -> None:
        """From here on a step has its own allowance, as far as the run has that much left."""
        self._floor = max(0, self.left - MAX_STEP_WORK)

    def spend(self, units: int) -> None:
        """Take units away. Raises LimitReached when there are none left."""
        self.left -= units
        if self.left < self._floor:
            raise LimitReached(
                f"The {'step' if self._floor else 'run'} did more work in its expressions than one may.",
                code="too_much_work",
                hint="Look for a loop over a large list, or for texts that grow; spread the work over several steps.",
            )

    def spend_text(self, chars: int) -> None:
        """Pay for a text of that length before it is made. Raises LimitReached."""
        check_length(chars)
        self.spend(chars // CHARS_PER_UNIT)

    def spend_looking(self, value: JSON, per_unit: int = 1) -> Size:
        """Pay for looking at everything in a value, so many values for a unit. Raises LimitReached, and looks no further."""
        size = measure(value, MAX_VALUE_CHARS, (self.left - self._floor) * per_unit)
        self.spend(size.nodes // per_unit)
        return size

    def spend_writing(self, value: JSON) -> str:
        """The value as text (`to_text`), paid for before it is made. Raises LimitReached."""
        if isinstance(value, list | dict):
            self.spend_looking(value)
        text = measured_text(value)
        self.spend(len(text) // CHARS_PER_UNIT)
        return text
