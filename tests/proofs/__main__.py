"""The proofs at full length: `python3 start.py prove [NAME ...]`.

On SQLite, and what touches the database on PostgreSQL again. Prints what each counted; exits 1 where one failed, or
where the two databases didn't answer the same.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.proofs.proof import HERE, names
from tests.suite import postgres

Result = dict[str, Any]

LONGEST_SECONDS = 3600
"""Of one proof; after it, it is taken to hang, and every thread's stack is shown."""

NOTHING_TO_RUN = 5
"""What pytest exits with; on PostgreSQL, where no proof that was asked for touches the database."""


def parse(arguments: list[str]) -> list[str]:
    """The proofs that are asked for; without any, all."""
    there = names()
    parser = argparse.ArgumentParser(
        prog="start.py prove", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"which proofs (default: all): {', '.join(there)}")
    wanted: list[str] = parser.parse_args(arguments).name
    unknown = [name for name in wanted if name not in there]
    if unknown:
        parser.error(f"There is no proof called {', '.join(unknown)}. There are: {', '.join(there)}.")
    return wanted or there


def run(wanted: list[str], database: str, url: str, *more: str) -> tuple[bool, list[Result]]:
    """Whether pytest found nothing wrong, and what the proofs told."""
    files = [str(HERE / f"test_{name}.py") for name in wanted]
    print(f"\n===== {database} =====", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        results = Path(directory) / "results"
        env = {"PROOFS": "full", "PROOFS_RESULTS": str(results), "TEST_DATABASE_URL": url}
        command = [sys.executable, "-m", "pytest", "-q", "-o", f"faulthandler_timeout={LONGEST_SECONDS}", *more]
        code = subprocess.run([*command, *files], cwd=HERE.parent.parent, env=os.environ | env).returncode
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return code in (0, NOTHING_TO_RUN), [json.loads(line) | {"database": database} for line in lines]


def table(results: list[Result]) -> str:
    """What each proof counted, by proof and test."""
    lines, last = [], None
    for one in sorted(results, key=lambda one: (one["proof"], one["test"], one["database"])):
        title = one["proof"], one["test"]
        if title != last:
            lines += ["", f"{one['proof']}: {one['test'].removeprefix('test_').replace('_', ' ')}"]
            last = title
        counts = ", ".join(f"{shown(number)} {what}" for what, number in one.get("counts", {}).items())
        lines.append(f"  {one['outcome']:<8}{one['database']:<12}{one['seconds']:>7.1f} s   {counts}")
    return "\n".join(lines)


def shown(number: float | str) -> str:
    if isinstance(number, str):
        return number
    return f"{number:,.1f}" if isinstance(number, float) else f"{number:,}"


def differences(results: list[Result]) -> list[str]:
    """What should be the same on every database, and isn't."""
    seen: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in results:
        for what, value in one.get("same", {}).items():
            seen[one["proof"], one["test"], what].add(value)
    return [
        f"{proof}: {what} differ between the databases ({test})"
        for (proof, test, what), v in seen.items()
        if len(v) > 1
    ]


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = parse(arguments)
    well, results = run(wanted, "SQLite", "")
    with postgres() as url:
        also_well, more = run(wanted, "PostgreSQL", url, "-m", "not pure and not browser")
    results += more
    wrong = differences(results)
    print("\n".join(["\n===== What was counted =====", table(results), "", *wrong]))
    failed = sum(one["outcome"] == "failed" for one in results) + len(wrong)
    left_out = sum(one["outcome"] == "skipped" for one in results)
    passed = sum(one["outcome"] == "passed" for one in results)
    print(f"{passed} proofs passed, {failed} failed" + (f", {left_out} left out" if left_out else ""))
    return int(failed > 0 or not well or not also_well)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
