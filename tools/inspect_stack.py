# SPDX-License-Identifier: MIT
"""Snapshots of a stack as plain dictionaries, ready for JSON.

Addresses, routes, neighbours, groups and links have the keys of `ip -j`, so that programs written
for that read these too.  Everything is read through public attributes, on the stack's own thread:
by `control` for a running demo, by tests and by whoever holds a stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from stack.base import addr
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.compartment import Compartment
from stack.ip import addrconf
from stack.ip.addrconf import LocalAddress
from stack.ip.layer import IpLayer
from stack.ip.routes import ADVERTISED, ADVERTISED_METRIC, CONNECTED, Route
from stack.ip.routes import ORIGIN_NAMES as ROUTE_ORIGINS
from stack.link.neighbor import GONE
from stack.link.neighbor import STATE_NAMES as NEIGHBOR_STATES
from stack.link.nic import Nic
from stack.tcp import info
from stack.tcp.listener import TcpListener
from stack.tcp.names import STATE_NAMES as TCP_STATES
from stack.tcp.tcb import Tcb
from stack.tcp.timewait import TimeWait
from stack.transport.options import Name

FOREVER: Final = 0xFFFFFFFF
"""How `ip -j` says that a lifetime does not end."""
ROWS: Final = 20_000
"""The longest list; what is beyond is left out."""
_ROUTE_PROTOCOLS: Final = {"connected": "kernel"}
_ADDRESS_PROTOCOLS: Final = {addrconf.LINK_LOCAL: "kernel_ll", addrconf.SLAAC: "kernel_ra"}
_NO_THRESHOLD: Final = 1 << 30

Row = dict[str, Any]


def _layers(stack: Compartment) -> tuple[IpLayer, IpLayer]:
    return stack.v4, stack.v6


def _family(address: bytes) -> str:
    return "inet" if len(address) == 4 else "inet6"


# Interfaces.


def links(stack: Compartment) -> list[Row]:
    """`ip -j -s link`."""
    return [_link(nic) | {"stats64": _stats(nic)} for nic in stack.host.nics]


def _link(nic: Nic) -> Row:
    loop = nic.is_loopback
    flags = ["LOOPBACK"] if loop else ["BROADCAST", "MULTICAST"]
    flags += ["UP", "LOWER_UP"] if nic.up else ["NO-CARRIER", "UP"]
    state = "UNKNOWN" if loop else "UP" if nic.up else "DOWN"
    return {
        "ifindex": nic.index,
        "ifname": nic.name,
        "flags": flags,
        "mtu": nic.mtu,
        "operstate": state,
        "link_type": "loopback" if loop else "ether",
        "address": addr.mac_text(nic.mac),
        "broadcast": addr.mac_text(bytes(6) if loop else addr.MAC_BROADCAST),
    }


def _stats(nic: Nic) -> Row:
    counters = nic.counters
    return {
        "rx": {
            "bytes": counters.in_octets,
            "packets": counters.in_packets,
            "errors": 0,
            "dropped": 0,
        },
        "tx": {
            "bytes": counters.out_octets,
            "packets": counters.out_packets,
            "errors": 0,
            "dropped": counters.out_discards,
        },
    }


def addresses(stack: Compartment) -> list[Row]:
    """`ip -j addr`."""
    now = stack.env.now
    rows = []
    for nic in stack.host.nics:
        own = [
            _address(entry, now)
            for layer in _layers(stack)
            for entry in layer.addresses.all.values()
            if entry.nic is nic
        ]
        rows.append(_link(nic) | {"addr_info": own[:ROWS]})
    return rows


def _address(entry: LocalAddress, now: int) -> Row:
    address = entry.address
    row: Row = {
        "family": _family(address),
        "local": addr.text(address),
        "prefixlen": entry.prefix_length,
    }
    if len(address) == 4 and entry.prefix_length < 31 and not entry.nic.is_loopback:
        row["broadcast"] = addr.text(addr.directed_broadcast(address, entry.prefix_length))
    if addr.is_loopback(address):
        row["scope"] = "host"
    else:
        row["scope"] = "link" if addr.is_link_local(address) else "global"
    if entry.state == addrconf.DUPLICATED:
        row |= {"dadfailed": True, "tentative": True}
    elif entry.state == addrconf.TENTATIVE:
        row["tentative"] = True
    elif entry.state == addrconf.DEPRECATED:
        row["deprecated"] = True
    if entry.origin == addrconf.TEMPORARY:
        row["temporary"] = True
    if entry.valid_until < NEVER:
        row["dynamic"] = True
    protocol = _ADDRESS_PROTOCOLS.get(entry.origin)
    if protocol is not None:
        row["protocol"] = protocol
    row["origin"] = addrconf.ORIGIN_NAMES[entry.origin]
    row["valid_life_time"] = _lifetime(entry.valid_until, now)
    row["preferred_life_time"] = _lifetime(entry.preferred_until, now)
    return row


def _lifetime(until: int, now: int) -> int:
    return FOREVER if until >= NEVER else max(until - now, 0) // SECOND


# Routes and neighbours.


def routes(stack: Compartment, family: int = 0) -> list[Row]:
    """`ip -j route`, of family 4 or 6, or of both."""
    size = {4: 4, 6: 16}.get(family)
    found = [one for one in stack.host.routes.all() if size in (None, len(one.prefix))]
    return [_route(one) for one in found[:ROWS]]


def _route(route: Route) -> Row:
    protocol = ROUTE_ORIGINS[route.origin]
    row: Row = {"dst": _prefix(route.prefix, route.length)}
    if route.gateway:
        row["gateway"] = addr.text(route.gateway)
    row |= {"dev": route.nic.name, "protocol": _ROUTE_PROTOCOLS.get(protocol, protocol)}
    if len(route.prefix) == 4 and route.origin == CONNECTED:
        row["scope"] = "link"
    if route.metric:
        row["metric"] = route.metric
    row["flags"] = [] if route.nic.up else ["linkdown"]
    if len(route.prefix) == 16:
        row["pref"] = _preference(route)
    return row


def _preference(route: Route) -> str:
    """RFC 4191 2.1: what a router said of itself is a part of the metric here."""
    if route.origin != ADVERTISED or route.metric == ADVERTISED_METRIC:
        return "medium"
    return "high" if route.metric < ADVERTISED_METRIC else "low"


def _prefix(prefix: bytes, length: int) -> str:
    if not length:
        return "default"
    text = addr.text(prefix)
    return text if length == 8 * len(prefix) else f"{text}/{length}"


def way(stack: Compartment, address: bytes) -> Row | None:
    """`ip -j route get`: the path to an address; None if there is no way."""
    path = stack.host.layer_of(address).path(address)
    if path is None:
        return None
    row: Row = {"dst": addr.text(address)}
    hop = path.neighbor.address
    if hop != address:
        row["gateway"] = addr.text(hop)
    return row | {
        "dev": path.nic.name,
        "prefsrc": addr.text(path.src),
        "flags": [],
        "metrics": [{"mtu": path.mtu}],
    }


def neighbors(stack: Compartment) -> list[Row]:
    """`ip -j neigh`."""
    rows = []
    for nic in stack.host.nics:
        for entry in nic.neighbors.entries.values():
            row: Row = {"dst": addr.text(entry.address), "dev": nic.name}
            if entry.lladdr:
                row["lladdr"] = addr.mac_text(entry.lladdr)
            if entry.is_router:
                row["router"] = None
            state = "FAILED" if entry.state == GONE else NEIGHBOR_STATES[entry.state]
            if entry.permanent:
                state = "PERMANENT"
            rows.append(row | {"state": [state]})
    return rows[:ROWS]


def groups(stack: Compartment) -> list[Row]:
    """`ip -j maddr`; with who wants what, where that is not everything."""
    rows = []
    for nic in stack.host.nics:
        found = stack.host.groups.listing(nic.index)
        known = {one.group for one in found}
        joined = [
            {"family": _family(group), "address": addr.text(group)}
            for group in (addr.ALL_HOSTS, addr.ALL_NODES)
            if group not in known
        ]
        for one in found:
            row: Row = {"family": _family(one.group), "address": addr.text(one.group)}
            if one.users > 1:
                row["users"] = one.users
            if one.include or one.sources:
                row["mode"] = "include" if one.include else "exclude"
                row["sources"] = [addr.text(source) for source in one.sources]
            joined.append(row)
        rows.append({"ifindex": nic.index, "ifname": nic.name, "maddr": joined[:ROWS]})
    return rows


# Sockets.


def sockets(stack: Compartment) -> list[Row]:
    """What ss shows, one dictionary a socket; `info` of connections is TcpInfo's.

    netid               tcp, udp or raw
    recv_q, send_q      octets; of a listener, connections that wait and how many may
    local, peer         addresses, "*" for any of both families
    local_port, peer_port   0 for any; the protocol of a raw socket
    interface           of a link-local address
    """
    found = list(_sockets(stack))
    return found[:ROWS]


def _sockets(stack: Compartment) -> Iterator[Row]:
    for listener in stack.tcp.listeners.all():
        yield _listener(listener)
    for tcb in stack.tcp.connections():
        yield _connection(tcb)
    for record in stack.tcp.time_wait.all():
        yield _resting(record, stack.env.now)
    for endpoint in stack.udp.bound.all():
        own, peer = endpoint.local_name(), endpoint.remote_name()
        state = "UNCONN" if peer is None else "ESTABLISHED"
        row = _row("udp", state, endpoint.queued(), 0)
        yield row | _names(own, peer, endpoint.families)
    for raw in stack.raw.all():
        row = _row("raw", "UNCONN", raw.queued(), 0)
        yield row | _names(raw.local_name(), None, raw.families) | {"local_port": raw.number}


def _row(netid: str, state: str, received: int, sending: int) -> Row:
    return {"netid": netid, "state": state, "recv_q": received, "send_q": sending}


def _names(own: Name | None, peer: Name | None, families: int) -> Row:
    wild = {addr.V4: "0.0.0.0", addr.V6: "::"}.get(families, "*")
    return {
        "local": addr.text(own.address) if own is not None and own.address else wild,
        "local_port": 0 if own is None else own.port,
        "peer": addr.text(peer.address) if peer is not None else wild,
        "peer_port": 0 if peer is None else peer.port,
    }


def _listener(listener: TcpListener) -> Row:
    waiting, most = listener.queued()
    names = _names(listener.local_name(), None, listener.families)
    return _row("tcp", "LISTEN", waiting, most) | names


def _pair(local: bytes, lport: int, remote: bytes, rport: int, nic: Nic) -> Row:
    row: Row = {
        "local": addr.text(local),
        "local_port": lport,
        "peer": addr.text(remote),
        "peer_port": rport,
    }
    if addr.is_link_local(local):
        row["interface"] = nic.name
    return row


def _connection(tcb: Tcb) -> Row:
    known = asdict(info.snapshot(tcb))
    known["wscale"] = [tcb.snd.wscale, tcb.rcv.wscale]
    if known["ssthresh"] >= _NO_THRESHOLD:
        known["ssthresh"] = 0
    waiting = known["notsent"] + tcb.snd.flight
    row = _row("tcp", TCP_STATES[tcb.state], tcb.recvq.size, waiting)
    names = _pair(tcb.local, tcb.lport, tcb.remote, tcb.rport, tcb.path.nic)
    return row | names | {"info": known}


def _resting(record: TimeWait, now: int) -> Row:
    path = record.path
    names = _pair(path.src, record.lport, path.dst, record.rport, path.nic)
    return _row("tcp", "TIME-WAIT", 0, 0) | names | {"timer": max(record.until - now, 0)}


# Counters.


def counters(stack: Compartment) -> Row:
    """Every counter, by block; beside the sums, those of every interface and family.

    blocks       as `Stack.snapshot` has them, drop reasons among them
    interfaces   by name of the interface, then "ip4" and "ip6"
    """
    by_nic = {
        nic.name: {
            f"ip{4 if layer.size == 4 else 6}": layer.interface(nic).counters.snapshot()
            for layer in _layers(stack)
        }
        for nic in stack.host.nics
    }
    return {"blocks": stack.snapshot(), "interfaces": by_nic}


LOOKS: Final = {
    "links": links,
    "addresses": addresses,
    "routes": routes,
    "neighbors": neighbors,
    "groups": groups,
    "sockets": sockets,
    "counters": counters,
}
"""What can be asked for by name."""
