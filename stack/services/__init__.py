# SPDX-License-Identifier: MIT
"""Floor 6: services of the host itself, users of the transports like any other.

The name service, in reading order:

    domain          names as text: which are sound, special, relative
    hosts           the hosts file
    dns_message     queries and answers as octets, with dnspython
    dns_cache       what was answered, and that there was nothing
    means           what a resolver works with
    dns_tcp         one question by TCP
    exchange        one question to the servers until one answers
    question        one name and type: aliases, the cache, who waits
    lookup          one user's wish: search list, A and AAAA together
    resolver        the `NameService` of the transport seam

IPv4 addresses from the network:

    duid            who this host is to DHCP servers
    dhcp4_compose   what a client says
    dhcp4_port      the UDP port that the clients of all interfaces share
    dhcp4_lease     what a server grants
    dhcp4_apply     address, routes, name servers and MTU put into the host's tables
    dhcp4_talk      transactions and patience
    dhcp4_states    where a client can stand
    dhcp4           the client of one interface
    dhcp4_inform    parameters without a lease
    linklocal4      an address of one's own choice
    autoconf4       which of them it is to be
DHCPv6, a client per interface, has its reading order in `dhcp6`.

Names on the link, LLMNR and mDNS:

    link_message    messages of both as octets; the other file that knows dnspython
    link_means      what they work with, and what a host is on one link
    link_query      one question to everybody on a link
    responder       what the responders of both have in common
    llmnr_claim     whose a name is, by LLMNR
    llmnr           the LLMNR responder; by TCP through llmnr_tcp
    mdns_records    what a name has, compared as mDNS does
    mdns_answer     when and how mDNS answers
    mdns_link       whose a name is, by mDNS
    mdns            the mDNS responder
    link_exchange   a question of the resolver's that goes to the link
    link_names      the switches

All of them hear through a `port`.  `on_demand` makes each when somebody asks for it; dnspython is
imported with the first question that has a server to go to, or when a responder is switched on.
"""
