"""A number as people write it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Context, localcontext
from typing import ClassVar

from babel.numbers import NumberPattern, parse_pattern
from pydantic import Field

from flows.engine.compare import number_of
from flows.engine.errors import NodeError
from flows.engine.locales import locale_of, name_findings
from flows.engine.loop import Run
from flows.engine.node import Finding, Node, Outcome, Text, Value, register

_EXACT = Context(prec=300, rounding=ROUND_HALF_UP)
_QUOTED = re.compile(r"'[^']*'")


@register
class NumberFormat(Node):
    """Write a number by a pattern: `#,##0.00`.

    `0` is a digit that is always written, `#` one that is written if it is there, `,` groups digits and `.` is the decimal
    mark, both as the locale has them; other characters stand for themselves, `%` multiplies by 100. Halves are rounded
    away from zero. A text that spells a number is one. Leaves by `no` where the value isn't a number.
    """

    TYPE = "number_format"
    LABEL = "Number format"
    WORDS: ClassVar[tuple[str, ...]] = ("decimal", "currency", "amount", "price", "thousands")
    OUTPUTS: ClassVar[Mapping[str, str]] = {"result": "The number as text."}

    value: Value = Field(description="The number, for example `{{ total.result }}`.")
    pattern: str = Field(min_length=1, max_length=100, description="How to write it, like `#,##0.00`.")
    locale: Text = Field("en", description="Language and country, like `de-DE`, for the marks.")

    def execute(self, run: Run) -> Outcome:
        number, pattern, locale = number_of(self.value), read_pattern(self.pattern), locale_of(self.locale)
        with localcontext(_EXACT):
            return Outcome("yes", {"result": pattern.apply(number, locale)})

    def findings(self) -> Iterator[Finding]:
        try:
            read_pattern(self.pattern)
        except NodeError as error:
            yield Finding(error.code, error.message, error.hint)
        yield from name_findings("UTC", self.locale)


def read_pattern(pattern: str) -> NumberPattern:
    """The pattern as babel reads it. Raises NodeError."""
    try:
        if not re.search("[0#]", _QUOTED.sub("", pattern)):
            raise ValueError("no digits")
        made: NumberPattern = parse_pattern(pattern)
    except ValueError:
        raise NodeError(
            f"{pattern!r} isn't a number pattern.", code="bad_number_pattern", hint="Write it like #,##0.00 or 0.##."
        ) from None
    return made
