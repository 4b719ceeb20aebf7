"""What the engine asks of the world: a Door to make outside calls, a Catalog to find definitions by name.

`integrations` registers the real ones; the sandbox, a test or a replay hand in others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from flows.engine.graph import Graph
from flows.engine.strictjson import JSON


@dataclass(frozen=True, slots=True)
class Call:
    """An outside action, as a node asks for it. Plain data: it can be stored and sent again as it is.

    `connection` names a sealed connection definition of the content; the door finds address and secret by it.
    `key` is `<run>:<step>:<call>`, `node` the name of the node that asks. `repeat` says whether the call may be sent again when its outcome isn't known:
    "safe", "idempotency_key" or "never".
    """

    connection: str
    method: str
    path: str = field(repr=False)  # what a partner sent is in no traceback
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: JSON = field(default=None, repr=False)
    body_type: str = ""  # "", "json", "form" or "text"
    timeout_seconds: float = 10.0
    repeat: str = "never"
    key: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from outside. `data` is the read body: JSON as JSON, other text as text.

    `note` says why there is no `data` although there was a body; it holds no secret.
    """

    code: int
    headers: dict[str, str] = field(default_factory=dict)
    data: JSON = None
    pretended: bool = False
    note: str = ""


class Door(Protocol):
    """The way out. `definitions` are the sealed definitions of the content that runs, by kind and name."""

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        """Make the call. Raises NodeError where no answer came (its code says why: `timed_out` and so on)."""

    def key(self, definition: dict[str, Any]) -> bytes:
        """The material of a sealed Key definition. Raises NodeError where there is none."""


@dataclass(frozen=True, slots=True)
class Definition:
    """Something a flow uses by name. `content` is what gets sealed; `subject` names it for the record of edits.

    `needs` are further definitions that go into the seal with it, as (kind, name).
    """

    kind: str
    name: str
    content: dict[str, Any]
    subject: str
    needs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of a flow that something enters at: a route, or a jump of another flow that brings `variables` along.

    `through` are the slugs of flows that a run may come through before it enters here; none for a route.
    """

    step: int
    by: str
    variables: frozenset[str] = frozenset()
    production: bool = False
    through: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OtherFlow:
    """A flow as a jump into it finds it: its graph, and the definitions that it runs with, by kind and name."""

    graph: Graph
    find: Callable[[str, str], Definition | None]


class Catalog(Protocol):
    """Definitions and flows of one entity in one environment, by name."""

    def find(self, kind: str, name: str) -> Definition | None:
        """The definition of that kind ("endpoint", "connection", "key"), or None."""

    def names(self, kind: str) -> Iterable[str]:
        """Every name of that kind, for suggestions."""

    def other_flow(self, slug: str) -> OtherFlow | None:
        """A flow of the same entity and kind as it is deployed (in the sandbox: its draft); None if there is none.

        Raises GraphRefused where this release can't read it.
        """

    def flow_exists(self, slug: str) -> bool:
        """Whether the entity has a flow with that slug and the same kind, deployed or not."""

    def entries(self, slug: str) -> Iterable[Entry]:
        """Every step of flow `slug` at which a route or another flow enters."""
