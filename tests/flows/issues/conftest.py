"""Node types that only these tests know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import pytest

from flows.engine.node import NODE_TYPES, Finding, Node, Text


class Ask(Node):
    """Ask a person; in no dynamic API flow."""

    TYPE = "ask"
    LABEL = "Ask"
    EXITS = ("next",)
    OUTPUTS: ClassVar[dict[str, str]] = {"answer": "What the person said."}
    USER_FACING = True

    question: Text = ""


class Picky(Node):
    """Has something to say about its own settings."""

    TYPE = "picky"
    LABEL = "Picky"
    EXITS = ()

    colour: str = "blue"

    def findings(self) -> Iterable[Finding]:
        if self.colour != "blue":
            yield Finding("colour_is_off", f"The colour {self.colour} {{doesn't}} suit it.", "Choose blue.", "warning")


@pytest.fixture(autouse=True)
def _node_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for node_type in (Ask, Picky):
        monkeypatch.setitem(NODE_TYPES, node_type.TYPE, node_type)
