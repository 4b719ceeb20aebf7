"""What an Issue is, what kinds of them there are, and who finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from flows.engine.graph import GraphNode

if TYPE_CHECKING:
    from flows.issues.base.subject import Subject

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem found before a run. An error keeps a flow from being submitted, a warning doesn't.

    `node` is the number of the node, None where it is the flow's; `setting` is the place within the node's settings.
    """

    code: str
    severity: Severity
    node: int | None
    message: str
    hint: str
    setting: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. `sentence` and `hint` may hold `{words}`; `{step}` is the title of the node.

    `milder` says when the problem is a warning only, although the kind is an error.
    """

    code: str
    severity: Severity
    sentence: str
    hint: str
    milder: str = ""

    def at(
        self,
        node: GraphNode | None,
        setting: str = "",
        /,
        *,
        hint: str = "",
        before: str = "",
        mild: bool = False,
        **words: object,
    ) -> Issue:
        """One problem of this kind. `hint` replaces the kind's own, `before` is put before it."""
        if node is not None:
            words["step"] = node.title
        severity: Severity = "warning" if mild else self.severity
        number = node.number if node else None
        message, hint = self.sentence.format(**words), before + (hint or self.hint.format(**words))
        return Issue(self.code, severity, number, message, hint, setting)


Finder = Callable[["Subject"], Iterable[Issue]]

KINDS: dict[str, Kind] = {}
"""Every kind by its code; docs/issues.md is made from it."""

FINDERS: list[Finder] = []

F = TypeVar("F", bound=Finder)


def finds(*kinds: Kind) -> Callable[[F], F]:
    """Decorator: this function finds problems of these kinds."""

    def register(finder: F) -> F:
        for kind in kinds:
            assert kind.code not in KINDS, f"Two kinds of problem have the code {kind.code}; rename one."
            KINDS[kind.code] = kind
        FINDERS.append(finder)
        return finder

    return register
