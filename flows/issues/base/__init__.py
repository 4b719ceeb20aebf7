"""What every kind of problem is made of."""

from flows.issues.base.entered import broken_from, sealed_flow
from flows.issues.base.issue import FINDERS, KINDS, Issue, Kind, Severity, finds
from flows.issues.base.subject import Subject, Use
from flows.issues.base.texts import Written

__all__ = [
    "FINDERS",
    "KINDS",
    "Issue",
    "Kind",
    "Severity",
    "Subject",
    "Use",
    "Written",
    "broken_from",
    "finds",
    "sealed_flow",
]
