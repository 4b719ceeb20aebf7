"""The scenarios by name. Each takes a stack and a scale, and returns its report."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.report import Report
from tests.chaos.scale import Scale
from tests.chaos.scenarios.kills import kills, never
from tests.chaos.stack import Stack

Scenario = Callable[[Stack, Scale], Report]

SCENARIOS: dict[str, Scenario] = {"kills": kills, "never": never}
