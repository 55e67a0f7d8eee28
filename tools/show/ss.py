# SPDX-License-Identifier: MIT
"""`tools/wsk ss`: the sockets of a running stack, in the columns of iproute2's ss.

With -i every connection has a second line of what TCP knows, in ss's words; with -j everything is
there, one object a socket.
"""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Callable
from typing import Any, Final

Row = dict[str, Any]

STATES: Final = {"ESTABLISHED": "ESTAB", "SYN-RECEIVED": "SYN-RECV"}
_PASSIVE: Final = frozenset(("LISTEN", "UNCONN"))
_QUIET: Final = frozenset(("TIME-WAIT", "SYN-RECEIVED", "CLOSED"))
"""Not shown without -a: as ss has it, which shows what is connected."""
_US: Final = 1_000


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/wsk ss", description="Sockets of a running stack.", add_help=False
    )
    for letters, text_help in (
        (("-t", "--tcp"), "TCP"),
        (("-u", "--udp"), "UDP"),
        (("-w", "--raw"), "raw"),
        (("-l", "--listening"), "those that wait for somebody"),
        (("-a", "--all"), "all of them"),
        (("-n", "--numeric"), "no names of services"),
        (("-4", "--ipv4"), "IPv4"),
        (("-6", "--ipv6"), "IPv6"),
        (("-i", "--info"), "what TCP knows"),
        (("-j", "--json"), "as JSON"),
        (("-H", "--no-header"), "no headings"),
        (("-p", "--processes"), "there are none: ignored"),
        (("-e", "--extended"), "ignored"),
        (("-o", "--options"), "ignored"),
    ):
        text.add_argument(*letters, action="store_true", help=text_help)
    text.add_argument("-h", "--help", action="help", help="this text")
    text.add_argument("-N", "--net", default="", metavar="STACK", help="which stack of the demo")
    return text


def chosen(rows: list[Row], options: argparse.Namespace) -> list[Row]:
    """Those that were asked for."""
    kinds = {name for name in ("tcp", "udp", "raw") if getattr(options, name)}
    return [
        row
        for row in rows
        if (not kinds or row["netid"] in kinds)
        and _of_family(row, options.ipv4, options.ipv6)
        and _of_state(row["state"], options.listening, options.all)
    ]


def _of_family(row: Row, four: bool, six: bool) -> bool:
    if four == six or row["local"] == "*":
        return True
    return (":" in row["local"]) == six


def _of_state(state: str, listening: bool, everything: bool) -> bool:
    if listening:
        return state in _PASSIVE
    return everything or state not in _PASSIVE | _QUIET


def run(options: argparse.Namespace, ask: Callable[..., Any]) -> str:
    """What to print."""
    rows = chosen(ask("sockets"), options)
    if options.json:
        return json.dumps(rows)
    single = options.tcp + options.udp + options.raw == 1
    heads = ["Netid", "State", "Recv-Q", "Send-Q", "Local Address", "Port", "Peer Address", "Port"]
    cells = [_cells(row, options.numeric) for row in rows]
    widths = [max(len(one[at]) for one in [heads, *cells]) for at in range(len(heads))]
    lines = []
    for at, one in enumerate(cells if options.no_header else [heads, *cells]):
        lines.append(_line(one, widths, single))
        row = rows[at if options.no_header else at - 1]
        if options.info and "info" in row and (at or options.no_header):
            lines.append("\t " + tcp_line(row))
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int], single: bool) -> str:
    netid, state, received, sending, local, lport, peer, pport = (
        cell.rjust(width) if at in (4, 6) else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    columns = [state, received, sending, f"{local}:{lport}", f"{peer}:{pport}"]
    return " ".join(columns if single else [netid, *columns]).rstrip()


def _cells(row: Row, numeric: bool) -> list[str]:
    local = _host(row["local"])
    if "interface" in row:
        local += f"%{row['interface']}"
    return [
        row["netid"],
        STATES.get(row["state"], row["state"]),
        str(row["recv_q"]),
        str(row["send_q"]),
        local,
        _port(row["local_port"], row["netid"], numeric),
        _host(row["peer"]),
        _port(row["peer_port"], row["netid"], numeric),
    ]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _port(port: int, netid: str, numeric: bool) -> str:
    if not port:
        return "*"
    if numeric or netid == "raw":
        return str(port)
    try:
        return socket.getservbyport(port, netid)
    except OSError:
        return str(port)


def tcp_line(row: Row) -> str:
    """What ss -i prints of a connection: windows in segments, times in ms."""
    info = row["info"]
    mss = max(info["snd_mss"], 1)
    words = []
    for option, name in (
        ("timestamps", "ts"),
        ("sack", "sack"),
        ("ecn", "ecn"),
        ("accecn", "accecn"),
        ("fastopen", "fastopen"),
    ):
        if option in info["options"]:
            words.append(name)
    words.append(info["congestion"])
    if "wscale" in info["options"]:
        words.append("wscale:{},{}".format(*info["wscale"]))
    words.append(f"rto:{_ms(info['rto'])}")
    if info["retransmits"]:
        words.append(f"backoff:{info['retransmits']}")
    if info["srtt"]:
        words.append(f"rtt:{_ms(info['srtt'])}/{_ms(info['rttvar'])}")
    words += [f"mss:{info['snd_mss']}", f"pmtu:{info['pmtu']}", f"advmss:{info['rcv_mss']}"]
    words.append(f"cwnd:{info['cwnd'] // mss}")
    if info["ssthresh"]:
        words.append(f"ssthresh:{info['ssthresh'] // mss}")
    for key in ("bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received"):
        if info[key]:
            words.append(f"{key}:{info[key]}")
    for key in ("unacked", "lost", "sacked"):
        if info[key]:
            words.append(f"{key}:{-(-info[key] // mss)}")
    if info["recovery"] != "open":
        words.append(info["recovery"])
    if info["notsent"]:
        words.append(f"notsent:{info['notsent']}")
    words.append(f"rcv_space:{info['rcv_wnd']}")
    if info["min_rtt"]:
        words.append(f"minrtt:{_ms(info['min_rtt'])}")
    words.append(f"snd_wnd:{info['snd_wnd']}")
    return " ".join(words)


def _ms(ns: int) -> str:
    """Milliseconds, three digits after the point at most."""
    return f"{ns // _US / 1000:.3f}".rstrip("0").rstrip(".")
