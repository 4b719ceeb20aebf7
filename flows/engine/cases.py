"""The test cases of a flow file: a request, stand-ins for outside calls, and the answer that is expected."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from flows.engine.records import Record

Failure = Literal[
    "call_not_built",
    "bad_path",
    "target_not_allowed",
    "could_not_connect",
    "host_busy",
    "tls_failed",
    "timed_out",
    "answer_too_large",
    "bad_answer",
    "no_secret",
    "secret_elsewhere",
]
"""How a call gets no answer (docs/calls-out.md)."""


class CaseRequest(Record):
    """What a caller sends."""

    payload: Any = None
    query: dict[str, str] = Field(default_factory=dict, description="Parameter to its value.")
    headers: dict[str, str] = Field(default_factory=dict, description="Header to its value.")


class StandIn(Record):
    """What an outside call gets: an answer, or none."""

    code: int = Field(200, ge=100, le=599, description="Response code.")
    data: Any = Field(default_factory=dict, description="The body, as the flow reads it.")
    headers: dict[str, str] = Field(default_factory=dict)
    fails: Failure | None = Field(None, description="Why there is no answer; then nothing else is here.")

    @model_validator(mode="after")
    def _answer_or_failure(self) -> Self:
        if self.fails is not None and len(self.model_fields_set) > 1:
            raise ValueError("a call that fails has no code, data or headers")
        return self


class Expected(Record):
    """What is compared; what isn't here may be anything."""

    status: int | None = Field(None, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None


class CaseRecord(Record):
    """A test case: the request, stand-ins for outside calls by node name, and the expected answer."""

    name: str = Field(min_length=1, max_length=200)
    request: CaseRequest = Field(default_factory=CaseRequest)
    stand_ins: dict[str, StandIn] = Field(default_factory=dict, description="Node name to the answer it gets.")
    expected: Expected = Field(default_factory=Expected)
