"""A Door that goes nowhere: for `flow run`, test cases and connections without a sandbox address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.engine.cases import StandIn
from flows.engine.errors import NodeError
from flows.engine.protocols import Answer, Call


class PretendDoor:
    """Answers 200 with an empty object, or what the stand-in for the node that calls says.

    A stand-in is `{"code": 404, "data": …, "headers": {…}}` or `{"fails": "timed_out"}`.
    """

    def __init__(self, stand_ins: Mapping[str, Any] | None = None) -> None:
        self.stand_ins = {node: StandIn.model_validate(each) for node, each in (stand_ins or {}).items()}
        self.calls: list[Call] = []

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        """Keep the call in `calls` and give the stand-in's answer."""
        self.calls.append(call)
        stand_in = self.stand_ins.get(call.node) or StandIn()
        if stand_in.fails is not None:
            raise NodeError("The stand-in says that this call fails.", code=stand_in.fails)
        return Answer(stand_in.code, dict(stand_in.headers), stand_in.data, pretended=True)

    def key(self, definition: dict[str, Any]) -> bytes:
        """The public key where there is one, else material that is no secret: 32 bytes."""
        return str(definition.get("public_key") or "pretended key, 32 bytes, no use.").encode()
