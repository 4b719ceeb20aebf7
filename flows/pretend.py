"""A Door that goes nowhere: for `flow run`, test cases and connections without a sandbox address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.engine.errors import NodeError
from flows.engine.protocols import Answer, Call
from flows.engine.strictjson import JSON


class PretendDoor:
    """Answers 200 with an empty object, or what the stand-in for the node that calls says.

    A stand-in is `{"code": 404, "data": …, "headers": {…}}` or `{"fails": "timed_out"}`.
    """

    def __init__(self, stand_ins: Mapping[str, Any] | None = None) -> None:
        self.stand_ins = stand_ins or {}
        self.calls: list[Call] = []

    def call(self, call: Call, definitions: dict[str, dict[str, Any]]) -> Answer:
        """Keep the call in `calls` and give the stand-in's answer."""
        self.calls.append(call)
        stand_in = self.stand_ins.get(call.node, {})
        if "fails" in stand_in:
            raise NodeError("The stand-in says that this call fails.", code=str(stand_in["fails"]))
        data: JSON = stand_in.get("data", {})
        return Answer(int(stand_in.get("code", 200)), dict(stand_in.get("headers", {})), data, pretended=True)

    def key(self, definition: dict[str, Any]) -> bytes:
        """The public key where there is one, else material that is no secret: 32 bytes."""
        return str(definition.get("public_key") or "pretended key, 32 bytes, no use.").encode()
