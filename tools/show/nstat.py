# SPDX-License-Identifier: MIT
"""`tools/wsk nstat`: the counters of a running stack, by the names of Linux's nstat.

The management objects of RFC 4293, 4022 and 4113 as /proc/net/snmp, snmp6 and netstat spell them
(IpInReceives, Ip6InReceives, TcpActiveOpens, UdpInDatagrams, TcpExt...); what Linux does not count
keeps our name in the same spelling.  Every reason to drop a packet is a counter of its own,
`Drop` and its name.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final

PREFIXES: Final = {
    "ip4": "Ip",
    "ip6": "Ip6",
    "icmp4": "Icmp",
    "icmp6": "Icmp6",
    "tcp": "Tcp",
    "udp": "Udp",
    "raw": "Raw",
    "names": "Names",
    "mesh": "Mesh",
    "drops": "Drop",
}
_EXTENDED: Final = frozenset(
    (
        "in_bcast_pkts",
        "in_mcast_octets",
        "in_mcast_pkts",
        "in_no_routes",
        "in_octets",
        "in_truncated_pkts",
        "out_bcast_pkts",
        "out_mcast_octets",
        "out_mcast_pkts",
        "out_octets",
    )
)
"""IPv4's that Linux keeps under IpExt; of IPv6 they are among the others."""
_OWN: Final = {
    ("ip4", "in_forw_datagrams"): "IpInForwDatagrams",
    ("ip4", "out_forw_datagrams"): "IpForwDatagrams",
    ("icmp4", "in_echo_replies"): "IcmpInEchoReps",
    ("icmp4", "out_echo_replies"): "IcmpOutEchoReps",
    ("tcp", "challenge_acks"): "TcpExtTCPChallengeACK",
    ("tcp", "challenge_limited"): "TcpExtTCPACKSkippedChallenge",
    ("tcp", "fast_open_active"): "TcpExtTCPFastOpenActive",
    ("tcp", "fast_open_active_fails"): "TcpExtTCPFastOpenActiveFail",
    ("tcp", "fast_open_overflows"): "TcpExtTCPFastOpenListenOverflow",
    ("tcp", "fast_open_passive"): "TcpExtTCPFastOpenPassive",
}
_SPELLED: Final = {"Oks": "OKs"}


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    text = argparse.ArgumentParser(
        prog="tools/wsk nstat", description="Counters of a running stack since it began."
    )
    text.add_argument("-a", "--ignore", action="store_true", help="all of them, zeros included")
    text.add_argument("-z", "--zeros", action="store_true", help="zeros included")
    text.add_argument("-j", "--json", action="store_true", help="as JSON")
    text.add_argument("-s", "--noupdate", action="store_true", help="ignored: no history is kept")
    text.add_argument("-r", "--reset", action="store_true", help="ignored: no history is kept")
    text.add_argument("--per-interface", action="store_true", help="IP, interface by interface")
    text.add_argument("-N", "--net", default="", metavar="STACK", help="which stack of the demo")
    text.add_argument("pattern", nargs="*", help="only names like these (* and ?)")
    return text


def name(block: str, counter: str) -> str:
    """A counter's name as nstat has it."""
    own = _OWN.get((block, counter))
    if own is not None:
        return own
    prefix = PREFIXES.get(block, _camel(block))
    if block == "ip4" and counter in _EXTENDED:
        prefix = "IpExt"
    if block in ("ip4", "ip6"):
        counter = counter.replace("out_frag_", "frag_")
    return prefix + _camel(counter)


def _camel(words: str) -> str:
    parts = (part.capitalize() for part in words.replace("-", "_").split("_"))
    return "".join(_SPELLED.get(part, part) for part in parts)


def run(options: argparse.Namespace, ask: Callable[..., Any]) -> str:
    """What to print."""
    shot = ask("counters")
    zeros = options.zeros or options.ignore
    if options.per_interface:
        found = {
            nic: _named(families, zeros, options.pattern)
            for nic, families in shot["interfaces"].items()
        }
        if options.json:
            return json.dumps({"interfaces": found})
        return "\n".join(f"#{nic}\n{table(counts)}".rstrip() for nic, counts in found.items())
    blocks = {block: counts for block, counts in shot["blocks"].items() if block in PREFIXES}
    counts = _named(blocks, zeros, options.pattern)
    return json.dumps({"kernel": counts}) if options.json else f"#stack\n{table(counts)}".rstrip()


def _named(blocks: dict[str, dict[str, int]], zeros: bool, patterns: list[str]) -> dict[str, int]:
    named = {
        name(block, counter): count
        for block, counts in blocks.items()
        for counter, count in counts.items()
        if zeros or count
    }
    if patterns:
        named = {
            one: count for one, count in named.items() if any(fnmatchcase(one, p) for p in patterns)
        }
    return named


def table(counts: dict[str, int]) -> str:
    """Names and figures, and a rate that is always 0.0, for programs that expect three columns."""
    return "\n".join(f"{one:<32}{count:<16}   0.0" for one, count in counts.items())
