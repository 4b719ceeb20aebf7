"""A progress line for a person who waits in a terminal: shown once something takes longer than a second."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol

PATIENCE_SECONDS = 1.0


class Out(Protocol):
    def write(self, msg: str, *, ending: str = ...) -> None: ...


class Line:
    """One line that is written over and over, at most once a second, and ended with a line break."""

    def __init__(self, out: Out, what: str) -> None:
        self._out, self._what = out, what
        self._told_at = time.monotonic()
        self._open = False

    def __enter__(self) -> Line:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def tell(self, done: int, of: int | None = None) -> None:
        """So many are done, of so many."""
        if time.monotonic() - self._told_at < PATIENCE_SECONDS:
            return
        self._told_at = time.monotonic()
        share = f" of {of:,} ({100 * done // of} %)" if of else ""
        self._out.write(f"{done:,}{share} {self._what}", ending="\r" if sys.stderr.isatty() else "\n")
        self._open = sys.stderr.isatty()

    def end(self) -> None:
        """Leave the line as it stands."""
        if self._open:
            self._out.write("")
            self._open = False
