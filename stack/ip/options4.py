# SPDX-License-Identifier: MIT
"""Floor 4: IPv4 options, received and given back (RFC 791 3.1, RFC 1122 3.2.1.8, RFC 7126).

Done: every option is checked for its length, record route and timestamp for their pointers too;
the answer to an echo request gets both with this host added (RFC 1122 3.2.2.6), and so does what a
router passes on (RFC 1812 5.3.13.5-6).  Source routes are refused in silence: RFC 7126 4.3 and 4.4
advise to drop them, and an error would tell whoever tries that somebody is there.
Not done: the clock of the timestamp option is not Universal Time, and says so.

Called by `v4`, `icmp4` and `forward`.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from stack.base import fate
from stack.base.units import MS
from stack.wire import ipv4

_RECORDING: Final = (ipv4.OPT_RECORD_ROUTE, ipv4.OPT_TIMESTAMP)
_FIRST_ROUTE: Final = 4
_FIRST_STAMP: Final = 5
_STAMPS_ONLY: Final = 0
_WITH_ADDRESSES: Final = 1
_PRESCRIBED: Final = 3
_SIZES: Final = {_STAMPS_ONLY: 4, _WITH_ADDRESSES: 8, _PRESCRIBED: 8}
_NONSTANDARD: Final = 1 << 31
"""The time is not milliseconds since midnight UT (RFC 791 3.1)."""
_DAY: Final = 86_400_000


def judge(frame: bytes, start: int, end: int) -> tuple[int, int]:
    """(drop reason, offset of the octet at fault) of the options in frame[start:end].

    (DELIVERED, 0) if there is nothing against them.
    """
    found = ipv4.options(frame, start, end)
    if found is None:
        return fate.IP_OPTION_MALFORMED, ipv4.options_fault(frame, start, end)
    for kind, at, size in found:
        if kind in (ipv4.OPT_LSRR, ipv4.OPT_SSRR):
            return fate.IP_SOURCE_ROUTE, at
        fault = 0
        if kind == ipv4.OPT_RECORD_ROUTE:
            fault = _route_fault(frame, at, size)
        elif kind == ipv4.OPT_TIMESTAMP:
            fault = _stamp_fault(frame, at, size)
        if fault:
            return fate.IP_OPTION_MALFORMED, at + fault
    return fate.DELIVERED, 0


def _route_fault(frame: bytes, at: int, size: int) -> int:
    """RFC 791: a pointer of 4 at least, and room for a whole address or for none."""
    if size < 3:
        return 1
    pointer = frame[at + 2]
    return 2 if pointer < _FIRST_ROUTE or pointer <= size < pointer + 3 else 0


def _stamp_fault(frame: bytes, at: int, size: int) -> int:
    if size < 4:
        return 1
    pointer, flag = frame[at + 2], frame[at + 3] & 15
    if flag not in _SIZES:
        return 3
    if pointer < _FIRST_STAMP or pointer <= size < pointer + _SIZES[flag] - 1:
        return 2
    return 3 if pointer > size and frame[at + 3] >> 4 == 15 and flag != _PRESCRIBED else 0


def answer(options: bytes, address: bytes, now: int, ours: Container[bytes]) -> bytes:
    """The options of an echo reply: those of the request that record, with `address` and `now`
    (ns) recorded.  `ours` are all of our addresses.  `options` are sound; the result is a multiple
    of four octets.
    """
    kept = b""
    for kind, at, size in ipv4.options(options, 0, len(options)) or ():
        if kind in _RECORDING:
            kept += _marked(options[at : at + size], address, now, ours)
    return kept + bytes(-len(kept) % 4)


def passed(options: bytes, address: bytes, now: int, ours: Container[bytes]) -> bytes:
    """All of `options`, where they are, as they leave a router by `address`; otherwise `answer`."""
    for kind, at, size in ipv4.options(options, 0, len(options)) or ():
        if kind in _RECORDING:
            new = _marked(options[at : at + size], address, now, ours)
            options = options[:at] + new + options[at + size :]
    return options


def _marked(option: bytes, address: bytes, now: int, ours: Container[bytes]) -> bytes:
    if option[0] == ipv4.OPT_RECORD_ROUTE:
        return _record(option, address)
    return _stamp(option, address, now, ours)


def _record(option: bytes, address: bytes) -> bytes:
    at = option[2] - 1
    if at + 4 > len(option):
        return option
    return option[:2] + bytes((option[2] + 4,)) + option[3:at] + address + option[at + 4 :]


def _stamp(option: bytes, address: bytes, now: int, ours: Container[bytes]) -> bytes:
    at = option[2] - 1
    flag, overflow = option[3] & 15, option[3] >> 4
    size = _SIZES[flag]
    if flag == _PRESCRIBED:
        address = option[at : at + 4]
        if address not in ours:
            return option
    if at + size > len(option):
        # No room: the next four bits count those who had none.
        return option[:3] + bytes((min(overflow + 1, 15) << 4 | flag,)) + option[4:]
    time = (_NONSTANDARD | now // MS % _DAY).to_bytes(4, "big")
    entry = time if flag == _STAMPS_ONLY else address + time
    return option[:2] + bytes((option[2] + size,)) + option[3:at] + entry + option[at + size :]
