# SPDX-License-Identifier: MIT
"""Who may share a port: all 36 combinations of the matrix, families, ephemeral ports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stack.base.addr import V4, V6
from stack.base.config import Config
from stack.base.status import ACCESS, IN_USE, NO_PORTS, OK
from stack.transport.options import Claim
from stack.transport.ports import PortTable
from stack.transport.seam import SHARE_DEFAULT, SHARE_EXCLUSIVE, SHARE_REUSE
from tests.harness import World

KINDS = {
    "default W": (SHARE_DEFAULT, b""),
    "default S": (SHARE_DEFAULT, b"\x0a\0\0\x01"),
    "reuse W": (SHARE_REUSE, b""),
    "reuse S": (SHARE_REUSE, b"\x0a\0\0\x01"),
    "exclusive W": (SHARE_EXCLUSIVE, b""),
    "exclusive S": (SHARE_EXCLUSIVE, b"\x0a\0\0\x01"),
}
# CHECK in the public table asks the first socket's security descriptor; the default refuses.
INUSE, DENIED, CHECK = IN_USE, ACCESS, ACCESS
TABLE = {
    "default W": (INUSE, OK, INUSE, OK, INUSE, OK),
    "default S": (CHECK, INUSE, CHECK, DENIED, DENIED, INUSE),
    "reuse W": (DENIED, OK, OK, OK, DENIED, OK),
    "reuse S": (CHECK, DENIED, OK, OK, DENIED, DENIED),
    "exclusive W": (INUSE, INUSE, INUSE, INUSE, INUSE, INUSE),
    "exclusive S": (CHECK, INUSE, CHECK, INUSE, DENIED, INUSE),
}


def table() -> PortTable:
    return PortTable(World().env, 49152, 65535)


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_the_sharing_matrix(second: str, first: str) -> None:
    ports = table()
    sharing, address = KINDS[first]
    assert ports.bind(V4, address, 80, sharing)[0] == OK
    sharing, address = KINDS[second]
    status, binding = ports.bind(V4, address, 80, sharing)
    assert status == TABLE[second][list(KINDS).index(first)]
    assert (binding is not None) == (status == OK)


def test_different_specific_addresses_never_conflict() -> None:
    ports = table()
    assert ports.bind(V4, b"\x0a\0\0\x01", 80, SHARE_EXCLUSIVE)[0] == OK
    assert ports.bind(V4, b"\x0a\0\0\x02", 80, SHARE_EXCLUSIVE)[0] == OK


def test_families_conflict_only_where_they_meet() -> None:
    ports = table()
    assert ports.bind(V4, b"", 80, SHARE_DEFAULT)[0] == OK
    assert ports.bind(V6, b"", 80, SHARE_DEFAULT)[0] == OK
    assert ports.bind(V4 | V6, b"", 80, SHARE_DEFAULT)[0] == IN_USE
    assert ports.bind(V4 | V6, b"", 81, SHARE_DEFAULT)[0] == OK
    assert ports.bind(V4, b"", 81, SHARE_DEFAULT)[0] == IN_USE
    assert ports.bind(V6, b"", 81, SHARE_DEFAULT)[0] == IN_USE


def test_release_makes_room() -> None:
    ports = table()
    _, binding = ports.bind(V4, b"", 80, SHARE_DEFAULT)
    assert binding is not None
    ports.release(binding)
    assert ports.bind(V4, b"", 80, SHARE_DEFAULT)[0] == OK
    assert ports.in_use() == 1


def test_ephemeral_ports_are_in_range_random_and_exhaustible() -> None:
    ports = PortTable(World().env, 50000, 50099)
    taken = []
    for _ in range(100):
        status, binding = ports.bind(V4, b"", 0, SHARE_DEFAULT)
        assert status == OK
        assert binding is not None
        taken.append(binding.port)
    assert sorted(taken) == list(range(50000, 50100))
    assert taken != sorted(taken)
    assert ports.bind(V4, b"", 0, SHARE_DEFAULT)[0] == NO_PORTS


# Claims and reserved blocks.


class Open(Claim):
    """Admits everybody."""

    def admits(self, other: Claim) -> bool:
        return True


def test_a_claim_is_asked_only_where_the_matrix_says_so() -> None:
    ports = table()
    assert ports.bind(V4, b"", 80, SHARE_DEFAULT, Open())[0] == OK
    assert ports.bind(V4, b"\x0a\0\0\1", 80, SHARE_DEFAULT, Claim())[0] == OK
    assert ports.bind(V4, b"\x0a\0\0\2", 80, SHARE_DEFAULT)[0] == ACCESS  # it says not who asks
    assert ports.bind(V4, b"\x0a\0\0\1", 80, SHARE_DEFAULT, Claim())[0] == IN_USE


def test_a_block_is_for_those_who_hold_its_token() -> None:
    ports = table()
    status, start, token = ports.reserve(0, 3)
    assert (status, ports.has_block(token)) == (OK, True)
    holder, stranger = Claim(), Claim()
    holder.reservation = token
    assert ports.bind(V4, b"", start, SHARE_DEFAULT, stranger)[0] == IN_USE
    taken = [ports.bind(V4, b"", 0, SHARE_DEFAULT, holder)[1] for _ in range(3)]
    assert [binding.port for binding in taken if binding] == [start, start + 1, start + 2]
    assert ports.bind(V4, b"", 0, SHARE_DEFAULT, holder)[0] == NO_PORTS
    assert ports.reserve(start - 1, 2)[0] == IN_USE
    assert ports.release_block(token)
    assert not ports.release_block(token)


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
def test_the_ports_of_several_stacks(shards: int) -> None:
    """Each has a part of its own, blocks included, and together they have all."""
    whole = Config(port_low=50_000, port_high=50_099)
    configs = [replace(whole, shard=number, shards=shards) for number in range(shards)]
    parts = [set(config.own_ports(config.shard)) for config in configs]
    assert sum(len(part) for part in parts) == 100
    assert set.union(*parts) == set(range(50_000, 50_100))
    for config, part in zip(configs, parts, strict=True):
        ports = PortTable.of(World().env, config)
        status, start, _ = ports.reserve(0, 5)
        assert status == OK
        assert {start, start + 4} <= part
        bound = [ports.bind(V4, b"", 0, SHARE_DEFAULT)[1] for _ in range(len(part) - 5)]
        taken = {binding.port for binding in bound if binding is not None}
        assert taken == part - set(range(start, start + 5))
        assert ports.bind(V4, b"", 0, SHARE_DEFAULT)[0] == NO_PORTS


def test_shards_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="count from 0"):
        Config(shard=2, shards=2)
    with pytest.raises(ValueError, match="fewer ephemeral ports"):
        Config(shards=4, port_low=9, port_high=11)
