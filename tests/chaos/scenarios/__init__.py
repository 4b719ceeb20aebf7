"""The scenarios by name. Each takes a stack and a scale, and returns its report."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.report import Report
from tests.chaos.scale import Scale
from tests.chaos.scenarios.frozen import frozen
from tests.chaos.scenarios.kills import kills, never
from tests.chaos.scenarios.links import links
from tests.chaos.scenarios.points import points
from tests.chaos.scenarios.poison import poison
from tests.chaos.scenarios.same_key import same_key
from tests.chaos.scenarios.soak import soak
from tests.chaos.scenarios.stop import stop
from tests.chaos.scenarios.thrice import thrice
from tests.chaos.scenarios.zombie import zombie
from tests.chaos.stack import Stack

Scenario = Callable[[Stack, Scale], Report]

ALL: tuple[Scenario, ...] = (
    kills,
    never,
    frozen,
    poison,
    same_key,
    thrice,
    zombie,
    points,
    links,
    stop,
    soak,
)
SCENARIOS: dict[str, Scenario] = {scenario.__name__: scenario for scenario in ALL}
