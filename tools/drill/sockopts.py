# SPDX-License-Identifier: MIT
"""Socket options: what can be set, what is read back, and what is not supported.

An option the stack cannot honour may be set to the value that means "as it is"; anything else
is reported as not supported and never passed over.
"""

from __future__ import annotations

from typing import Any, Final

from stack.base import status
from stack.base.units import MS, SECOND
from stack.tcp.names import SYN_SENT
from stack.transport.seam import (
    OPTION_HOP_LIMIT,
    OPTION_KEEPALIVE,
    OPTION_KEEPALIVE_COUNT,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
    OPTION_TRAFFIC_CLASS,
    OPTION_USER_TIMEOUT,
)
from tools.drill.constants import CONSTANTS
from tools.drill.outcome import CallError, Failure, Unsupported
from tools.drill.script import IGNORED, Name, Struct
from tools.drill.settings import SEND_BUFFER_LEAST
from tools.drill.sockets import Socket, TcpSocket, check

_SOCKET: Final = CONSTANTS["SOL_SOCKET"]
_TCP: Final = CONSTANTS["SOL_TCP"]
_IP: Final = CONSTANTS["SOL_IP"]
_IPV6: Final = CONSTANTS["SOL_IPV6"]


def _key(level: int, name: str) -> tuple[int, int]:
    return level, CONSTANTS[name]


ERROR: Final = _key(_SOCKET, "SO_ERROR")
LINGER: Final = _key(_SOCKET, "SO_LINGER")
SNDBUF: Final = _key(_SOCKET, "SO_SNDBUF")
RCVBUF: Final = _key(_SOCKET, "SO_RCVBUF")
NODELAY: Final = _key(_TCP, "TCP_NODELAY")
MAXSEG: Final = _key(_TCP, "TCP_MAXSEG")
CONGESTION: Final = _key(_TCP, "TCP_CONGESTION")
FAST_OPEN: Final = _key(_TCP, "TCP_FASTOPEN")
FAST_OPEN_CONNECT: Final = _key(_TCP, "TCP_FASTOPEN_CONNECT")

_LIVE: Final = {
    _key(_SOCKET, "SO_KEEPALIVE"): (OPTION_KEEPALIVE, 1),
    _key(_TCP, "TCP_KEEPIDLE"): (OPTION_KEEPALIVE_TIME, SECOND),
    _key(_TCP, "TCP_KEEPINTVL"): (OPTION_KEEPALIVE_INTERVAL, SECOND),
    _key(_TCP, "TCP_KEEPCNT"): (OPTION_KEEPALIVE_COUNT, 1),
    _key(_TCP, "TCP_USER_TIMEOUT"): (OPTION_USER_TIMEOUT, MS),
    _key(_IP, "IP_TOS"): (OPTION_TRAFFIC_CLASS, 1),
    _key(_IPV6, "IPV6_TCLASS"): (OPTION_TRAFFIC_CLASS, 1),
    _key(_IP, "IP_TTL"): (OPTION_HOP_LIMIT, 1),
    _key(_IPV6, "IPV6_UNICAST_HOPS"): (OPTION_HOP_LIMIT, 1),
}
"""Options of a stream: the transport's name, and the unit."""
_KEPT: Final = frozenset(
    (
        _key(_SOCKET, "SO_REUSEADDR"),
        _key(_SOCKET, "SO_REUSEPORT"),
        _key(_SOCKET, "SO_OOBINLINE"),
        _key(_SOCKET, "SO_PRIORITY"),
    )
)
"""Remembered and read back; without effect here, or only with another option's help."""
_FIXED: Final = {
    _key(_SOCKET, "SO_RCVLOWAT"): 1,
    _key(_SOCKET, "SO_ZEROCOPY"): 0,
    _key(_TCP, "TCP_CORK"): 0,
    _key(_TCP, "TCP_DEFER_ACCEPT"): 0,
    _key(_TCP, "TCP_INQ"): 0,
    _key(_IP, "IP_RECVERR"): 0,
    _key(_IP, "IP_MTU_DISCOVER"): 1,
    _key(_IPV6, "IPV6_MTU_DISCOVER"): 1,
    _key(_IPV6, "IPV6_V6ONLY"): 0,
    _key(_IPV6, "IPV6_RECVERR"): 0,
}
"""Known, but only this value."""
_NAMES: Final = {
    (CONSTANTS[level], CONSTANTS[name]): name
    for prefix, level in (
        ("SO_", "SOL_SOCKET"),
        ("TCP_", "SOL_TCP"),
        ("IP_", "SOL_IP"),
        ("IPV6_", "SOL_IPV6"),
    )
    for name in CONSTANTS
    if name.startswith(prefix) and name != "TCP_NOPUSH"  # FreeBSD's name of TCP_CORK
}


_HANDLED: Final = frozenset((NODELAY, SNDBUF, RCVBUF, FAST_OPEN, FAST_OPEN_CONNECT))


def _name(key: tuple[int, int]) -> str:
    return _NAMES.get(key, f"level {key[0]} option {key[1]}")


def option_key(level: Any, name: Any) -> tuple[int, int]:
    """The option that is meant; unknown names are not supported."""
    for part in (level, name):
        if isinstance(part, Name):
            raise Unsupported(f"socket option {part.text}")
    return int(level), int(name)


def _only(value: Any) -> Any:
    """The value in its brackets or without."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def set_option(socket: Socket, key: tuple[int, int], raw: Any) -> int:
    """setsockopt()."""
    value = _only(raw)
    if key == LINGER:
        if not isinstance(value, Struct) or not isinstance(socket, TcpSocket):
            raise CallError("EINVAL")
        fields = list(value.fields.values())
        socket.linger = (int(bool(fields[0])), int(fields[1]))
        return 0
    if key == CONGESTION and isinstance(value, str):
        if isinstance(socket, TcpSocket) and socket.stream.set_congestion(value) == status.OK:
            return 0
        raise Unsupported(f"congestion control {value}")
    if not isinstance(value, int):
        raise Unsupported(f"{_name(key)} with {value!r}")
    if isinstance(socket, TcpSocket):
        if _set_tcp(socket, key, value):
            return 0
    elif key in (SNDBUF, RCVBUF):
        raise Unsupported(f"{_name(key)} of UDP")
    if key in _FIXED and _FIXED[key] != value:
        raise Unsupported(f"{_name(key)} = {value}")
    if key not in _FIXED and key not in _KEPT and key not in _HANDLED:
        raise Unsupported(f"setting {_name(key)}")
    socket.options[key] = value
    return 0


def _set_tcp(socket: TcpSocket, key: tuple[int, int], value: int) -> bool:
    """An option of a stream takes effect.  True if that is all there is to do."""
    if key in _LIVE:
        _set_live(socket, key, value)
        return True
    if key == MAXSEG:
        if value != socket.world.stack.config.tcp_mss_clamp:
            raise Unsupported("setting TCP_MAXSEG")  # but before it is opened: see `sysctl`
        return True
    if key == NODELAY:
        socket.set_nodelay(value)
    elif key == SNDBUF:
        socket.send_buffer = max(value, SEND_BUFFER_LEAST // 2) * _factor(socket)
    elif key == RCVBUF:
        _set_receive_buffer(socket, value)
    elif key in (FAST_OPEN, FAST_OPEN_CONNECT):
        _set_fast_open(socket, key, value)
    return False


def _set_fast_open(socket: TcpSocket, key: tuple[int, int], value: int) -> None:
    """TCP_FASTOPEN is the listener's on Linux, and either side's on FreeBSD."""
    if key == FAST_OPEN and socket.listener is not None:
        socket.listener.open_early(value)
    elif key == FAST_OPEN_CONNECT or not socket.world.settings.policy.defers_connect:
        socket.implied = bool(value)


def _set_live(socket: TcpSocket, key: tuple[int, int], value: int) -> None:
    option, unit = _LIVE[key]
    check(socket.stream.set_option(option, value * unit))
    socket.options[key] = value


def inherit(child: TcpSocket) -> None:
    """An accepted socket has what was set on its listener."""
    for key, value in child.options.items():
        if key in _LIVE:
            _set_live(child, key, value)
    if child.options.get(NODELAY):
        child.set_nodelay(1)


def _default(socket: TcpSocket, key: tuple[int, int]) -> int:
    config = socket.world.stack.config
    return {
        OPTION_KEEPALIVE_TIME: config.tcp_keepalive_time // SECOND,
        OPTION_KEEPALIVE_INTERVAL: config.tcp_keepalive_interval // SECOND,
        OPTION_KEEPALIVE_COUNT: config.tcp_keepalive_count,
        OPTION_HOP_LIMIT: config.hop_limit,
    }.get(_LIVE[key][0], 0)


def _factor(socket: Socket) -> int:
    return 2 if socket.world.settings.policy.doubles_rcvbuf else 1


def _set_receive_buffer(socket: TcpSocket, value: int) -> None:
    """The stack was built with the largest buffer the script sets (see `sysctl.foresee`)."""
    if value < socket.world.stack.config.tcp_receive_buffer and not socket.connected:
        raise Unsupported("two values of SO_RCVBUF")
    socket.receive_buffer = value * _factor(socket)


def _receive_buffer(socket: TcpSocket) -> int:
    size = socket.receive_buffer
    tcb = socket.world.tcb_of(socket.stream)
    if socket.world.settings.policy.rounds_rcvbuf and tcb is not None and tcb.state > SYN_SENT:
        segment = min(tcb.snd.peer_mss, tcb.rcv.mss)
        size = -(-size // segment) * segment
    return size


def read_option(socket: Socket, key: tuple[int, int]) -> Any:
    """The value getsockopt() gives."""
    if key == ERROR:
        error, socket.error = socket.error, None
        return error or 0
    if isinstance(socket, TcpSocket):
        if key == MAXSEG:
            tcb = socket.world.tcb_of(socket.stream)
            return 536 if tcb is None or not tcb.snd.mss else tcb.snd.mss
        if key == RCVBUF:
            return _receive_buffer(socket)
        if key == SNDBUF:
            return socket.send_buffer
        if key == CONGESTION:
            return socket.world.stack.config.tcp_congestion
        if key in _LIVE:
            return socket.options.get(key, _default(socket, key))
        if key == LINGER:
            return socket.linger
        if key == NODELAY:
            return int(bool(socket.options.get(key, 0)))
        if key == _key(_SOCKET, "SO_ACCEPTCONN"):
            return int(socket.listener is not None)
    if key == _key(_SOCKET, "SO_TYPE"):
        return 1 if isinstance(socket, TcpSocket) else 2
    if key == _key(_SOCKET, "SO_PROTOCOL"):
        return 6 if isinstance(socket, TcpSocket) else 17
    if key in (FAST_OPEN, FAST_OPEN_CONNECT):
        return socket.options.get(key, 0)
    if key in _KEPT:
        return int(bool(socket.options.get(key, 0)))
    if key in _FIXED:
        return _FIXED[key]
    raise Unsupported(f"reading {_name(key)}")


def compare(key: tuple[int, int], expected: Any, actual: Any) -> None:
    """What getsockopt() gave against what the script says it gives."""
    value = _only(expected)
    if value is IGNORED:
        return
    if isinstance(value, Name):
        value = value.text
    if isinstance(value, Struct):
        value = tuple(None if v is IGNORED else v for v in value.fields.values())
        if isinstance(actual, tuple):
            actual = tuple(None if v is None else a for v, a in zip(value, actual, strict=False))
    if value != actual:
        raise Failure(f"{_name(key)}: expected: {value} vs actual: {actual}")
