"""What every kind of problem is made of."""

from flows.issues.base.issue import FINDERS, KINDS, Issue, Kind, finds
from flows.issues.base.subject import Subject, Use
from flows.issues.base.texts import Written

__all__ = ["FINDERS", "KINDS", "Issue", "Kind", "Subject", "Use", "Written", "finds"]
