"""A date in another form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from flows.engine import patterns
from flows.engine.compare import text_of
from flows.engine.dates import read_date
from flows.engine.locales import locale_of, name_findings, zone_of
from flows.engine.loop import Run
from flows.engine.node import Finding, Node, Outcome, Text, Value, register


@register
class DateFormat(Node):
    """Read a date by one pattern and write it by another.

    Patterns have Unicode's letters: `yyyy` year, `MM` month, `dd` day, `HH` hour, `mm` minute, `ss` second, `SSS`
    millisecond, `a` am or pm, `EEEE` day of the week, `MMMM` name of the month, `XXX` offset; text between apostrophes
    stands for itself. Names are read in English and written in the locale's language. A date without an offset is taken
    to be in the time zone; the result is written in it. Leaves by `no` where the value isn't a date by the source pattern.
    """

    TYPE = "date_format"
    LABEL = "Date format"
    WORDS: ClassVar[tuple[str, ...]] = ("time", "timestamp", "convert date", "timezone")
    OUTPUTS: ClassVar[Mapping[str, str]] = {"result": "The date by the target pattern."}

    value: Value = Field(description="The date, for example `{{ payload.date }}`.")
    source_pattern: str = Field("", max_length=100, description="How it is written; empty for ISO 8601 and RFC 3339.")
    target_pattern: str = Field(min_length=1, max_length=100, description="How to write it, like `dd-MM-yyyy`.")
    timezone: Text = Field("UTC", description="Time zone of the result, like `Europe/Paris`.")
    locale: Text = Field("en", description="Language and country of names, like `en-GB`.")

    def execute(self, run: Run) -> Outcome:
        zone, locale = zone_of(self.timezone), locale_of(self.locale)
        text = text_of(self.value)
        moment = patterns.read(text, self.source_pattern, zone) if self.source_pattern else read_date(text, zone)
        return Outcome("yes", {"result": patterns.write(moment, self.target_pattern, zone, locale)})

    def findings(self) -> Iterator[Finding]:
        problems = [patterns.problem_of(self.target_pattern)]
        if self.source_pattern:
            problems.append(patterns.problem_of(self.source_pattern, reading=True))
        for problem in filter(None, problems):
            yield Finding("bad_date_pattern", problem, f"Known: {' '.join(patterns.FIELDS)}.")
        for doubt in filter(None, map(patterns.doubt_about, (self.source_pattern, self.target_pattern))):
            yield Finding("doubtful_date_pattern", doubt, "Change the pattern if that isn't meant.", severity="warning")
        yield from name_findings(self.timezone, self.locale)
