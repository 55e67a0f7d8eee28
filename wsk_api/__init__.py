# SPDX-License-Identifier: MIT
"""Floor 8, the other side: the WSK provider, in the exact spelling of the public documentation.

Someone with the WSK pages open can follow line by line: names, signatures, flags, statuses and
rules are theirs.  Where C writes through a pointer, a `Ref` is passed.

    registration    WskRegister, WskCaptureProviderNPI, ... WskDeregister
    provider        WskSocket, WskSocketConnect, WskControlClient
    basic           WskControlSocket, WskCloseSocket
    listen, connection, datagram      one category of sockets, one file, one table
    control         options
    names           WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo
    irp             IRPs, completion, cancellation
    types, constants, ntstatus

WSK knows no transport by name; it meets them at `stack.transport.seam`.
"""

from wsk_api.addrinfo import (
    ADDRINFOEXW,
    UNICODE_STRING,
    RtlInitUnicodeString,
    string_text,
    unicode_room,
    unicode_string,
)
from wsk_api.constants import *
from wsk_api.irp import (
    IO_STATUS_BLOCK,
    IRP,
    IoAllocateIrp,
    IoCancelIrp,
    IoFreeIrp,
    IoMarkIrpPending,
    IoReuseIrp,
    IoSetCompletionRoutine,
)
from wsk_api.ntstatus import *
from wsk_api.registration import (
    WSK_REGISTRATION,
    Subsystem,
    WskCaptureProviderNPI,
    WskDeregister,
    WskQueryProviderCharacteristics,
    WskRegister,
    WskReleaseProviderNPI,
    default_subsystem,
)
from wsk_api.types import (
    MDL,
    SOCKADDR,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    ULONG,
    WSK_BUF,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_DATA_INDICATION,
    WSK_DATAGRAM_INDICATION,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_PROVIDER_CHARACTERISTICS,
    WSK_PROVIDER_NPI,
    WSK_SOCKET,
    WSK_TRANSPORT,
    MmGetMdlByteCount,
    MmGetSystemAddressForMdlSafe,
    Ref,
    wsk_buf,
)
