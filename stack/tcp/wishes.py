# SPDX-License-Identifier: MIT
"""TCP: what a user asked for instead of the configuration, for the handshake of one connection.

Made by `preferences` when there is such a wish, read through properties of the Tcb.
"""

from __future__ import annotations


class Wishes:
    """What differs."""

    __slots__ = ("buffer", "errors", "initial_window", "syn_retries", "timestamps")

    def __init__(self) -> None:
        self.buffer = 0  # octets held for the user; 0: as configured
        self.errors = False  # any ICMP error ends the attempt
        self.initial_window = 0  # segments; 0: as configured
        self.syn_retries = -1  # negative: until the user time-out
        self.timestamps = True  # False: neither offered nor accepted
