# SPDX-License-Identifier: MIT
"""A DHCPv6 server made of frames, told what to say message by message, and the client it serves."""

from __future__ import annotations

from typing import Any

from stack.base import addr
from stack.base.units import SECOND
from stack.ip import addrconf
from stack.services.dhcp6_client import Client
from stack.wire import dhcp6, ethernet, icmp6, ipv6, ndp, udp
from stack.wire.dhcp6 import ABSENT, Ia, IaAddress, Message
from stack.wire.dhcp6_codec import build, parse
from tests.harness import World, quiet
from tests.harness.peer import Seen

SERVER = bytes.fromhex("000300010200000000aa")
OTHER = bytes.fromhex("000300010200000000bb")
HOUR = 3600
LEASED = "2001:db8:77::100"
SECOND_ADDRESS = "2001:db8:77::200"
ALL_SERVERS = addr.parse("ff02::1:2")


class Heard:
    """A message of the client, and when it came."""

    def __init__(self, seen: Seen, when: int) -> None:
        self.when = when
        self.seen = seen
        wire = seen.body[8:]
        message = parse(wire, 0, len(wire))
        assert message is not None
        self.message = message
        self.wire = wire

    @property
    def kind(self) -> str:
        return dhcp6.KIND_NAMES[self.message.kind]

    @property
    def addresses(self) -> list[str]:
        """What it names in its association."""
        return [addr.text(one.address) for ia in self.message.associations for one in ia.addresses]


class Scene:
    """A host with a client on one end, the server on the other."""

    def __init__(self, world: World | None = None, started: bool = True, **settings: Any) -> None:
        self.world = world or World(seed=1)
        self.host, self.peer = self.world.host(quiet(**settings))
        self.peer.v6 = addr.link_local(self.peer.port.mac)
        self.stack = self.host.stack
        self.link_local = addr.link_local(self.host.port.mac)
        client = self.stack.dhcp6.client(self.host.nic)
        assert client is not None
        self.client: Client = client
        self.duid = b"\0\3\0\1" + self.host.port.mac
        self._heard: list[Heard] = []
        if started:
            self.client.start(stateful=True)

    # Hearing.

    def next(self, kind: str = "", within: int = 1_000_000 * SECOND) -> Heard:
        """The client's next message, which must be of this kind."""
        heard = self.poll(within)
        assert heard is not None, "the client is silent"
        assert kind in ("", heard.kind), f"{heard.kind}, not {kind}"
        return heard

    def poll(self, within: int = 0) -> Heard | None:
        """Its next message, None if there is none within that time; time passes until then."""
        loop, limit = self.world.loop, self.world.now + within
        self.world.run(0)
        while not self._some() and loop.deadline() <= limit:
            self.world.run(max(loop.deadline() - self.world.now, 0))
        if not self._heard:
            loop.run(limit)
        return self._heard.pop(0) if self._heard else None

    def all(self, span: int) -> list[Heard]:
        """Everything it says in that time."""
        limit = self.world.now + span
        found = []
        while (heard := self.poll(limit - self.world.now)) is not None:
            found.append(heard)
        return found

    def silent(self, span: int) -> None:
        """It says nothing for so long."""
        heard = self.poll(span)
        assert heard is None, heard.kind

    def _some(self) -> bool:
        for seen in self.peer.received():
            if seen.pkt.proto == 17 and seen.body[2:4] == (547).to_bytes(2, "big"):
                self._heard.append(Heard(seen, self.world.now))
        self.peer.inbox.clear()
        return bool(self._heard)

    # Speaking.

    def answer(self, to: Message, kind: int, **fields: Any) -> Message:
        """An answer to `to`, not yet sent.  `addresses` are (text, preferred, valid)."""
        made = Message(kind, to.transaction)
        made.client, made.server = to.client, SERVER
        leases = fields.pop("addresses", None)
        t1, t2 = fields.pop("t1", 0), fields.pop("t2", 0)
        said = fields.pop("ia_status", ABSENT)
        if leases is not None:
            iaid = fields.pop("iaid", self.client.lease.iaid)
            one = Ia(iaid, t1, t2, said)
            one.addresses = [IaAddress(addr.parse(a), *rest) for a, *rest in leases]
            made.associations = [one]
        for name, value in fields.items():
            assert hasattr(made, name)
            setattr(made, name, value)
        return made

    def send(self, message: Message | bytes, **how: Any) -> None:
        """Send it, and let the client act at this instant."""
        wire = message if isinstance(message, bytes) else build(message)
        src = how.get("src", self.peer.v6)
        dst = how.get("dst", self.link_local)
        ports = (how.get("sport", 547), how.get("dport", 546))
        bare = udp.HEADER.pack(*ports, 8 + len(wire), 0) + wire
        body = self.peer.checked(17, bare, 6, src, dst)
        packet = ipv6.build(0, 0, len(body), 17, 64, src, dst) + body
        mac = addr.multicast_mac(dst) if addr.is_multicast(dst) else None
        self.peer.frame(ethernet.TYPE_IPV6, packet, mac)
        self.world.run(0)

    def advertise(self, to: Heard, **fields: Any) -> Message:
        fields.setdefault("addresses", [(LEASED, HOUR, 2 * HOUR)])
        made = self.answer(to.message, dhcp6.ADVERTISE, **fields)
        self.send(made)
        return made

    def reply(self, to: Heard, **fields: Any) -> Message:
        made = self.answer(to.message, dhcp6.REPLY, **fields)
        self.send(made)
        return made

    def grant(self, to: Heard, **fields: Any) -> Message:
        """A Reply with an address for an hour, to be renewed after 1000 s, rebound after 2000."""
        fields.setdefault("addresses", [(LEASED, HOUR, 2 * HOUR)])
        fields.setdefault("t1", 1000)
        fields.setdefault("t2", 2000)
        return self.reply(to, **fields)

    def bind(self, **fields: Any) -> Heard:
        """The four messages of a first lease; returns the Request."""
        self.advertise(self.next("solicit"), preference=255)
        request = self.next("request")
        self.grant(request, **fields)
        assert self.at() == "bound"
        return request

    def flap(self, span: float = 1) -> None:
        """The link goes down, and comes up again."""
        self.stack.set_link(self.host.nic, False)
        assert self.at() == "waiting"
        self.pause(span)
        self.stack.set_link(self.host.nic, True)

    def claim(self, text: str = LEASED) -> None:
        """Another station has the address, and says so; time stands still."""
        target, mac = addr.parse(text), self.peer.port.mac
        body = ndp.build(icmp6.NEIGHBOR_ADVERTISEMENT, ndp.FLAG_OVERRIDE, target, 2, mac)
        body = self.peer.checked(58, body, 2, target, addr.ALL_NODES)
        kind, packet = self.peer.packet_bytes(58, body, target, addr.ALL_NODES, ttl=255)
        self.stack.receive(self.host.nic, addr.multicast_mac(addr.ALL_NODES) + mac + kind + packet)

    # Looking.

    def at(self) -> str:
        """The client's state."""
        return str(self.client.state()["state"])

    def leased(self) -> list[str]:
        """The addresses of the interface that DHCP has given."""
        every = self.stack.v6.addresses.all.values()
        return [addr.text(one.address) for one in every if one.origin == addrconf.DHCP]

    def drops(self) -> dict[str, int]:
        """What was dropped on behalf of DHCPv6."""
        return {name: n for name, n in self.host.drops().items() if name.startswith("dhcp6")}

    def counted(self) -> dict[str, int]:
        return self.stack.dhcp6.counters.moved()

    def servers(self) -> list[tuple[str, int]]:
        """Name servers the host knows from the network."""
        return [(addr.text(a), scope) for a, scope in self.stack.host.name_servers.servers()]

    def pause(self, seconds: float) -> None:
        """Time passes."""
        self.world.run(int(seconds * SECOND))
