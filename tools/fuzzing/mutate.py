# SPDX-License-Identifier: MIT
"""From a program to one a little different: in its frames, their order, and the time between.

Frames are changed by field, and mostly made right again in lengths and checksums, because what
stops at the first check teaches nothing about the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from stack.base import addr
from stack.base.units import MS, SECOND
from stack.wire import ext6
from tools.fuzzing.frames import ADDRESSES, HEADERS, OURS, THEIRS
from tools.fuzzing.layout import Field, Layout, repaired
from tools.fuzzing.program import CALL, DATA, FRAME, WAIT, Program, Step, call, wait

T = TypeVar("T")

MOST_STEPS: Final = 80
MOST_OCTETS: Final = 3000
CALLS: Final = (
    "connect4",
    "connect6",
    "send",
    "close",
    "abort",
    "udp4",
    "udp6",
    "ping4",
    "ping6",
    "raw",
    "join",
    "leave",
    "lookup",
    "address",
    "no-address",
    "route",
    "no-route",
    "dhcp",
    "down",
    "up",
)
_WAITS: Final = (0, MS, 10 * MS, 250 * MS, SECOND, 5 * SECOND, 31 * SECOND, 130 * SECOND)


class Chance:
    """Where choices come from.  `libfuzzer` has another."""

    def __init__(self, below: Callable[[int], int], octets: Callable[[int], bytes]) -> None:
        self.below = below
        """A number from 0 to one less than the given one."""
        self.octets = octets
        """So many octets."""

    def pick(self, among: Sequence[T]) -> T:
        return among[self.below(len(among))]

    def often(self, per_cent: int) -> bool:
        return self.below(100) < per_cent


def value(field: Field, old: bytes, chance: Chance) -> bytes:
    """Something else for a field: a bound, a neighbour of the old value, anything."""
    size = field.size
    if field.name == "address" or (size in (4, 16) and chance.often(15)):
        fitting = [one for one in ADDRESSES if len(one) == size]
        if fitting and chance.often(80):
            return chance.pick(fitting)
    if field.name in ("to", "from"):
        return chance.pick(
            (OURS, THEIRS, addr.MAC_BROADCAST, bytes(6), b"\1\0\x5e\0\0\1", OURS[:5] + b"\7")
        )
    if field.name == "proto":
        return bytes((chance.pick(HEADERS),))
    most = (1 << 8 * size) - 1
    number = int.from_bytes(old, "big")
    choices = (
        0,
        1,
        most,
        most - 1,
        most >> 1,
        (most >> 1) + 1,
        number + 1,
        number - 1,
        number ^ 1 << chance.below(8 * size),
        number * 2,
    )
    if chance.often(25):
        return chance.octets(size)
    return (chance.pick(choices) & most).to_bytes(size, "big")


def frame(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    """A frame a little different."""
    rounds = 1 + (chance.below(3) if chance.often(40) else 0)
    for _ in range(rounds):
        data = _MUTATORS[chance.below(len(_MUTATORS))](data, chance, others)
    if chance.often(88):
        data = repaired(data, lengths=chance.often(75))
    return data[:MOST_OCTETS]


def _field(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    fields = Layout(data).fields
    if not fields:
        return data
    field = chance.pick(fields)
    end = field.at + field.size
    return data[: field.at] + value(field, data[field.at : end], chance) + data[end:]


def _upper(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    """A field of the last header that was found."""
    found = Layout(data)
    fields = [field for field in found.fields if field.at >= found.l4]
    if not fields:
        return _octet(data, chance, others)
    field = chance.pick(fields)
    end = field.at + field.size
    return data[: field.at] + value(field, data[field.at : end], chance) + data[end:]


def _option(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    """The kind or the length of an option."""
    fields = [field for field in Layout(data).fields if field.name in ("kind", "size")]
    if not fields:
        return _upper(data, chance, others)
    field = chance.pick(fields)
    old = data[field.at : field.at + 1]
    new = bytes((chance.below(6),)) if chance.often(40) else value(field, old, chance)
    return data[: field.at] + new + data[field.at + 1 :]


def _octet(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.below(len(data))
    return (
        data[:at]
        + bytes((chance.pick((0, 1, 4, 127, 128, 255, chance.below(256))),))
        + data[at + 1 :]
    )


def _cut(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    return data[: chance.below(len(data) + 1)]


def _remove(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    at = min(14, len(data)) + chance.below(max(len(data) - 14, 1))
    return data[:at] + data[at + 1 + chance.below(16) :]


def _longer(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    return data + bytes(chance.pick((1, 2, 8, 46, 600, 1500)))


def _again(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    """Some octets twice, or many times: options, records."""
    at = chance.below(len(data) + 1)
    part = data[at : at + chance.pick((4, 8, 16, 20, 32))]
    return data[:at] + part * chance.pick((1, 1, 2, 8, 40)) + data[at:]


def _graft(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    """The end of another frame."""
    other = chance.pick(others) if others else data
    return data[: chance.below(len(data) + 1)] + other[chance.below(len(other) + 1) :]


def _extend(data: bytes, chance: Chance, others: Sequence[bytes]) -> bytes:
    """An extension header or an option between the IP header and what follows."""
    found = Layout(data)
    if found.version == 6:
        kind = chance.pick((ext6.HOP_BY_HOP, ext6.DESTINATION, ext6.ROUTING, ext6.FRAGMENT))
        body = chance.pick((bytes((1, 4, 0, 0, 0, 0)), bytes(6), chance.octets(6)))
        return data[:20] + bytes((kind,)) + data[21:54] + bytes((data[20], 0)) + body + data[54:]
    if found.version == 4 and data[14] & 15 < 15:
        option = chance.pick((b"\1\1\1\1", b"\x94\4\0\0", b"\7\4\4\0", chance.octets(4)))
        return data[:14] + bytes((data[14] + 1,)) + data[15:34] + option + data[34:]
    return _longer(data, chance, others)


_MUTATORS: Final = (
    _field,
    _field,
    _upper,
    _upper,
    _option,
    _option,
    _octet,
    _octet,
    _cut,
    _remove,
    _longer,
    _again,
    _graft,
    _extend,
)


def step(one: Step, chance: Chance, others: Sequence[bytes]) -> Step:
    """A step a little different."""
    if one.kind == WAIT:
        return wait(chance.pick(_WAITS))
    if one.kind == CALL:
        return call(chance.pick(CALLS))
    data = frame(one.data, chance, others)
    kind = one.kind
    if chance.often(3):
        kind = chance.pick(DATA)
    return Step(kind, one.nic if chance.often(97) else 1 - one.nic, data)


def program(old: Program, chance: Chance, others: Sequence[Program]) -> Program:
    """A program a little different."""
    steps = list(old.steps)
    known = [one.data for other in others for one in other.steps if one.kind == FRAME][:200]
    for _ in range(1 + chance.below(5)):
        what = chance.below(12)
        at = chance.below(len(steps)) if steps else 0
        if what < 5 and steps:
            steps[at] = step(steps[at], chance, known)
        elif what == 5 and steps:
            # Beside the old one, not in its place.
            steps.insert(at + 1, step(steps[at], chance, known))
        elif what == 6:
            steps.insert(at, wait(chance.pick(_WAITS)))
        elif what == 7:
            steps.insert(at, call(chance.pick(CALLS)))
        elif what == 8 and steps:
            _shuffle(steps, chance)
        elif what == 9 and steps and steps[at].kind in DATA:
            steps[at + 1 : at + 1] = _many(steps[at], chance)
        elif what == 10:
            steps = [step(one, chance, known) if chance.often(50) else one for one in steps]
        elif others:
            other = list(chance.pick(others).steps)
            start = chance.below(len(other)) if other else 0
            steps[at:at] = other[start : start + 1 + chance.below(12)]
    return old.having(steps[:MOST_STEPS])


def _many(one: Step, chance: Chance) -> list[Step]:
    """The same from many: one field is another in each, so that tables fill."""
    fields = [field for field in Layout(one.data).fields if field.size >= 2]
    if not fields:
        return [one] * 20
    field = chance.pick(fields)
    end = field.at + field.size
    # The last two octets, so that addresses stay on their network.
    start = end - 2 if chance.often(80) else field.at
    return [
        one._replace(data=repaired(one.data[:start] + chance.octets(end - start) + one.data[end:]))
        for _ in range(chance.pick((20, 40)))
    ]


def _shuffle(steps: list[Step], chance: Chance) -> None:
    """Leave out, repeat or exchange."""
    at, other = chance.below(len(steps)), chance.below(len(steps))
    what = chance.below(3)
    if what == 0:
        del steps[at]
    elif what == 1:
        steps[other:other] = [steps[at]] * chance.pick((1, 2, 20))
    else:
        steps[at], steps[other] = steps[other], steps[at]
