# SPDX-License-Identifier: MIT
"""A `Trace` that writes to `logging`: what `tools/demo --trace` shows."""

from __future__ import annotations

import logging

from stack.base import addr, fate
from stack.base.seam import Trace
from stack.tcp.names import STATE_NAMES

log = logging.getLogger("wskstack.trace")


class LogTrace(Trace):
    """One log record per happening."""

    def dropped(self, reason: int, frame: bytes, offset: int) -> None:
        log.info("drop %s (%d octets)", fate.NAMES[reason], len(frame))

    def address(self, nic: str, address: bytes, state: str) -> None:
        log.info("%s: %s is %s", nic, addr.text(address), state)

    def name(self, nic: str, name: str, state: str) -> None:
        log.info("%s: %s is %s", nic, name, state)

    def tcp_state(self, flow: str, old: int, new: int) -> None:
        log.info("%s %s -> %s", flow, STATE_NAMES[old], STATE_NAMES[new])
