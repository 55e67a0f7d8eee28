# SPDX-License-Identifier: MIT
"""A bad wire around any port: loss, delay, jitter, rate, reorder, duplicate, corrupt.

Seeded: the same seed and the same frames give the same fate.  Each direction has a model of
its own.  Frames are impaired one by one, so the wrapper offers no segmentation offload: what is
lost is a wire segment, not a super-frame.  What comes in is as large as the device gives it, so
open that without offload too; or ask for `offload`, where a super-frame is lost or late whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from stack.base.head import Head
from stack.base.timers import NEVER
from stack.base.units import SECOND, View
from tap.frames import Unjoin, finished, join
from tap.port import Port, Wrapper


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """How bad one direction of a wire is.  The default is perfect.

    loss, duplicate, corrupt   probabilities per frame, 0 .. 1; corrupting flips one bit
    reorder                    probability that a frame is held back by `reorder_by` more
    delay                      ns for every frame
    jitter                     ns; up to so much more, without reordering
    rate                       bits per second; 0 is no limit
    queue                      octets that may wait for the rate; 0 is no limit
    drop                       called with (number, frame), numbers counting from 0; True loses it
    """

    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    reorder_by: int = 0
    delay: int = 0
    jitter: int = 0
    rate: int = 0
    queue: int = 0
    drop: Callable[[int, bytes], bool] | None = None

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "corrupt", "reorder"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value}: a probability lies between 0 and 1")


PERFECT = Impairment()


class Direction:
    """Frames under way in one direction."""

    def __init__(self, settings: Impairment, seed: int, header: int) -> None:
        self.settings = settings
        self._random = Random(seed)
        self._header = header
        self._heap: list[tuple[int, int, bytes]] = []
        self._count = 0
        self._last_due = 0
        self._free_at = 0  # when the link has sent everything handed to it
        self.lost = 0

    def put(self, frame: bytes, now: int) -> None:
        """A frame enters the wire."""
        settings, random = self.settings, self._random
        number = self._count
        self._count += 1
        if settings.drop is not None and settings.drop(number, frame):
            self.lost += 1
            return
        if settings.loss and random.random() < settings.loss:
            self.lost += 1
            return
        due = self._through_link(frame, now)
        if due < 0:
            self.lost += 1
            return
        due += settings.delay
        if settings.jitter:
            due += random.randrange(settings.jitter)
        if settings.reorder and random.random() < settings.reorder:
            due += settings.reorder_by
        else:
            due = self._last_due = max(due, self._last_due)
        if settings.corrupt and random.random() < settings.corrupt:
            frame = self._flip(frame)
        heappush(self._heap, (due, number, frame))
        if settings.duplicate and random.random() < settings.duplicate:
            self._count += 1
            heappush(self._heap, (due, self._count, frame))

    def get(self, now: int) -> bytes | None:
        """The next frame that has arrived by `now`."""
        if self._heap and self._heap[0][0] <= now:
            return heappop(self._heap)[2]
        return None

    def due(self) -> int:
        """When the next frame arrives."""
        return self._heap[0][0] if self._heap else NEVER

    def _through_link(self, frame: bytes, now: int) -> int:
        """When the last bit has left, or -1 if the queue has no room."""
        settings = self.settings
        if not settings.rate:
            return now
        start = max(now, self._free_at)
        if settings.queue and (start - now) * settings.rate > settings.queue * 8 * SECOND:
            return -1
        self._free_at = start + len(frame) * 8 * SECOND // settings.rate
        return self._free_at

    def _flip(self, frame: bytes) -> bytes:
        """One bit wrong, anywhere behind the virtio-net header.

        On a wire there are no unfinished checksums, which could not tell that anything is wrong.
        """
        data = bytearray(finished(frame, self._header))
        at = self._random.randrange(self._header, len(data))
        data[at] ^= 1 << self._random.randrange(8)
        return bytes(data)


class ImpairedPort(Wrapper):
    """A port whose wire is bad in either direction."""

    def __init__(
        self,
        inner: Port,
        now: Callable[[], int],
        outbound: Impairment = PERFECT,
        inbound: Impairment = PERFECT,
        seed: int = 0,
        offload: bool = False,
    ) -> None:
        super().__init__(inner)
        if not offload:
            self.features = 0
            self.big_peer = b""
        self._now = now
        self.out = Direction(outbound, seed * 2, inner.header)
        self.into = Direction(inbound, seed * 2 + 1, inner.header)
        self._unjoin = Unjoin()
        self._notify: Callable[[], None] | None = None

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        now = self._now()
        self.out.put(join(head, views, self.header), now)
        self._release(now)
        if self._notify is not None:
            self._notify()
        return True

    def read(self) -> bytes | None:
        now = self._now()
        while True:
            frame = self.inner.read()
            if frame is None:
                return self.into.get(now)
            self.into.put(frame, now)

    def poll(self, now: int) -> None:
        self._release(now)
        self.inner.poll(now)

    def announce_to(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self.inner.announce_to(notify)

    def deadline(self) -> int:
        return min(self.out.due(), self.into.due(), self.inner.deadline())

    def _release(self, now: int) -> None:
        while (frame := self.out.get(now)) is not None:
            head, views = self._unjoin.split(frame, self.header)
            self.inner.transmit(head, views)
