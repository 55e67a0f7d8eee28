# SPDX-License-Identifier: MIT
"""Is the packet that came the packet the script expects?

*strict* compares as the original does: every field, options in order, NOP and EOL included.
*semantic* compares what RFCs prescribe: options as a set without padding, and it leaves the
window, the value of the window scale and PSH to the sender.
"""

from __future__ import annotations

from typing import Any

from tools.drill.outcome import Failure, Unsupported
from tools.drill.script import IpInfo, Option, TcpPacket
from tools.drill.settings import STRICT, Settings
from tools.drill.wire import ACCECN, ECN_BITS, Seen, flag_text, option_text

_PSH = 0x08


def differs(field: str, expected: Any, actual: Any) -> Failure:
    """A live packet's field is not as expected."""
    return Failure(f"live packet field {field}: expected: {expected} vs actual: {actual}")


def ip_header(info: IpInfo, seen: Seen) -> None:
    """What the script says of the IP header."""
    if info.label is not None and seen.v6 and info.label != seen.label:
        raise differs("ip_flowlabel", hex(info.label), hex(seen.label))
    tos = seen.pkt.tos
    wanted = (1, 2) if info.ecn == "ect01" else (ECN_BITS.get(info.ecn or "", 0),)
    if info.ecn is not None and tos & 3 not in wanted:
        raise differs("ip_ecn", info.ecn, tos & 3)
    if info.tos is not None and tos != info.tos:
        raise differs("ip_tos", hex(info.tos), hex(tos))
    if info.ttl is not None and seen.pkt.ttl != info.ttl:
        raise differs("ip_ttl", info.ttl, seen.pkt.ttl)


def segment(settings: Settings, spec: TcpPacket, seen: Seen, seq: int, ack: int, ts: Any) -> None:
    """`spec` against `seen`, whose `seq` and `ack` are the script's numbers.

    `ts` answers what the script's value of an outbound timestamp should be, or None.
    """
    strict = settings.mode == STRICT
    ip_header(spec.ip, seen)
    mask = 0x1FF if strict else 0x1FF & ~_PSH
    if spec.flags & mask != seen.flags & mask:
        raise differs("tcp_flags", flag_text(spec.flags), flag_text(seen.flags))
    if spec.length != seen.length:
        raise differs("tcp_payload_length", spec.length, seen.length)
    if spec.seq is not None and spec.seq & 0xFFFFFFFF != seq:
        raise differs("tcp_seq", spec.seq, seq)
    if spec.ack is not None and spec.ack & 0xFFFFFFFF != ack:
        raise differs("tcp_ack_seq", spec.ack, ack)
    if spec.ack is None and seen.ack and seen.flags & 0x10:
        raise differs("tcp_ack_seq", 0, ack)
    if strict and spec.win is not None and spec.win != seen.win:
        raise differs("tcp_window", spec.win, seen.win)
    if (spec.urg or 0) != seen.urg:
        raise differs("tcp_urg_ptr", spec.urg or 0, seen.urg)
    if seen.reserved:
        raise differs("tcp_reserved_bits", 0, seen.reserved)
    if any(seen.data):
        raise Failure("live packet payload: expected: zeros vs actual: something else")
    if not seen.checksum_good:
        raise Failure("live packet checksum is wrong")
    if spec.options is not None:
        _options(strict, spec.options, seen.options, ts)


def _options(
    strict: bool, expected: tuple[Option, ...], actual: tuple[Option, ...], ts: Any
) -> None:
    for option in expected:
        if option.name == "raw":
            raise Unsupported(f"TCP option kind {option.value[0]}")
    want = [_comparable(option, strict) for option in expected]
    have = [_comparable(option, strict) for option in actual]
    _same_ticks(want, have, ts)
    if not strict:
        want = sorted((o for o in want if o[0] not in ("nop", "eol")), key=repr)
        have = sorted((o for o in have if o[0] not in ("nop", "eol")), key=repr)
    if want != have:
        raise differs("tcp_options", f"<{option_text(expected)}>", f"<{option_text(actual)}>")


def _comparable(option: Option, strict: bool) -> tuple[str, Any]:
    if option.name == "wscale" and not strict:
        return "wscale", None
    if option.name == "ECN" and not strict:
        kind, counts = option.value
        return "ECN", sorted(zip(ACCECN[kind], counts, strict=False))
    return option.name, option.value


def _same_ticks(want: list[tuple[str, Any]], have: list[tuple[str, Any]], ts: Any) -> None:
    """A timestamp's value counts only as exactly as its clock is known."""
    for mine in want:
        for index, theirs in enumerate(have):
            if mine[0] == theirs[0] == "TS" and (ts is None or ts(mine[1][0], theirs[1][0])):
                have[index] = ("TS", (mine[1][0], theirs[1][1]))


def describe(seen: Seen, when: str, seq: int, ack: int) -> str:
    """A live packet as a script would write it."""
    if seen.kind == "tcp":
        text = f"{flag_text(seen.flags)} {seq}:{(seq + seen.length) & 0xFFFFFFFF}({seen.length})"
        if seen.flags & 0x10:
            text += f" ack {ack}"
        text += f" win {seen.win}"
        if seen.urg:
            text += f" urg {seen.urg}"
        if seen.options:
            text += f" <{option_text(seen.options)}>"
    elif seen.kind == "udp":
        text = f"udp ({seen.length})"
    elif seen.kind == "icmp":
        text = f"icmp{'v6' if seen.v6 else ''} type {seen.icmp[0]} code {seen.icmp[1]}"
    else:
        text = f"IP protocol {seen.pkt.proto}"
    return f"{when} {text}"
