# SPDX-License-Identifier: MIT
"""DHCPv6 messages as octets: what is written is read again, anything can be read, scapy agrees."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers import dhcp6 as sc

from stack.base import addr
from stack.wire import dhcp6, dhcp6_codec
from stack.wire.dhcp6 import Auth, Ia, IaAddress, Message
from stack.wire.dhcp6_codec import build, option, parse

CLIENT = bytes.fromhex("00030001020000000001")
SERVER = bytes.fromhex("00030001020000000002")


def seen(record: Any) -> Any:
    """A record as plain values, to compare."""
    if isinstance(record, list):
        return [seen(one) for one in record]
    if isinstance(record, Message | Ia | IaAddress | Auth):
        return {name: seen(getattr(record, name)) for name in record.__slots__ if name != "at"}
    return record


word = st.integers(0, 0xFFFFFFFF)
duid = st.one_of(st.just(b""), st.binary(min_size=dhcp6.DUID_MIN, max_size=dhcp6.DUID_MAX))
maybe = st.one_of(st.just(dhcp6.ABSENT), word)
code = st.one_of(st.just(dhcp6.ABSENT), st.integers(0, 0xFFFF))
octet = st.one_of(st.just(dhcp6.ABSENT), st.integers(0, 0xFF))
address = st.binary(min_size=16, max_size=16)
addresses = st.lists(address, max_size=dhcp6.ADDRESS_LIMIT)
label = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
name = st.lists(label, min_size=1, max_size=3).map(".".join)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    kinds = st.sampled_from([k for k in range(256) if k not in (12, 13)])
    made = Message(draw(kinds), draw(st.integers(0, 0xFFFFFF)))
    made.client, made.server = draw(duid), draw(duid)
    for _ in range(draw(st.integers(0, 3))):
        one = Ia(draw(word), draw(word), draw(word), draw(code))
        for _ in range(draw(st.integers(0, 3))):
            one.addresses.append(IaAddress(draw(address), draw(word), draw(word), draw(code)))
        made.associations.append(one)
    made.wanted = tuple(draw(st.lists(st.integers(0, 0xFFFF), max_size=dhcp6.OPTION_LIMIT)))
    made.preference, made.reconfigure = draw(octet), draw(octet)
    made.elapsed = draw(code)
    made.refresh_time, made.sol_max_rt, made.inf_max_rt = draw(maybe), draw(maybe), draw(maybe)
    made.status = draw(code)
    if made.status != dhcp6.ABSENT:
        made.text = draw(st.text(st.characters(codec="utf-8"), max_size=20))
    made.rapid_commit, made.reconfigure_accept = draw(st.booleans()), draw(st.booleans())
    made.name_servers, made.ntp_servers = draw(addresses), draw(addresses)
    made.domains = draw(st.lists(name, max_size=4))
    if draw(st.booleans()):
        replay = draw(st.integers(0, (1 << 64) - 1))
        made.auth = Auth(draw(st.integers(0, 255)), 1, 0, replay, draw(st.binary(max_size=20)))
    return made


@given(messages(), st.binary(max_size=9), st.binary(max_size=9))
def test_what_is_built_is_parsed_again(message: Message, before: bytes, after: bytes) -> None:
    wire = build(message)
    again = parse(before + wire + after, len(before), len(before) + len(wire))
    assert again is not None
    assert seen(again) == seen(message)
    if again.auth is not None:
        assert wire[again.auth.at :].startswith(again.auth.information)
    assert build(again) == wire


@given(st.binary(max_size=300), st.integers(0, 40))
def test_any_octets_can_be_read(data: bytes, start: int) -> None:
    start = min(start, len(data))
    parse(data, start, len(data))
    assert dhcp6_codec.describe(data, start, len(data)).startswith("dhcp6")


@given(messages(), st.data())
def test_bent_messages_can_be_read(message: Message, data: st.DataObject) -> None:
    wire = bytearray(build(message))
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(wire)))
    again = parse(bytes(wire), 0, cut)
    if again is not None:
        assert len(again.associations) <= dhcp6.IA_LIMIT
        assert all(len(ia.addresses) <= dhcp6.ADDRESS_LIMIT for ia in again.associations)
        assert len(again.name_servers) <= dhcp6.ADDRESS_LIMIT


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing"),
        (b"\7\0\0", "no whole header"),
        (b"\7\0\0\1\0", "half an option header"),
        (b"\7\0\0\1\0\1\0\5abcd", "an option past the end"),
        (b"\7\0\0\1" + option(1, b"ab"), "a DUID of two octets"),
        (b"\7\0\0\1" + option(2, bytes(131)), "a DUID of 131 octets"),
        (b"\7\0\0\1" + option(3, bytes(11)), "a short IA"),
        (b"\7\0\0\1" + option(3, bytes(12) + option(5, bytes(23))), "a short IA address"),
        (b"\7\0\0\1" + option(3, bytes(12) + b"\0\5\0"), "half an option in an IA"),
        (b"\7\0\0\1" + option(3, bytes(12) + option(13, b"\0")), "a short status in an IA"),
        (
            b"\7\0\0\1" + option(3, bytes(12) + option(5, bytes(24) + option(13, b"\0"))),
            "a short status of an address",
        ),
        (
            b"\7\0\0\1" + option(3, bytes(12) + option(5, bytes(24) + b"\0")),
            "half an option of an address",
        ),
        (b"\7\0\0\1" + option(6, bytes(3)), "an odd option request"),
        (b"\7\0\0\1" + option(7, b""), "an empty preference"),
        (b"\7\0\0\1" + option(7, b"ab"), "a preference of two octets"),
        (b"\7\0\0\1" + option(8, b"a"), "a short elapsed time"),
        (b"\7\0\0\1" + option(11, bytes(10)), "a short authentication"),
        (b"\7\0\0\1" + option(13, b"\0"), "a short status"),
        (b"\7\0\0\1" + option(14, b"x"), "a rapid commit with something in it"),
        (b"\7\0\0\1" + option(19, b""), "an empty reconfigure"),
        (b"\7\0\0\1" + option(20, b"x"), "a reconfigure accept with something in it"),
        (b"\7\0\0\1" + option(99, b"") * 65, "too many options"),
    ],
)
def test_what_is_no_message(data: bytes, why: str) -> None:
    assert parse(data, 0, len(data)) is None, why


@pytest.mark.parametrize(
    ("code", "data", "field", "empty"),
    [
        (23, bytes(15), "name_servers", []),
        (24, b"\3abc", "domains", []),  # not closed
        (24, b"\3ab", "domains", []),  # past the end
        (24, b"\xc0\x00", "domains", []),  # compressed, which it must not be (RFC 8415 10)
        (24, b"\x03a.b\0", "domains", []),
        (24, b"\x01\xff\0", "domains", []),
        (24, (b"\x3f" + b"a" * 63) * 4 + b"\0", "domains", []),  # over 255 octets
        (32, bytes(3), "refresh_time", dhcp6.ABSENT),
        (56, b"\0\1\0\x11" + bytes(16), "ntp_servers", []),
        (82, bytes(5), "sol_max_rt", dhcp6.ABSENT),
        (83, b"", "inf_max_rt", dhcp6.ABSENT),
    ],
)
def test_what_only_informs_is_passed_over(
    code: int, data: bytes, field: str, empty: object
) -> None:
    message = parse(b"\7\0\0\1" + option(code, data) + option(2, SERVER), 0, 8 + len(data) + 14)
    assert message is not None
    assert getattr(message, field) == empty
    assert message.server == SERVER


@pytest.mark.parametrize(
    ("last", "fits"),
    [(b"a" * 61, True), (b"a" * 62, False), (b"!~", True), (b"\x7f", False), (b" ", False)],
)
def test_how_long_a_name_is_and_of_what(last: bytes, fits: bool) -> None:
    """RFC 1035 3.1: 255 octets at most, its lengths and its end included."""
    labels = [b"b" * 63] * 3 + [last]
    wire = b"".join(bytes((len(one),)) + one for one in labels) + b"\0"
    data = b"\7\0\0\1" + option(24, wire + b"\1z\0")
    message = parse(data, 0, len(data))
    assert message is not None
    assert message.domains == ([b".".join(labels).decode(), "z"] if fits else [])


def test_unknown_options_are_ignored_and_the_first_of_a_kind_counts() -> None:
    """RFC 8415 16: unknown ones are no reason to discard."""
    other = bytes.fromhex("00030001020000000009")
    parts = (option(99, b"zzz"), option(2, SERVER), option(2, other), option(0xFFFF, b""))
    data = b"\7\0\0\1" + b"".join(parts)
    message = parse(data, 0, len(data))
    assert message is not None
    assert message.server == SERVER


def test_lists_are_bounded() -> None:
    ia = bytes(12) + option(5, bytes(24)) * 30
    data = b"\7\0\0\1" + option(3, ia) * 20 + option(23, bytes(16) * 40)
    data += option(24, b"\1a\0" * 40) + option(56, option(1, bytes(16)) * 40)
    message = parse(data, 0, len(data))
    assert message is not None
    assert len(message.associations) == dhcp6.IA_LIMIT
    assert len(message.associations[0].addresses) == dhcp6.ADDRESS_LIMIT
    assert len(message.name_servers) == dhcp6.ADDRESS_LIMIT
    assert len(message.domains) == dhcp6.ADDRESS_LIMIT
    assert len(message.ntp_servers) == dhcp6.ADDRESS_LIMIT


@pytest.mark.parametrize("kind", [dhcp6.RELAY_FORWARD, dhcp6.RELAY_REPLY])
def test_relays_messages_are_told_apart_and_not_read(kind: int) -> None:
    data = bytes((kind,)) + bytes(40)
    message = parse(data, 0, len(data))
    assert message is not None
    assert message.kind == kind


def test_a_trace_line() -> None:
    message = Message(dhcp6.REPLY, 0xABCDEF)
    message.associations = [Ia(1)]
    message.associations[0].addresses = [IaAddress(addr.parse("2001:db8::7"), 1, 2)]
    wire = build(message)
    assert dhcp6_codec.describe(wire, 0, len(wire)) == "dhcp6 reply abcdef 2001:db8::7"
    assert dhcp6_codec.describe(b"\x63\0\0\1", 0, 4) == "dhcp6 type 99 000001"
    assert dhcp6_codec.describe(b"\x07", 0, 1) == "dhcp6 malformed"


# scapy.


def full() -> Message:
    message = Message(dhcp6.REQUEST, 0x123456)
    message.client, message.server = CLIENT, SERVER
    one = Ia(0xDEADBEEF, 100, 160)
    one.addresses = [IaAddress(addr.parse("2001:db8::1"), 200, 300, 0)]
    message.associations = [one]
    message.wanted = (23, 24, 82)
    message.preference = 255
    message.elapsed = 1234
    message.status, message.text = dhcp6.NO_BINDING, "none"
    message.rapid_commit = message.reconfigure_accept = True
    message.reconfigure = dhcp6.RENEW
    message.name_servers = [addr.parse("2001:db8::53"), addr.parse("fe80::1")]
    message.domains = ["example.com", "corp.example.net"]
    message.refresh_time = 4000
    message.auth = Auth(3, 1, 0, 0x0102030405060708, b"\2" + bytes(16))
    return message


def test_scapy_reads_what_we_write() -> None:
    packet = sc.DHCP6_Request(build(full()))
    assert packet.trid == 0x123456
    assert bytes(packet[sc.DHCP6OptClientId].duid) == CLIENT
    assert packet[sc.DHCP6OptClientId].duid.lladdr == "02:00:00:00:00:01"
    assert bytes(packet[sc.DHCP6OptServerId].duid) == SERVER
    ia = packet[sc.DHCP6OptIA_NA]
    assert (ia.iaid, ia.T1, ia.T2) == (0xDEADBEEF, 100, 160)
    lease = ia.ianaopts[0]
    assert (lease.addr, lease.preflft, lease.validlft) == ("2001:db8::1", 200, 300)
    assert packet[sc.DHCP6OptOptReq].reqopts == [23, 24, 82]
    assert packet[sc.DHCP6OptPref].prefval == 255
    assert packet[sc.DHCP6OptElapsedTime].elapsedtime == 1234
    assert lease.iaaddropts[0].statuscode == 0
    status = packet.getlayer(sc.DHCP6OptStatusCode, 2)
    assert status is not None
    assert (status.statuscode, status.statusmsg) == (3, b"none")
    assert sc.DHCP6OptRapidCommit in packet
    assert sc.DHCP6OptReconfAccept in packet
    assert packet[sc.DHCP6OptReconfMsg].msgtype == 5
    assert packet[sc.DHCP6OptDNSServers].dnsservers == ["2001:db8::53", "fe80::1"]
    assert packet[sc.DHCP6OptDNSDomains].dnsdomains == ["example.com.", "corp.example.net."]
    assert packet[sc.DHCP6OptInfoRefreshTime].reftime == 4000
    auth = packet[sc.DHCP6OptAuth]
    assert (auth.proto, auth.alg, auth.rdm) == (3, 1, 0)
    assert auth.authinfo == b"\2" + bytes(16)
    packet.clear_cache()
    assert bytes(packet) == build(full())


def test_we_read_what_scapy_writes() -> None:
    packet = (
        sc.DHCP6_Reply(trid=0x654321)
        / sc.DHCP6OptClientId(duid=sc.DUID_LL(lladdr="02:00:00:00:00:01"))
        / sc.DHCP6OptServerId(duid=sc.DUID_LLT(lladdr="02:00:00:00:00:02", timeval=1))
        / sc.DHCP6OptIA_NA(
            iaid=7,
            T1=10,
            T2=20,
            ianaopts=[
                sc.DHCP6OptIAAddress(addr="2001:db8::9", preflft=30, validlft=40),
                sc.DHCP6OptStatusCode(statuscode=0, statusmsg="fine"),
            ],
        )
        / sc.DHCP6OptDNSServers(dnsservers=["2001:db8::53"])
        / sc.DHCP6OptDNSDomains(dnsdomains=["example.org"])
        / sc.DHCP6OptInfoRefreshTime(reftime=1000)
    )
    data = bytes(packet)
    message = parse(data, 0, len(data))
    assert message is not None
    assert (message.kind, message.transaction) == (dhcp6.REPLY, 0x654321)
    assert message.client == CLIENT
    assert message.server[:2] == b"\0\1"
    (ia,) = message.associations
    assert (ia.iaid, ia.t1, ia.t2, ia.status) == (7, 10, 20, 0)
    (lease,) = ia.addresses
    assert (addr.text(lease.address), lease.preferred, lease.valid) == ("2001:db8::9", 30, 40)
    assert message.name_servers == [addr.parse("2001:db8::53")]
    assert message.domains == ["example.org"]
    assert message.refresh_time == 1000
