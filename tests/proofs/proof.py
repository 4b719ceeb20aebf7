"""What a proof is given: how much of its work to do, and where to note what it counted.

A proof is a test like any other, short in the suite; `python -m tests.proofs` runs it at full length, on both
databases if it touches one, and prints what it noted. Its file is `test_<name>.py`, beside this one.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FULL = os.environ.get("PROOFS") == "full"
RESULTS = os.environ.get("PROOFS_RESULTS", "")
"""The file that the command reads; one line of JSON per proof."""

HERE = Path(__file__).resolve().parent


def names() -> list[str]:
    """The proofs there are."""
    return sorted(file.stem.removeprefix("test_") for file in HERE.glob("test_*.py"))


@dataclass
class Proof:
    """`full` is the length under the command. A bar on time or memory is asserted there only: the suite has company."""

    full: bool = FULL
    counts: dict[str, float | str] = field(default_factory=dict)
    twins: dict[str, str] = field(default_factory=dict)

    def size(self, short: int, full: int) -> int:
        """How much to do: `short` in the suite, `full` under the command."""
        return full if self.full else short

    def count(self, what: str, number: float | str) -> None:
        """Note a figure, like `proof.count("addresses tried", 92)`. What is noted again replaces what was."""
        self.counts[what] = number

    def same(self, what: str, value: str) -> None:
        """Note what has to be the same on every database; the command fails where it isn't."""
        self.twins[what] = value


def write_result(report: pytest.TestReport, outcome: str, seconds: float) -> None:
    """Tell the command about a proof that is over. `outcome` is passed, failed or skipped."""
    noted: dict[str, Any] = dict(report.user_properties).get("proof", {"proof": report.nodeid})
    told = {"test": report.nodeid.partition("::")[2], "outcome": outcome, "seconds": seconds}
    with Path(RESULTS).open("a", encoding="utf-8") as results:
        results.write(json.dumps(told | noted) + "\n")
