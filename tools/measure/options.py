# SPDX-License-Identifier: MIT
"""What only some versions of the stack and some kernels can do; asked for in one place."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Final

from stack.tcp.congestion import ALGORITHMS
from tap.thread import ThreadRuntime

_AVAILABLE: Final = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
_BUSY: Final = "busy_poll"


def can_poll() -> bool:
    """The runtime has an option to poll before it sleeps."""
    return _BUSY in inspect.signature(ThreadRuntime).parameters


def runtime_with(busy: int) -> ThreadRuntime:
    """A runtime that polls for `busy` nanoseconds before it sleeps."""
    if not busy:
        return ThreadRuntime()
    wanted: dict[str, Any] = {_BUSY: busy}
    return ThreadRuntime(**wanted)


def kernel_congestion() -> list[str]:
    """The congestion controls of this kernel."""
    return _AVAILABLE.read_text().split() if _AVAILABLE.exists() else []


def own_congestion(name: str) -> str:
    """What the stack uses to be like the kernel's `name`: the same, or its default."""
    return name if name in ALGORITHMS else "reno"
