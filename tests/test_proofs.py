"""The command that proves: what it runs, what it prints, and when it fails (tests/proofs/__main__.py)."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.proofs import __main__ as command
from tests.proofs.proof import HERE, Proof, names

ROOT = Path(__file__).resolve().parent.parent


def result(**values: Any) -> dict[str, Any]:
    told = {"proof": "doors", "test": "test_no_door_opens", "database": "SQLite", "outcome": "passed", "seconds": 1.25}
    return told | values


def test_a_proof_is_short_in_the_suite_and_full_under_the_command() -> None:
    assert Proof(full=False).size(10, 10_000) == 10
    assert Proof(full=True).size(10, 10_000) == 10_000


def test_help_names_the_proofs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.parse(["--help"])
    told = capsys.readouterr().out
    assert [name for name in names() if name not in told] == []


def test_an_unknown_proof_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.parse(["nothing"])
    assert ended.value.code == 2
    assert "There is no proof called nothing. There are: " in capsys.readouterr().err


def test_the_table_says_what_each_proof_counted_on_each_database() -> None:
    counts = {"counts": {"doors tried": 20_000, "open": 0, "ms at most": 12.34}}
    told = command.table([result(**counts), result(database="PostgreSQL", outcome="failed")])
    assert told.splitlines() == [
        "",
        "doors: no door opens",
        "  failed  PostgreSQL      1.2 s   ",
        "  passed  SQLite          1.2 s   20,000 doors tried, 0 open, 12.3 ms at most",
    ]


def test_what_differs_between_the_databases_is_told() -> None:
    one, other = result(same={"answers": "a"}), result(database="PostgreSQL", same={"answers": "b"})
    assert command.differences([one, other]) == ["doors: answers differ between the databases (test_no_door_opens)"]
    assert command.differences([one, one]) == []


PASSING = "def test_it_holds(proof):\n    proof.count('tried', proof.size(1, 5))\n"
FAILING = "def test_it_does_not_hold(proof):\n    proof.count('tried', 1)\n    assert not proof.full\n"


def test_the_command_runs_at_full_length_and_keeps_what_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conftest.py").write_text("from tests.proofs.conftest import *\n")
    (tmp_path / "test_good.py").write_text(PASSING)
    (tmp_path / "test_bad.py").write_text(FAILING)
    monkeypatch.setattr(command, "HERE", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    well, results = command.run(["bad", "good"], "SQLite", "", *options)
    assert not well
    told = [(one["proof"], one["outcome"], one["counts"]) for one in results]
    assert told == [("bad", "failed", {"tried": 1}), ("good", "passed", {"tried": 5})]


def test_the_proofs_can_be_asked_for_by_module() -> None:
    command = [sys.executable, "-m", "tests.proofs", "--help"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60)
    assert (done.returncode, "which proofs" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize("file", sorted(HERE.glob("test_*.py")), ids=lambda file: file.stem)
def test_every_proof_notes_what_it_counted(file: Path) -> None:
    functions = [each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.FunctionDef)]
    proofs = [each for each in functions if "proof" in [argument.arg for argument in each.args.args]]
    assert any(each.name.startswith("test_") for each in proofs)


SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_proof_shows_a_promise() -> None:
    assert [name for name in names() if f"`tests/proofs/test_{name}.py`" not in SECURITY] == []


def test_every_promise_names_the_tests_that_show_it() -> None:
    rows = re.findall(
        r"^\|(.+)\|(.+)\|$", SECURITY.partition("## What is promised")[2].partition("## ")[0], re.MULTILINE
    )
    for promise, shown_by in rows[2:]:
        files = re.findall(r"`(tests/\S+\.py)`", shown_by)
        assert files, promise
        assert [file for file in files if not (ROOT / file).is_file()] == []
