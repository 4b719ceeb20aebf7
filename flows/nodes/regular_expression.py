"""Match a text against a pattern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field

from flows.engine.compare import text_of
from flows.engine.errors import NodeError
from flows.engine.limits import MAX_MATCH_CHARS, MAX_PATTERN_CHARS
from flows.engine.loop import Run
from flows.engine.node import Finding, Node, Outcome, Value, register
from flows.engine.regex import MAX_MATCH_WORK, WORK_PER_UNIT, compiled, work


@register
class RegularExpression(Node):
    """Ask whether the whole of a text matches a regular expression; `yes` where it does.

    The pattern is RE2's: like JavaScript's, without look-around and back-references. It has to match from the first
    character to the last; write `.*` where anything may stand. Numbers and booleans are matched as text; null never
    matches. A group that takes no part is null in `groups`; the whole match, being the value itself, isn't in it.
    """

    TYPE = "regular_expression"
    LABEL = "Regular expression"
    WORDS: ClassVar[tuple[str, ...]] = ("regex", "regexp", "pattern", "validate", "match")
    OUTPUTS: ClassVar[Mapping[str, str]] = {
        "groups": "What each group of the pattern took, in order; empty without a match."
    }

    value: Value = Field(description="What to match, for example `{{ payload.phone }}`.")
    pattern: str = Field(min_length=1, max_length=MAX_PATTERN_CHARS, description="The pattern, like `[0-9]{4}`.")

    def execute(self, run: Run) -> Outcome:
        pattern = compiled(self.pattern)
        match = None if self.value is None else pattern.fullmatch(self._text(run))
        groups: list[Any] = list(match.groups()) if match else []
        return Outcome("yes" if match else "no", {"groups": groups})

    def _text(self, run: Run) -> str:
        text = text_of(self.value)
        if len(text) > MAX_MATCH_CHARS:
            raise NodeError(f"The text is longer than {MAX_MATCH_CHARS} characters.", code="too_long")
        needed = work(self.pattern, text)
        if needed > MAX_MATCH_WORK:
            raise NodeError(
                f"A text of {len(text)} characters is too long for a pattern with so much in it.",
                code="too_long",
                hint="Repeat less often in the pattern, like {1,20} in place of {1,200}, or match a part of the text.",
            )
        run.budget.spend(needed // WORK_PER_UNIT)
        return text

    def findings(self) -> Iterator[Finding]:
        try:
            compiled(self.pattern)
        except NodeError as error:
            yield Finding(error.code, error.message, error.hint)
