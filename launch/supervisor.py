"""Looks after processes: starts them again when they end, with longer and longer pauses, and stops them in order."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from launch.place import HERE, Refusal, say

GRACE_SECONDS = 40
LONGEST_PAUSE_SECONDS = 30
SETTLED_SECONDS = 3  # who can't start has ended by then
STEADY_SECONDS = 60  # who ran this long gets a clean record
POLL_SECONDS = 0.1
FAILURES_BEFORE_READY = 3


def die_with_parent() -> Callable[[], None] | None:
    """For a new child to call: lets Linux end it if this process is killed outright."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent, set_death_signal = ctypes.CDLL(None).prctl, os.getpid(), 1

    def ask() -> None:
        prctl(set_death_signal, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


@dataclass
class Child:
    """A process that should be running, in a group of its own."""

    name: str
    command: Sequence[str]
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0  # not to be started before

    def start(self) -> None:
        self.started = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=HERE,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        """Also reaches what the process left behind in its group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def last_words(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-15:])


def pause_seconds(failures: int) -> float:
    """How long to wait before the next start: 1, 2, 4 ... seconds."""
    return float(min(2 ** max(failures - 1, 0), LONGEST_PAUSE_SECONDS))


@dataclass
class Supervisor:
    """Keeps its children running until it is asked to stop, by SIGINT, SIGTERM or SIGHUP; asked twice, it kills."""

    children: list[Child]
    grace_seconds: float = GRACE_SECONDS
    asked: int = 0
    ready: bool = False
    say: Callable[[str], None] = field(default=lambda text: say(text))

    def ask(self, *_: int | FrameType | None) -> None:
        self.asked += 1

    def start(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self.ask)
        for child in self.children:
            child.start()

    def tick(self) -> None:
        """Notices who ended, and starts again who is due."""
        for child in self.children:
            if child.running():
                continue
            now = time.monotonic()
            if child.process is not None:
                self.bury(child, child.process, now)
            elif now >= child.due:
                child.start()

    def bury(self, child: Child, process: subprocess.Popen[bytes], now: float) -> None:
        child.signal(signal.SIGKILL)
        child.process = None
        child.failures = 1 if now - child.started > STEADY_SECONDS else child.failures + 1
        if not self.ready and child.failures >= FAILURES_BEFORE_READY:
            raise Refusal(f"The {child.name} doesn't start (see {child.log}):\n{child.last_words()}")
        pause = pause_seconds(child.failures)
        child.due = now + pause
        self.say(
            f"The {child.name} ended with {process.returncode}; starting it again in {pause:.0f} s (see {child.log})."
        )

    def run(self) -> None:
        while not self.asked:
            self.tick()
            time.sleep(POLL_SECONDS)

    def steady(self) -> bool:
        """Whether all are running, and not just started."""
        now = time.monotonic()
        return all(child.running() and now - child.started > SETTLED_SECONDS for child in self.children)

    def wait_for(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether it came true in time; children are looked after meanwhile. False too when asked to stop."""
        end = time.monotonic() + seconds
        while not self.asked and time.monotonic() < end:
            self.tick()
            if condition():
                self.ready = True
                return True
            time.sleep(POLL_SECONDS)
        return False

    def stop(self) -> None:
        """In the order of `children` backwards, the broker last: each may finish what it has in hand."""
        end, asked = time.monotonic() + self.grace_seconds, self.asked
        for child in reversed(self.children):
            child.signal(signal.SIGTERM)
            while child.running() and time.monotonic() < end and self.asked <= max(asked, 1):
                time.sleep(POLL_SECONDS)
            child.signal(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
