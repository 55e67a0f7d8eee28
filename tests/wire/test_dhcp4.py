# SPDX-License-Identifier: MIT
"""DHCPv4 messages and options: scapy judges, hypothesis searches (RFC 2131, 2132, 3396, 3397,
3442, 4361)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from stack.base import addr
from stack.wire import describe, dhcp4, ethernet, ipv4, udp
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message

MAC = bytes.fromhex("020000000001")
FIELDS = (
    "op",
    "htype",
    "hops",
    "xid",
    "secs",
    "flags",
    "ciaddr",
    "yiaddr",
    "siaddr",
    "giaddr",
    "chaddr",
    "sname",
    "file",
    "options",
)


def fields(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in FIELDS}


four = st.binary(min_size=4, max_size=4)
words = st.binary(max_size=63).map(lambda data: data.replace(b"\0", b"x"))
codes = st.integers(1, 254).filter(lambda code: code != opt.OVERLOAD)


@st.composite
def messages(draw: st.DrawFn, longest: int = 300, most: int = 8) -> Message:
    message = Message(draw(st.integers(0, 255)), draw(st.integers(0, 2**32 - 1)), b"")
    message.htype = draw(st.integers(0, 255))
    message.hops = draw(st.integers(0, 255))
    message.secs = draw(st.integers(0, 65535))
    message.flags = draw(st.integers(0, 65535))
    message.ciaddr, message.yiaddr = draw(four), draw(four)
    message.siaddr, message.giaddr = draw(four), draw(four)
    message.chaddr = draw(st.binary(max_size=16))
    message.sname, message.file = draw(words), draw(words)
    message.options = draw(st.dictionaries(codes, st.binary(max_size=longest), max_size=most))
    return message


@given(messages())
def test_what_is_built_is_parsed(message: Message) -> None:
    wire = dhcp4.build(message, 4096)
    assert len(wire) >= dhcp4.LEAST
    again = dhcp4.parse(wire, 0, len(wire))
    assert again is not None
    assert fields(again) == fields(message)
    assert list(again.options) == list(message.options)


@given(messages(longest=80), st.integers(244, 700))
def test_whatever_the_room_what_is_there_is_whole(message: Message, room: int) -> None:
    """Options that do not fit lie in `file` and `sname`, or are left out whole."""
    message.file = b""
    wire = dhcp4.build(message, room)
    assert len(wire) <= max(room, dhcp4.LEAST)
    again = dhcp4.parse(wire, 0, len(wire))
    assert again is not None
    for code, value in again.options.items():
        assert message.options[code] == value
    if sum(len(value) + 4 for value in message.options.values()) < room - 246:
        assert again.options == message.options


@given(st.binary(max_size=700), st.integers(0, 20))
def test_parsing_is_total(data: bytes, start: int) -> None:
    start = min(start, len(data))
    dhcp4.parse(data, start, len(data))
    dhcp4.describe(data, start, len(data))


@given(messages(longest=20), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255))))
def test_parsing_what_is_almost_right_is_total(
    message: Message, bends: list[tuple[int, int]]
) -> None:
    wire = bytearray(dhcp4.build(message))
    for at, value in bends:
        wire[at % len(wire)] = value
    found = dhcp4.parse(bytes(wire), 0, len(wire))
    if found is not None:
        read_all(found.options)


def read_all(options: dict[int, bytes]) -> None:
    for value in options.values():
        opt.address(value)
        opt.addresses(value)
        opt.number(value, 4)
        opt.prefix_length(value)
        opt.static_routes(value)
        opt.classless_routes(value)
        opt.text(value)
        opt.domain_search(value)


@given(st.binary(max_size=300))
def test_values_are_read_totally(value: bytes) -> None:
    read_all({1: value})


@pytest.mark.parametrize("cut", range(dhcp4.LENGTH))
def test_nothing_shorter_than_the_fixed_part(cut: int) -> None:
    wire = dhcp4.build(Message(1, 7, MAC))
    assert dhcp4.parse(wire, 0, cut) is None


def test_the_cookie_and_the_address_length_must_be_right() -> None:
    wire = bytearray(dhcp4.build(Message(1, 7, MAC)))
    wire[236] ^= 1
    assert dhcp4.parse(bytes(wire), 0, len(wire)) is None
    wire[236] ^= 1
    wire[2] = 17
    assert dhcp4.parse(bytes(wire), 0, len(wire)) is None
    wire[2] = 16
    assert dhcp4.parse(bytes(wire), 0, len(wire)) is not None


def with_options(data: bytes, sname: bytes = b"", file: bytes = b"") -> Message | None:
    wire = bytearray(dhcp4.build(Message(1, 7, MAC))[: dhcp4.LENGTH])
    wire[44 : 44 + len(sname)] = sname
    wire[108 : 108 + len(file)] = file
    wire += data
    return dhcp4.parse(bytes(wire), 0, len(wire))


def test_pad_end_and_what_comes_after_it() -> None:
    message = with_options(b"\0\0\x0c\2ab\0\x0f\1z\xff\x0c\2cd")
    assert message is not None
    assert message.options == {12: b"ab", 15: b"z"}


def test_an_options_field_may_just_end() -> None:
    message = with_options(b"\x0c\2ab")
    assert message is not None
    assert message.options == {12: b"ab"}


@pytest.mark.parametrize("data", [b"\x0c", b"\x0c\3ab", b"\x0c\xff" + bytes(254)])
def test_an_option_beyond_its_field_is_malformed(data: bytes) -> None:
    assert with_options(data) is None


def test_pieces_of_an_option_are_joined() -> None:
    """RFC 3396 7: in the order they come, others in between or not."""
    message = with_options(b"\x0c\2ab\x0f\1z\x0c\0\x0c\2cd\xff")
    assert message is not None
    assert message.options == {12: b"abcd", 15: b"z"}


def test_overload_in_the_order_of_rfc_3396() -> None:
    """5: options, then file, then sname; an option may be cut across them."""
    file, sname = b"\x0c\1b\x43\4boot\xff", b"\x0c\1c\xff"
    for flag, options in (
        (1, {12: b"ab", 67: b"boot"}),
        (2, {12: b"ac"}),
        (3, {12: b"abc", 67: b"boot"}),
    ):
        message = with_options(b"\x34\1" + bytes((flag,)) + b"\x0c\1a\xff", sname, file)
        assert message is not None
        assert message.options == options
        assert bool(message.file) == (flag == 2)
        assert bool(message.sname) == (flag == 1)


def test_without_overload_the_fields_are_text() -> None:
    message = with_options(b"\xff", b"server\0junk", b"boot\0junk")
    assert message is not None
    assert (message.sname, message.file, message.options) == (b"server", b"boot", {})


@pytest.mark.parametrize("value", [b"\x34\1\4\xff", b"\x34\2\1\1\xff", b"\x34\0\xff"])
def test_a_nonsensical_overload_is_malformed(value: bytes) -> None:
    assert with_options(value) is None


def test_malformed_options_in_an_overloaded_field() -> None:
    assert with_options(b"\x34\1\1\xff", file=b"\x0c\xff") is None
    assert with_options(b"\x34\1\2\xff", sname=b"\x0c\x7f") is None


def test_overload_inside_an_overloaded_field_means_nothing() -> None:
    message = with_options(b"\x34\1\1\xff", b"\x0c\1x\xff", b"\x34\1\3\x0f\1y\xff")
    assert message is not None
    assert message.options == {15: b"y"}
    assert message.sname == b"\x0c\1x\xff"


def test_a_long_option_is_cut_into_pieces_of_255() -> None:
    """RFC 3396 5."""
    message = Message(2, 1, MAC)
    message.options[121] = bytes(range(256)) * 3
    wire = dhcp4.build(message, 1400)
    assert wire[240:242] == b"\x79\xff"
    assert wire[497:499] == b"\x79\xff"
    again = dhcp4.parse(wire, 0, len(wire))
    assert again is not None
    assert again.options == message.options


def test_scapy_reads_what_we_build() -> None:
    message = Message(2, 0x12345678, MAC)
    message.secs, message.flags = 77, dhcp4.BROADCAST
    message.ciaddr, message.yiaddr = b"\1\2\3\4", b"\5\6\7\x08"
    message.siaddr, message.giaddr = b"\x09\x0a\x0b\x0c", b"\x0d\x0e\x0f\x10"
    message.sname, message.file = b"server", b"boot.img"
    message.options = {
        opt.MESSAGE_TYPE: b"\5",
        opt.SERVER_ID: b"\1\1\1\1",
        opt.LEASE_TIME: b"\0\0\x0e\x10",
        opt.ROUTER: b"\2\2\2\2\3\3\3\3",
        opt.DOMAIN_NAME: b"example.org",
        opt.INTERFACE_MTU: b"\x05\x00",
    }
    boot = BOOTP(dhcp4.build(message))
    assert (boot.op, boot.xid, boot.secs) == (2, 0x12345678, 77)
    assert (boot.ciaddr, boot.yiaddr) == ("1.2.3.4", "5.6.7.8")
    assert (boot.siaddr, boot.giaddr) == ("9.10.11.12", "13.14.15.16")
    assert boot.sname.rstrip(b"\0") == b"server"
    assert boot.file.rstrip(b"\0") == b"boot.img"
    assert boot[DHCP].options[:6] == [
        ("message-type", 5),
        ("server_id", "1.1.1.1"),
        ("lease_time", 3600),
        ("router", "2.2.2.2", "3.3.3.3"),
        ("domain", b"example.org"),
        ("interface-mtu", 1280),
    ]


def test_we_read_what_scapy_builds() -> None:
    wire = bytes(
        BOOTP(op=2, xid=99, yiaddr="192.0.2.7", chaddr=MAC)
        / DHCP(
            options=[
                ("message-type", "offer"),
                ("server_id", "192.0.2.1"),
                ("lease_time", 600),
                ("subnet_mask", "255.255.254.0"),
                "end",
            ]
        )
    )
    message = dhcp4.parse(wire, 0, len(wire))
    assert message is not None
    assert (message.type, message.xid, message.chaddr) == (opt.OFFER, 99, MAC)
    assert message.yiaddr == addr.parse("192.0.2.7")
    assert opt.address(message.options[opt.SERVER_ID]) == addr.parse("192.0.2.1")
    assert opt.number(message.options[opt.LEASE_TIME], 4) == 600
    assert opt.prefix_length(message.options[opt.SUBNET_MASK]) == 23


# Values.


def test_addresses_come_in_fours() -> None:
    assert opt.addresses(b"\1\2\3\4\5\6\7\x08") == [b"\1\2\3\4", b"\5\6\7\x08"]
    for bad in (None, b"", b"\1", b"\1\2\3\4\5"):
        assert opt.addresses(bad) is None
        assert opt.address(bad) is None


@pytest.mark.parametrize("length", range(1, 33))
def test_every_mask(length: int) -> None:
    assert opt.prefix_length(addr.mask(addr.BROADCAST4, length)) == length


@pytest.mark.parametrize("mask", ["0.0.0.0", "255.0.255.0", "0.255.255.255", "255.255.255.1"])
def test_masks_that_are_none(mask: str) -> None:
    assert opt.prefix_length(addr.parse(mask)) is None


def test_classless_routes_of_rfc_3442s_table() -> None:
    for descriptor, prefix, length in (
        ("00", "0.0.0.0", 0),
        ("080a", "10.0.0.0", 8),
        ("180a0000", "10.0.0.0", 24),
        ("100a11", "10.17.0.0", 16),
        ("180a1b81", "10.27.129.0", 24),
        ("190a1b8180", "10.27.129.128", 25),
        ("200a198101", "10.25.129.1", 32),
    ):
        value = bytes.fromhex(descriptor) + b"\1\1\1\1"
        assert opt.classless_routes(value) == [(addr.parse(prefix), length, b"\1\1\1\1")]


@given(st.lists(st.tuples(four, st.integers(0, 32), four), min_size=1, max_size=20))
def test_classless_routes_there_and_back(routes: list[tuple[bytes, int, bytes]]) -> None:
    value = opt.encode_routes(routes)
    assert opt.classless_routes(value) == [
        (addr.mask(prefix, length), length, router) for prefix, length, router in routes
    ]


@pytest.mark.parametrize("value", [b"", b"\x21" + bytes(9), b"\x08\x0a\1\1\1", b"\0\1\1\1"])
def test_malformed_classless_routes(value: bytes) -> None:
    assert opt.classless_routes(value) is None


def test_static_routes_are_of_whole_classes() -> None:
    value = (
        b"".join(
            addr.parse(text)
            for text in ("10.0.0.0", "1.1.1.1", "172.16.0.0", "1.1.1.2", "192.0.2.0", "1.1.1.3")
        )
        + addr.parse("192.0.2.9")
        + addr.parse("1.1.1.4")
        + bytes(4)
        + addr.parse("1.1.1.5")
    )
    routes = opt.static_routes(value)
    assert routes is not None
    assert [(addr.text(prefix), length) for prefix, length, _ in routes] == [
        ("10.0.0.0", 8),
        ("172.16.0.0", 16),
        ("192.0.2.0", 24),
        ("192.0.2.9", 32),
    ]
    assert opt.static_routes(bytes(7)) is None


def test_the_search_list_of_rfc_3397() -> None:
    """2: eng.apple.com. and marketing.apple.com. with a pointer to apple.com."""
    value = b"\3eng\5apple\3com\0\x09marketing\xc0\x04"
    assert opt.domain_search(value) == ["eng.apple.com", "marketing.apple.com"]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\3eng",
        b"\3eng\5apple",
        b"\xc0\0",  # to itself
        b"\1a\xc0\0",  # around in a circle
        b"\1a\0\1b\xc0\x03",
        b"\1a\0\xc0",
        b"\1a\0\xc0\x63",
        b"\x40" + b"a" * 64 + b"\0",
        b"\1\xe4\0",
        b"".join(b"\x3f" + b"a" * 63 for _ in range(4)) + b"\0",
    ],
)
def test_malformed_search_lists(value: bytes) -> None:
    assert opt.domain_search(value) is None


def test_search_lists_have_an_end() -> None:
    found = opt.domain_search(b"\1a\0" * 1000)
    assert found == ["a"] * 32


def test_text_loses_its_final_nul_and_nothing_else() -> None:
    assert opt.text(b"example.org\0") == "example.org"
    for bad in (None, b"", b"\0", b"a\0b", b"\x07", b"\xe4"):
        assert opt.text(bad) is None


def test_natural_masks() -> None:
    for text, length in (("10.1.1.1", 8), ("172.16.1.1", 16), ("192.0.2.1", 24)):
        assert opt.natural_mask(addr.parse(text)) == length


def test_one_line_for_a_trace() -> None:
    message = Message(1, 0xABCD, MAC)
    message.options[opt.MESSAGE_TYPE] = b"\3"
    message.ciaddr = addr.parse("192.0.2.7")
    wire = dhcp4.build(message)
    body = udp.HEADER.pack(68, 67, 8 + len(wire), 0) + wire
    head = ipv4.build(0, 20 + len(body), 0, 0, 64, 17, addr.ANY4, addr.BROADCAST4)
    line = describe.frame(addr.MAC_BROADCAST + MAC + ethernet.TYPE_IPV4 + head + body)
    assert line.endswith("dhcp request xid 0000abcd ciaddr 192.0.2.7")
    short = describe.frame(addr.MAC_BROADCAST + MAC + ethernet.TYPE_IPV4 + head + body[:20])
    assert short.endswith("dhcp malformed")
