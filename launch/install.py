"""The Python environment: `.venv` beside start.py, made and filled once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from launch.place import HERE, PYTHON, VENV, Refusal, say


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
    for way in (venv_as_usual, venv_with_borrowed_pip, venv_by_apt):
        shutil.rmtree(VENV, ignore_errors=True)
        if way():
            return
    shutil.rmtree(VENV, ignore_errors=True)
    raise Refusal(
        "This Python has neither ensurepip nor pip, so nothing can be installed."
        " On Debian or Ubuntu: apt-get install python3-venv; then start again."
    )


def venv_as_usual() -> bool:
    return quietly(sys.executable, "-m", "venv", str(VENV))


def venv_with_borrowed_pip() -> bool:
    """Debian keeps ensurepip in a package of its own. `pip --target` is exempt from PEP 668."""
    site = VENV / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    return quietly(sys.executable, "-m", "venv", "--without-pip", str(VENV)) and quietly(
        sys.executable, "-m", "pip", "install", "--target", str(site), "pip"
    )


def venv_by_apt() -> bool:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    say("Installing Debian's python3-venv ...")
    return quietly("apt-get", "update") and quietly("apt-get", "install", "-y", "python3-venv") and venv_as_usual()


def quietly(*command: str) -> bool:
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


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
