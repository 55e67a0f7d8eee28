# SPDX-License-Identifier: MIT
"""What is sent is received: any bytes, any wire, both families; and nothing is left behind."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.base import addr, status
from stack.base.config_transport import AUTOTUNING, ECN
from stack.base.units import MS, SECOND
from stack.tcp.congestion import ALGORITHMS
from stack.tcp.isn import IsnGenerator
from stack.transport.seam import OPTION_FAST_OPEN, SEND_NODELAY
from tap.impair import Impairment
from tests.harness import Host, World, quiet
from tests.tcp.users import Acceptor, User, connect, serve

wires = st.builds(
    Impairment,
    loss=st.sampled_from((0.0, 0.01, 0.05, 0.2)),
    duplicate=st.sampled_from((0.0, 0.05)),
    corrupt=st.sampled_from((0.0, 0.02)),
    reorder=st.sampled_from((0.0, 0.1, 0.3)),
    reorder_by=st.sampled_from((MS, 20 * MS)),
    delay=st.sampled_from((0, 100_000, 10 * MS, 100 * MS)),
    jitter=st.sampled_from((0, MS)),
    rate=st.sampled_from((0, 10**7)),
)
# Patience: on the worst of these wires two minutes without progress do happen.
PATIENT = {
    "tcp_user_timeout": 100_000 * SECOND,
    "tcp_syn_timeout": 100_000 * SECOND,
    "tcp_syn_ack_retries": 100,
}
configs = st.fixed_dictionaries(
    {
        "tcp_timestamps": st.booleans(),
        "tcp_sack": st.booleans(),
        "tcp_window_scaling": st.booleans(),
        "tcp_receive_buffer": st.sampled_from((3000, 50_000, 2_000_000)),
        "tcp_rack": st.booleans(),
        "tcp_frto": st.booleans(),
        "tcp_ecn": st.sampled_from(ECN),
        "tcp_congestion": st.sampled_from(sorted(ALGORITHMS)),
        "tcp_pacing": st.booleans(),
        "tcp_autotuning": st.sampled_from(sorted(AUTOTUNING)),
    }
)


def opened(world: World, a: Host, b: Host, family: int) -> tuple[User, User]:
    """Both ends of a connection, however long that takes on this wire.

    On a very bad one address resolution may give up; then the attempt is made again.
    """
    acceptor: Acceptor = serve(b)
    user = connect(a, b.address(family))
    for _ in range(2000):
        world.run(SECOND)
        if user.events == [("connect", "OK", 0)]:
            if acceptor.users and acceptor.users[-1].stream.remote_name() is not None:
                return user, acceptor.users[-1]
        elif user.events:
            assert user.events[0] == ("connect", "HOST_UNREACHABLE", 0)
            user.stream.close()
            user = connect(a, b.address(family))
    raise AssertionError(f"no connection after 2000 s: {user.events} {world.trace.lines[-5:]}")


def finish(world: World, a: Host, b: Host, *users: User) -> None:
    """Both directions close; everything is gone afterwards.

    Every ACK of the last FIN may be lost until the other end's TIME-WAIT is over: then, and only
    then, a side that has heard the peer's FIN may end with a reset (RFC 9293 3.6.1).
    """
    for user in users:
        user.stream.disconnect("bye")
    for _ in range(5000):
        world.run(SECOND)
        ends = [user.events[-1:] for user in users]
        if all("finished" in user.events for user in users) and all(
            ("bye", "OK", 0) in user.events or end == [("aborted", "RESET")]
            for user, end in zip(users, ends, strict=True)
        ):
            assert any(("bye", "OK", 0) in user.events for user in users)
            break
    else:
        raise AssertionError([user.events for user in users])
    for user in users:
        user.stream.close()
    world.run(10 * 60 * SECOND)
    for host in (a, b):
        assert host.stack.tcp.connections() == []
        assert len(host.stack.tcp.time_wait) == 0
        assert host.tcp_timers() == []
        assert not host.stack.busy()


@settings(max_examples=300)
@given(
    st.integers(0, 2**32),
    st.lists(st.integers(1, 40_000), min_size=1, max_size=6),
    st.lists(st.integers(1, 3000), max_size=4),
    wires,
    wires,
    configs,
    configs,
    st.sampled_from((addr.V4, addr.V6)),
    st.booleans(),
)
def test_bytes_sent_equal_bytes_received(
    seed: int,
    there: list[int],
    back: list[int],
    out: Impairment,
    home: Impairment,
    config_a: dict[str, object],
    config_b: dict[str, object],
    family: int,
    offload: bool,
) -> None:
    world = World(seed)
    a, b = world.pair(
        quiet(**config_a, **PATIENT),
        quiet(**config_b, **PATIENT),
        offload=offload,
        there=out,
        back=home,
    )
    client, server = opened(world, a, b, family)
    rng = random.Random(seed)
    sent: list[list[bytes]] = [[], []]
    for index, (user, sizes) in enumerate(((client, there), (server, back))):
        for number, size in enumerate(sizes):
            data = rng.randbytes(size)
            sent[index].append(data)
            user.send(data, ("part", number), SEND_NODELAY if number % 2 else 0)
    for _ in range(5000):
        world.run(SECOND)
        if len(server.data) == sum(there) and len(client.data) == sum(back):
            break
    assert server.data == b"".join(sent[0])
    assert client.data == b"".join(sent[1])
    finish(world, a, b, client, server)
    for user, parts in zip((client, server), sent, strict=True):
        done = [event for event in user.events if isinstance(event, tuple) and event[0] != "bye"]
        answered = [e[1:] for e in done if isinstance(e[0], tuple)]
        assert answered == [("OK", len(part)) for part in parts]


@settings(max_examples=150)
@given(
    st.integers(0, 2**32),
    st.lists(st.integers(1, 5000), min_size=2, max_size=3),
    wires,
    wires,
    configs,
    configs,
    st.sampled_from((addr.V4, addr.V6)),
)
def test_fast_open_delivers_the_same_bytes(
    seed: int,
    sizes: list[int],
    out: Impairment,
    home: Impairment,
    config_a: dict[str, object],
    config_b: dict[str, object],
    family: int,
) -> None:
    """Connections one after another, each with data from the start: the first asks for a cookie,
    the others bring it, as far as the wire lets them know.

    A SYN that is duplicated after its connection is gone may open another one: what RFC 7413 says
    of repetition.  So each user of the server must have one of the messages, or its beginning.
    """
    world = World(seed)
    a, b = world.pair(
        quiet(**config_a, **PATIENT), quiet(**config_b, **PATIENT), there=out, back=home
    )
    acceptor = Acceptor()
    listener = b.listener()
    listener.attach(acceptor)
    assert listener.set_option(OPTION_FAST_OPEN, 8) == status.OK
    assert listener.bind(b"", 80, 0) == status.OK
    rng = random.Random(seed)
    messages = [rng.randbytes(size) for size in sizes]
    for message in messages:
        while True:
            user = begin(a, b.address(family), message)
            for _ in range(3000):
                world.run(SECOND)
                if any(server.data == message for server in acceptor.users) or user.final:
                    break
            if not user.final:
                break
            assert user.final in ("HOST_UNREACHABLE", "RESET"), user.events
            user.stream.close()
        user.stream.disconnect("bye")
        world.run(60 * SECOND)
        user.stream.close()
    for server in acceptor.users:
        assert any(message.startswith(server.data) for message in messages)
        server.stream.close()
    for message in messages:
        assert any(server.data == message for server in acceptor.users)
    listener.close()
    world.run(10 * 60 * SECOND)
    for host in (a, b):
        assert host.stack.tcp.connections() == []
        assert host.tcp_timers() == []
        assert not host.stack.busy()


def begin(host: Host, address: bytes, message: bytes) -> User:
    """A stream that connects with `message`."""
    stream = host.stream()
    user = User(stream)
    stream.attach(user)
    assert stream.bind(b"", 0, 0) == status.OK
    assert stream.set_option(OPTION_FAST_OPEN, 1) == status.OK
    assert stream.connect(address, 80, 0, "connect") == status.PENDING
    assert user.send(message) == status.PENDING
    return user


@settings(max_examples=300)
@given(st.integers(0, 2**32), wires, st.sampled_from((addr.V4, addr.V6)), st.data())
def test_fast_path_and_slow_path_agree(
    seed: int, wire: Impairment, family: int, data: st.DataObject
) -> None:
    """The same run with and without header prediction ends in the same Tcb, variable for
    variable."""
    plan = data.draw(
        st.lists(
            st.tuples(st.booleans(), st.integers(1, 9000), st.sampled_from((0, MS, 300 * MS))),
            min_size=1,
            max_size=8,
        )
    )
    shots = []
    for fast in (True, False):
        world = World(seed)
        config = quiet(tcp_fast_path=fast, tcp_joint_acks=False, **PATIENT)
        a, b = world.pair(config, there=wire, back=wire)
        client, server = opened(world, a, b, family)
        rng = random.Random(seed)
        for from_client, size, pause in plan:
            (client if from_client else server).send(rng.randbytes(size))
            world.run(pause)
        world.run(SECOND)
        tcbs = [host.stack.tcp.connections()[0] for host in (a, b)]
        shots.append([_picture(tcb) for tcb in tcbs] + [client.data, server.data, world.now])
    assert shots[0] == shots[1]


@settings(max_examples=150)
@given(st.integers(0, 2**32), wires, st.sampled_from((addr.V4, addr.V6)), st.data())
def test_acks_taken_together_move_the_same_data(
    seed: int, wire: Impairment, family: int, data: st.DataObject
) -> None:
    """However many ACKs come in one turn, what is acknowledged and delivered is what it would be
    if each were taken by itself."""
    sizes = data.draw(st.lists(st.integers(1, 300_000), min_size=1, max_size=4))
    shots = []
    for joint in (True, False):
        world = World(seed)
        a, b = world.pair(quiet(tcp_joint_acks=joint, **PATIENT), there=wire, back=wire)
        client, server = opened(world, a, b, family)
        rng = random.Random(seed)
        for size in sizes:
            client.send(rng.randbytes(size))
            server.send(rng.randbytes(size // 3))
        world.run(3600 * SECOND)
        tcbs = [host.stack.tcp.connections()[0] for host in (a, b)]
        assert all(tcb.snd.una_at == tcb.snd.nxt_at for tcb in tcbs)
        places = [(tcb.snd.una_at, tcb.rcv.nxt, tcb.recvq.next, tcb.pipe) for tcb in tcbs]
        shots.append((places, client.events, server.events, client.data, server.data))
    assert shots[0] == shots[1]


def _picture(tcb: object) -> dict[str, object]:
    """Every plain variable of a Tcb and of its halves."""
    found: dict[str, object] = {}
    for part in (tcb, tcb.snd, tcb.rcv, tcb.rtt, tcb.cc, tcb.board):  # type: ignore[attr-defined]
        for cls in type(part).__mro__:
            for name in getattr(cls, "__slots__", ()):
                value = getattr(part, name, None)
                if isinstance(value, int | bytes | bool):
                    found[f"{type(part).__name__}.{name}"] = value
    return found


class HighIsn(IsnGenerator):
    """Secrets whose ISS lies just below the wrap."""

    def secrets(self, key: bytes) -> tuple[int, int, int]:
        return 2**32 - 3_000_000, 7, 9


@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_sequence_numbers_wrap_in_both_directions(family: int, loss: float) -> None:
    wire = Impairment(loss=loss, delay=MS)
    world = World(3)
    a, b = world.pair(there=wire, back=wire)
    for host in (a, b):
        host.stack.tcp.isn = HighIsn(world.env)
    client, server = opened(world, a, b, family)
    block = random.Random(1).randbytes(1 << 20)
    for _ in range(5):
        client.send(block)
        server.send(block)
    for _ in range(600):
        world.run(SECOND)
        if len(server.data) == len(client.data) == 5 << 20:
            break
    assert server.data == block * 5
    assert client.data == block * 5
    assert a.stack.tcp.connections()[0].snd.nxt < 2**31
    finish(world, a, b, client, server)
