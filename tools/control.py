# SPDX-License-Identifier: MIT
"""The control channel of a running demo: a Unix stream socket beside its state file.

    -> {"do": "addresses", "stack": "stack"}
    <- {"ok": [...]}                         or {"error": "a line for people"}

One JSON object a line, each way.  Requests are carried out on the stack's own thread, one at a
time; how many may be connected, how long a line may be and how long anybody is waited for is
bounded.  The socket is the user's own (mode 0600 in a directory of mode 0700, and the peer's user
is looked at), says nothing secret, and is removed at exit.

`serving` is called by `tools/demo`; `Client` by `tools/wsk`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from stack.base.seam import Executor
from stack.compartment import Compartment
from stack.core import Stack
from tools import inspect_stack, probe_stack
from tools.change_stack import CHANGES, Refused, address

LINE: Final = 64 * 1024
"""Octets of a request at most."""
_ANSWER: Final = 64 * 1024 * 1024
_CONNECTIONS: Final = 8
_PATIENCE: Final = 10.0
"""Seconds that a connection may say nothing, and that the stack may take."""
_NAME: Final = 100
"""Octets of a socket's path that every system takes."""


class Server:
    """Answers for some stacks that one executor turns."""

    def __init__(self, path: Path, executor: Executor, stacks: Mapping[str, Stack]) -> None:
        self._path = path
        self._executor = executor
        self._stacks = stacks
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            path.unlink(missing_ok=True)
            with _short(path) as name:
                self._socket.bind(name)
            path.chmod(0o600)
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(_CONNECTIONS)
        self._thread = threading.Thread(target=self._accept, name="wsk control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No more requests; the socket is gone."""
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._socket.close()
        self._thread.join(_PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            if not _allowed(peer) or not self._slots.acquire(blocking=False):
                peer.close()
                continue
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            with peer, contextlib.suppress(OSError, ValueError):
                peer.settimeout(_PATIENCE)
                with peer.makefile("rwb") as lines:
                    while line := lines.readline(LINE + 1):
                        answer = self.answer(line)
                        lines.write(json.dumps(answer).encode() + b"\n")
                        lines.flush()
                        if len(line) > LINE:
                            return
        finally:
            self._slots.release()

    def answer(self, line: bytes) -> dict[str, Any]:
        """One request."""
        if len(line) > LINE:
            return {"error": "the request is too long"}
        try:
            asked = json.loads(line)
        except ValueError:
            return {"error": "the request is not JSON"}
        if not isinstance(asked, dict):
            return {"error": "the request is not an object"}
        try:
            return {"ok": self._carry_out(asked)}
        except Refused as why:
            return {"error": str(why)}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"the request is not understood: {error!r}"}

    def _carry_out(self, asked: dict[str, Any]) -> Any:
        what = str(asked.get("do", ""))
        if what == "stacks":
            return list(self._stacks)
        stack = self._find(str(asked.get("stack", "")))
        if what in inspect_stack.LOOKS:
            look = inspect_stack.LOOKS[what]
            return self._inside(lambda: look(stack))
        if what in CHANGES:
            return self._inside(lambda: CHANGES[what](stack, asked))
        if what == "route-get":
            return self._inside(lambda: inspect_stack.way(stack, address(str(asked["address"]))))
        if what == "probe":
            return probe_stack.probe(stack, self._executor, asked)
        raise Refused(f"nobody knows how to do {what!r}")

    def _find(self, name: str) -> Compartment:
        """A stack by name, the first one if none is given; `name:2` is a further compartment."""
        first, _, number = name.partition(":")
        stack = self._stacks.get(first) if first else next(iter(self._stacks.values()))
        if stack is None:
            raise Refused(f"there is no stack {first!r}; there are {', '.join(self._stacks)}")
        if not number:
            return stack
        for compartment in stack.compartments:
            if str(compartment.number) == number:
                return compartment
        raise Refused(f"{first} has no compartment {number}")

    def _inside(self, work: Callable[[], Any]) -> Any:
        """Do it on the stack's thread."""
        return inside(self._executor, work)


def inside(executor: Executor, work: Callable[[], Any]) -> Any:
    """The result of `work`, done on the stack's thread; its exceptions are the caller's."""
    done = threading.Event()
    results: list[Any] = []
    troubles: list[Exception] = []

    def task() -> None:
        try:
            results.append(work())
        except Exception as error:  # noqa: BLE001 - it is the asker's, and must not end the stack
            troubles.append(error)
        done.set()

    executor.submit(task)
    if not done.wait(_PATIENCE):
        raise Refused("the stack does not answer")
    if troubles:
        raise troubles[0]
    return results[0]


def _allowed(peer: socket.socket) -> bool:
    """The same user, or root."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, option, size))
    return user in (os.getuid(), 0)


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a socket address."""
    if len(os.fsencode(path)) <= _NAME:
        yield str(path)
        return
    place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{place}/{path.name}"
    finally:
        os.close(place)


@contextlib.contextmanager
def serving(path: Path | None, executor: Executor, stacks: Mapping[str, Stack]) -> Iterator[None]:
    """While the block runs, `stacks` can be looked at through a socket at `path`."""
    try:
        server = None if path is None else Server(path, executor, stacks)
    except OSError:
        server = None  # only looking is not possible then
    if server is None:
        yield
        return
    server.start()
    try:
        yield
    finally:
        server.stop()


class Trouble(Exception):
    """The other side refused, or is gone."""


class Client:
    """Asks a running demo."""

    def __init__(self, path: Path, stack: str = "", patience: float = _PATIENCE + 5) -> None:
        self.stack = stack
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(patience)
        try:
            with _short(path) as name:
                self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise Trouble(f"the demo's control socket: {error.strerror or error}") from None
        self._lines = self._socket.makefile("rwb")

    def ask(self, what: str, **more: Any) -> Any:
        """What the answer has under "ok".  Raises Trouble with what it has under "error"."""
        asked = {"do": what, "stack": self.stack, **more}
        try:
            self._lines.write(json.dumps(asked).encode() + b"\n")
            self._lines.flush()
            answer = json.loads(self._lines.readline(_ANSWER) or b'{"error": "the demo is gone"}')
        except (OSError, ValueError) as error:
            raise Trouble(f"the demo's control socket: {error}") from None
        if "error" in answer:
            raise Trouble(str(answer["error"]))
        return answer["ok"]

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what was not sent is not missed
            self._lines.close()
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
