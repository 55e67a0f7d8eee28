# SPDX-License-Identifier: MIT
"""A second kernel where the demo has the stack: behind the same wire, at the same addresses.

`DemoWorld` with an impairment is a kernel, a TAP, an `ImpairedPort` and the stack; `KernelPair` is
a kernel, a TAP, an `ImpairedPort` and, by way of a patch cable, the TAP of another kernel.  Whoever
asks from the first kernel cannot tell which it is but by what is answered.
"""

from __future__ import annotations

import time

from tap import netns
from tap.fdport import FdPort
from tap.impair import ImpairedPort, Impairment
from tap.ladder import STACK_ADDRESSES, STACK_MAC, Refused, Wish, attach, namespace_reason
from tap.netns import Plan, StepError
from tap.patch import Patch


class KernelPair:
    """Two kernels, each in namespaces of its own.  Raises Refused where that cannot be had."""

    def __init__(self, impairment: Impairment, seed: int, offload: bool = False) -> None:
        self._near = attach(Wish(wire="userns", offload=offload))
        try:
            self._far = netns.hold(Plan("tap", offload=offload, addresses=STACK_ADDRESSES))
        except StepError as error:
            self._near.port.close()
            self._near.close()
            raise Refused(namespace_reason(error)) from None
        tap = self._far.tap
        self.port = ImpairedPort(
            self._near.port, time.monotonic_ns, impairment, impairment, seed, offload
        )
        self.patch = Patch(
            self.port, FdPort(tap.fd, STACK_MAC, self.port.mtu, tap.header, tap.features)
        )
        self.patch.start()

    @property
    def near(self) -> int:
        """The process in whose namespaces the asking kernel is."""
        return self._near.pid

    @property
    def far(self) -> int:
        """And that of the kernel in the stack's place."""
        return self._far.pid

    def stop(self) -> None:
        """Leave nothing behind."""
        self.patch.stop()
        self._near.close()
        self._far.close()
