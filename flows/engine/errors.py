"""What can go wrong while a flow is read or run. An author's mistake has a code and a hint; a bug is any other exception.

FlowError
    GraphRefused       a flow file that can't be saved: where, and why
    JSONRefused        text that isn't the strict JSON we read
    LanguageError      an author's expression or template
        SyntaxRefused      it can't be read
        UnknownFilter      it names a filter that isn't there
        WrongType          an operation got a value it can't work on
        ArithmeticRefused  division by zero, overflow
    NodeError          a node's work didn't succeed: it leaves by its "no"
    RunError           the run ends here, whatever the exits say
        LimitReached       one of the bounds of `limits`
"""

from __future__ import annotations


class FlowError(Exception):
    """An author's mistake: a stable `code`, a sentence, and a `hint` that says what to do."""

    code = "flow_error"

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code


class GraphRefused(FlowError):
    """A flow file that is refused as a whole. `place` points into it, like `nodes[2].exits.yes`."""

    code = "file_refused"

    def __init__(self, place: str, reason: str, *, hint: str = "") -> None:
        stop = "." if hint and not reason.endswith(".") else ""
        super().__init__((f"{place}: {reason}" if place else reason) + stop, hint=hint)
        self.place = place
        self.reason = reason


class JSONRefused(FlowError):
    code = "json_refused"


class LanguageError(FlowError):
    code = "bad_expression"


class SyntaxRefused(LanguageError):
    """`column` counts from 1 within the expression."""

    code = "bad_syntax"

    def __init__(self, message: str, *, column: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.column = column


class UnknownFilter(LanguageError):
    code = "unknown_filter"


class WrongType(LanguageError):
    code = "wrong_type"


class ArithmeticRefused(LanguageError):
    code = "arithmetic"


class NodeError(FlowError):
    """A node couldn't do its work; the run goes on by the node's exit for that."""

    code = "node_failed"


class RunError(FlowError):
    """The run ends as failed. `status` is the HTTP status a waiting caller gets (product error codes, docs/front-door.md)."""

    code = "CT21"
    status = 500

    def __init__(self, message: str, *, code: str = "", status: int = 0, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        if status:
            self.status = status


class LimitReached(RunError):
    code = "limit_reached"
