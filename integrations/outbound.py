"""An outside call as plain data: what goes out, what came back, and how it can fail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from flows.engine.errors import NodeError

MAX_BODY_BYTES = 1024 * 1024
"""A request's body, and an answer's after decoding: what one step may bring into a run."""

MAX_HEAD_BYTES = 64 * 1024
"""Status line and headers of an answer, interim answers included."""

MAX_WIRE_BYTES = 4 * MAX_BODY_BYTES
"""Everything a target may send for one call: a 1 MiB body in three-byte chunks fits, endless trailers don't."""

DEFAULT_TIMEOUT_SECONDS = 10.0
MAX_TIMEOUT_SECONDS = 60.0
"""Longer waits belong in `wait_for_callback`."""

FailureCode = Literal[
    "target_not_allowed", "could_not_connect", "host_busy", "timed_out", "tls_failed", "answer_too_large", "bad_answer"
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may cost. Callers have no reason to raise these; tests lower them."""

    body_bytes: int = MAX_BODY_BYTES
    head_bytes: int = MAX_HEAD_BYTES
    wire_bytes: int = MAX_WIRE_BYTES


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """A call, ready to go. `timeout_seconds` is the time for all of it: its turn, look-up, connection, request and answer.

    `scope` names whose call it is, down to the login: calls of different scopes never share a connection, and one without
    a scope never shares any. `repeatable` says that the target takes no harm if it gets the call twice.
    """

    method: str
    url: str = field(repr=False)  # its query may hold a key
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    scope: str = field(default="", repr=False)
    repeatable: bool = False

    @property
    def may_share(self) -> bool:
        """Whether it may go over a connection that was used before. What may not be sent twice never does: should the
        target close it at that moment, nobody would know whether it arrived."""
        return bool(self.scope) and self.repeatable


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """An answer, whatever its status (a redirect is one too). Names of headers are lower-case, `body` is decoded."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    elapsed_seconds: float = 0.0

    def header(self, name: str) -> str:
        """The values of a header, joined by commas; empty if it isn't there. `name` is lower-case."""
        return ", ".join(value for key, value in self.headers if key == name)


class CallFailed(NodeError):
    """No answer that can be used. `sent` says whether the target may have got any of the request: if not, a redo is safe.

    The message never holds an address that a name resolved to: it would tell an author about networks of ours.
    """

    def __init__(self, message: str, *, code: FailureCode, sent: bool = False, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.sent = sent

    @property
    def timed_out(self) -> bool:
        """Whether time ran out; any other failure came earlier."""
        return self.code == "timed_out"


class CallNotBuilt(NodeError):
    """The call can't be made from what it was given: nothing was sent."""

    code = "call_not_built"
