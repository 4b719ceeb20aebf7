"""What authors write can't execute, read an attribute, hang or swell: hundreds of hostile texts in every setting, and bombs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from flows.engine.node import NODE_TYPES, Filled
from tests.proofs.attacked import places
from tests.proofs.proof import Proof

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_MILLISECONDS, MOST_MEBIBYTES = 100, 32


def attacked(what: str, share: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.proofs.attacked", what, str(share)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_hostile_texts_are_literals_or_typed_errors(proof: Proof) -> None:
    found = attacked("attacks", proof.size(60, 1))
    proof.count("attacks", found["texts"])
    proof.count("settings", found["places"])
    proof.count("tries", found["tried"])
    proof.count("executed", len(found["executed"]))
    proof.count("other than a typed error, an issue or a value", len(found["crashed"]))
    report_bars(proof, found)
    assert found["executed"][:5] == []
    assert found["crashed"][:5] == []
    assert found["texts"] >= 300


def test_bombs_neither_hang_nor_swell(proof: Proof) -> None:
    found = attacked("bombs", proof.size(20, 1))
    proof.count("bombs", found["tried"])
    report_bars(proof, found)
    assert found["crashed"] == []
    assert found["tried"] >= proof.size(8, 60)


def report_bars(proof: Proof, found: dict[str, Any]) -> None:
    proof.count("ms at most", found["milliseconds"])
    proof.count("MiB at most", found["mebibytes"])
    proof.count(f"over {MOST_MILLISECONDS} ms or {MOST_MEBIBYTES} MiB", len(found["over"]))
    assert not proof.full or found["over"] == []


def test_every_setting_that_is_filled_in_is_attacked(proof: Proof) -> None:
    """A new setting needs a golden case that uses it; then it is attacked too."""
    attacked_ones = {
        (name, [key for key in path if not isinstance(key, int)][1]) for name, _, path in places() if len(path) > 1
    }
    missing = [
        (name, setting)
        for name, node_type in NODE_TYPES.items()
        if node_type.__module__.startswith("flows.nodes.")
        for setting in filled(node_type)
        if (name, setting) not in attacked_ones
    ]
    proof.count("settings", len(attacked_ones))
    proof.count("never attacked", len(missing))
    assert missing == []


def filled(model: type[BaseModel]) -> list[str]:
    """The settings that hold references, and those that are groups of settings."""
    fields = model.model_fields.items()
    return [
        info.alias or name
        for name, info in fields
        if any(isinstance(mark, Filled) for mark in info.metadata) or "[" in str(info.annotation)
        if "Literal" not in str(info.annotation) and name not in ("payload_schema", "sample")
    ]
