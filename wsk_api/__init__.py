# SPDX-License-Identifier: MIT
"""Floor 8, the other side: the WSK provider, in the exact spelling of the public documentation.

Someone with the WSK pages open can follow line by line: names, signatures, flags, statuses and
rules are theirs.  Where C writes through a pointer, a `Ref` is passed.

    registration    WskRegister, WskCaptureProviderNPI, ... WskDeregister
    subsystem       the provider arrives and leaves; `departure` tells open sockets
    nmr             the registrar: NmrRegisterClient, NmrClientAttachProvider, ...
    provider        WskSocket, WskSocketConnect, WskControlClient
    basic           WskControlSocket, WskCloseSocket
    listen, connection, datagram, stream    one category of sockets, one file, one table
    control         options and IOCTLs, as tables
    client_control, security, extension      WskControlClient, sharing, extension interfaces
    ancillary, segmentation      what datagrams bring beside their data, and many in one buffer
    indications     received datagrams as the lists of an event
    names           WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo
    irp             IRPs, stack locations, cancellation; `completions` runs the routines
    kevent          KEVENT, KeWaitForSingleObject
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
from wsk_api.ancillary import (
    CMSGHDR,
    WSA_CMSG_DATA,
    WSA_CMSG_FIRSTHDR,
    WSA_CMSG_LEN,
    WSA_CMSG_NXTHDR,
    WSA_CMSG_SPACE,
)
from wsk_api.constants import *
from wsk_api.extension import WSK_EXTENSION_CONTROL_IN, WSK_EXTENSION_CONTROL_OUT, Extension
from wsk_api.irp import (
    IO_STACK_LOCATION,
    IO_STATUS_BLOCK,
    IRP,
    SL_INVOKE_ON_CANCEL,
    SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS,
    SL_PENDING_RETURNED,
    IoAllocateIrp,
    IoCancelIrp,
    IoCompleteRequest,
    IoCopyCurrentIrpStackLocationToNext,
    IoFreeIrp,
    IoGetCurrentIrpStackLocation,
    IoGetNextIrpStackLocation,
    IoMarkIrpPending,
    IoReuseIrp,
    IoSetCompletionRoutine,
    IoSetCompletionRoutineEx,
    IoSetNextIrpStackLocation,
    IoSkipCurrentIrpStackLocation,
)
from wsk_api.kevent import (
    KEVENT,
    Executive,
    KeClearEvent,
    KeInitializeEvent,
    KeReadStateEvent,
    KeResetEvent,
    KernelMode,
    KeSetEvent,
    KeWaitForSingleObject,
    NotificationEvent,
    SynchronizationEvent,
)
from wsk_api.nmr import (
    NPI_CLIENT_CHARACTERISTICS,
    NPI_PROVIDER_CHARACTERISTICS,
    NPI_REGISTRATION_INSTANCE,
    NmrClientAttachProvider,
    NmrClientDetachProviderComplete,
    NmrDeregisterClient,
    NmrDeregisterProvider,
    NmrProviderDetachClientComplete,
    NmrRegisterClient,
    NmrRegisterProvider,
    NmrWaitForClientDeregisterComplete,
    NmrWaitForProviderDeregisterComplete,
    Registrar,
)
from wsk_api.ntstatus import *
from wsk_api.option_constants import *
from wsk_api.registration import (
    WSK_REGISTRATION,
    WskCaptureProviderNPI,
    WskDeregister,
    WskQueryProviderCharacteristics,
    WskRegister,
    WskReleaseProviderNPI,
)
from wsk_api.security import CURRENT_PROCESS, SECURITY_DESCRIPTOR, Process
from wsk_api.subsystem import Subsystem, default_subsystem
from wsk_api.types import (
    MDL,
    SOCKADDR,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    SOCKET_ADDRESS_LIST,
    ULONG,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_CLIENT_STREAM_DISPATCH,
    WSK_DATA_INDICATION,
    WSK_DATAGRAM_INDICATION,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_INSPECT_ID,
    WSK_PROVIDER_CHARACTERISTICS,
    WSK_PROVIDER_NPI,
    WSK_SOCKET,
    WSK_TDI_MAP,
    WSK_TDI_MAP_INFO,
    WSK_TRANSPORT,
    MmGetMdlByteCount,
    MmGetSystemAddressForMdlSafe,
    Ref,
    wsk_buf,
)
from wsk_api.waiting import StackThreadWait
