# SPDX-License-Identifier: MIT
"""IGMP and MLD messages: codes, round trips, totality, and scapy's opinion of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.igmp import IGMP, IGMP_MR, IGMPv2_LG, IGMPv2_MR, IGMPv3_MQ, IGMPv3_MR
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6MLReport2,
)

from stack.base import addr
from stack.base.addr import V4
from stack.base.checksum import data_sum
from stack.base.units import MS, SECOND
from stack.wire import describe, ethernet, igmp, ipv4, ipv6, mld
from stack.wire.groups import BLOCK, IS_EXCLUDE, Record, expand, shrink
from tests.wire.strategies import noise

QUERIES = {4: igmp.build_query, 16: mld.build_query}
REPORTS = {4: igmp.build_report, 16: mld.build_report}
PARSE_QUERY = {4: igmp.parse_query, 16: mld.parse_query}
PARSE_REPORT = {4: igmp.parse_report, 16: mld.parse_report}


def size(family: int) -> int:
    return 4 if family == V4 else 16


def group(family: int, number: int = 1) -> bytes:
    text = f"239.1.1.{number}" if family == V4 else f"ff15::{number:x}"
    return addr.parse(text)


def source(family: int, number: int = 1) -> bytes:
    text = f"10.9.0.{number}" if family == V4 else f"fd09::{number:x}"
    return addr.parse(text)


# Codes.


@pytest.mark.parametrize(
    ("code", "value"),
    [(0, 0), (1, 1), (127, 127), (128, 128), (0x8F, 31 << 3), (0xF0, 16 << 10), (0xFF, 31 << 10)],
)
def test_codes_of_eight_bits(code: int, value: int) -> None:
    """RFC 3376 4.1.1."""
    assert expand(code, 4) == value


@pytest.mark.parametrize(
    ("code", "value"),
    [(0, 0), (32767, 32767), (0x8000, 32768), (0x8001, 4097 << 3), (0xFFFF, 8191 << 10)],
)
def test_codes_of_sixteen_bits(code: int, value: int) -> None:
    """RFC 3810 5.1.3."""
    assert expand(code, 12) == value


@given(st.integers(0, 1 << 25), st.sampled_from((4, 12)))
def test_a_code_is_the_largest_that_is_not_above(value: int, mantissa: int) -> None:
    code = shrink(value, mantissa)
    last = (1 << (mantissa + 4)) - 1
    assert 0 <= code <= last
    assert expand(code, mantissa) <= value
    assert code == last or expand(code + 1, mantissa) > value


# Round trips.


@given(
    st.sampled_from((4, 16)),
    st.booleans(),
    st.integers(0, 255),
    st.integers(0, 7),
    st.integers(0, 255),
    st.integers(0, 20),
    st.binary(max_size=8),
)
def test_queries_come_back(
    width: int, general: bool, code: int, robustness: int, qqic: int, count: int, more: bytes
) -> None:
    """What follows the sources belongs to some later version and changes nothing."""
    name = b"" if general else bytes((0xE1,)) * width
    sources = tuple(bytes((n,)) * width for n in range(1, 1 + count))
    message = QUERIES[width](name, code, robustness, qqic, sources) + more
    query = PARSE_QUERY[width](b"xy" + message, 2, 2 + len(message))
    assert query is not None
    assert query.version == (3 if width == 4 else 2)
    assert query.group == name
    assert query.sources == sources
    assert query.robustness == robustness
    assert query.interval == expand(qqic, 4) * SECOND
    unit = 100 * MS if width == 4 else MS
    assert query.max_response == expand(code, 4 if width == 4 else 12) * unit
    assert PARSE_QUERY[width](message, 0, len(message) - len(more) - width) is None or not count


@given(
    st.sampled_from((4, 16)),
    st.lists(st.tuples(st.integers(0, 255), st.integers(0, 12)), max_size=12),
)
def test_reports_come_back(width: int, shape: list[tuple[int, int]]) -> None:
    records = [
        Record(kind, bytes((0xE1,)) * width, [bytes((n,)) * width for n in range(count)])
        for kind, count in shape
    ]
    message = REPORTS[width](records)
    found = PARSE_REPORT[width](message, 0, len(message))
    assert found is not None
    assert [(r.kind, r.group, r.sources) for r in found] == [
        (r.kind, r.group, r.sources) for r in records
    ]
    assert not records or PARSE_REPORT[width](message, 0, len(message) - 1) is None


def test_auxiliary_data_is_passed_over(family: int) -> None:
    """RFC 3376 4.2.10: its length is in words of four octets."""
    width = size(family)
    first = bytes((IS_EXCLUDE, 2, 0, 1)) + group(family) + source(family) + b"AUXILIAR"
    second = bytes((BLOCK, 0, 0, 0)) + group(family, 2)
    message = bytes(6) + b"\0\2" + first + second
    found = PARSE_REPORT[width](message, 0, len(message))
    assert found is not None
    assert [(r.kind, r.group) for r in found] == [
        (IS_EXCLUDE, group(family)),
        (BLOCK, group(family, 2)),
    ]
    cut = bytes(6) + b"\0\1" + first[:-1]
    assert PARSE_REPORT[width](cut, 0, len(cut)) is None


def test_versions_follow_from_length_and_code() -> None:
    """RFC 3376 7.1, RFC 3810 8.1."""
    for length, code, version in ((8, 0, 1), (8, 1, 2), (12, 0, 3), (13, 1, 3)):
        message = bytes((0x11, code)) + bytes(length - 2)
        query = igmp.parse_query(message, 0, length)
        assert query is not None
        assert query.version == version
    for length in (0, 7, 9, 10, 11):
        assert igmp.parse_query(bytes((0x11, 5)) + bytes(length), 0, length) is None
    for length, version in ((24, 1), (28, 2), (29, 2)):
        query = mld.parse_query(bytes(length), 0, length)
        assert query is not None
        assert query.version == version
    for length in (0, 23, 25, 26, 27):
        assert mld.parse_query(bytes(length), 0, length) is None


def test_time_to_answer_of_old_versions_is_linear() -> None:
    first = igmp.parse_query(igmp.build(igmp.QUERY, group(V4), 0), 0, 8)
    second = igmp.parse_query(igmp.build(igmp.QUERY, group(V4), 255), 0, 8)
    assert first is not None
    assert second is not None
    assert (first.max_response, first.group) == (10 * SECOND, b"")  # 7.2.1
    assert (second.max_response, second.group) == (25_500 * MS, group(V4))
    old = mld.parse_query(mld.build(130, b"", 0xFFFF), 0, 24)
    assert old is not None
    assert (old.max_response, old.group) == (65_535 * MS, b"")


@given(noise, st.integers(0, 60))
def test_every_parser_survives_noise(data: bytes, start: int) -> None:
    start = min(start, len(data))
    for kind in (0x11, 0x12, 0x16, 0x17, 0x22, 130, 131, 132, 143):
        frame = data[:start] + bytes((kind,)) + data[start + 1 :]
        for module in (igmp, mld):
            query = module.parse_query(frame, start, len(data))
            assert query is None or len(query.sources) * 4 <= len(data)
            records = module.parse_report(frame, start, len(data))
            assert records is None or len(records) * 8 <= len(data)
            name = module.group_of(frame, start, len(data))
            assert name == b"" or addr.is_multicast(name)
            assert module.describe(frame, start, len(data))


# Traces.


def test_traces_spell_messages_out(family: int) -> None:
    name, who = addr.text(group(family)), addr.text(source(family))
    records = [Record(IS_EXCLUDE, group(family), [source(family)]), Record(9, group(family))]
    if family == V4:
        lines = {
            igmp.build_query(group(family), 10, 2, 9, [source(family)]): f"query v3 {name}, {who}",
            igmp.build_report(records): f"report v3 IS_EX({name}, {who}) record 9({name})",
            igmp.build(igmp.LEAVE, group(family)): f"leave {name}",
            igmp.build(igmp.QUERY, b"", 0): "query v1 general",
        }
        for message, text in lines.items():
            head = ipv4.build(0, 20 + len(message), 0, 0, 1, 2, source(family), group(family))
            frame = bytes(12) + ethernet.TYPE_IPV4 + head + message
            assert describe.frame(frame).endswith(f"igmp {text}")
        return
    lines = {
        mld.build_query(group(family), 10, 2, 9, [source(family)]): f"query v2 {name}, {who}",
        mld.build_report(records): f"report v2 IS_EX({name}, {who}) record 9({name})",
        mld.build(132, group(family)): f"done {name}",
        mld.build(130, b"", 0): "query v1 general",
    }
    for message, text in lines.items():
        head = ipv6.build(0, 0, len(message), 58, 1, source(family), group(family))
        frame = bytes(12) + ethernet.TYPE_IPV6 + head + message
        assert describe.frame(frame).endswith(f"mld {text}")


# scapy.


def test_scapy_reads_igmp() -> None:
    who, other = source(V4), source(V4, 2)
    message = igmp.build_query(group(V4), 0x8F, 5, 0x7D, [who, other])
    assert data_sum(message) == 0
    query = IGMP(message)
    assert isinstance(query, IGMPv3_MQ)
    assert (query.fields["mrcode"], query.gaddr, query.s) == (31 << 3, "239.1.1.1", 0)
    assert (query.qrv, query.qqic, query.numsrc) == (5, 125, 2)
    assert query.srcaddrs == ["10.9.0.1", "10.9.0.2"]

    records = [Record(IS_EXCLUDE, group(V4)), Record(BLOCK, group(V4, 2), [who, other])]
    message = igmp.build_report(records)
    assert data_sum(message) == 0
    report = IGMP(message)
    assert isinstance(report, IGMPv3_MR)
    assert [(r.rtype, r.maddr, r.srcaddrs) for r in report.records] == [
        (IS_EXCLUDE, "239.1.1.1", []),
        (BLOCK, "239.1.1.2", ["10.9.0.1", "10.9.0.2"]),
    ]
    for kind, layer in (
        (igmp.REPORT1, IGMP_MR),
        (igmp.REPORT2, IGMPv2_MR),
        (igmp.LEAVE, IGMPv2_LG),
    ):
        message = igmp.build(kind, group(V4))
        assert data_sum(message) == 0
        old = IGMP(message)
        assert isinstance(old, layer)
        assert (old.type, old.mrcode, old.gaddr) == (kind, 0, "239.1.1.1")


def test_scapy_reads_mld() -> None:
    family = 2
    who, other = source(family), source(family, 2)
    query = ICMPv6MLQuery2(mld.build_query(group(family), 0x8001, 5, 0x7D, [who, other]))
    assert (query.type, query.mrd, query.mladdr) == (130, 0x8001, "ff15::1")
    assert (query.QRV, query.QQIC, query.sources) == (5, 125, ["fd09::1", "fd09::2"])

    records = [Record(IS_EXCLUDE, group(family)), Record(BLOCK, group(family, 2), [who, other])]
    report = ICMPv6MLReport2(mld.build_report(records))
    assert (report.type, report.records_number) == (143, 2)
    found = list(report.records[0].iterpayloads())  # scapy chains them
    assert all(isinstance(r, ICMPv6MLDMultAddrRec) for r in found)
    assert [(r.rtype, r.dst, r.sources) for r in found] == [
        (IS_EXCLUDE, "ff15::1", []),
        (BLOCK, "ff15::2", ["fd09::1", "fd09::2"]),
    ]
    for kind, layer in ((130, ICMPv6MLQuery), (131, ICMPv6MLReport), (132, ICMPv6MLDone)):
        old = layer(mld.build(kind, group(family), 77))
        assert (old.type, old.mrd, old.mladdr) == (kind, 77, "ff15::1")
