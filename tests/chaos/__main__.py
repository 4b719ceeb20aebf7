"""`python3 start.py chaos`: breaks a whole Chatflow of real processes under load, and counts what became of it."""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.databases import DATABASES
from tests.chaos.report import Report, table
from tests.chaos.scale import Scale
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stack import Late, Stack

MINUTES = 5.0
ROUND_SHARE = 0.1
"""Of the full size, for a scenario that is played again and again."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="start.py chaos", description=__doc__)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="play them round and round, smaller, for so long; soak: once, so long",
    )
    parser.add_argument("--seed", type=int, help="what to do when comes from this number; default: another each time")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both", help="default: both")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.scenario if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    if options.minutes is not None and options.minutes <= 0:
        parser.error("--minutes is more than 0")
    if options.minutes is None and not options.scenario:
        options.minutes = MINUTES
    if options.seed is None:
        options.seed = random.randrange(1_000_000)
    return options


def rounds(options: argparse.Namespace, minutes: float | None) -> Iterator[tuple[str, Scale]]:
    """What to play next: each once in full, or smaller ones until the time is over."""
    names = options.scenario or [name for name in SCENARIOS if name != "soak"]
    if minutes is None:
        yield from ((name, Scale(1, bars=True, seed=options.seed)) for name in names)
        return
    end = time.monotonic() + minutes * 60
    for number, name in enumerate(itertools.cycle(names)):
        left = (end - time.monotonic()) / 60
        if number and left <= 0:
            return
        yield name, Scale(ROUND_SHARE, bars=True, seed=options.seed + number, minutes=left)


def play(database: str, options: argparse.Namespace, minutes: float | None) -> list[Report]:
    """Play on a stack of its own. Its directory is kept where something failed."""
    data = Path(tempfile.mkdtemp(prefix="chatflow-chaos-"))
    reports: list[Report] = []
    try:
        with Stack(data, database, seed=options.seed) as stack:
            for name, scale in rounds(options, minutes):
                print(f"{time.strftime('%H:%M:%S')} {name} on {database}, seed {scale.seed} ...", flush=True)
                reports.append(examine(stack, name, scale))
                print(table(reports[-1:]).partition("\n")[2], flush=True)
                if reports[-1].broken:
                    break
    except KeyboardInterrupt:
        shutil.rmtree(data, ignore_errors=True)
        raise
    if all(report.passed for report in reports):
        shutil.rmtree(data, ignore_errors=True)
    else:
        print(f"Data and logs are kept: {data}")
    return reports


def examine(stack: Stack, name: str, scale: Scale) -> Report:
    """One scenario, and everything whole again after it. One that gets stuck has failed."""
    began = time.monotonic()
    try:
        report = SCENARIOS[name](stack, scale)
        stack.heal()
    except Late as late:
        report = Report(name, stack.database.name, problems=[str(late)], broken=True)
    report.seconds = time.monotonic() - began
    stack.forget()
    return report


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background SIGINT may be ignored
        signal.signal(number, signal.default_int_handler)
    databases = list(DATABASES) if options.database == "both" else [options.database]
    minutes = options.minutes / len(databases) if options.minutes else None
    print(f"Chaos with seed {options.seed} on {' and '.join(databases)}. Ctrl-C stops it all.", flush=True)
    try:
        reports = [report for database in databases for report in play(database, options, minutes)]
    except KeyboardInterrupt:
        print("Stopped.")
        return 130
    except Late as late:
        print(late)
        return 1
    print(f"\n{table(reports)}")
    failed = sum(not report.passed for report in reports)
    print(f"\n{len(reports) - failed} scenarios passed, {failed} failed.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
