# SPDX-License-Identifier: MIT
"""Service names and their ports, both ways (RFC 6335).

The ones people write, from IANA's registry; no file of the machine is read, so that an answer is
the same everywhere.  Aliases are found, never told.
"""

from __future__ import annotations

from typing import Final

from wsk_api.constants import IPPROTO_TCP, IPPROTO_UDP, SOCK_DGRAM, SOCK_STREAM

_BOTH: Final = """
echo 7, discard 9 sink null, systat 11 users, daytime 13, qotd 17 quote, chargen 19 ttytst source,
time 37 timeserver, nicname 43 whois, domain 53 nameserver, gopher 70, http 80 www, kerberos 88,
pop3 110, sunrpc 111 rpcbind portmap, ntp 123, epmap 135 loc-srv, netbios-ns 137 nbname,
netbios-dgm 138 nbdatagram, netbios-ssn 139 nbsession, snmp 161, snmptrap 162 snmp-trap, ldap 389,
https 443, microsoft-ds 445, ldaps 636 sldap, ms-sql-s 1433, ms-sql-m 1434, nfs 2049, sip 5060,
sips 5061, llmnr 5355
"""
_TCP: Final = """
ftp-data 20, ftp 21, ssh 22, telnet 23, smtp 25 mail, finger 79, sftp 115, uucp-path 117,
nntp 119 usenet, imap 143 imap2 imap4, bgp 179, irc 194, exec 512, login 513, cmd 514 shell,
printer 515 spooler, submission 587, ipp 631, domain-s 853, ftps 990, telnets 992,
imaps 993 imap4s, pop3s 995, pptp 1723, ms-wbt-server 3389 rdp, mysql 3306, postgresql 5432,
amqp 5672, vnc 5900, redis 6379, http-alt 8080, mdns 5353
"""
_UDP: Final = """
bootps 67 dhcps, bootpc 68 dhcpc, tftp 69, isakmp 500 ike, biff 512 comsat, who 513 whod,
syslog 514, router 520 route routed, dhcpv6-client 546, dhcpv6-server 547, radius 1812,
radius-acct 1813, l2tp 1701, mdns 5353, ipsec-nat-t 4500 ipsec-msft
"""

_KINDS: Final = ((SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP))


def _table(text: str) -> tuple[dict[str, int], dict[int, str]]:
    ports: dict[str, int] = {}
    names: dict[int, str] = {}
    for entry in text.split(","):
        name, number, *aliases = entry.split()
        names.setdefault(int(number), name)
        for word in (name, *aliases):
            ports[word] = int(number)
    return ports, names


_TABLES: Final = {
    SOCK_STREAM: _table(f"{_TCP},{_BOTH}"),
    SOCK_DGRAM: _table(f"{_UDP},{_BOTH}"),
}


def kinds(service: str, socktype: int, protocol: int, numeric: bool) -> list[tuple[int, int, int]]:
    """(socket type, protocol, port) of everything `service` can be; none if it is unknown.

    A number is a port of the kind asked for, whatever it is; a name is looked up under TCP and
    UDP unless the kind is given.  With `numeric` only numbers will do.
    """
    if not service:
        return [(socktype, protocol, 0)]
    if service.isascii() and service.isdecimal():
        port = int(service) if len(service) <= 5 else 1 << 16
        return [(socktype, protocol, port)] if port < 1 << 16 else []
    if numeric:
        return []
    found = []
    for kind, own in _KINDS:
        known = _TABLES[kind][0].get(service.lower())
        if known is not None and socktype in (0, kind):
            found.append((kind, own, known))
    return found


def name(port: int, datagram: bool) -> str:
    """The service on `port`, empty if there is none that is known."""
    return _TABLES[SOCK_DGRAM if datagram else SOCK_STREAM][1].get(port, "")
