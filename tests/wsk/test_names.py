# SPDX-License-Identifier: MIT
"""WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo (wsk.md 2.4, 5.9, 6)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.units import MS, SECOND
from tests.harness import World, quiet
from tests.services.nameserver import NameServer
from tests.wsk.kit import Party, Request, mapped
from tests.wsk.real import registered
from wsk_api import (
    ADDRINFOEXW,
    AF_INET,
    AF_INET6,
    AI_ADDRCONFIG,
    AI_ALL,
    AI_CANONNAME,
    AI_FQDN,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_PASSIVE,
    AI_V4MAPPED,
    IPPROTO_TCP,
    IPPROTO_UDP,
    NI_DGRAM,
    NI_MAXHOST,
    NI_MAXSERV,
    NI_NAMEREQD,
    NI_NOFQDN,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    NS_ALL,
    NS_DNS,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    STATUS_CANCELLED,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MATCH,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    UNICODE_STRING,
    WSK_NO_WAIT,
    WSK_PROVIDER_NPI,
    IoAllocateIrp,
    IoCancelIrp,
    IoSetCompletionRoutine,
    Ref,
    RtlInitUnicodeString,
    Subsystem,
    WskCaptureProviderNPI,
    WskDeregister,
    WskReleaseProviderNPI,
    status_name,
    string_text,
    unicode_room,
    unicode_string,
)

ZONE = {
    ("www.example", "A"): ["192.0.2.1"],
    ("www.example", "AAAA"): ["2001:db8::1"],
    ("four.example", "A"): ["192.0.2.4"],
    ("six.example", "AAAA"): ["2001:db8::6"],
    ("alias.example", "CNAME"): ["www.example"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["www.example."],
    ("2.2.0.192.in-addr.arpa", "PTR"): ["far.elsewhere."],
}


class Town:
    """A client on one host, a name server on the other."""

    def __init__(self, world: World, family: int = addr.V4, **settings: Any) -> None:
        self.world = world
        server = "10.77.0.2" if family == addr.V4 else "fd77::2"
        config = quiet(dns_servers=(server,), dns_search=("example",), **settings)
        self.host, other = world.pair(config, quiet())
        self.server = NameServer(other, dict(ZONE))
        self.party = Party(world, self.host)
        self.client = self.party.npi.Client
        self.table = self.party.npi.Dispatch

    def ask(
        self,
        node: str | None,
        service: str | None = None,
        hints: ADDRINFOEXW | None = None,
        space: int = NS_ALL,
        provider: str | None = None,
        owner: tuple[Any, Any] = (None, None),
    ) -> tuple[Request, Ref[ADDRINFOEXW]]:
        """A WskGetAddressInfo that has been issued."""
        out: Ref[ADDRINFOEXW] = Ref()
        names = [None if text is None else unicode_string(text) for text in (node, service)]
        arguments = (self.client, *names, space, provider, hints, out, *owner)
        return Request().issue(self.table.WskGetAddressInfo, *arguments), out

    def find(self, *arguments: Any, **more: Any) -> list[str]:
        """Its whole answer, an address a line, or the name of its status."""
        request, out = self.ask(*arguments, **more)
        self.world.run(20 * SECOND)
        status, information = request.ends[0]
        assert status_name(information) == request.status == status
        if status != "STATUS_SUCCESS":
            assert out.value is None
            return [status]
        lines = listed(out.value)
        self.table.WskFreeAddressInfo(self.client, out.value)
        return lines

    def name(
        self, sockaddr: Any, flags: int = 0, length: int = 28, room: int = NI_MAXHOST
    ) -> tuple[str, str]:
        """WskGetNameInfo: (node, service), or (status, "")."""
        node, service = unicode_room(room), unicode_room(NI_MAXSERV)
        request = Request().issue(
            self.table.WskGetNameInfo,
            *(self.client, sockaddr, length, node, service, flags, None, None),
        )
        self.world.run(20 * SECOND)
        status, information = request.ends[0]
        assert status_name(information) == request.status
        if status != "STATUS_SUCCESS":
            assert (node.Length, service.Length) == (0, 0)
            return status, ""
        return string_text(node) or "", string_text(service) or ""

    def nothing_is_left(self) -> bool:
        stack = self.host.stack
        return not (
            self.client.engine.outstanding
            or self.client.address_lists
            or stack.udp.ports.in_use()
            or stack.tcp.ports.in_use()
            or stack.resolver.lookups
        )


def listed(entry: ADDRINFOEXW | None) -> list[str]:
    """A list as text: address, port, type and protocol, and the canonical name of the first."""
    lines = []
    while entry is not None:
        name = f" {entry.ai_canonname}" if entry.ai_canonname else ""
        where = entry.ai_addr
        if isinstance(where, SOCKADDR_IN):
            assert (entry.ai_family, entry.ai_addrlen) == (AF_INET, 16)
            text, port = addr.text(where.sin_addr), where.sin_port
        else:
            assert isinstance(where, SOCKADDR_IN6)
            assert (entry.ai_family, entry.ai_addrlen) == (AF_INET6, 28)
            text, port = addr.text(where.sin6_addr), where.sin6_port
            if addr.is_mapped(where.sin6_addr):
                text = "mapped " + addr.text(where.sin6_addr[12:])
            if where.sin6_scope_id:
                text += f"%{where.sin6_scope_id}"
        assert (entry.ai_flags, entry.ai_blob, entry.ai_bloblen, entry.ai_provider) == (
            *(0, None, 0),
            None,
        )
        lines.append(f"{text} {port} {entry.ai_socktype}/{entry.ai_protocol}{name}")
        entry = entry.ai_next
    return lines


def test_a_name(world: World, family: int) -> None:
    """The IRP is pending until the answer is there; nothing is written before."""
    town = Town(world, family)
    request, out = town.ask("www.example", "80")
    assert request.returned == "STATUS_PENDING"
    assert out.value is None
    world.run(SECOND)
    assert request.info == STATUS_SUCCESS
    assert sorted(listed(out.value)) == ["192.0.2.1 80 0/0", "2001:db8::1 80 0/0"]
    town.table.WskFreeAddressInfo(town.client, out.value)
    assert town.nothing_is_left()


def test_a_link_local_address_heard_on_the_link_has_its_interface(world: World) -> None:
    town = Town(world, llmnr=True)
    other = town.server.host
    assert other.stack.link_names.set_host_name("beta") == 0
    assert other.stack.link_names.switch_llmnr(True) == 0
    world.run(2 * SECOND)
    request, out = town.ask("beta")
    world.run(20 * SECOND)
    assert request.ends == [("STATUS_SUCCESS", STATUS_SUCCESS)]
    scopes = {}
    entry = out.value
    while entry is not None:
        if isinstance(entry.ai_addr, SOCKADDR_IN6):
            scopes[addr.text(entry.ai_addr.sin6_addr)] = entry.ai_addr.sin6_scope_id
        entry = entry.ai_next
    assert scopes == {"fd77::2": 0, "fe80::ff:fe00:2": town.host.nic.index}


def test_the_table_has_them_behind_the_control_function(world: World) -> None:
    members = list(vars(Town(world).table))
    assert members[-4:] == [
        *("WskControlClient", "WskGetAddressInfo"),
        *("WskFreeAddressInfo", "WskGetNameInfo"),
    ]


BOTH6 = ["2001:db8::1 0 0/0", "192.0.2.1 0 0/0"]
HINTS: list[tuple[str, str | None, tuple[int, ...], list[str]]] = [
    # families
    ("www.example", None, (0, AF_INET), ["192.0.2.1 0 0/0"]),
    ("www.example", None, (0, AF_INET6), ["2001:db8::1 0 0/0"]),
    ("four.example", None, (0, AF_INET6), ["STATUS_NO_MATCH"]),
    ("six.example", None, (0, AF_INET), ["STATUS_NO_MATCH"]),
    # mapped
    ("four.example", None, (AI_V4MAPPED, AF_INET6), ["mapped 192.0.2.4 0 0/0"]),
    ("www.example", None, (AI_V4MAPPED, AF_INET6), ["2001:db8::1 0 0/0"]),
    (
        *("www.example", None, (AI_V4MAPPED | AI_ALL, AF_INET6)),
        ["mapped 192.0.2.1 0 0/0", "2001:db8::1 0 0/0"],
    ),
    ("four.example", None, (AI_ALL, AF_INET6), ["STATUS_NO_MATCH"]),
    ("www.example", None, (AI_V4MAPPED, AF_INET), ["192.0.2.1 0 0/0"]),
    ("10.1.2.3", None, (AI_V4MAPPED, AF_INET6), ["mapped 10.1.2.3 0 0/0"]),
    # numbers
    ("10.1.2.3", "8080", (AI_NUMERICHOST | AI_NUMERICSERV,), ["10.1.2.3 8080 0/0"]),
    ("2001:db8::7", None, (AI_NUMERICHOST, AF_INET6), ["2001:db8::7 0 0/0"]),
    ("fe80::1%2", None, (0,), ["fe80::1%2 0 0/0"]),
    ("10.1.2.3", None, (0, AF_INET6), ["STATUS_NO_MATCH"]),
    ("2001:db8::7", None, (0, AF_INET), ["STATUS_NO_MATCH"]),
    ("www.example", None, (AI_NUMERICHOST,), ["STATUS_NO_MATCH"]),
    ("fe80::1%lo", None, (0,), ["STATUS_NO_MATCH"]),
    ("10.1.2.3%1", None, (0,), ["STATUS_NO_MATCH"]),
    ("10.1", None, (0,), ["STATUS_NO_MATCH"]),
    # canonical names
    ("alias.example", None, (AI_CANONNAME, AF_INET), ["192.0.2.1 0 0/0 www.example"]),
    ("four", None, (AI_FQDN, AF_INET), ["192.0.2.4 0 0/0 four.example"]),
    ("alias", None, (AI_FQDN, AF_INET), ["192.0.2.1 0 0/0 alias.example"]),
    ("10.1.2.3", None, (AI_CANONNAME,), ["10.1.2.3 0 0/0 10.1.2.3"]),
    # services
    ("10.1.2.3", "http", (0,), ["10.1.2.3 80 1/6", "10.1.2.3 80 2/17"]),
    ("10.1.2.3", "ssh", (0,), ["10.1.2.3 22 1/6"]),
    ("10.1.2.3", "WWW", (0, 0, SOCK_STREAM), ["10.1.2.3 80 1/6"]),
    ("10.1.2.3", "tftp", (0, 0, SOCK_STREAM), ["STATUS_NO_MATCH"]),
    ("10.1.2.3", "tftp", (0, 0, 0, IPPROTO_UDP), ["10.1.2.3 69 2/17"]),
    ("10.1.2.3", "7", (0, 0, SOCK_STREAM), ["10.1.2.3 7 1/6"]),
    ("10.1.2.3", "7", (0, 0, SOCK_RAW, 89), ["10.1.2.3 7 3/89"]),
    ("10.1.2.3", "domain", (0, 0, SOCK_RAW), ["STATUS_NO_MATCH"]),
    ("10.1.2.3", "http", (AI_NUMERICSERV,), ["STATUS_NO_MATCH"]),
    ("10.1.2.3", "no-such", (0,), ["STATUS_NO_MATCH"]),
    ("10.1.2.3", "65535", (0,), ["10.1.2.3 65535 0/0"]),
    ("10.1.2.3", "65536", (0,), ["STATUS_NO_MATCH"]),
    ("10.1.2.3", "9" * 5000, (0,), ["STATUS_NO_MATCH"]),
    ("10.1.2.3", "-1", (0,), ["STATUS_NO_MATCH"]),
    # no node
    ("", "80", (0,), ["::1 80 0/0", "127.0.0.1 80 0/0"]),
    ("", "80", (AI_PASSIVE,), [":: 80 0/0", "0.0.0.0 80 0/0"]),
    ("", "80", (AI_PASSIVE, AF_INET), ["0.0.0.0 80 0/0"]),
    ("10.1.2.3", "80", (AI_PASSIVE,), ["10.1.2.3 80 0/0"]),
    # names that do not exist or cannot
    ("no.such.example", None, (0,), ["STATUS_NO_MATCH"]),
    ("a..b", None, (0,), ["STATUS_NO_MATCH"]),
    ("localhost", None, (AI_ADDRCONFIG,), ["::1 0 0/0", "127.0.0.1 0 0/0"]),
]


@pytest.mark.parametrize(("node", "service", "hints", "expected"), HINTS)
def test_hints(
    world: World, node: str, service: str | None, hints: tuple[int, ...], expected: list[str]
) -> None:
    town = Town(world)
    found = town.find(node or None, service, ADDRINFOEXW(*hints))
    assert sorted(found) == sorted(expected)
    assert town.nothing_is_left()


def hint(**members: Any) -> ADDRINFOEXW:
    hints = ADDRINFOEXW()
    for name, value in members.items():
        setattr(hints, name, value)
    return hints


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (hint(ai_addrlen=16), "STATUS_INVALID_PARAMETER"),
        (hint(ai_canonname=""), "STATUS_INVALID_PARAMETER"),
        (hint(ai_addr=SOCKADDR_IN()), "STATUS_INVALID_PARAMETER"),
        (hint(ai_blob=b""), "STATUS_INVALID_PARAMETER"),
        (hint(ai_bloblen=1), "STATUS_INVALID_PARAMETER"),
        (hint(ai_provider="x"), "STATUS_INVALID_PARAMETER"),
        (hint(ai_next=ADDRINFOEXW()), "STATUS_INVALID_PARAMETER"),
        (hint(ai_flags=0x10), "STATUS_INVALID_PARAMETER"),
        (hint(ai_flags=AI_CANONNAME | AI_FQDN), "STATUS_INVALID_PARAMETER"),
        ("hints", "STATUS_INVALID_PARAMETER"),
        (hint(ai_family=1), "STATUS_NOT_SUPPORTED"),
        (hint(ai_socktype=4), "STATUS_NOT_SUPPORTED"),
        (hint(ai_socktype=SOCK_STREAM, ai_protocol=IPPROTO_UDP), "STATUS_NOT_SUPPORTED"),
        (hint(ai_socktype=SOCK_DGRAM, ai_protocol=IPPROTO_TCP), "STATUS_NOT_SUPPORTED"),
        (hint(ai_protocol=132), "STATUS_NOT_SUPPORTED"),
    ],
)
def test_hints_that_are_none(world: World, hints: Any, expected: str) -> None:
    town = Town(world)
    assert town.find("www.example", None, hints) == [expected]
    assert town.server.seen == []


def test_arguments(world: World) -> None:
    town = Town(world)
    invalid = ["STATUS_INVALID_PARAMETER"]
    assert town.find(None, None) == town.find("", "") == town.find("", None) == invalid
    assert town.find(None, "80", ADDRINFOEXW(AI_CANONNAME)) == invalid
    assert town.find("10.0.0.1", owner=(None, "thread")) == invalid
    assert town.find("10.0.0.1", owner=("process", "thread")) == ["10.0.0.1 0 0/0"]
    assert town.find("10.0.0.1", owner=("process", None)) == ["10.0.0.1 0 0/0"]
    assert town.find("10.0.0.1", space=NS_DNS) == ["10.0.0.1 0 0/0"]
    assert town.find("10.0.0.1", space=13) == ["STATUS_NOT_SUPPORTED"]
    assert town.find("10.0.0.1", provider="a GUID") == ["STATUS_NOT_SUPPORTED"]
    ask = town.table.WskGetAddressInfo
    node = unicode_string("10.0.0.1")
    rest: Any = (None, 0, None, None, Ref(), None, None)
    assert ask(town.client, node, *rest, None) == STATUS_INVALID_PARAMETER
    nobody = Request().issue(ask, None, node, *rest)
    assert nobody.returned == nobody.status == status_name(STATUS_INVALID_HANDLE)
    no_result = Request().issue(ask, town.client, node, None, 0, None, None, None, None, None)
    assert no_result.status == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize(
    "string",
    [
        UNICODE_STRING(6, 8, "www".encode("utf-16-le")),  # without its NUL
        UNICODE_STRING(6, 8, "www!".encode("utf-16-le")),
        UNICODE_STRING(5, 8, "www\0".encode("utf-16-le")),  # half a character
        UNICODE_STRING(60, 62, "www\0".encode("utf-16-le")),
        UNICODE_STRING(-2, 8, "www\0".encode("utf-16-le")),
        UNICODE_STRING(6, 8, "w\0w\0".encode("utf-16-le")),
        UNICODE_STRING(2, 4, b"\x00\xd8\0\0"),  # half a pair
        UNICODE_STRING(2, 4, None),
        "www",
    ],
)
def test_strings_that_are_none(world: World, string: Any) -> None:
    town = Town(world)
    for names in ((string, None), (unicode_string("10.0.0.1"), string)):
        arguments = (town.client, *names, 0, None, None, Ref(), None, None)
        request = Request().issue(town.table.WskGetAddressInfo, *arguments)
        assert request.status == "STATUS_INVALID_PARAMETER"


def test_unicode_strings() -> None:
    string = UNICODE_STRING()
    RtlInitUnicodeString(string, "aé\N{GRINNING FACE}")
    assert (string.Length, string.MaximumLength) == (8, 10)
    assert string_text(string) == "aé\N{GRINNING FACE}"
    assert repr(string) == "UNICODE_STRING('aé\N{GRINNING FACE}')"
    RtlInitUnicodeString(string, None)
    assert (string.Length, string.MaximumLength, string.Buffer) == (0, 0, None)
    assert string_text(string) == ""


def test_addrconfig(world: World) -> None:
    """A host without an IPv6 address does not ask for any."""
    town = Town(world)
    six = town.host.stack.v6
    own = town.host.v6
    six.local.pop(own)
    assert town.find("www.example", None, ADDRINFOEXW(AI_ADDRCONFIG)) == ["192.0.2.1 0 0/0"]
    assert town.server.seen == ["udp www.example A"]
    none = town.find("six.example", None, ADDRINFOEXW(AI_ADDRCONFIG, AF_INET6))
    assert none == ["STATUS_NO_MATCH"]


def test_the_inputs_may_change_once_the_call_is_made(world: World) -> None:
    town = Town(world)
    hints = ADDRINFOEXW(0, AF_INET)
    request, out = town.ask("www.example", None, hints)
    hints.ai_family = AF_INET6
    world.run(SECOND)
    assert request.info == STATUS_SUCCESS
    assert listed(out.value) == ["192.0.2.1 0 0/0"]


def test_what_servers_do_is_told(world: World, family: int) -> None:
    town = Town(world, family)
    town.server.code = 2
    assert town.find("a.example.") == ["STATUS_UNSUCCESSFUL"]
    town.server.silent = True
    assert town.find("b.example.") == ["STATUS_IO_TIMEOUT"]
    town.server.endpoint.close()
    assert town.find("c.example.") == ["STATUS_PORT_UNREACHABLE"]
    assert town.nothing_is_left()


def test_without_a_resolver(world: World) -> None:
    """Numbers and services need none."""
    town = Town(world)
    subsystem = Subsystem()
    subsystem.attach(town.host.stack.providers, world.env.executor)
    registration = registered(subsystem)
    npi = WSK_PROVIDER_NPI()
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_SUCCESS
    town.client = npi.Client
    assert town.find("www.example") == ["STATUS_NOT_SUPPORTED"]
    assert town.find("10.0.0.1", "http", ADDRINFOEXW(0, 0, SOCK_STREAM)) == ["10.0.0.1 80 1/6"]
    assert town.name(at("192.0.2.1")) == ("192.0.2.1", "http")
    assert town.name(at("192.0.2.1"), NI_NAMEREQD) == ("STATUS_NO_MATCH", "")
    assert town.server.seen == []


def test_arguments_of_a_wrong_kind(world: World) -> None:
    town = Town(world)
    request, _ = town.ask("www.example", None, hint(ai_flags=None))
    assert request.status == "STATUS_INVALID_PARAMETER"
    address: Any = SOCKADDR_IN(80, None)  # type: ignore[arg-type]
    arguments = (town.client, address, 16, unicode_room(99), None, 0, None, None)
    again = Request().issue(town.table.WskGetNameInfo, *arguments)
    assert again.status == "STATUS_INVALID_PARAMETER"
    assert town.nothing_is_left()


def test_too_many_lookups(world: World) -> None:
    town = Town(world, dns_lookup_limit=1)
    first, _ = town.ask("www.example")
    second, _ = town.ask("four.example")
    assert second.status == "STATUS_INSUFFICIENT_RESOURCES"
    world.run(SECOND)
    assert first.status == "STATUS_SUCCESS"


# Freeing.


def test_a_list_is_freed_once(world: World) -> None:
    town = Town(world)
    _, out = town.ask("10.0.0.1", "http")
    head = out.value
    assert head is not None
    free = town.table.WskFreeAddressInfo
    free(town.client, None)
    with pytest.raises(AssertionError, match="not the head"):
        free(town.client, head.ai_next)
    other = Party(world, world.pair()[0])
    with pytest.raises(AssertionError, match="of this client"):
        free(other.npi.Client, head)
    free(town.client, head)
    assert head.ai_next is None
    with pytest.raises(AssertionError, match="freed already"):
        free(town.client, head)
    assert town.nothing_is_left()


# Names of addresses.


def at(text: str, port: int = 80, scope: int = 0) -> SOCKADDR_IN | SOCKADDR_IN6:
    packed = addr.parse(text)
    if len(packed) == 4:
        return SOCKADDR_IN(port, packed)
    return SOCKADDR_IN6(port, packed, 0, scope)


NAMES: list[tuple[Any, int, tuple[str, str]]] = [
    (at("192.0.2.1"), 0, ("www.example", "http")),
    (at("192.0.2.1"), NI_NOFQDN, ("www", "http")),
    (at("192.0.2.2"), NI_NOFQDN, ("far.elsewhere", "http")),
    (at("192.0.2.1"), NI_NUMERICHOST, ("192.0.2.1", "http")),
    (at("192.0.2.1"), NI_NUMERICSERV, ("www.example", "80")),
    (at("192.0.2.1"), NI_NUMERICSERV | NI_NUMERICHOST, ("192.0.2.1", "80")),
    (at("192.0.2.1"), NI_NAMEREQD, ("www.example", "http")),
    (at("192.0.2.9"), 0, ("192.0.2.9", "http")),
    (at("192.0.2.9"), NI_NAMEREQD, ("STATUS_NO_MATCH", "")),
    (at("192.0.2.1"), NI_NAMEREQD | NI_NUMERICHOST, ("STATUS_NO_MATCH", "")),
    (at("127.0.0.1", 514), 0, ("localhost", "cmd")),
    (at("::1", 514), NI_DGRAM, ("localhost", "syslog")),
    (at("127.0.0.1", 4), 0, ("localhost", "4")),
    (at("fe80::1", 0, 2), 0, ("fe80::1%2", "0")),
    (at("2001:db8::9", 22, 2), 0, ("2001:db8::9", "ssh")),
    (SOCKADDR_IN6(80, mapped(addr.parse("192.0.2.1"))), 0, ("www.example", "http")),
    (SOCKADDR_IN6(80, mapped(addr.parse("192.0.2.7"))), 0, ("::ffff:192.0.2.7", "http")),
    (at("192.0.2.1"), 0x20, ("STATUS_INVALID_PARAMETER", "")),
    (at("192.0.2.1", 1 << 16), 0, ("STATUS_INVALID_PARAMETER", "")),
    (SOCKADDR_IN(80, b"xyz"), 0, ("STATUS_INVALID_PARAMETER", "")),
    ("192.0.2.1", 0, ("STATUS_INVALID_PARAMETER", "")),
]


@pytest.mark.parametrize(("sockaddr", "flags", "expected"), NAMES)
def test_names_of_addresses(
    world: World, sockaddr: Any, flags: int, expected: tuple[str, str]
) -> None:
    town = Town(world)
    assert town.name(sockaddr, flags) == expected
    assert town.nothing_is_left()


def test_names_over_either_family(world: World, family: int) -> None:
    assert Town(world, family).name(at("192.0.2.1")) == ("www.example", "http")


def test_lengths_and_outputs(world: World) -> None:
    town = Town(world)
    four, six = at("192.0.2.1"), at("2001:db8::1")
    bad = ("STATUS_INVALID_PARAMETER", "")
    assert town.name(four, length=16) == town.name(four, length=128) == ("www.example", "http")
    assert town.name(four, length=15) == town.name(six, length=27) == bad
    assert town.name(six, length=129) == bad
    assert town.name(four, room=11) == ("www.example", "http")
    assert town.name(four, room=10) == ("STATUS_BUFFER_TOO_SMALL", "")
    ask = town.table.WskGetNameInfo

    def one(node: Any, service: Any, thread: Any = None) -> Request:
        arguments = (town.client, four, 16, node, service, NI_NUMERICHOST, None, thread)
        return Request().issue(ask, *arguments)

    room = unicode_room(40)
    assert one(None, None).status == "STATUS_INVALID_PARAMETER"
    assert one(room, None, "thread").status == "STATUS_INVALID_PARAMETER"
    assert one("name", None).status == "STATUS_INVALID_PARAMETER"
    assert one(unicode_string("read only"), None).status == "STATUS_BUFFER_TOO_SMALL"
    assert one(room, None).status == "STATUS_SUCCESS"
    assert string_text(room) == "192.0.2.1"
    assert one(None, room).status == "STATUS_SUCCESS"
    assert string_text(room) == "http"
    assert town.server.seen == ["udp 1.2.0.192.in-addr.arpa PTR"]
    without = (town.client, four, 16, room, None, 0, None, None, None)
    assert ask(*without) == STATUS_INVALID_PARAMETER
    nobody = Request().issue(ask, None, four, 16, room, None, 0, None, None)
    assert nobody.status == status_name(STATUS_INVALID_HANDLE)


def test_a_silent_server_leaves_the_number(world: World) -> None:
    town = Town(world)
    town.server.silent = True
    assert town.name(at("192.0.2.1")) == ("192.0.2.1", "http")
    assert town.name(at("192.0.2.2"), NI_NAMEREQD) == ("STATUS_IO_TIMEOUT", "")


# Cancelling and leaving.


@pytest.mark.parametrize("moment", [0, 1, 5, 900, 1100, 2500])
@pytest.mark.parametrize("what", ["addresses", "name"])
def test_cancelling(world: World, family: int, what: str, moment: int) -> None:
    """At any point of a lookup that gets no answer: it ends at once and the asking with it."""
    town = Town(world, family)
    town.server.silent = True
    request, out = begin(town, what)
    world.run(moment * MS)
    asked = len(town.server.asked)
    assert request.pending
    assert IoCancelIrp(request.irp) is True
    assert request.ends == [("STATUS_CANCELLED", STATUS_CANCELLED)]
    assert out.value is None
    assert IoCancelIrp(request.irp) is False
    world.run(20 * SECOND)
    assert len(town.server.asked) <= asked + (2 if moment < 2 else 0)
    assert request.status == "STATUS_CANCELLED"
    assert town.nothing_is_left()


def begin(town: Town, what: str) -> tuple[Request, Ref[ADDRINFOEXW]]:
    if what == "addresses":
        return town.ask("www.example")
    arguments = (town.client, at("192.0.2.1"), 16, unicode_room(99), None, 0, None, None)
    return Request().issue(town.table.WskGetNameInfo, *arguments), Ref()


@pytest.mark.parametrize("steps", range(0, 12, 1))
def test_cancelling_between_any_two_events(world: World, steps: int) -> None:
    """With a server that answers: either the answer or the cancellation, once."""
    town = Town(world)
    town.server.answer = lambda query: [town.server.usual(query, truncated=query.by == "udp")]
    request, out = town.ask("www.example")
    for _ in range(steps):
        world.loop.turn()
    withdrawn = IoCancelIrp(request.irp)
    world.run(20 * SECOND)
    assert request.status == ("STATUS_CANCELLED" if withdrawn else "STATUS_SUCCESS")
    assert (out.value is None) == withdrawn
    if out.value is not None:
        town.table.WskFreeAddressInfo(town.client, out.value)
    world.run(70 * SECOND)
    assert town.nothing_is_left()


def test_one_of_two_who_ask_the_same_is_cancelled(world: World) -> None:
    town = Town(world)
    (first, _), (second, out) = town.ask("www.example"), town.ask("www.example")
    IoCancelIrp(first.irp)
    world.run(SECOND)
    assert (first.status, second.status) == ("STATUS_CANCELLED", "STATUS_SUCCESS")
    assert len(listed(out.value)) == 2


def test_a_completion_may_ask_again_and_free(world: World) -> None:
    """A chain of lookups, each from the completion of the one before."""
    town = Town(world)
    ends: list[int] = []

    def done(device: Any, irp: Any, context: Any) -> int:
        ends.append(irp.IoStatus.Status)
        town.table.WskFreeAddressInfo(town.client, out.value)
        if len(ends) < 300:
            begin_one()
        return STATUS_SUCCESS

    out: Ref[ADDRINFOEXW] = Ref()

    def begin_one() -> None:
        irp = IoAllocateIrp(1, False)
        IoSetCompletionRoutine(irp, done)
        node = unicode_string("www.example" if len(ends) % 2 else "10.0.0.1")
        town.table.WskGetAddressInfo(town.client, node, None, 0, None, None, out, None, None, irp)

    begin_one()
    world.run(10 * SECOND)
    assert ends == [STATUS_SUCCESS] * 300
    assert town.nothing_is_left()


def test_deregistering_waits_for_a_lookup(world: World) -> None:
    town = Town(world)
    town.server.silent = True
    request, _ = town.ask("www.example")
    WskReleaseProviderNPI(town.party.registration)
    finished: list[bool] = []

    def leave() -> None:
        WskDeregister(town.party.registration)
        finished.append(request.pending)

    world.run(MS)
    assert len(town.client.engine.outstanding) == 1
    IoCancelIrp(request.irp)
    assert not town.client.engine.outstanding
    leaver = threading.Thread(target=leave)
    leaver.start()
    leaver.join(10)
    assert finished == [False]


@given(
    st.text(max_size=40), st.text(max_size=12), st.integers(0, 0xFFFFF), st.sampled_from([0, 2, 23])
)
def test_any_text_gets_a_documented_status(
    node: str, service: str, flags: int, family: int
) -> None:
    town = Town(World(1))
    try:
        strings = [unicode_string(text) for text in (node, service)]
    except UnicodeEncodeError:
        return  # half a pair: no UTF-16 at all
    out: Ref[ADDRINFOEXW] = Ref()
    arguments = (town.client, *strings, 0, None, ADDRINFOEXW(flags, family), out, None, None)
    request = Request().issue(town.table.WskGetAddressInfo, *arguments)
    town.world.run(SECOND)
    known = {STATUS_SUCCESS, STATUS_NO_MATCH, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED}
    assert request.status in {status_name(status) for status in known}
    assert (out.value is not None) == (request.status == "STATUS_SUCCESS")
