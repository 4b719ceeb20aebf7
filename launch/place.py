"""Where things are, and how one talks to the person who started it."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"


class Refusal(Exception):
    """What is wrong and what to do about it, in one line."""


def say(text: str) -> None:
    print(text, flush=True)
