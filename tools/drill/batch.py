# SPDX-License-Identifier: MIT
"""Many scripts: files and directories, in one process or several."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tools.drill.outcome import FAIL, Result
from tools.drill.runner import run_text
from tools.drill.settings import Settings

_FEW = 16
"""So many scripts are done sooner than a second process starts."""


def collect(paths: list[str]) -> list[Path]:
    """The scripts that are meant: files themselves, directories with all below them."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += sorted(path.rglob("*.pkt")) if path.is_dir() else [path]
    return found


def run_file(path: Path, settings: Settings, captures: Path | None = None) -> Result:
    """One script from a file."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        return Result(str(path), FAIL, 0, f"cannot be read: {error}")
    capture = None if captures is None else captures / f"{path.stem}.pcapng"
    return run_text(str(path), text, settings, capture)


def _some(job: tuple[list[Path], Settings, Path | None]) -> list[Result]:
    paths, settings, captures = job
    return [run_file(path, settings, captures) for path in paths]


def run_all(
    paths: list[Path], settings: Settings, captures: Path | None, jobs: int
) -> Iterator[Result]:
    """All results, in the order of the scripts."""
    jobs = jobs or os.cpu_count() or 1
    if jobs < 2 or len(paths) <= _FEW:
        yield from (run_file(path, settings, captures) for path in paths)
        return
    size = max(1, min(32, len(paths) // (jobs * 2)))
    parts = [paths[at : at + size] for at in range(0, len(paths), size)]
    with ProcessPoolExecutor(jobs) as pool:
        for results in pool.map(_some, [(part, settings, captures) for part in parts]):
            yield from results
