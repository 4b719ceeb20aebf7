"""The closures that compute an author's expression, and the sentences for values they can't work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flows.engine import arithmetic
from flows.engine.arithmetic import OPERATIONS
from flows.engine.budget import Budget
from flows.engine.errors import ArithmeticRefused, LanguageError, WrongType
from flows.engine.filters import Filter
from flows.engine.paths import Compute, Names, Path
from flows.engine.strictjson import JSON
from flows.engine.values import NUMBERS, equal, is_less, kind


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an expression: how to compute it, where it begins (from 1), what it costs and reads."""

    compute: Compute
    column: int
    cost: int = 1
    depth: int = 1
    references: tuple[Path, ...] = ()
    name: str = ""  # of a path, as it is written
    can_fail: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """An operator with what stands behind it."""

    operator: str
    column: int
    piece: Piece


def located(error: LanguageError, column: int, *, by: str = "") -> LanguageError:
    """The same error with its column, and the name of the filter that raised it."""
    subject = f"{by}: " if by else ""
    return type(error)(f"{subject}{error.message.removesuffix('.')} (column {column}).", hint=error.hint)


def calculation(first: Piece, steps: tuple[Step, ...]) -> Compute:
    """`first` and one operation after the other, from left to right."""
    start = first.compute
    operations = tuple((OPERATIONS[step.operator], step.piece.compute, step) for step in steps)

    def compute(names: Names, budget: Budget) -> JSON:
        left = start(names, budget)
        for operate, right_of, step in operations:
            right = right_of(names, budget)
            if type(left) not in NUMBERS:
                raise _not_a_number(left, first, step)
            if type(right) not in NUMBERS:
                raise _not_a_number(right, step.piece, step)
            try:
                left = operate(left, right)  # type: ignore[arg-type]  # both are numbers
            except ArithmeticRefused as error:
                raise located(error, step.column) from None
        return left

    return compute


def negation(minus_column: int, piece: Piece) -> Compute:
    inner, step = piece.compute, Step("-", minus_column, piece)

    def compute(names: Names, budget: Budget) -> JSON:
        value = inner(names, budget)
        if type(value) not in NUMBERS:
            raise _not_a_number(value, piece, step)
        try:
            return arithmetic.negate(value)  # type: ignore[arg-type]  # it is a number
        except ArithmeticRefused as error:
            raise located(error, minus_column) from None

    return compute


def comparison(left: Piece, step: Step) -> Compute:
    """Equality of any two values, or the order of two numbers or two texts."""
    if step.operator in ("=", "==", "!="):
        return _equality(left.compute, step.piece.compute, step.operator != "!=")
    first, second, decide = left.compute, step.piece.compute, _ORDERS[step.operator]

    def compute(names: Names, budget: Budget) -> JSON:
        a, b = first(names, budget), second(names, budget)
        try:
            return decide(a, b)
        except WrongType:
            raise _no_order(a, left, b, step) from None

    return compute


_ORDERS: dict[str, Callable[[JSON, JSON], bool]] = {
    "<": is_less,
    ">": lambda a, b: is_less(b, a),
    "<=": lambda a, b: not is_less(b, a),
    ">=": lambda a, b: not is_less(a, b),
}


def _equality(first: Compute, second: Compute, wanted: bool) -> Compute:
    def compute(names: Names, budget: Budget) -> JSON:
        a, b = first(names, budget), second(names, budget)
        if type(a) in (list, dict) and type(a) is type(b):
            budget.spend_looking(a)
        return equal(a, b) is wanted

    return compute


def chain(pieces: tuple[Piece, ...], deciding: bool) -> Compute:
    """`or` (a true decides) and `and` (a false does): what stands behind what decides isn't computed."""
    operator = "or" if deciding else "and"
    parts = tuple((piece.compute, piece) for piece in pieces)

    def compute(names: Names, budget: Budget) -> JSON:
        for part, piece in parts:
            value = part(names, budget)
            if (value if type(value) is bool else _truth(value, piece, operator)) is deciding:
                return deciding
        return not deciding

    return compute


def inversion(piece: Piece) -> Compute:
    inner = piece.compute
    return lambda names, budget: not _truth(inner(names, budget), piece, "not")


def filtered(value_of: Compute, name: str, column: int, used: Filter, arguments: tuple[Piece, ...]) -> Compute:
    """A value through a filter. Null passes by a filter that has no use for it."""
    function, passes_null, reads_all = used.function, not used.takes_null, used.reads_all
    argument_of = tuple(piece.compute for piece in arguments)

    def compute(names: Names, budget: Budget) -> JSON:
        value = value_of(names, budget)
        if value is None and passes_null:
            return None
        _pay(budget, value, reads_all, 8)
        try:
            made = function(value, *[argument(names, budget) for argument in argument_of])
        except LanguageError as error:
            raise located(error, column, by=name) from None
        _pay(budget, made, reads_all, 6)
        return made

    return compute


def _pay(budget: Budget, value: JSON, all_of_it: bool, text_shift: int) -> None:
    """A unit per 64 characters that were made, or 256 that were read; one per item that is looked at, or 8 that are copied."""
    if isinstance(value, str):
        budget.spend(len(value) >> text_shift)
    elif isinstance(value, list | dict) and all_of_it:
        budget.spend_looking(value)
    elif isinstance(value, list):
        budget.spend(len(value) >> 3)


def _truth(value: JSON, piece: Piece, operator: str) -> bool:
    if value is None or type(value) is bool:
        return bool(value)
    raise WrongType(
        f"{_is(piece, value)}, and `{operator}` needs true or false (column {piece.column}).",
        hint=f"Compare it with something, like {piece.name or 'name'} = 'yes'.",
    )


def _is(piece: Piece, value: JSON) -> str:
    return f"{piece.name or 'A value'} is {kind(value)}"


def _not_a_number(value: JSON, piece: Piece, step: Step) -> WrongType:
    hint = _NUMBER_HINTS[type(value)].format(piece.name or "…")
    if step.operator == "-" and piece.name:
        hint += ' A key with - in it is written ["a-b"].'
    return WrongType(f"{_is(piece, value)}, and `{step.operator}` needs numbers (column {piece.column}).", hint=hint)


_NUMBER_HINTS: dict[type, str] = {
    type(None): "Check the name, or say what counts where it is missing: ({} | default: 0).",
    str: "Read a number from text with ({} | number); join texts with `| append: …`.",
    bool: "Decide by it with an IF statement.",
    list: "Choose an item of it, or `| count`, or `| sum`.",
    dict: "Choose a key of it.",
}


def _no_order(left: JSON, left_piece: Piece, right: JSON, step: Step) -> WrongType:
    first, second = _is(left_piece, left), _is(step.piece, right)
    return WrongType(
        f"{first} and {second[:1].lower() + second[1:] if not step.piece.name else second}; "
        f"`{step.operator}` compares two numbers or two texts (column {step.column}).",
        hint="Read a number from text with `| number`, and give what may be missing a `| default: …`.",
    )
