# SPDX-License-Identifier: MIT
"""From a host's name to SOCKADDRs: WskGetAddressInfo, if the provider has it (wsk.md 2.4, 5.9).

Addresses in digits need nobody.  The hints are those for a dual-stack socket (wsk.md 6): AF_INET6
with AI_V4MAPPED and AI_ALL, so that IPv4 comes mapped, and the order is the resolver's.
Who calls it: `client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsk_api.addrinfo import ADDRINFOEXW, unicode_string
from wsk_api.constants import AF_INET6, AI_ALL, AI_V4MAPPED, IPPROTO_TCP, SOCK_STREAM
from wsk_api.facade.addresses import literal
from wsk_api.facade.errors import WskError, WskNameError
from wsk_api.facade.waiting import NEVER
from wsk_api.irp import IRP
from wsk_api.ntstatus import STATUS_CANCELLED, STATUS_NOT_FOUND, STATUS_NOT_SUPPORTED
from wsk_api.types import SOCKADDR_IN6, Ref

if TYPE_CHECKING:
    from wsk_api.facade.client import Client


async def resolve(client: Client, host: str, port: int, limit: float = NEVER) -> list[SOCKADDR_IN6]:
    """The SOCKADDRs of `host`, best first, at least one."""
    digits = literal(host, port)
    if digits is not None:
        return [digits]
    try:
        found = await _look_up(client, host, limit)
    except WskError as why:
        late = isinstance(why, TimeoutError) and client.waiter.now() >= limit
        if late or why.status == STATUS_CANCELLED:
            raise
        if why.status == STATUS_NOT_SUPPORTED:
            raise _no_resolver(host) from None
        raise WskNameError(why.status, f"{host!r} has no address that could be found") from None
    if not found:
        raise WskNameError(STATUS_NOT_FOUND, f"{host!r} has no address")
    return [
        SOCKADDR_IN6(port, one.sin6_addr, one.sin6_flowinfo, one.sin6_scope_id) for one in found
    ]


async def _look_up(client: Client, host: str, limit: float) -> list[SOCKADDR_IN6]:
    """Ask, copy what is told, and give the list back."""
    provider, handle = client.npi.Dispatch, client.npi.Client
    result: Ref[Any] = Ref()
    hints = ADDRINFOEXW(AI_V4MAPPED | AI_ALL, AF_INET6, SOCK_STREAM, IPPROTO_TCP)
    name = unicode_string(host)

    def issue(irp: IRP) -> int:
        more = (None, 0, None, hints, result, None, None)
        return int(provider.WskGetAddressInfo(handle, name, *more, irp))

    def free(_: Any) -> None:
        provider.WskFreeAddressInfo(handle, result.value)

    await client.request(issue, f"looking up {host}", limit, undo=free)
    found: list[SOCKADDR_IN6] = []
    entry = result.value
    while entry is not None:
        if isinstance(entry.ai_addr, SOCKADDR_IN6):
            found.append(entry.ai_addr)
        entry = entry.ai_next
    free(None)
    return found


def _no_resolver(host: str) -> WskNameError:
    return WskNameError(
        STATUS_NOT_SUPPORTED,
        f"{host!r} is a name, and this provider has no resolver: give the address in digits, "
        "or attach the subsystem with the stack's names",
    )
