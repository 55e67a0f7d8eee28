# SPDX-License-Identifier: MIT
"""TCP congestion control: signals in, a window out.  Chosen by name from `ALGORITHMS`."""

from __future__ import annotations

from typing import Final

from stack.tcp.congestion.reno import Reno
from stack.tcp.congestion.seam import CongestionControl

ALGORITHMS: Final[dict[str, type[CongestionControl]]] = {"reno": Reno}
"""Every algorithm by the name users know."""
