# SPDX-License-Identifier: MIT
"""Floor 4: group records packed into reports (RFC 3376 4.2.16, RFC 3810 5.2.15).

A report holds as many records as fit.  A record that is too long for a report of its own is split
by its sources, each part in a report of its own, if that keeps its meaning; of an EXCLUDE record
only the sources that fit are sent, the same ones each time, and those left out come through.

Called by `membership`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from stack.wire.groups import TRUNCATED, Record

_FIXED: Final = 4  # octets of a record beside its addresses


def length(record: Record) -> int:
    """Octets of a record in a report."""
    return _FIXED + len(record.group) * (1 + len(record.sources))


def pack(records: Iterable[Record], room: int) -> list[list[Record]]:
    """The records of each report, given the `room` for records that a report has (octets)."""
    reports: list[list[Record]] = []
    left = 0
    for record in records:
        size = length(record)
        if size > room:
            reports.extend([part] for part in _parts(record, room))
            left = 0
        elif size > left:
            reports.append([record])
            left = room - size
        else:
            reports[-1].append(record)
            left -= size
    return reports


def _parts(record: Record, room: int) -> list[Record]:
    """What is sent of a record that does not fit."""
    sources = sorted(record.sources)
    most = max(1, (room - _FIXED) // len(record.group) - 1)
    if record.kind in TRUNCATED:
        return [Record(record.kind, record.group, sources[:most])]
    return [
        Record(record.kind, record.group, sources[at : at + most])
        for at in range(0, len(sources), most)
    ]
