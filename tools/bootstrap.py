# SPDX-License-Identifier: MIT
"""First use: make an environment, install what is needed, run the program.

    python3 bootstrap.py NAME ARGUMENTS...

Standard library only.  The environment is `.venv` in the checkout, or one in the user's cache if
the checkout is not writable or its environment belongs to somebody else.  What is installed is
what `pyproject.toml` lists; a stamp makes every later start immediate.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {
    "demo": ("demo",),
    "wsk": ("demo",),
    "bench": ("demo",),
    "packetdrill": ("demo",),
    "fuzz": ("demo",),
    "test": ("demo", "test"),
}
OPTIONAL = {"bench": "plots"}
"""What a program is better with, and does without where it cannot be installed."""


def main() -> NoReturn:
    name, arguments = sys.argv[1], sys.argv[2:]
    wanted = requirements(EXTRAS[name])
    python = environment(wanted, "-".join(EXTRAS[name]))
    if name in OPTIONAL:
        offer(python, OPTIONAL[name])
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    module = [str(python), "-m", f"tools.{name}"]
    if name == "test":
        module = [str(python), "-m", "pytest", *default_test_arguments(arguments)]
        os.chdir(ROOT)
    os.execve(python, [*module, *arguments], variables)


def default_test_arguments(arguments: list[str]) -> list[str]:
    """Two processes, unless the caller says otherwise or wants to look inside."""
    said = {"-n", "--numprocesses", "--pdb", "-s", "--collect-only"}
    return [] if said & set(arguments) else ["-n", "2", "--dist", "loadgroup"]


def requirements(extras: tuple[str, ...]) -> list[str]:
    """What pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = list(project["dependencies"])
    for extra in extras:
        listed += project["optional-dependencies"][extra]
    return listed


def environment(wanted: list[str], kind: str) -> Path:
    """The interpreter of an environment that has `wanted`; made if there is none."""
    version = ".".join(map(str, sys.version_info[:3]))
    mark = hashlib.sha256("\n".join([version, *wanted]).encode()).hexdigest()
    for place in places():
        python = place / "bin" / "python"
        stamp = place / f"wskstack-{kind}.stamp"
        with contextlib.suppress(OSError):
            if stamp.read_text() == mark and os.access(python, os.X_OK):
                return python
    for place in places():
        if usable(place):
            make(place, wanted, kind, mark)
            return place / "bin" / "python"
    return fail(
        "no place for an environment: neither the checkout nor the home directory is writable"
    )


def places() -> list[Path]:
    """Where an environment may be, the preferred one first."""
    digest = hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return [ROOT / ".venv", cache / "wskstack" / digest]


def usable(place: Path) -> bool:
    """We may write there, and what is there is ours."""
    if place.exists():
        return os.access(place, os.W_OK) and place.stat().st_uid == os.getuid()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place.parent, os.W_OK)


def make(place: Path, wanted: list[str], kind: str, mark: str) -> None:
    """Create the environment and install into it, saying so."""
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        fail(
            "this Python has no venv. Debian, Ubuntu: sudo apt-get install python3-venv, "
            "then run this again"
        )
    with locked(place):
        stamp = place / f"wskstack-{kind}.stamp"
        if stamp.exists() and stamp.read_text() == mark:
            return  # somebody else was faster
        began = time.monotonic()
        python = place / "bin" / "python"
        if not works(python):
            say(f"first use: making an environment in {place}")
            run([sys.executable, "-m", "venv", "--clear", str(place)], "making it failed")
        for number, requirement in enumerate(wanted, 1):
            say(f"  installing {number}/{len(wanted)}: {requirement.split(';')[0]}")
            run(
                [str(python), "-m", "pip", "install", "-q", "--no-input", requirement],
                f"installing {requirement!r} failed; is there a way to a package index?",
            )
        stamp.write_text(mark)
        say(f"ready after {time.monotonic() - began:.0f} s")


def offer(python: Path, extra: str) -> None:
    """Try once to install `extra` into an environment that is there."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = listed["optional-dependencies"][extra]
    stamp = python.parent.parent / f"wskstack-{extra}.stamp"
    mark = hashlib.sha256("\n".join([sys.version, *wanted]).encode()).hexdigest()
    with contextlib.suppress(OSError):
        if stamp.read_text() == mark:
            return
    say(f"  installing for {extra}: {', '.join(wanted)}")
    words = [str(python), "-m", "pip", "install", "-q", "--no-input", *wanted]
    if subprocess.run(words, capture_output=True).returncode:
        say(f"  that failed; there will be no {extra}")
    with contextlib.suppress(OSError):  # somebody else's environment stays as it is
        stamp.write_text(mark)


def works(python: Path) -> bool:
    """The interpreter of an environment runs, is of our version and has pip."""
    test = f"import sys, pip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    try:
        return subprocess.run([python, "-c", test], capture_output=True).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def locked(place: Path) -> Iterator[None]:
    """One at a time."""
    lock = place.parent / f".{place.name.lstrip('.')}.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def run(command: list[str], trouble: str) -> None:
    """Run quietly; on failure show the end of what it said."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        lines = (result.stdout + result.stderr).strip().splitlines()
        fail("\n".join([*lines[-12:], trouble]))


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    say(f"wskstack: {text}")
    raise SystemExit(2)


if __name__ == "__main__":
    main()
