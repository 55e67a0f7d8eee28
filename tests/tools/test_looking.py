# SPDX-License-Identifier: MIT
"""Snapshots of a stack, and `tools/wsk ip`, `ss` and `nstat` over them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stack.base import addr, fate
from stack.base.units import SECOND
from stack.wire.tcp import ACK, FIN, SYN
from tests.harness import World, quiet
from tests.harness.segment import Segment
from tests.tools.looking import Row, Scene
from tools import inspect_stack
from tools.change_stack import Refused
from tools.show import ip, nstat, ss


@pytest.fixture
def scene() -> Scene:
    return Scene()


def see(scene: Scene, words: str) -> str:
    return ip.run(ip.parse(words.split()), scene.ask)


def rows(scene: Scene, words: str) -> list[Row]:
    found: list[Row] = json.loads(see(scene, "-j " + words))
    return found


# Arguments.


@pytest.mark.parametrize(
    ("words", "thing", "command"),
    [
        ("a", "address", "show"),
        ("addr", "address", "show"),
        ("address list", "address", "show"),
        ("a s dev wsk1", "address", "show"),
        ("a a 10.0.0.1/8 dev wsk1", "address", "add"),
        ("r", "route", "show"),
        ("ro ls", "route", "show"),
        ("r get 1.1.1.1", "route", "get"),
        ("n", "neighbor", "show"),
        ("neighbour flush", "neighbor", "flush"),
        ("m", "maddress", "show"),
        ("l", "link", "show"),
        ("link set wsk1 down", "link", "set"),
        ("addr d 10.0.0.1/8 dev wsk1", "address", "delete"),
    ],
)
def test_beginnings_of_words(words: str, thing: str, command: str) -> None:
    said = ip.parse(words.split())
    assert (said.thing, said.command) == (thing, command)


def test_options() -> None:
    said = ip.parse(["-6", "-j", "-p", "-s", "-br", "-n", "peer", "addr", "show", "dev", "wsk0"])
    assert (said.family, said.json, said.pretty, said.statistics) == (6, True, True, True)
    assert (said.brief, said.stack, said.rest) == (True, "peer", ["dev", "wsk0"])
    assert ip.parse(["-family", "inet", "a"]).family == 4


@pytest.mark.parametrize("words", ["", "x", "-z a", "-4", "rule"])
def test_words_that_make_no_sense(words: str) -> None:
    with pytest.raises(ip.Usage):
        ip.parse(words.split())


@pytest.mark.parametrize(
    "words",
    [
        "a show dev nowhere",
        "a show dev",
        "a add",
        "a add 10.0.0.1/8",
        "link set",
        "link set wsk1 sideways",
        "link add",
        "n add 10.0.0.1",
        "r add 10.0.0.0/8 through x",
        "r add 10.0.0.0/8 via",
        "r get 203.0.113.1x",
    ],
)
def test_requests_that_make_no_sense(scene: Scene, words: str) -> None:
    with pytest.raises((ip.Usage, Refused)):
        see(scene, words)


# ip.


def test_addresses_as_json(scene: Scene) -> None:
    lo, wsk = rows(scene, "a")
    assert (lo["ifindex"], lo["ifname"], lo["link_type"]) == (1, "lo", "loopback")
    assert wsk["flags"] == ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"]
    assert wsk["address"] == "02:00:00:00:00:01"
    assert (wsk["mtu"], wsk["operstate"]) == (1500, "UP")
    four = wsk["addr_info"][0]
    assert four == {
        "family": "inet",
        "local": "10.77.0.1",
        "prefixlen": 24,
        "broadcast": "10.77.0.255",
        "scope": "global",
        "origin": "manual",
        "valid_life_time": 4294967295,
        "preferred_life_time": 4294967295,
    }
    link, six = wsk["addr_info"][1:]
    assert (link["scope"], link["protocol"]) == ("link", "kernel_ll")
    assert (six["local"], six["prefixlen"], six["scope"]) == ("fd77::1", 64, "global")
    assert {one["local"]: one["scope"] for one in lo["addr_info"]} == {
        "127.0.0.1": "host",
        "::1": "host",
    }


def test_families_and_devices(scene: Scene) -> None:
    four = rows(scene, "-4 a show dev wsk1")
    assert [one["local"] for one in four[0]["addr_info"]] == ["10.77.0.1"]
    assert {one["family"] for row in rows(scene, "-6 a") for one in row["addr_info"]} == {"inet6"}
    assert [row["ifname"] for row in rows(scene, "l show lo")] == ["lo"]
    assert rows(scene, "a show up") == rows(scene, "a")


def test_addresses_as_text(scene: Scene) -> None:
    text = see(scene, "a show dev wsk1").splitlines()
    assert text[0] == "2: wsk1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 state UP"
    assert text[1] == "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff"
    assert text[2] == "    inet 10.77.0.1/24 brd 10.77.0.255 scope global"
    assert text[3] == "       valid_lft forever preferred_lft forever"
    brief = see(scene, "-br a").splitlines()
    assert brief[0].split() == ["lo", "UNKNOWN", "127.0.0.1/8", "::1/128"]


def test_lifetimes_and_states() -> None:
    world = World()
    host, _ = world.host(quiet(dad=True))
    layer, nic = host.stack.v6, host.nic
    layer.add_address(
        nic, addr.parse("2001:db8::1"), 64, preferred=600 * SECOND, valid=3600 * SECOND
    )
    world.run(10 * SECOND)
    one = next(
        one
        for row in inspect_stack.addresses(host.stack)
        for one in row["addr_info"]
        if one["local"] == "2001:db8::1"
    )
    assert one["dynamic"]
    assert 3580 <= one["valid_life_time"] <= 3590
    assert 580 <= one["preferred_life_time"] <= 590
    host.stack.add_address(nic, "10.77.0.9", 24)
    probed = inspect_stack.addresses(host.stack)[1]["addr_info"]
    assert [a.get("tentative") for a in probed if a["local"] == "10.77.0.9"] == [True]
    text = ip.run(ip.parse(["a"]), lambda what: inspect_stack.LOOKS[what](host.stack))
    assert "inet 10.77.0.9/24 brd 10.77.0.255 scope global tentative" in text


def test_routes(scene: Scene) -> None:
    found = rows(scene, "r")
    assert {
        "dst": "192.0.2.0/24",
        "gateway": "10.77.0.3",
        "dev": "wsk1",
        "protocol": "static",
        "metric": 20,
        "flags": [],
    } in found
    assert {
        "dst": "10.77.0.0/24",
        "dev": "wsk1",
        "protocol": "kernel",
        "scope": "link",
        "flags": [],
    } in found
    assert [row["gateway"] for row in found if row["dst"] == "default"] == ["10.77.0.2"]
    six = rows(scene, "-6 r")
    assert {row["dst"] for row in six} == {"fe80::/64", "fd77::/64", "2001:db8::/32"}
    assert all(row["pref"] == "medium" for row in six)
    assert "default via 10.77.0.2 dev wsk1 proto static " in see(scene, "r").splitlines()


def test_what_a_router_says_of_itself_is_shown_as_its_preference(world: World) -> None:
    """RFC 4191 2.1."""
    segment = Segment(world, quiet())
    for number, preference in ((8, 1), (9, 0), (10, 3)):
        segment.station(number).advertises(flags=preference << 3)
    found = inspect_stack.routes(segment.host.stack, 6)
    said = [(row["gateway"], row["pref"]) for row in found if row["dst"] == "default"]
    assert said == [("fe80::8", "high"), ("fe80::9", "medium"), ("fe80::10", "low")]


def test_the_way_to_an_address(scene: Scene) -> None:
    (row,) = rows(scene, "r get 203.0.113.1")
    assert (row["dst"], row["gateway"], row["dev"]) == ("203.0.113.1", "10.77.0.2", "wsk1")
    assert (row["prefsrc"], row["metrics"]) == ("10.77.0.1", [{"mtu": 1500}])
    assert see(scene, "r get 10.77.0.2") == "10.77.0.2 dev wsk1 src 10.77.0.1 mtu 1500"
    with pytest.raises(ip.Usage, match="unreachable"):
        see(scene, "r get 2001:dead::1")


def test_neighbours(scene: Scene) -> None:
    assert rows(scene, "n") == [
        {
            "dst": "10.77.0.2",
            "dev": "wsk1",
            "lladdr": "02:00:00:00:00:02",
            "state": ["REACHABLE"],
        }
    ]
    assert see(scene, "n") == "10.77.0.2 dev wsk1 lladdr 02:00:00:00:00:02 REACHABLE "
    assert rows(scene, "-6 n") == []


def test_groups(scene: Scene) -> None:
    lo, wsk = rows(scene, "m")
    four = {one["address"] for one in wsk["maddr"] if one["family"] == "inet"}
    assert four == {"224.0.0.1", "224.0.0.251"}
    assert "ff02::1:ff00:1" in {one["address"] for one in wsk["maddr"]}
    assert lo["ifname"] == "lo"
    lines = see(scene, "-4 m show dev wsk1").splitlines()
    assert lines[0] == "2:\twsk1"
    assert set(lines[1:]) == {"\tinet  224.0.0.1", "\tinet  224.0.0.251"}


def test_links(scene: Scene) -> None:
    assert "stats64" not in rows(scene, "l")[1]
    counted = rows(scene, "-s l")[1]["stats64"]
    nic = scene.host.nic
    assert counted["rx"]["packets"] == nic.counters.in_packets > 0
    assert counted["tx"]["bytes"] == nic.counters.out_octets > 0
    lines = see(scene, "-s l show dev wsk1").splitlines()
    heads, figures = lines[2].split(), lines[3].split()
    assert heads == ["RX:", "bytes", "packets", "errors", "dropped"]
    assert figures == [str(counted["rx"][key]) for key in heads[1:]]


def test_changes(scene: Scene) -> None:
    assert see(scene, "a add 10.77.0.5/24 dev wsk1") == ""
    assert "10.77.0.5" in {one["local"] for one in rows(scene, "a")[1]["addr_info"]}
    with pytest.raises(Refused, match="exists"):
        see(scene, "a add 10.77.0.5/24 dev wsk1")
    see(scene, "a del 10.77.0.5/24 dev wsk1")
    assert "10.77.0.5" not in {one["local"] for one in rows(scene, "a")[1]["addr_info"]}
    see(scene, "r add 198.51.100.0/24 via 10.77.0.9 metric 3")
    assert "198.51.100.0/24 via 10.77.0.9 dev wsk1 proto static metric 3 " in see(scene, "r")
    see(scene, "r del 198.51.100.0/24")
    assert "198.51.100.0" not in see(scene, "r")
    see(scene, "-6 r add default via fd77::2 dev wsk1")
    assert "default via fd77::2 dev wsk1 proto static pref medium " in see(scene, "-6 r")
    see(scene, "n del 10.77.0.2 dev wsk1")
    assert see(scene, "n") == ""
    scene.peer.sends(ACK, seq=101, ack=0)
    see(scene, "n flush dev wsk1")
    see(scene, "l set dev wsk1 down")
    assert rows(scene, "l")[1]["operstate"] == "DOWN"
    see(scene, "l set wsk1 up")
    assert rows(scene, "l")[1]["operstate"] == "UP"


@pytest.mark.parametrize(
    "words",
    [
        "a add 224.0.0.1/24 dev wsk1",
        "a add 10.0.0.300/24 dev wsk1",
        "a add 10.0.0.3/33 dev wsk1",
        "a add 10.0.0.3/24 dev lo",
        "a add 10.0.0.3/24 dev eth7",
        "a del 10.0.0.3/24 dev wsk1",
        "a del 127.0.0.1/8 dev lo",
        "r add 10.9.0.0/16 via fd77::2",
        "r add 10.9.0.0/16 via 203.0.113.9",
        "r add 10.9.0.0/16",
        "r del 10.9.0.0/16",
        "n del 10.77.0.99 dev wsk1",
        "l set lo down",
    ],
)
def test_changes_that_are_refused(scene: Scene, words: str) -> None:
    before = [rows(scene, what) for what in ("a", "r", "-6 r", "n", "l")]
    with pytest.raises(Refused):
        see(scene, words)
    assert [rows(scene, what) for what in ("a", "r", "-6 r", "n", "l")] == before


# ss.


def sockets(scene: Scene, words: str) -> str:
    return ss.run(ss.parser().parse_args(words.split()), scene.ask)


def lines(scene: Scene, words: str) -> list[list[str]]:
    return [line.split() for line in sockets(scene, words).splitlines()]


def test_columns_of_ss(scene: Scene) -> None:
    found = lines(scene, "-an")
    assert " ".join(found[0]) == ("Netid State Recv-Q Send-Q Local Address:Port Peer Address:Port")
    assert ["tcp", "LISTEN", "1", "256", "*:80", "*:*"] in found
    assert ["tcp", "ESTAB", "0", "0", "10.77.0.1:80", "10.77.0.2:40000"] in found
    assert ["udp", "UNCONN", "0", "0", "*:5353", "*:*"] in found
    assert ["udp", "ESTAB", "0", "0", "10.77.0.1:9000", "10.77.0.2:9001"] in found
    assert ["raw", "UNCONN", "0", "0", "*:253", "*:*"] in found
    ends = {line.rindex(":") for line in sockets(scene, "-anH").splitlines()}
    assert len(ends) == 1  # the ports are in a column


@pytest.mark.parametrize(
    ("words", "states"),
    [
        ("-n", [("tcp", "ESTAB"), ("udp", "ESTAB")]),
        ("-tn", [("tcp", "ESTAB")]),
        ("-ln", [("tcp", "LISTEN"), ("udp", "UNCONN"), ("raw", "UNCONN")]),
        ("-uan", [("udp", "UNCONN"), ("udp", "ESTAB")]),
        ("-wan", [("raw", "UNCONN")]),
        ("-tan6", [("tcp", "LISTEN")]),
        ("-tan4", [("tcp", "LISTEN"), ("tcp", "ESTAB")]),
    ],
)
def test_which_sockets(scene: Scene, words: str, states: list[tuple[str, str]]) -> None:
    found = json.loads(sockets(scene, words + " -j"))
    assert sorted((r["netid"], ss.STATES.get(r["state"], r["state"])) for r in found) == sorted(
        states
    )


def test_one_kind_needs_no_netid(scene: Scene) -> None:
    assert lines(scene, "-tan")[0][0] == "State"


def test_services_have_names(scene: Scene) -> None:
    assert ["tcp", "LISTEN", "1", "256", "*:http", "*:*"] in lines(scene, "-a")


def test_queues(scene: Scene) -> None:
    """Datagrams and octets nobody took, and octets nobody acknowledged."""
    stream = scene.listener.accept()
    assert stream is not None
    stream.send([bytes(700)], 700, 0, "sent")
    scene.peer.sends(ACK, seq=101, ack=scene.peer.iss + 1, data=b"unread")
    for _ in range(2):
        scene.peer.sends_udp(b"waits", sport=1, dport=5353)
    scene.world.run(0)
    found = {(one["netid"], one["state"]): one for one in scene.ask("sockets")}
    assert (found["tcp", "ESTABLISHED"]["recv_q"], found["tcp", "ESTABLISHED"]["send_q"]) == (
        6,
        700,
    )
    assert found["tcp", "LISTEN"]["recv_q"] == 0
    assert found["udp", "UNCONN"]["recv_q"] > 2 * len("waits")


def test_what_tcp_knows(scene: Scene) -> None:
    scene.world.run(SECOND)
    (line,) = [one for one in sockets(scene, "-tni").splitlines() if one.startswith("\t")]
    words = line.split()
    assert words[:2] == ["sack", "cubic"]
    assert "wscale:7,8" in words
    assert "mss:1460" in words
    assert "pmtu:1500" in words
    assert "cwnd:10" in words
    assert any(word.startswith("rto:") for word in words)
    info = json.loads(sockets(scene, "-tnj"))[0]["info"]
    assert info["cwnd"] == 14600
    assert info["wscale"] == [7, 8]


def test_time_wait(scene: Scene) -> None:
    stream = scene.listener.accept()
    assert stream is not None
    stream.disconnect("end")
    scene.world.run(0)
    fin = scene.peer.sees(FIN | ACK)
    scene.peer.sends(FIN | ACK, seq=101, ack=fin.seq + 1)
    assert [row[0] for row in lines(scene, "-tanH") if "40000" in row[-1]] == ["TIME-WAIT"]
    assert not [row for row in lines(scene, "-tnH") if "40000" in row[-1]]


def test_link_local_names_have_their_interface(scene: Scene) -> None:
    scene.peer.family = addr.V6
    own = addr.link_local(scene.host.port.mac)
    there = addr.parse("fe80::2")
    scene.host.nic.neighbors.heard(there, scene.peer.port.mac, create=True)
    syn = scene.peer.segment(SYN, 1)
    segment = scene.peer.checked(6, syn[:16] + bytes(2) + syn[18:], 16, there, own)
    scene.peer.packet(6, segment, src=there, dst=own)
    scene.world.run(0)
    text = sockets(scene, "-tan6")
    assert f"[{addr.text(own)}]%wsk1:80" in text


# nstat.


def counters(scene: Scene, words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        nstat.run(nstat.parser().parse_args([*words.split(), "-j"]), scene.ask)
    )
    return found


def test_names_that_people_know(scene: Scene) -> None:
    known = counters(scene, "-a")["kernel"]
    for name in (
        "IpInReceives",
        "IpInHdrErrors",
        "IpInAddrErrors",
        "IpForwDatagrams",
        "IpInUnknownProtos",
        "IpInDiscards",
        "IpInDelivers",
        "IpOutRequests",
        "IpOutDiscards",
        "IpOutNoRoutes",
        "IpReasmReqds",
        "IpReasmOKs",
        "IpReasmFails",
        "IpFragOKs",
        "IpFragFails",
        "IpFragCreates",
        "Ip6InReceives",
        "Ip6InNoRoutes",
        "Ip6OutForwDatagrams",
        "Ip6InMcastPkts",
        "Ip6OutOctets",
        "IcmpInMsgs",
        "IcmpInErrors",
        "IcmpOutEchoReps",
        "Icmp6InEchoReplies",
        "TcpActiveOpens",
        "TcpPassiveOpens",
        "TcpAttemptFails",
        "TcpCurrEstab",
        "TcpRetransSegs",
        "TcpOutRsts",
        "UdpInDatagrams",
        "UdpNoPorts",
        "TcpExtTCPChallengeACK",
        "IpExtInOctets",
        "IpExtInMcastPkts",
    ):
        assert name in known
    assert known["TcpPassiveOpens"] == 1
    assert known["IpInReceives"] == scene.host.stack.v4.counters.in_receives


def test_every_name_is_another(scene: Scene) -> None:
    blocks = scene.ask("counters")["blocks"]
    pairs = [(b, c) for b, counts in blocks.items() if b in nstat.PREFIXES for c in counts]
    assert len({nstat.name(*pair) for pair in pairs}) == len(pairs)


def test_drops_have_names(scene: Scene) -> None:
    scene.peer.packet(253 - 1, b"nobody")
    scene.world.run(0)
    assert counters(scene, "")["kernel"]["DropIpProtocolUnknown"] == 1
    names = {nstat.name("drops", reason) for reason in fate.NAMES}
    assert len(names) == len(fate.NAMES)


def test_zeros_and_patterns(scene: Scene) -> None:
    some, everything = counters(scene, ""), counters(scene, "-z")
    assert 0 not in some["kernel"].values()
    assert {k: v for k, v in everything["kernel"].items() if v} == some["kernel"]
    assert set(counters(scene, "Tcp*Opens")["kernel"]) == {"TcpPassiveOpens"}
    text = nstat.run(nstat.parser().parse_args(["TcpPassiveOpens"]), scene.ask).splitlines()
    assert text[0] == "#stack"
    assert text[1].split() == ["TcpPassiveOpens", "1", "0.0"]


def test_by_interface(scene: Scene) -> None:
    found = counters(scene, "--per-interface")["interfaces"]
    assert set(found) == {"lo", "wsk1"}
    assert found["wsk1"]["IpInReceives"] == counters(scene, "")["kernel"]["IpInReceives"]
    assert "#wsk1" in nstat.run(nstat.parser().parse_args(["--per-interface"]), scene.ask)
