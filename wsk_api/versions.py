# SPDX-License-Identifier: MIT
"""Versions of the interface, and what a provider of a lower one does not have (wsk.md 1.1, 2.3).

A minor version adds members at the end of tables and changes nothing else.  The documents give
numbers only to 1.0; the later ones follow the releases in which the members appeared:

    1.0     Vista: everything not named below
    1.1     WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo
    1.2     WskSendMessages
    1.3     WskConnectEx, stream sockets

Used by `provider` and `subsystem`.
"""

from __future__ import annotations

import copy
from typing import Any, Final, TypeVar

from wsk_api.constants import (
    MAKE_WSK_VERSION,
    WSK_FLAG_STREAM_SOCKET,
    WSK_MAJOR_VERSION,
)

LOWEST: Final = MAKE_WSK_VERSION(1, 0)
HIGHEST: Final = MAKE_WSK_VERSION(1, 3)

_SINCE: Final = {
    "WskGetAddressInfo": 1,
    "WskFreeAddressInfo": 1,
    "WskGetNameInfo": 1,
    "WskSendMessages": 2,
    "WskConnectEx": 3,
}
_FLAGS_SINCE: Final = {WSK_FLAG_STREAM_SOCKET: 3}

T = TypeVar("T")


def offered(version: int, lowest: int, highest: int) -> bool:
    """A provider of `lowest` to `highest` has `version`."""
    same = WSK_MAJOR_VERSION(version) == WSK_MAJOR_VERSION(highest)
    return same and lowest <= version <= highest


def has_category(flag: int, minor: int) -> bool:
    """Sockets of this category exist in this minor version."""
    return _FLAGS_SINCE.get(flag, 0) <= minor


def table(full: T, minor: int) -> T:
    """A table as this minor version has it."""
    later = [name for name in vars(full) if _SINCE.get(name, 0) > minor]
    if not later:
        return full
    trimmed = copy.copy(full)
    for name in later:
        delattr(trimmed, name)
    return trimmed


def category(full: type[T], minor: int) -> type[T]:
    """A class of sockets whose table is that of this minor version."""
    key = (full, minor)
    if key not in _trimmed:
        _trimmed[key] = _trim(full, minor)
    older: type[T] = _trimmed[key]
    return older


_trimmed: Final[dict[tuple[Any, int], Any]] = {}


def _trim(full: Any, minor: int) -> Any:
    older = table(full.Dispatch, minor)
    if older is full.Dispatch:
        return full
    return type(full.__name__, (full,), {"__slots__": (), "Dispatch": older})
