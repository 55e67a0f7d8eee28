# SPDX-License-Identifier: MIT
"""Packets as a script writes them, text to syntax tree.

< [ect0] S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
> udp (1000)
< icmp unreachable port_unreachable [1:1001(1000)]
"""

from __future__ import annotations

from typing import Final

from tools.drill.outcome import ScriptError, Unsupported
from tools.drill.scanner import Scanner
from tools.drill.script import RIGHT, IcmpPacket, IpInfo, Option, TcpPacket, UdpPacket

FLAGS: Final = {
    "F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, ".": 0x10, "U": 0x20, "E": 0x40, "W": 0x80,
    "A": 0x100,
}  # fmt: skip
_NUMBER: Final = r"0[xX][0-9a-fA-F]+|\d+"
_MOST: Final = 65000  # octets of payload in one packet
_ELSE: Final = r"(?:ipv4|ipv6|gre|mpls|udplite|sctp|tag|igmp|arp)\b"
_ECN: Final = ("ect01", "ect0", "ect1", "noecn", "ce")


def packet(scan: Scanner) -> TcpPacket | UdpPacket | IcmpPacket:
    """A packet, from its `<` or `>` on."""
    inbound = scan.need("[<>]", "'<' or '>'") == "<"
    ip = _ip_info(scan) if scan.peek(r"[\[(]") else IpInfo()
    ports = None
    source = scan.take(r"(\d+)\s*>")
    if source is not None:
        ports = (int(source) & 0xFFFF, _number(scan, "a port", 0xFFFF))
    other = scan.take(_ELSE)
    if other is not None:
        raise Unsupported(f"{other} packets", scan.line)
    if scan.take(r"udp\b"):
        scan.need(r"\(", "'('")
        length = _number(scan, "a length")
        scan.need(r"\)", "')'")
        if length > _MOST:
            raise ScriptError(scan.line, f"a datagram of {length} octets")
        return UdpPacket(inbound, ip, ports, length)
    if scan.take(r"icmp(?:v6)?\b"):
        return _icmp(scan, inbound, ip)
    return _tcp(scan, inbound, ip, ports)


def _number(scan: Scanner, what: str, most: int = 0xFFFFFFFF) -> int:
    line = scan.line
    text = scan.need(_NUMBER, what)
    value = int(text, 16 if text[1:2] in ("x", "X") else 10)
    if value > most:
        raise ScriptError(line, f"{what}: {value} is more than {most}")
    return value


def _ip_info(scan: Scanner) -> IpInfo:
    ecn: str | None = None
    values: dict[str, int] = {}
    scan.need(r"[\[(]", "'['")
    while not scan.take(r"[\])]"):
        word = scan.need(r"[a-z]\w*", "a field of the IP header")
        if word in _ECN:
            ecn = word
        elif word in ("tos", "ttl", "flowlabel", "hlim", "class"):
            name = {"hlim": "ttl", "class": "tos"}.get(word, word)
            values[name] = _number(scan, f"the value of {word}")
        else:
            raise Unsupported(f"IP field {word}", scan.line)
        scan.take(",")
    return IpInfo(ecn, values.get("tos"), values.get("ttl"), values.get("flowlabel"))


def _tcp(scan: Scanner, inbound: bool, ip: IpInfo, ports: tuple[int, int] | None) -> TcpPacket:
    word = scan.need(r"[FSRPWEUA.]+\d?(?=\s)|-(?=\s)", "TCP flags")
    if word[-1:].isdigit():
        count = int(word[-1])
        word = word[:-1]
        flags = (count & 1) << 6 | (count & 2) << 6 | (count & 4) << 6
    else:
        flags = 0
    flags |= sum(FLAGS[letter] for letter in set(word) - {"-"})
    seq, length, absolute = _span(scan)
    ack = win = urg = None
    while True:
        field = scan.take(r"(ack|win|urg)\b")
        if field is None:
            break
        if field == "win" and scan.take(r"\*"):
            continue
        value = _number(scan, f"the value of {field}")
        if field == "ack":
            ack = value
        elif field == "win":
            win = value
        else:
            urg = value
    options: tuple[Option, ...] | None = ()
    if scan.take(r"<\s*\.\.\.\s*>"):
        options = None
    elif scan.take("<"):
        options = _options(scan)
    return TcpPacket(inbound, ip, ports, flags, seq, length, ack, win, urg, options, absolute)


def _span(scan: Scanner) -> tuple[int | None, int, bool]:
    """start:end(length), (sequence number, length, whether it is absolute)."""
    line = scan.line
    if scan.take(r"\.\.\.\s*\("):
        length = _number(scan, "a length")
        scan.need(r"\)", "')'")
        return None, length, False
    start = _number(scan, "a sequence number")
    end = _number(scan, "a sequence number") if scan.take(":") else None
    scan.need(r"\(", "'('")
    length = _number(scan, "a length")
    scan.need(r"\)", "')'")
    if length > 1 << 20:
        raise ScriptError(line, f"a segment of {length} octets")
    if end is not None and (start + length) & 0xFFFFFFFF != end & 0xFFFFFFFF:
        raise ScriptError(line, f"{start}:{end} is not a span of {length}")
    return start, length, scan.take("!") is not None


def _options(scan: Scanner) -> tuple[Option, ...]:
    options = []
    while not scan.take(">"):
        options.append(_option(scan))
        scan.take(",")
    return tuple(options)


def _option(scan: Scanner) -> Option:
    word = scan.need(r"[A-Za-z]\w*", "a TCP option")
    lower = word.lower()
    if lower in ("nop", "eol", "sackok"):
        return Option(lower)
    if lower in ("mss", "wscale"):
        most = 0xFFFF if lower == "mss" else 0xFF
        return Option(lower, _number(scan, f"the value of {word}", most))
    if lower == "sack":
        blocks = []
        while scan.peek(r"\d+\s*:"):
            left = _number(scan, "a left edge")
            scan.need(":", "':'")
            blocks.append((left, _number(scan, "a right edge")))
        return Option("sack", tuple(blocks))
    if lower == "ts":
        scan.need(r"val\b", "'val'")
        val = _number(scan, "a timestamp")
        scan.need(r"ecr\b", "'ecr'")
        return Option("TS", (val, _number(scan, "a timestamp")))
    if word in ("FO", "FOEXP", "FOEXPERIMENTAL", "md5"):
        return _cookie(scan, word)
    if lower in ("ecn", "accecn"):
        return _accurate_ecn(scan)
    raise Unsupported(f"TCP option {word}", scan.line)


def _cookie(scan: Scanner, word: str) -> Option:
    if word != "md5" and scan.take(r"TFO_COOKIE\b"):
        data = RIGHT
    else:
        data = bytes.fromhex(scan.take(r"(?:[0-9a-fA-F]{2})+") or "")
    if word == "md5":
        return Option("raw", (19, data))
    return Option("FO" if word == "FO" else "FOEXP", data)


def _accurate_ecn(scan: Scanner) -> Option:
    """AccECN: (kind, counters), their order deciding the kind."""
    counters = []
    while (name := scan.take(r"(e0b|ceb|e1b)\b")) is not None:
        counters.append((name, _number(scan, name)))
    kind = 174 if counters and counters[0][0] == "e1b" else 172
    return Option("ECN", (kind, tuple(value & 0xFFFFFF for _, value in counters)))


def _icmp(scan: Scanner, inbound: bool, ip: IpInfo) -> IcmpPacket:
    kind = scan.need(r"[a-z]\w*|\d+", "an ICMP type")
    code = scan.take(r"(?!mtu\b|id\b|code\b|seq\b)[a-z]\w*|\d+") or ""
    if scan.take(r"code\b"):
        code = scan.need(_NUMBER, "an ICMP code")
    mtu = ident = 0
    while (field := scan.take(r"(mtu|id|seq)\b")) is not None:
        value = _number(scan, f"the value of {field}")
        if field == "mtu":
            mtu = value
        elif field == "id":
            ident = value
    quoted = None
    length = 0
    if scan.take(r"\["):
        if scan.take(r"udp\b"):
            scan.need(r"\(", "'('")
            quoted = ("udp", 0, _number(scan, "a length"))
            scan.need(r"\)", "')'")
        else:
            start, size, _ = _span(scan)
            quoted = ("tcp", start or 0, size)
        scan.need(r"\]", "']'")
    elif scan.take(r"\("):
        length = _number(scan, "a length")
        scan.need(r"\)", "')'")
    return IcmpPacket(inbound, ip, kind, code, mtu, ident, quoted, length)
