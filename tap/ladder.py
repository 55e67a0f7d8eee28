# SPDX-License-Identifier: MIT
"""Which wire works here?  Five rungs, tried from the top; the first that works is taken.

    given    a TAP somebody made for us, by name or descriptor
    tap      a new TAP in this network namespace (needs CAP_NET_ADMIN)
    userns   a TAP in a private user and network namespace (needs /dev/net/tun)
    veth     a packet socket on a veth pair in such a namespace
    memory   two stacks on a wire in memory (needs nothing)

Every refusal keeps its reason and, where there is one, its cure.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tap import kernel, netns
from tap.fdport import FdPort
from tap.ioctls import NODE, OpenTap, adopt_tap, big_peer, interface_mtu, open_queues
from tap.memory import MemoryPort, wire
from tap.netns import Holder, Plan, StepError

RUNGS: Final = ("given", "tap", "userns", "veth", "memory")

STACK_MAC: Final = bytes.fromhex("0277736b0002")
PEER_MAC: Final = bytes.fromhex("0277736b0001")
KERNEL_ADDRESSES: Final = (("10.77.0.1", 24), ("fd77::1", 64))
STACK_ADDRESSES: Final = (("10.77.0.2", 24), ("fd77::2", 64))

_CAP_NET_ADMIN: Final = 1 << 12
_DESCRIPTOR_VARIABLE: Final = "WSK_TAP_FD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked for.

    wire     a rung's name, or empty for the best that works
    tap      name of an existing TAP
    fd       descriptor of an open TAP, -1 for none
    node     the device node
    mtu      of the wire
    offload  super-frames and unfinished checksums may cross
    queues   of a TAP, for as many stacks that are one host together (`shards`): 1 to 64
    automatic  the network is to configure the stack: the kernel's side of a given TAP gets no
             address either
    mac      the stack's hardware address; empty: STACK_MAC, or on a network that others are on one
             that is this machine's and this TAP's own
    """

    wire: str = ""
    tap: str = ""
    fd: int = -1
    node: str = NODE
    mtu: int = 1500
    offload: bool = True
    queues: int = 1
    automatic: bool = False
    mac: bytes = b""


@dataclass(slots=True)
class Attachment:
    """A wire that is up.

    rung, line   which one, and the sentence that says so
    refused      (rung, why not) for every higher rung, in order
    port         the stack's end
    more         its further queues, if it was to have several
    peer         the other end, on the memory rung
    pid          process whose namespaces hold the kernel's side; 0 if it is our own namespace
    automatic    behind the wire is a network that configures its hosts
    """

    rung: str
    line: str
    port: FdPort | MemoryPort
    peer: MemoryPort | None = None
    pid: int = 0
    automatic: bool = False
    refused: list[tuple[str, str]] = field(default_factory=list)
    more: list[FdPort] = field(default_factory=list)
    _holder: Holder | None = None

    def close(self) -> None:
        """Take the kernel's side down.  The port is closed by whoever runs it."""
        if self._holder is not None:
            self._holder.close()


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """A rung does not work here; the text says why, and the cure."""


def attach(wish: Wish) -> Attachment:
    """Bring up the best wire, or exactly the one wished for.  Raises Refused if that fails."""
    if wish.wire and wish.wire not in RUNGS:
        raise Refused(f"there is no wire {wish.wire!r}: choose one of {', '.join(RUNGS)}")
    if not 1 <= wish.queues <= netns.MAX_QUEUES:
        raise Refused(f"{wish.queues} queues are not possible: 1 to {netns.MAX_QUEUES}")
    refused: list[tuple[str, str]] = []
    for rung in (wish.wire,) if wish.wire else RUNGS:
        try:
            attachment = _BUILDERS[rung](wish)
        except Refused as why:
            if wish.wire:
                raise
            refused.append((rung, str(why)))
        else:
            attachment.refused = refused
            attachment.automatic |= wish.automatic and rung != "memory"
            return attachment
    if wish.queues > 1:
        raise Refused(_why_not(refused))
    raise AssertionError("the memory rung always works")


def _why_not(refused: list[tuple[str, str]]) -> str:
    reasons = "".join(f"\n      not {rung}: {why}" for rung, why in refused)
    return f"no wire here can have several queues{reasons}"


# Rung 1.


def _given(wish: Wish) -> Attachment:
    fd = wish.fd
    if fd < 0 and os.environ.get(_DESCRIPTOR_VARIABLE, "").isdigit():
        fd = int(os.environ[_DESCRIPTOR_VARIABLE])
    if fd >= 0:
        if wish.queues > 1:
            raise Refused(f"descriptor {fd} is one queue; give the TAP by name (--tap)")
        try:
            tap = adopt_tap(fd)
        except (OSError, ValueError) as error:
            raise Refused(f"descriptor {fd} is no usable TAP: {error}") from None
        return _given_attachment([tap], f"wire: {tap.name}, by descriptor {fd}", wish)
    name = wish.tap or _own_tap()
    if not name:
        raise Refused("no TAP was given (--tap NAME, --fd N, or one of yours named wsk*)")
    try:
        queues = open_queues(name, wish.node, wish.offload, wish.queues)
    except OSError as error:
        raise Refused(f"{name}: {_tap_reason(error, wish.node)}") from None
    return _given_attachment(queues, f"wire: {name} (yours){_count(queues)}", wish)


def _given_attachment(queues: list[OpenTap], line: str, wish: Wish) -> Attachment:
    """Configure the kernel's side if we may and nobody has; a bridge's port has no addresses."""
    mtu = 1500
    tap = queues[0]
    bridged = Path(f"/sys/class/net/{tap.name}/brport").exists()
    automatic = wish.automatic or bridged
    if bridged:
        line += ", a port of a bridge: the network there is to configure the stack"
    try:
        mtu = interface_mtu(tap.name)
        kernel.configure(tap.name, mtu, () if automatic else KERNEL_ADDRESSES)
    except OSError:
        if automatic:
            line += f"\n      set it up if it is not: sudo ip link set {tap.name} up"
            mac = wish.mac or own_mac(tap.name)
            return _attachment("given", line, queues, mtu, mac, automatic=True)
        line += (
            f"\n      its kernel side is yours to set up: "
            f"sudo ip addr add 10.77.0.1/24 dev {tap.name}; "
            f"sudo ip addr add fd77::1/64 dev {tap.name}; sudo ip link set {tap.name} up"
        )
    mac = wish.mac or (own_mac(tap.name) if automatic else STACK_MAC)
    return _attachment("given", line, queues, mtu, mac, automatic=automatic)


def own_mac(name: str) -> bytes:
    """A locally administered address, the same whenever this machine opens the TAP `name`: leases
    and addresses made of it stay the same too."""
    try:
        machine = Path("/etc/machine-id").read_bytes().strip()
    except OSError:
        machine = b""
    machine = machine or socket.gethostname().encode()
    return b"\x02\x77" + hashlib.sha256(b"wskstack %b %b" % (machine, name.encode())).digest()[:4]


def _own_tap() -> str:
    """A persistent TAP named wsk* that belongs to this user."""
    for path in sorted(Path("/sys/class/net").glob("wsk*")):
        try:
            if int((path / "owner").read_text()) == os.getuid():
                return path.name
        except (OSError, ValueError):
            continue
    return ""


# Rung 2.


def _privileged(wish: Wish) -> Attachment:
    if not _has_net_admin():
        raise Refused("this process lacks CAP_NET_ADMIN (root has it)")
    try:
        queues = open_queues("wsk%d", wish.node, wish.offload, wish.queues)
    except OSError as error:
        raise Refused(_tap_reason(error, wish.node)) from None
    tap = queues[0]
    try:
        kernel.configure(tap.name, wish.mtu, KERNEL_ADDRESSES)
    except OSError as error:
        for queue in queues:
            os.close(queue.fd)
        raise Refused(f"{tap.name} could not be configured: {error}") from None
    line = f"wire: {tap.name} (created, removed at exit){_count(queues)}"
    return _attachment("tap", line, queues, wish.mtu, wish.mac)


def _has_net_admin() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_NET_ADMIN)
    return False


def _tap_reason(error: OSError, node: str) -> str:
    if error.errno == errno.ENOENT:
        return f"{node} does not exist (container: --device /dev/net/tun)"
    if error.errno == errno.EACCES:
        return f"{node} is not accessible to this user (chmod 0666 is harmless and usual)"
    if error.errno == errno.EPERM:
        return "the kernel refuses to make the interface (container: --cap-add NET_ADMIN)"
    if error.errno == errno.EINVAL:
        return "it was made for another number of queues (ip tuntap ... multi_queue, or --queues)"
    if error.errno == errno.EBUSY:
        return "somebody else is using it"
    return str(error)


# Rungs 3 and 4.


def _namespace(wish: Wish, kind: str) -> Attachment:
    if kind == "tap" and not os.access(wish.node, os.R_OK | os.W_OK):
        number = errno.EACCES if os.path.exists(wish.node) else errno.ENOENT
        raise Refused(_tap_reason(OSError(number, ""), wish.node))
    plan = Plan(
        kind,
        node=wish.node,
        mtu=wish.mtu,
        offload=wish.offload,
        queues=wish.queues,
        addresses=KERNEL_ADDRESSES,
    )
    try:
        holder = netns.hold(plan)
    except StepError as error:
        raise Refused(namespace_reason(error)) from None
    if kind == "tap":
        line = f"wire: {holder.tap.name} in a private namespace, no root needed"
        line += _count(holder.queues)
    else:
        line = "wire: a veth pair in a private namespace, no root needed"
    rung = "userns" if kind == "tap" else "veth"
    made = _attachment(rung, line, holder.queues, wish.mtu, wish.mac, pid=holder.pid)
    made._holder = holder
    return made


def _userns(wish: Wish) -> Attachment:
    return _namespace(wish, "tap")


def _veth(wish: Wish) -> Attachment:
    _one_queue(wish)
    return _namespace(wish, "veth")


def namespace_reason(error: StepError) -> str:
    """Why no private namespace can be made, in words, with the cure."""
    if error.errno == errno.ENOSPC:
        return "user namespaces are limited to none here (sysctl user.max_user_namespaces)"
    if _apparmor_restricts() and error.errno in (errno.EPERM, errno.EACCES):
        return (
            "AppArmor keeps user namespaces powerless (Ubuntu): "
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, "
            "or a profile with 'userns,' for this interpreter"
        )
    if error.step in ("user namespace", "network namespace") and error.errno == errno.EPERM:
        return "making namespaces is forbidden (container: --security-opt seccomp=unconfined)"
    return f"the private namespace failed at {error.step}: {os.strerror(error.errno)}"


def _apparmor_restricts() -> bool:
    path = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    try:
        return path.read_text().strip() == "1"
    except OSError:
        return False


# Rung 5.


def _memory(wish: Wish) -> Attachment:
    _one_queue(wish)
    ours, theirs = wire(wish.mac or STACK_MAC, PEER_MAC, wish.mtu, wish.offload)
    return Attachment("memory", "wire: in memory, between two stacks", ours, peer=theirs)


def _attachment(
    rung: str,
    line: str,
    queues: list[OpenTap],
    mtu: int,
    mac: bytes,
    pid: int = 0,
    automatic: bool = False,
) -> Attachment:
    first, *more = [_port(queue, mtu, mac) for queue in queues]
    return Attachment(rung, line, first, pid=pid, automatic=automatic, more=more)


def _one_queue(wish: Wish) -> None:
    if wish.queues > 1:
        raise Refused("it has one queue; a TAP can have several")


def _count(queues: list[OpenTap]) -> str:
    return f", {len(queues)} queues" if len(queues) > 1 else ""


def _port(tap: OpenTap, mtu: int, mac: bytes) -> FdPort:
    return FdPort(tap.fd, mac or STACK_MAC, mtu, tap.header, tap.features, big_peer(tap))


_BUILDERS: Final[dict[str, Callable[[Wish], Attachment]]] = {
    "given": _given,
    "tap": _privileged,
    "userns": _userns,
    "veth": _veth,
    "memory": _memory,
}
