"""A node type is a class, a node is an instance: settings are its fields, `execute` is its work.

One declaration gives validation, the editor's form, JSON Schema and the docs page. Fields marked `Value`, `Text`
or `Formula` may hold references; the loop fills them in, so that `execute` reads `self.left` and gets the value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from flows.engine.strictjson import JSON
from flows.engine.values import equal

if TYPE_CHECKING:
    from flows.engine.loop import Run


@dataclass(frozen=True, slots=True)
class Filled:
    """Marks a field that is filled in before the node executes; `how` is a key of filling._HOW."""

    how: str


@dataclass(frozen=True, slots=True)
class Hidden:
    """Marks a filled-in field of a node whose value no trace shows."""


def _is_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("should be text")
    return value


Value = Annotated[Any, Filled("value")]
"""Any JSON; texts in it may hold `{{ … }}`, and a text that is just one keeps the JSON type of what it reads."""

Text = Annotated[str, Filled("text")]
"""Text with `{{ … }}` in it; always becomes text."""

Formula = Annotated[Any, Filled("formula"), AfterValidator(_is_text), WithJsonSchema({"type": "string"})]
"""An expression without braces; becomes its value. The author writes text."""

EachText = Annotated[Any, Filled("each"), AfterValidator(_is_text), WithJsonSchema({"type": "string"})]
"""Text that is rendered once per item: in `execute` it is a function of (item, index)."""

EachFormula = Annotated[Any, Filled("each formula"), AfterValidator(_is_text), WithJsonSchema({"type": "string"})]
"""An expression that is evaluated once per item: in `execute` it is a function of (item, index)."""

EXIT_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


class Settings(BaseModel):
    """Settings, or a group of them: unknown keys refused, nothing converted, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Pair(Settings):
    """A name and a value; names may repeat."""

    name: str = Field(min_length=1, max_length=200)
    value: Value = Field(description="Text or JSON, references allowed.")


class Branch(Settings):
    """A value and the exit it leads to."""

    exit: str = Field(pattern=EXIT_PATTERN, description="Name of the exit.")
    value: Value = Field(description="The value that takes it.")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Leave by `exit`; `outputs` are read as `{{ name.output }}`, `variables` at top level."""

    exit: str
    outputs: Mapping[str, JSON] = field(default_factory=dict)
    variables: Mapping[str, JSON] = field(default_factory=dict)
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The run is over; this is the flow's answer."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: JSON = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Stop here until a signal comes, or until `until`; then `resume` is called."""

    until: datetime
    outputs: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signal:
    """What ended a wait: `body` of a callback, or nothing because the time ran out."""

    came: bool
    body: JSON = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that a node type sees in its own settings; the check gives it its node number."""

    code: str
    message: str
    hint: str = ""
    severity: str = "error"


class Node(Settings):
    """Base of every node type. Capitals say what the type is, fields say what the author sets."""

    TYPE: ClassVar[str]
    LABEL: ClassVar[str]
    GROUP: ClassVar[str] = "Action"  # "Start", "Action", "Integration" or "End"
    EXITS: ClassVar[tuple[str, ...]] = ("yes", "no")
    OUTPUTS: ClassVar[Mapping[str, str]] = {}
    WORDS: ClassVar[tuple[str, ...]] = ()
    USER_FACING: ClassVar[bool] = False

    def execute(self, run: Run) -> Outcome | End | Wait:
        """Do the node's work. Raises NodeError where it can't be done: the run then leaves by `no` or `other`."""
        raise NotImplementedError(self.TYPE)

    def resume(self, run: Run, signal: Signal) -> Outcome | End | Wait:
        """Go on after a Wait. Only types that return Wait have it."""
        raise NotImplementedError(self.TYPE)

    @classmethod
    def exits(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the ways out, from settings as written (they may not be valid yet)."""
        return cls.EXITS

    @classmethod
    def sets(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Variables that the node sets at top level."""
        return ()

    def uses(self) -> Iterable[tuple[str, str]]:
        """Definitions that the node needs, as (kind, name)."""
        return ()

    def acts(self, definitions: Sequence[Mapping[str, Any]]) -> bool:
        """Whether doing it once more may change something outside once more; `definitions` are what `uses` names."""
        return False

    def findings(self) -> Iterable[Finding]:
        """Problems in the settings beyond what their types say."""
        return ()

    def misfits(self, definition: Mapping[str, Any]) -> Iterable[Finding]:
        """Problems that show only beside a definition that `uses` names, as it would be sealed."""
        return ()


NODE_TYPES: dict[str, type[Node]] = {}

N = TypeVar("N", bound=Node)


def register(node_type: type[N]) -> type[N]:
    """Class decorator: make the node type known by its TYPE."""
    assert node_type.TYPE not in NODE_TYPES, f"Two node types call themselves {node_type.TYPE}; rename one."
    NODE_TYPES[node_type.TYPE] = node_type
    return node_type


def branch_exits(branches: Any, *, otherwise: str) -> tuple[str, ...]:
    """Exit names of a list of branches as written, each once, and `otherwise` last."""
    names = [b.get("exit") for b in branches if isinstance(b, Mapping)] if isinstance(branches, list) else []
    return tuple(dict.fromkeys([name for name in names if isinstance(name, str) and name != otherwise])) + (otherwise,)


def branch_findings(branches: Sequence[Branch], *, otherwise: str) -> Iterator[Finding]:
    """Exits and values that more than one branch has: the later one may never be taken."""
    exits = [branch.exit for branch in branches] + [otherwise]
    for name in sorted({name for name in exits if exits.count(name) > 1}):
        message = f"Two branches leave by {name!r}."
        yield Finding("duplicate_exit", message, "Give each a name of its own, if that isn't meant.", "warning")
    for index, branch in enumerate(branches):
        if any(equal(branch.value, earlier.value) for earlier in branches[:index]):
            message = f"The branch {branch.exit!r} is never taken: an earlier one has the same value."
            yield Finding("duplicate_value", message, "Change the value, or remove the branch.", "warning")
