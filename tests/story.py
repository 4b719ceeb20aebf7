"""Play a page of the documentation: its files are saved, its commands run in order, its answers compared.

    ```json shop.json      saved under that name
    ```sh                  commands
    ```console             commands after `$ `, and below each what it says

What differs each time (tokens, ids, times) is learned where an answer shows it: later commands get what was really
said. `…` stands for any text, alone on a line for any lines, and after an id or a token for the rest of it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import pytest
from click import Command as ClickCommand
from click import Context
from django.core.management import ManagementUtility

import start
from flows.claims import queued
from flows.runs import resume
from tests.pages import ROOT, Block, blocks

SHOWN_URL = "http://127.0.0.1:8000"
NOT_RUN = {"migrate", "check", "copy", "dispatcher"}
"""They are about an operator's own database, or never end; their tests are in tests/chatflow and tests/suite.py."""

_CHANGES = re.compile(
    r"(?P<token>cft_[a-z2-7]{8}_(?:[\w-]{43}|…))|(?P<prefix>cft_[a-z2-7]{8})"
    r"|(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00))"
    r"|(?P<id>[0-9a-f]{32}|[0-9a-f]{8}…)|(?P<duration>\d+ µs)"
)


@dataclass(frozen=True)
class Step:
    """A command of a page, and what the page says that it prints; None where it doesn't say."""

    where: str
    command: str
    shown: str | None


def steps(block: Block) -> Iterator[Step]:
    """The commands of a block; a line that ends in a backslash goes on in the next."""
    is_console = block.language == "console"
    command, shown = "", ""
    for line in block.text.splitlines(keepends=True):
        if command.endswith("\\\n"):
            command += line
        elif is_console and not line.startswith("$ "):
            shown += line
        elif is_console or line.strip():
            if command:
                yield Step(str(block), command.strip(), shown if is_console else None)
            command, shown = line.removeprefix("$ "), ""
    if command:
        yield Step(str(block), command.strip(), shown if is_console else None)


@dataclass
class Story:
    """One page, played in `directory` against the server at `url`."""

    directory: Path
    url: str
    patch: pytest.MonkeyPatch
    really: dict[str, str] = field(default_factory=dict)

    def play(self, page: Path) -> None:
        for block in blocks(page):
            if block.file:
                (self.directory / block.file).write_text(self.real(block.text), encoding="utf-8")
            if block.language in ("sh", "console"):
                for step in steps(block):
                    self.take(step)

    def take(self, step: Step) -> None:
        words = shlex.split(self.real(step.command).replace("\\\n", " "), comments=True)
        with pytest.MonkeyPatch.context() as once:
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0], re.DOTALL):
                once.setenv(*words.pop(0).split("=", 1))
            if not words:
                return
            said = self.run(words)
        if step.shown is not None:
            self.compare(step, said)
        else:
            assert "Error" not in said, f"{step.where}: {step.command}\n{said}"

    def run(self, words: list[str]) -> str:
        program, *rest = words
        if program in (".venv/bin/python", "python"):
            assert rest[0] == "manage.py", f"Only manage.py is run: {words}"
            return self.manage(rest[1:])
        assert program in PROGRAMS, f"Stories know no {program}; see tests/story.py."
        return str(PROGRAMS[program](self, rest))

    def manage(self, words: list[str]) -> str:
        """A command of manage.py, in this process. Of one that is for another machine only the options are read."""
        said = StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            command = ManagementUtility(["manage.py", *words]).fetch_command(words[0])
            if words[0] in NOT_RUN:
                command.create_parser("manage.py", words[0]).parse_args(words[1:])
            else:
                with suppress(SystemExit):  # a refusal; it says CommandError
                    command.run_from_argv(["manage.py", *words])
        return said.getvalue()

    def curl(self, words: list[str]) -> str:
        if shutil.which("curl") is None:
            pytest.skip("There is no curl on this machine.")
        if any("/runs/" in word for word in words):
            self.work()
        done = subprocess.run(["curl", "--noproxy", "*", *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def work(self) -> None:
        """What a worker would have done by now."""
        for run_id in queued(100):
            resume(run_id)

    def python3(self, words: list[str]) -> str:
        """start.py isn't started: its options are read, and it prints what the demo does. Nor is a venv made."""
        if words == ["-m", "venv", start.PYTHON.parent.parent.name] or words[:2] == ["start.py", "test"]:
            return ""
        assert words[0] == "start.py"
        start.parse(words[1:])
        return self.manage(["demo"])

    def copy_or_install(self, words: list[str]) -> str:
        """`cp` and `pip install -r`: the file has to be there."""
        file = words[2] if words[:2] == ["install", "-r"] else words[0]
        assert (ROOT / file).is_file(), f"There is no {file}."
        return ""

    def export(self, words: list[str]) -> str:
        for word in words:
            self.patch.setenv(*word.split("=", 1))
        return ""

    def activate(self, words: list[str]) -> str:
        assert words == [str(start.PYTHON.relative_to(ROOT).with_name("activate"))]
        return ""

    def granian(self, words: list[str]) -> str:
        from granian.cli import cli

        return _options_are_known(cli, words)

    def celery(self, words: list[str]) -> str:
        from celery.bin.worker import worker

        assert words[:3] == ["-A", "chatflow", "worker"]
        return _options_are_known(worker, words[3:])

    def real(self, text: str) -> str:
        """What a page shows, with what was really said in its place."""
        text = text.replace(SHOWN_URL, self.url)
        return _CHANGES.sub(lambda found: self.really.get(found[0], found[0]), text)

    def compare(self, step: Step, said: str) -> None:
        assert step.shown is not None
        said = said.replace(self.url, SHOWN_URL).rstrip("\n")
        pattern, changing = _pattern(step.shown.rstrip("\n"))
        fits = re.fullmatch(pattern, said, re.DOTALL)
        assert fits, f"{step.where}: {step.command}\n--- shown\n{step.shown}--- said\n{said}"
        for shown, real in zip(changing, fits.groups(), strict=True):
            self.learn(shown, real, step)

    def learn(self, shown: str, real: str, step: Step) -> None:
        """From now on `real` stands for `shown`; of a token its prefix too."""
        if shown.startswith("cft_"):
            self.really.setdefault(shown[:12], real[:12])
        known = self.really.setdefault(shown, real)
        assert known == real, f"{step.where}: {shown} was {known}, and is {real} here."


def _pattern(shown: str) -> tuple[str, list[str]]:
    """A pattern for what is shown, with a group for each token and id; and those, as they are shown."""
    changing: list[str] = []
    pattern, at = "", 0
    for found in _CHANGES.finditer(shown):
        like = _LIKE[str(found.lastgroup)]
        pattern += re.escape(shown[at : found.start()])
        at = found.end()
        if found.lastgroup in ("time", "duration"):
            pattern += like
        else:
            pattern += f"({like})"
            changing.append(found[0])
    pattern += re.escape(shown[at:])
    whole_lines = re.sub(r"(?:(?<=\\\n)|\A)…(?=\\\n|\Z)", ".*", pattern)
    return whole_lines.replace("…", r"[^\n]*"), changing


_LIKE = {
    "token": r"cft_[a-z2-7]{8}_[\w-]{43}",
    "prefix": r"cft_[a-z2-7]{8}",
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)",
    "id": r"[0-9a-f]{32}",
    "duration": r"\d+ µs",
}


def _options_are_known(command: ClickCommand, words: list[str]) -> str:
    """A server isn't started; its command line is read."""
    command.make_parser(Context(command)).parse_args(list(words))
    return ""


PROGRAMS = {
    "curl": Story.curl,
    "python3": Story.python3,
    "cp": Story.copy_or_install,
    "pip": Story.copy_or_install,
    "export": Story.export,
    ".": Story.activate,
    "granian": Story.granian,
    "celery": Story.celery,
}
