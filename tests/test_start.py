"""start.py: what it refuses, what it installs when, and how it looks after its children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import start
from launch import install, serve, supervisor
from launch.place import Refusal
from launch.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parent.parent
OBEDIENT = "import time\nprint('here', flush=True)\ntime.sleep(600)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(600)"
)
BROKEN = "raise SystemExit('no such thing')"


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[str, str], Child]]:
    """Makes children that run a Python program, and ends them with the test."""
    made: list[Child] = []

    def make(name: str, program: str) -> Child:
        made.append(Child(name, [sys.executable, "-c", program], dict(os.environ), tmp_path / f"{name}.log"))
        return made[-1]

    yield make
    for one in made:
        one.signal(signal.SIGKILL)
        if one.process is not None:
            one.process.wait()


@pytest.fixture
def supervise(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Supervisor, list[str]]]]:
    """Makes supervisors that wait for nothing, and puts the handlers of signals back after the test."""
    monkeypatch.setattr(supervisor, "POLL_SECONDS", 0.01)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    def make(*children: Child, grace_seconds: float = 30) -> tuple[Supervisor, list[str]]:
        said: list[str] = []
        return Supervisor(list(children), grace_seconds=grace_seconds, say=said.append), said

    yield make
    for number, handler in before.items():
        signal.signal(number, handler)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, "It never came true."
        time.sleep(0.01)


def is_up(child: Child) -> bool:
    return child.log.exists() and "here" in child.log.read_text()


# --- What it refuses -------------------------------------------------------------------------------------------------


def test_a_taken_port_is_refused_in_one_line_that_names_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refusal) as refusal:
            serve.refuse_taken_port(port)
    assert f"Port {port} can't be used" in str(refusal.value)
    assert f"--port {port + 1}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_port_is_looked_at_before_anything_is_installed(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(ROOT / "start.py"), "--port", port, "--data", str(tmp_path / "data")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"start.py: Port {port} can't be used")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_what_is_no_port_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        start.parse(["--port", port])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_an_older_python_is_told_so_in_one_line() -> None:
    program = f"import sys; sys.version_info = (3, 10, 4); exec(open({str(ROOT / 'start.py')!r}).read())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr == "start.py: Chatflow needs Python 3.11 or newer; this is 3.10.\n"


def test_two_servers_do_not_share_a_data_directory(tmp_path: Path) -> None:
    serve.make_room(tmp_path)
    with serve.alone_in(tmp_path), pytest.raises(Refusal, match="--data DIR"), serve.alone_in(tmp_path):
        pass


def test_a_folder_that_was_there_keeps_its_mode_and_what_lies_in_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "metrics").mkdir()
    for name in ("notes.txt", "counter_12.db"):
        (tmp_path / "metrics" / name).touch()
    (tmp_path / "secret_key").touch(mode=0o644)
    serve.make_room(tmp_path)
    with serve.alone_in(tmp_path):
        serve.forget_counters(tmp_path)
        (tmp_path / "chatflow.sqlite3").touch()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [file.name for file in (tmp_path / "metrics").iterdir()] == ["notes.txt"]
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("secret_key", "chatflow.sqlite3")} == {0o600}


def test_a_folder_that_it_makes_is_its_owners_alone(tmp_path: Path) -> None:
    serve.make_room(tmp_path / "new" / "data")
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("below", ["", "more"])
def test_a_file_in_the_place_of_the_folder_is_refused_in_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match=r"can't hold the data .*--data DIR$"):
        serve.make_room(tmp_path / "file" / below)


# --- What it installs ------------------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds an environment which looks complete."""
    monkeypatch.setattr(serve, "HERE", tmp_path)
    monkeypatch.setattr(install, "HERE", tmp_path)
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    (tmp_path / "requirements.txt").write_text("six==1.16.0\n")
    install.PYTHON.parent.mkdir(parents=True)
    install.PYTHON.touch()
    (tmp_path / ".venv" / "requirements.txt.installed").write_text(install.fingerprint("requirements.txt"))
    return tmp_path


def test_nothing_is_installed_twice(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "make_venv", lambda: pytest.fail("It would install again."))
    install.install("requirements.txt")


def test_other_requirements_are_installed(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (house / "requirements.txt").write_text("six==1.17.0\n")

    def stop() -> None:
        raise Refusal("It installs.")

    monkeypatch.setattr(install, "make_venv", stop)
    with pytest.raises(Refusal, match="It installs"):
        install.install("requirements.txt")


def test_another_python_makes_another_fingerprint(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = install.fingerprint("requirements.txt")
    monkeypatch.setattr(sys, "version", "3.99.0")
    assert install.fingerprint("requirements.txt") != before


def test_the_reason_of_a_failed_install_is_the_line_that_pip_calls_an_error() -> None:
    output = "Collecting six\nERROR: No matching distribution found for six==99\n\n[notice] A new release of pip\n"
    assert install.reason(output) == "ERROR: No matching distribution found for six==99"


# --- What it hands its children --------------------------------------------------------------------------------------


def test_the_environment_wins_over_the_file_and_both_over_what_is_embedded(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house / ".env").write_text("# parts\nREDIS_URL='redis://cache.example/1'\nexport LOG_LEVEL=DEBUG\n")
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    monkeypatch.delenv("REDIS_URL", raising=False)
    env = serve.environment("http://127.0.0.1:8000", house)
    assert (env["REDIS_URL"], env["LOG_LEVEL"]) == ("redis://cache.example/1", "ERROR")
    assert "CHATFLOW_BROKER" not in env


def test_without_a_broker_one_is_embedded(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    env = serve.environment("http://127.0.0.1:8000", house)
    assert env["CHATFLOW_BROKER"] == "embedded"
    assert env["REDIS_URL"].startswith("redis://127.0.0.1:")


def test_what_manage_needs_is_kept_where_only_the_owner_reads_it(tmp_path: Path) -> None:
    serve.keep_for_manage({"DEBUG": "1", "PUBLIC_URL": "http://127.0.0.1:8000", "PATH": "/bin"}, tmp_path)
    assert (tmp_path / "start.env").read_text() == "DEBUG=1\nPUBLIC_URL=http://127.0.0.1:8000\n"
    assert (tmp_path / "start.env").stat().st_mode & 0o777 == 0o600


# --- How it looks after its children ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (99, 30)])
def test_the_pause_before_another_start_doubles_up_to_half_a_minute(failures: int, seconds: int) -> None:
    assert supervisor.pause_seconds(failures) == seconds


def test_who_ends_is_started_again(
    child: Callable[[str, str], Child], supervise: Callable[..., tuple[Supervisor, list[str]]]
) -> None:
    worker = child("worker", OBEDIENT)
    boss, said = supervise(worker)
    boss.start()
    wait_until(lambda: is_up(worker))
    worker.signal(signal.SIGKILL)
    wait_until(lambda: not worker.running())
    boss.tick()
    assert said == [f"The worker ended with -9; starting it again in 1 s (see {worker.log})."]
    assert not worker.running()
    worker.due = 0
    boss.tick()
    assert worker.running()


def test_who_never_starts_is_given_up_with_its_last_words(
    child: Callable[[str, str], Child], supervise: Callable[..., tuple[Supervisor, list[str]]]
) -> None:
    web = child("web", BROKEN)
    boss, _ = supervise(web)
    boss.start()

    def tick() -> bool:
        web.due = 0
        boss.tick()
        return False

    with pytest.raises(Refusal, match=r"The web doesn't start[\s\S]*no such thing"):
        wait_until(tick)


def test_the_last_child_stops_first(
    child: Callable[[str, str], Child], supervise: Callable[..., tuple[Supervisor, list[str]]]
) -> None:
    ended: list[str] = []
    broker, web = child("broker", OBEDIENT), child("web", OBEDIENT)
    boss, _ = supervise(broker, web)
    boss.start()
    wait_until(lambda: is_up(broker) and is_up(web))
    for one in (broker, web):
        one.signal = lambda number, one=one, send=one.signal: (ended.append(one.name), send(number))[1]  # type: ignore[method-assign]
    boss.stop()
    assert list(dict.fromkeys(ended)) == ["web", "broker"]
    assert not broker.running()
    assert not web.running()


def test_who_does_not_stop_in_time_is_killed(
    child: Callable[[str, str], Child], supervise: Callable[..., tuple[Supervisor, list[str]]]
) -> None:
    worker = child("worker", STUBBORN)
    boss, _ = supervise(worker, grace_seconds=0.1)
    boss.start()
    wait_until(lambda: is_up(worker))
    boss.stop()
    assert not worker.running()


def test_asked_twice_it_kills_without_grace(
    child: Callable[[str, str], Child], supervise: Callable[..., tuple[Supervisor, list[str]]]
) -> None:
    worker = child("worker", STUBBORN)
    boss, _ = supervise(worker, grace_seconds=600)
    boss.start()
    wait_until(lambda: is_up(worker))
    os.kill(os.getpid(), signal.SIGTERM)
    wait_until(lambda: boss.asked == 1)
    signal.signal(signal.SIGALRM, lambda *_: boss.ask())
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    boss.stop()
    assert not worker.running()


def test_children_of_children_end_too(
    child: Callable[[str, str], Child], supervise: Callable[..., tuple[Supervisor, list[str]]], tmp_path: Path
) -> None:
    grandchild = tmp_path / "grandchild"
    program = (
        "import pathlib, subprocess, sys, time\n"
        "made = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(grandchild)!r}).write_text(str(made.pid))\n"
        "print('here', flush=True)\ntime.sleep(600)"
    )
    web = child("web", program)
    boss, _ = supervise(web)
    boss.start()
    wait_until(lambda: is_up(web))
    boss.stop()
    wait_until(lambda: not alive(int(grandchild.read_text())))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only Linux tells a child that its parent died.")
def test_children_do_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from launch.supervisor import Child\n"
        f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
        f"one = Child('web', [sys.executable, '-c', {OBEDIENT!r}], dict(os.environ), log)\n"
        "one.start()\n"
        "print(one.process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        wait_until(lambda: "here" in (tmp_path / "log").read_text())
        parent.kill()
    wait_until(lambda: not alive(pid))


def alive(pid: int) -> bool:
    """Whether the process runs: one that ended and that nobody asked about yet (Z) doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
