# SPDX-License-Identifier: MIT
"""Where a running demo is, for the commands that want to join it.

One small file per demo in the user's runtime directory, and beside it the socket of `control`;
both removed at exit.  A file whose process is gone is ignored and removed by whoever finds it.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tap.ladder import Attachment


@dataclass(frozen=True, slots=True)
class Running:
    """A demo: its process, its wire, and whose namespaces hold the kernel's side (0: ours)."""

    pid: int
    rung: str
    namespace_pid: int

    @property
    def control(self) -> Path:
        """Its control socket."""
        return directory() / f"{self.pid}.sock"

    @property
    def controls(self) -> list[Path]:
        """Those of all its shards, the leader's first: one, unless it has several queues."""
        return [self.control, *sorted(directory().glob(f"{self.pid}.*.sock"))]


def directory() -> Path:
    """The user's own directory for state files."""
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"wskstack-{os.getuid()}"


def follower_control(leader: int, index: int) -> Path:
    """Where the control socket of the shard `index` of the demo `leader` is."""
    return directory() / f"{leader}.{index:02}.sock"


@contextlib.contextmanager
def published(attachment: Attachment) -> Iterator[Path | None]:
    """While the block runs, others can find this demo.  The path for its control socket, if so."""
    place = directory()
    path = place / f"{os.getpid()}.json"
    record = {"rung": attachment.rung, "namespace_pid": attachment.pid}
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        if not _ours(place):
            raise PermissionError(f"{place} belongs to somebody else")
        path.write_text(json.dumps(record))
    except OSError:
        # Only `tools/wsk` misses it.
        yield None
        return
    try:
        yield path.with_suffix(".sock")
    finally:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            place.rmdir()


def find() -> Running | None:
    """The newest running demo of this user."""
    place = directory()
    if not place.is_dir() or not _ours(place):
        return None
    for path in sorted(place.glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True):
        pid = int(path.stem)
        if not _alive(pid):
            path.unlink(missing_ok=True)
            for left in (path.with_suffix(".sock"), *place.glob(f"{pid}.*.sock")):
                left.unlink(missing_ok=True)
            continue
        record = json.loads(path.read_text())
        return Running(pid, str(record["rung"]), int(record["namespace_pid"]))
    return None


def _ours(place: Path) -> bool:
    status = place.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _alive(pid: int) -> bool:
    try:
        return "tools.demo" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
