# SPDX-License-Identifier: MIT
"""Namespaces without privilege: making one, living in one, joining one (namespaces(7)).

A *holder* is a child process that makes a user and a network namespace, opens the device in it,
configures the kernel's side, passes the descriptor out and then only stays, so that others can
join through its pid.  The stack itself never enters: a TAP's descriptor works from anywhere.

The steps are separate so that the one that fails can be named.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tap.ioctls import NODE, OpenTap

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_ROOT: Final = Path(__file__).resolve().parent.parent
_TIMEOUT: Final = 20.0

MAX_QUEUES: Final = 64
"""Descriptors that one message of a holder carries; the kernel would have more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a holder is to build.

    kind        "tap" or "veth"
    queues      of the TAP; a packet socket has one
    addresses   the kernel's side: (address, prefix length)
    """

    kind: str
    name: str = "wsk0"
    node: str = NODE
    mtu: int = 1500
    offload: bool = True
    queues: int = 1
    addresses: tuple[tuple[str, int], ...] = ()


class StepError(Exception):
    """A step of the way did not work.  `step` names it, `errno` says why."""

    def __init__(self, step: str, number: int, text: str) -> None:
        super().__init__(f"{step}: {text}")
        self.step = step
        self.errno = number


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """unshare(2).  Raises OSError."""
    if _libc().unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def join(pid: int) -> None:
    """Enter the user and network namespace of `pid` (setns(2)).

    Only for a process with one thread; what it starts afterwards is inside.  Raises OSError.
    """
    libc = _libc()
    for kind, flag in (("user", _CLONE_NEWUSER), ("net", _CLONE_NEWNET)):
        path = f"/proc/{pid}/ns/{kind}"
        if os.stat(path).st_ino == os.stat(f"/proc/self/ns/{kind}").st_ino:
            continue
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(fd, flag):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), path)
        finally:
            os.close(fd)


def enter_new(network_only: bool = False) -> None:
    """Leave for a new user and network namespace, in which we are root.

    Raises StepError naming what failed: "user namespace", "id map" or "network namespace".
    """
    uid, gid = os.getuid(), os.getgid()
    if not network_only:
        with _step("user namespace"):
            unshare(_CLONE_NEWUSER)
        with _step("id map"):
            with contextlib.suppress(FileNotFoundError):
                _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"0 {uid} 1")
            _write("/proc/self/gid_map", f"0 {gid} 1")
    with _step("network namespace"):
        unshare(_CLONE_NEWNET)


class Holder:
    """A running holder process and what it passed out."""

    def __init__(
        self, process: subprocess.Popen[bytes], sock: socket.socket, queues: list[OpenTap]
    ) -> None:
        self._process = process
        self._sock = sock
        self.queues = queues

    @property
    def tap(self) -> OpenTap:
        """The device, by its first queue."""
        return self.queues[0]

    @property
    def pid(self) -> int:
        """Whose namespaces to join."""
        return self._process.pid

    def close(self) -> None:
        """Let the holder go; with it and the descriptor, everything it made disappears."""
        self._sock.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def hold(plan: Plan) -> Holder:
    """Start a holder for `plan`.  Raises StepError."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tap.holder", str(theirs.fileno()), json.dumps(asdict(plan))],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            start_new_session=True,  # Ctrl-C is for us; the holder goes when we close the socket
        )
    try:
        answer, fds = _receive(ours)
    except (OSError, ValueError) as error:
        process.kill()
        process.wait()
        ours.close()
        raise StepError("holder", errno.EIO, str(error) or "it did not answer") from None
    if "step" in answer:
        process.wait()
        ours.close()
        raise StepError(str(answer["step"]), int(answer["errno"]), str(answer["text"]))
    name, header, features = str(answer["name"]), int(answer["header"]), int(answer["features"])
    return Holder(process, ours, [OpenTap(fd, name, header, features) for fd in fds])


def send(sock: socket.socket, answer: dict[str, str | int], fds: Sequence[int] = ()) -> None:
    """The holder's one message: JSON, with the descriptors there are."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([json.dumps(answer).encode()], rights)


def _receive(sock: socket.socket) -> tuple[dict[str, str | int], list[int]]:
    sock.settimeout(_TIMEOUT)
    data, fds, _, _ = socket.recv_fds(sock, 65536, MAX_QUEUES)
    sock.settimeout(None)
    if not data:
        raise ValueError("it ended before it was ready")
    for fd in fds:
        os.set_inheritable(fd, False)
    return json.loads(data), fds


@contextlib.contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StepError(name, error.errno or errno.EIO, error.strerror or str(error)) from None


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
