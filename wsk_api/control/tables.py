# SPDX-License-Identifier: MIT
"""All rows by level and code: the tables `dispatch` looks into and docs/wsk-control.md shows."""

from __future__ import annotations

from typing import Final

from wsk_api.control import ioctls, ip_options, socket_options, tcp_options, udp_options
from wsk_api.control.rows import Ioctl, Option, Refused

OPTIONS: Final[dict[tuple[int, int], Option | Refused]] = {}
IOCTLS: Final[dict[int, Ioctl | Refused]] = {}


def _add(row: Option | Refused) -> None:
    assert row.level is not None
    assert (row.level, row.code) not in OPTIONS, row.name
    OPTIONS[row.level, row.code] = row


def _add_ioctl(row: Ioctl | Refused) -> None:
    assert row.code not in IOCTLS, row.name
    IOCTLS[row.code] = row


for _file in (socket_options, tcp_options, udp_options, ip_options):
    for _option in _file.ROWS:
        _add(_option)
    for _refused in _file.REFUSED:
        _add(_refused)
for _ioctl in ioctls.ROWS:
    _add_ioctl(_ioctl)
for _refused in ioctls.REFUSED:
    _add_ioctl(_refused)
