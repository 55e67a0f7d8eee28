# SPDX-License-Identifier: MIT
"""SIO_TCP_INFO: TCP_INFO_v0, _v1 and _v2 as octets (wsk.md 4.6).

Members that nothing counts are 0: SndLimTransRwin to SndLimBytesSnd of version 1 (see
`stack/tcp/statistics`).
"""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from wsk_api.control.rows import Call
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
)
from wsk_api.sockets import Socket

_V0_NAMES: Final = [
    *("State", "Mss", "ConnectionTimeMs", "TimestampsEnabled", "RttUs", "MinRttUs"),
    *("BytesInFlight", "Cwnd", "SndWnd", "RcvWnd", "RcvBuf", "BytesOut", "BytesIn"),
    *("BytesReordered", "BytesRetrans", "FastRetrans", "DupAcksIn", "TimeoutEpisodes"),
    "SynRetrans",
]
_V1_NAMES: Final = [
    f"SndLim{what}{why}" for why in ("Rwin", "Cwnd", "Snd") for what in ("Trans", "Time", "Bytes")
]
_V2_NAMES: Final = ["OutOfOrderPktsIn", "EcnNegotiated", "EceAcksIn", "PtoEpisodes"]
_V0: Final = "IIQB3xIIIIIIIQQIIIIIB3x"
_V1: Final = _V0 + "IIQIIQIIQ"
_V2: Final = _V1 + "IB3xII"
LAYOUTS: Final = (
    (Struct("<" + _V0), _V0_NAMES),
    (Struct("<" + _V1), _V0_NAMES + _V1_NAMES),
    (Struct("<" + _V2), _V0_NAMES + _V1_NAMES + _V2_NAMES),
)
"""Layout and member names by version."""
_MOST: Final = {"Q": 0xFFFFFFFFFFFFFFFF, "I": 0xFFFFFFFF, "B": 0xFF}


def query(socket: Socket, call: Call, irp: IRP | None) -> tuple[int, int]:
    """Input: a DWORD, the version.  STATUS_INVALID_DEVICE_STATE unless connected."""
    version = int.from_bytes(bytes(memoryview(call.input))[:4], "little")
    if version >= len(LAYOUTS):
        return STATUS_INVALID_PARAMETER, 0
    layout, names = LAYOUTS[version]
    if call.output_size < layout.size:
        return STATUS_BUFFER_TOO_SMALL, 0
    known = socket.statistics()
    if known is None:
        return STATUS_INVALID_DEVICE_STATE, 0
    view = memoryview(call.output).cast("B")
    if len(view) < layout.size:
        return STATUS_INVALID_PARAMETER, 0
    layout.pack_into(view, 0, *_members(layout, names, known))
    return STATUS_SUCCESS, layout.size


def _members(layout: Struct, names: list[str], known: dict[str, Any]) -> list[int]:
    """The values in order, held to what their members can say."""
    kinds = [kind for kind in layout.format.replace("3x", "") if kind in _MOST]
    return [min(known.get(n, 0), _MOST[k]) for n, k in zip(names, kinds, strict=True)]
