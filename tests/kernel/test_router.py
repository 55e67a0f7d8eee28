# SPDX-License-Identifier: MIT
"""A Linux router between the stack and another network, and the stack as the router itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from stack import Config, Stack
from stack.base import addr
from stack.base.units import SECOND
from tap.ladder import Attachment
from tap.thread import ThreadRuntime
from tests.kernel.conftest import ROOT, KernelWorld, attached, begin, bring_up, finish
from tests.kernel.lan import Lan, Place, lan, wants
from tools.probe_stack import probe

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("kernel")]

FAR = ("10.88.0.1", "fd88::1")


class Routed:
    """stack -- wsk0 [the holder: a router] far0 -- eth0 [far]"""

    def __init__(self, world: KernelWorld, net: Lan, far: Place) -> None:
        self.world = world
        self.net = net
        self.far = far
        self.router = net.first

    def far_does(self, deed: str, **arguments: object) -> dict[str, object]:
        return finish(begin(self.far.pid, deed, **arguments), 60)


@pytest.fixture
def routed() -> Iterator[Routed]:
    world = bring_up("userns", Config(dad=False))
    try:
        with lan(world.attachment.pid) as net:
            far = net.place()
            router = net.first
            router.forwards()
            net.join(router, "far0", far, "eth0")
            router.run("ip addr add 10.88.0.254/24 dev far0; ip addr add fd88::fe/64 dev far0")
            far.run("ip addr add 10.88.0.1/24 dev eth0; ip addr add fd88::1/64 dev eth0")
            far.run("ip route add default via 10.88.0.254; ip route add default via fd88::fe")
            yield Routed(world, net, far)
    finally:
        world.stop()


def serve(place: Place) -> subprocess.Popen[str]:
    """The kernel's web server there."""
    words = [sys.executable, "-m", "tests.kernel.server", str(place.pid), "cubic"]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture(params=[0, 1], ids=["ipv4", "ipv6"])
def index(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


def test_from_behind_a_router(routed: Routed, index: int) -> None:
    address = routed.world.addresses()[index]
    for name in ("download", "upload"):
        result = routed.far_does("check", name=name, address=address, port=80, size=8 << 20)
        assert result["ok"], result["text"]


def test_the_way_gets_narrower_while_data_flows(routed: Routed, index: int) -> None:
    """Path MTU discovery (RFC 1191, RFC 8201): the router's other link shrinks; digests agree and
    the stack has learnt the new size."""
    address = routed.world.addresses()[index]
    process = begin(
        routed.far.pid, "check", name="download", address=address, port=80, size=64 << 20
    )
    routed.router.run("ip link set far0 mtu 1300")
    result = finish(process, 60)
    assert result["ok"], result["text"]
    # The far end still believes in 1500 and says so in its SYN.
    again = routed.far_does("check", name="download", address=address, port=80, size=4 << 20)
    assert again["ok"], again["text"]
    host = routed.world.stack.host
    far = addr.parse(FAR[index])

    def learnt() -> int:
        path = host.layer_of(far).path(far)
        return 0 if path is None else path.mtu

    assert routed.world.inside(learnt) == 1300


def test_a_router_that_forgets_its_neighbours(routed: Routed, index: int) -> None:
    address = routed.world.addresses()[index]
    process = begin(routed.far.pid, "check", name="upload", address=address, port=80, size=64 << 20)
    for _ in range(5):
        routed.router.run("ip neigh flush all; ip -6 neigh flush all")
    result = finish(process, 60)
    assert result["ok"], result["text"]


def test_errors_of_a_router_are_heard(routed: Routed, index: int) -> None:
    """No route there: whoever asked is told soon."""
    where = ("10.99.0.1", "fd99::1")[index]
    routed.router.run(f"ip route add unreachable {where}")
    world = routed.world
    stack = world.stack
    packed = addr.parse(where)
    icmp = stack.icmp_for(packed)
    told: list[int] = []

    def ask() -> None:
        icmp.listen(1, lambda *seen: None, lambda report, sequence: told.append(sequence))
        icmp.echo(packed, 1, 77, b"")

    world.inside(ask)
    assert world.runtime.wait(lambda: told == [77], 5 * SECOND)


def test_traceroute_to_the_stack(routed: Routed, index: int) -> None:
    """Two hops: the router, then us, by UDP, ICMP and TCP."""
    program = wants("traceroute", "traceroute")
    address = routed.world.addresses()[index]
    router = ("10.88.0.254", "fd88::fe")[index]
    for how in ("", "-I", "-T -p 80"):
        out = routed.far.run(f"{program} -n -q 1 -w 2 {how} {address}").splitlines()[1:]
        hops = [line.split()[1] for line in out]
        assert hops == [router, address], (how, out)


def test_traceroute_from_the_stack(routed: Routed, index: int) -> None:
    """Our own requests come back from the router, then from the target."""
    world, target = routed.world, FAR[index]
    router = ("10.77.0.1", "fd77::1")[index]
    for hops, expected in ((1, {"from": router, "error": "expired"}), (2, {"from": target})):
        asked = {"address": target, "hops": hops, "timeout": 5.0}
        answer = probe(world.stack, world.runtime, asked)
        assert answer is not None
        assert answer.items() >= expected.items()


# The stack between two kernels.


@pytest.fixture
def between() -> Iterator[tuple[Attachment, Attachment, Stack]]:
    """kernel -- stack, forwarding -- kernel: two TAPs in namespaces of their own."""
    attachments: list[Attachment] = []
    runtime = ThreadRuntime(None)
    stack = Stack(runtime.env, Config(dad=False, forwarding=True))
    try:
        for number in (1, 2):
            attachment = attached()
            attachments.append(attachment)
            port = attachment.port
            port.mac = bytes((2, 0, 0, 0, 1, number))
            nic = stack.add_nic(port, f"net{number}")
            stack.add_address(nic, f"10.{number}.0.254", 24)
            stack.add_address(nic, f"fd00:{number}::fe", 64)
            runtime.loop.add(stack, nic, port)
            place = Place(attachment.pid)
            for line in (
                f"ip addr add 10.{number}.0.1/24 dev wsk0",
                f"ip addr add fd00:{number}::1/64 dev wsk0 nodad",
                f"ip route add default via 10.{number}.0.254",
                f"ip route add default via fd00:{number}::fe",
            ):
                place.run(line)
        runtime.start()
        yield attachments[0], attachments[1], stack
    finally:
        runtime.stop()
        for attachment in attachments:
            attachment.close()


def test_the_stack_as_router(between: tuple[Attachment, Attachment, Stack], index: int) -> None:
    """Pings, a traceroute and bulk data, super-frames and all, between two kernels."""
    one, two, stack = between
    target = ("10.2.0.1", "fd00:2::1")[index]
    ping = wants("ping", "iputils-ping")
    near = Place(one.pid)
    assert " 0% packet loss" in near.run(f"{ping} -n -c 3 -i 0.05 -W 2 {target}")
    assert " 0% packet loss" in near.run(f"{ping} -n -s 5000 -c 3 -i 0.05 -W 2 {target}")
    server = serve(Place(two.pid))
    try:
        result = finish(
            begin(one.pid, "exchange", address=target, size=32 << 20, congestion="cubic"), 60
        )
    finally:
        server.communicate("")
    assert result["down"]["sent"] == result["down"]["received"]
    assert result["up"]["sent"] == result["up"]["received"]
    layer = stack.v4 if index == 0 else stack.v6
    assert layer.counters.in_forw_datagrams > 100
    program = wants("traceroute", "traceroute")
    out = near.run(f"{program} -n -q 1 -w 2 {target}").splitlines()[1:]
    assert [line.split()[1] for line in out] == [
        ("10.1.0.254", "fd00:1::fe")[index],
        target,
    ]


def test_the_stack_in_recorded_routes(between: tuple[Attachment, Attachment, Stack]) -> None:
    """RFC 1812 5.3.13.5-6: by the address that packets leave by, there and back."""
    near = Place(between[0].pid)
    ping = f"{wants('ping', 'iputils-ping')} -n -c 1 -W 2"
    out = near.run(f"{ping} -R 10.2.0.1")
    assert " 0% packet loss" in out
    route = out.split("RR:")[1].split("\n\n")[0].split()
    assert [hop for hop in route if hop.endswith(".254")] == ["10.2.0.254", "10.1.0.254"], out
    out = near.run(f"{ping} -T tsandaddr 10.2.0.1")
    assert " 0% packet loss" in out
    assert "10.2.0.254" in out
    assert "not-standard" in out
