# SPDX-License-Identifier: MIT
"""Which congestion controls this kernel has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_AVAILABLE: Final = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


def kernel_congestion() -> list[str]:
    """The congestion controls of this kernel."""
    return _AVAILABLE.read_text().split() if _AVAILABLE.exists() else []
