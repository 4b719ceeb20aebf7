"""A setting that is missing or wrong."""

from __future__ import annotations

from collections.abc import Iterator

from flows.issues.base import Issue, Kind, Subject, finds

INVALID = Kind(
    "setting_invalid",
    "error",
    "Step {step} isn't set up yet: {place} {reason}.",
    "Open the step and correct {place}.",
)


@finds(INVALID)
def settings(subject: Subject) -> Iterator[Issue]:
    for node in subject.nodes:
        for problem in node.problems:
            place = problem.setting or "its settings"
            yield INVALID.at(node, problem.setting, place=place, reason=problem.reason.rstrip("."))
