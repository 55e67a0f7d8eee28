# SPDX-License-Identifier: MIT
"""Floor 3: one network interface.  Frames become packets here, and packets frames.

Ethernet II (RFC 894, RFC 2464) over a `Device`.  The virtio-net header of an offloading
device is read here, and from here on its two facts travel in the packet: whether the
transport checksum is vouched for, and the segment size of a super-frame.

Called by `core` with every received frame and by `ip/path` with every outgoing packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

from stack.base import fate
from stack.base.addr import MAC_BROADCAST
from stack.base.config import Config
from stack.base.counters import Counters
from stack.base.fate import DropDoor
from stack.base.head import NO_CHECKSUM, Head
from stack.base.packet import BROADCAST, MULTICAST, UNICAST, Interface, Packet, Taker
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.base.units import View
from stack.link import offload, train
from stack.link.neighbor import REACHABLE, Neighbor
from stack.link.neighbor_cache import NeighborCache
from stack.link.seam import EVERYTHING, LARGEST, USO, Device, NetworkLayer
from stack.wire import ethernet, vnet

_read_ethernet = Struct("6sB5x2s").unpack_from  # destination, first octet of source, ethertype
_read_both = Struct("=BBxxHxxxx6sB5x2s").unpack_from  # flags, gso_type, gso_size before that
_CUTTABLE = vnet.CUTTABLE


class NicCounters(Counters):
    """RFC 2863 names.  A super-frame counts as one packet."""

    __slots__ = ("in_octets", "in_packets", "out_discards", "out_octets", "out_packets")
    in_octets: int
    in_packets: int
    out_discards: int
    out_octets: int
    out_packets: int


class Nic(Interface):
    """An interface: a device, a MAC address, the layers above and the neighbours beyond.

    takes_runs   its device cuts super-frames of datagrams
    big_peer     the station that takes super-frames beyond 64 KiB (`Device`)
    """

    __slots__ = (
        "_door",
        "_env",
        "_finish",
        "_header",
        "_last",
        "_protocols",
        "big_peer",
        "counters",
        "device",
        "is_loopback",
        "mac",
        "mtu",
        "neighbors",
        "takes_runs",
        "up",
    )

    def __init__(
        self,
        index: int,
        name: str,
        device: Device,
        env: Env,
        timers: TimerHeap,
        door: DropDoor,
        config: Config,
        is_loopback: bool = False,
    ) -> None:
        super().__init__(index, name)
        self.device = device
        self.mac = device.mac
        self.mtu = device.mtu
        self.is_loopback = is_loopback
        self.up = True
        self.counters = NicCounters()
        self.neighbors = NeighborCache(self, env, timers, door, config)
        self._env = env
        self._door = door
        self._header = device.header
        self._last: bytes | train.Train = b""  # what the next frame may continue
        self._protocols: dict[bytes, NetworkLayer] = {}
        # What leaves unfinished goes through here, unless the device finishes everything.
        capable = device.features & EVERYTHING == EVERYTHING
        self.takes_runs = device.features & USO != 0
        self.big_peer = device.big_peer
        self._finish = None if capable else offload.Offloader(device).transmit

    def attach(self, ethertype: bytes, layer: NetworkLayer) -> None:
        """Packets of `ethertype` go to `layer`."""
        self._protocols[ethertype] = layer

    def set_mac(self, mac: bytes) -> None:
        """Be somebody else on this link from now on; the device delivers what is for `mac`.

        Whoever holds a path over this interface must ask for it again: `IpHost.set_mac` sees to
        that, and tells the link.
        """
        self.mac = mac
        self.neighbors.mac_changed()

    def receive_all(self, frames: list[bytes]) -> None:
        """Frames that the device had at once, in order.  Never raises, whatever the octets."""
        if self.taker is not None:
            self._continue(*self.taker, frames)
        if len(frames) < train.WORTHWHILE:
            for frame in frames:
                self.receive(frame)
        else:
            train.assemble(
                frames, self._header + ethernet.LENGTH, self.receive, self._receive_train
            )

    def pause(self) -> None:
        """Nothing more comes in this turn."""
        self.taker = None
        self._last = b""

    def receive(self, frame: bytes, behind: list[bytes] | None = None) -> None:
        """One frame from the device.  Never raises, whatever the octets.

        `behind` are frames that continue it; those that were taken with it are gone from there
        afterwards.
        """
        start = self._header
        size = len(frame)
        counters = self.counters
        counters.in_packets += 1
        counters.in_octets += size - start
        net = start + 14
        if size < net:
            self._door.drop_frame(frame, fate.FRAME_SHORT)
            return
        csum_ok = False
        gso_size = 0
        if start:
            flags, gso_type, gso_size, dst, source, ethertype = _read_both(frame)
            csum_ok = flags & 3 != 0
            if not gso_type:
                gso_size = 0
            elif not gso_size or gso_type not in _CUTTABLE:
                self._door.drop_frame(frame, fate.VNET_INVALID)
                return
        else:
            dst, source, ethertype = _read_ethernet(frame)
        if dst == self.mac:
            cast = UNICAST
        elif dst[0] & 1:
            cast = BROADCAST if dst == MAC_BROADCAST else MULTICAST
        else:
            self._door.drop_frame(frame, fate.FRAME_OTHER_HOST)
            return
        if source & 1:
            self._door.drop_frame(frame, fate.FRAME_SOURCE_INVALID)
            return
        layer = self._protocols.get(ethertype)
        if layer is None:
            short = ethertype[0] < 6
            self._door.drop_frame(
                frame, fate.FRAME_LENGTH_FIELD if short else fate.ETHERTYPE_UNKNOWN
            )
            return
        now = self._env.now
        self.taker = None
        self._last = frame
        layer.receive(Packet(frame, self, net, size, csum_ok, gso_size, cast, now, behind))

    def _receive_train(self, frames: list[bytes]) -> None:
        """Each of `frames` goes up, those together that somebody takes together."""
        at = 0
        while at < len(frames):
            first = frames[at]
            at += 1
            behind = frames[at:]
            self.receive(first, behind)
            taken = frames[at : len(frames) - len(behind)]
            if taken:
                at += len(taken)
                self._taken(taken)

    def _continue(self, taker: Taker, what: Any, frames: list[bytes]) -> None:
        """Those of `frames` that continue the last packet go to `taker`, and from the list."""
        row = self._last
        if isinstance(row, bytes):
            begun = train.begun(row, self._header + ethernet.LENGTH)
            if begun is None:
                return
            row = begun
        row.frames = []
        for frame in frames:
            if not row.joins(frame):
                break
        behind = row.frames
        if behind:
            rest = behind[:]
            taker.more(what, rest)
            taken = behind[: len(behind) - len(rest)]
            del frames[: len(taken)]
            if taken:
                self._taken(taken)
            self._last = row

    def _taken(self, frames: list[bytes]) -> None:
        """Count `frames`, which were taken with the one before them."""
        count, octets = len(frames), sum(map(len, frames))
        net = self._header + ethernet.LENGTH
        self.counters.in_packets += count
        self.counters.in_octets += octets - self._header * count
        self._last = frames[-1]
        self._protocols[self._last[net - 2 : net]].taken(self, count, octets - net * count)

    def send(self, neighbor: Neighbor, head: Head, views: Sequence[View], total: int) -> bool:
        """Send the IP packet of `total` octets to `neighbor`, or queue it until the neighbour is
        resolved.

        Returns False if the device had no room: the packet is gone and counted.
        """
        if neighbor.state != REACHABLE and not neighbor.ready(head, views):
            return True
        start = head.start
        head.start = net = start - 14
        head.buf[net:start] = neighbor.header
        counters = self.counters
        counters.out_packets += 1
        counters.out_octets += total + 14
        if self._finish is None or (not head.gso_size and head.csum == NO_CHECKSUM):
            sent = self.device.transmit(head, views)
        else:
            sent = self._finish(head, views)
        return sent or self._refused(head, total)

    def send_raw(self, dst: bytes, ethertype: bytes, payload: bytes) -> None:
        """Send a frame that is no IP packet: ARP."""
        head = Head()
        head.push(ethernet.build(dst, self.mac, ethertype))
        self.counters.out_packets += 1
        self.counters.out_octets += len(payload) + 14
        if not self.device.transmit(head, (payload,)):
            self._lost(head)

    def _refused(self, head: Head, total: int) -> bool:
        """The device did not take an IP packet of `total` octets.

        For one beyond 64 KiB the kernel needs memory in large pieces, which it may run out of: from
        now on there are none here, and what was lost is sent again in smaller ones.
        """
        if total > LARGEST:
            self.big_peer = b""
        return self._lost(head)

    def _lost(self, head: Head) -> bool:
        self.counters.out_discards += 1
        self._door.drop_frame(bytes(head.written()), fate.DEVICE_FULL)
        return False
