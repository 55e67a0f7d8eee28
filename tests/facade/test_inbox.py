# SPDX-License-Identifier: MIT
"""What is retained is released once, whoever lets go of it and when."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wsk_api import STATUS_DATA_NOT_ACCEPTED, STATUS_PENDING, STATUS_SUCCESS
from wsk_api.buffers import indication
from wsk_api.facade.inbox import Chunk, Inbox
from wsk_api.types import WSK_DATA_INDICATION

STEPS = st.one_of(
    st.tuples(st.just("arrive"), st.lists(st.binary(min_size=1, max_size=9), min_size=1)),
    st.tuples(st.just("take"), st.integers(1, 12)),
    st.tuples(st.just("view"), st.none()),
    st.tuples(st.just("release"), st.none()),
    st.tuples(st.just("put back"), st.binary(max_size=4)),
)


@given(steps=st.lists(STEPS, max_size=30), end=st.sampled_from(["shut", "discard", "read"]))
def test_every_indication_is_released_exactly_once(steps: list[Any], end: str) -> None:
    released: Counter[WSK_DATA_INDICATION] = Counter()
    inbox = Inbox()
    release = lambda socket, head: released.update([head])  # noqa: E731
    inbox.socket = SimpleNamespace(Dispatch=SimpleNamespace(WskRelease=release))  # type: ignore[assignment]
    kept: list[WSK_DATA_INDICATION] = []
    views: list[Chunk] = []
    sent = got = b""
    for step, value in steps:
        if step == "arrive":
            kept.append(indication([memoryview(data) for data in value]))
            sent += b"".join(value)
            assert inbox.arrived(kept[-1]) == STATUS_PENDING
        elif step == "take":
            got += inbox.take(value)
        elif step == "view" and (chunk := inbox.take_chunk()) is not None:
            got += bytes(chunk.view)
            views.append(chunk)
        elif step == "release" and views:
            views.pop().release()
        elif step == "put back" and got.endswith(value):
            inbox.put_back(value)
            got = got[: len(got) - len(value)]
        assert sent.startswith(got)
        assert max(released.values(), default=0) <= 1
    if end == "shut":
        inbox.shut_down()
        assert inbox.arrived(indication([memoryview(b"late")])) == STATUS_DATA_NOT_ACCEPTED
    elif end == "discard":
        inbox.discard()
        assert inbox.arrived(indication([memoryview(b"late")])) == STATUS_SUCCESS
    else:
        assert got + inbox.take(1 << 20) == sent
    for chunk in views:
        chunk.release()
        chunk.release()
    assert released == Counter(kept)
