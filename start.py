#!/usr/bin/env python3
"""Chatflow from nothing, with Python alone.

    python3 start.py [--port N] [--data DIR]   install, migrate, make the demo, and serve until Ctrl-C
    python3 start.py test [pytest arguments]   install the test tools too, and run the whole suite
    python3 start.py chaos [--minutes N]       kill, freeze and cut its parts under load, and count what was lost
    python3 start.py prove [NAME ...]          attack it at full length, and count what got through

A DATABASE_URL or a REDIS_URL in the environment or in .env takes the place of the embedded database or broker.
"""

import sys

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit("start.py: Chatflow needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))

import argparse
import os
import signal
from pathlib import Path

from launch.install import install
from launch.place import HERE, PYTHON, Refusal
from launch.serve import serve

FOR_TESTERS = {
    "test": ["tests/suite.py"],
    "chaos": ["-m", "tests.chaos"],
    "prove": ["-m", "tests.proofs"],
}
"""Each takes the arguments that follow; these need the test tools."""


def examine(how: str, arguments: list[str]) -> None:
    install("requirements-dev.txt")
    os.chdir(HERE)
    os.execv(PYTHON, [str(PYTHON), *FOR_TESTERS[how], *arguments])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="start.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8000, help="where the web server listens (default: 8000)")
    parser.add_argument(
        "--data", type=Path, default=HERE / ".data", metavar="DIR", help="database and logs (default: .data)"
    )
    options = parser.parse_args(arguments)
    if not 1 <= options.port <= 65535:
        parser.error("--port is a number from 1 to 65535")
    return options


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if arguments and arguments[0] in FOR_TESTERS:
            examine(arguments[0], arguments[1:])
        else:
            options = parse(arguments)
            serve(options.port, options.data.resolve())
    except Refusal as refusal:
        print(f"start.py: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read what it says has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
