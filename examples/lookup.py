# SPDX-License-Identifier: MIT
"""A WSK client: send a name to TCP port 5300, one a line, and get its addresses, best first.

tools/demo --dns 10.77.0.1 --hosts /etc/hosts --with examples/lookup.py         and elsewhere
tools/wsk in nc 10.77.0.2 5300
"""

from wsk_api import *

PORT = 5300


def receive(ours, flags, data, count, accepted):  # WskReceiveEvent
    conn, npi = ours
    while data is not None:
        for line in bytes(data.Buffer.Mdl.view).decode("utf-8", "replace").splitlines():
            name, hints, result = line.strip(), ADDRINFOEXW(0, AF_UNSPEC, SOCK_STREAM), Ref()
            irp = IoAllocateIrp()
            IoSetCompletionRoutine(irp, found, (conn, npi, name, result))
            what = (unicode_string(name), None, NS_ALL, None, hints, result, None, None)
            npi.Dispatch.WskGetAddressInfo(npi.Client, *what, irp)
        data = data.Next
    return STATUS_SUCCESS


def found(device, irp, context):  # WskGetAddressInfo completed
    conn, npi, name, result = context
    status, entry = irp.IoStatus.Status, result.value
    lines = [] if NT_SUCCESS(status) else [f"{name}: {status_name(status)}\n"]
    while entry is not None:
        lines.append(f"{name}: {entry.ai_addr}\n")
        entry = entry.ai_next
    npi.Dispatch.WskFreeAddressInfo(npi.Client, result.value)
    conn.Dispatch.WskSend(conn, wsk_buf("".join(lines).encode()), 0, IoAllocateIrp())
    return STATUS_MORE_PROCESSING_REQUIRED


def disconnect(ours, flags):  # WskDisconnectEvent: the peer has closed; close, then let go
    conn, irp = ours[0], IoAllocateIrp()
    IoSetCompletionRoutine(irp, lambda *_: conn.Dispatch.WskCloseSocket(conn, IoAllocateIrp()))
    return conn.Dispatch.WskDisconnect(conn, None, 0, irp)


def accept(npi, flags, local, remote, conn, conn_context, conn_dispatch):  # WskAcceptEvent
    conn_context.value = conn, npi
    conn_dispatch.value = WSK_CLIENT_CONNECTION_DISPATCH(receive, disconnect)
    return STATUS_SUCCESS


def created(device, irp, context):  # WskSocket completed: its result is the listening socket
    listener = irp.IoStatus.Information
    off = (IPV6_V6ONLY, IPPROTO_IPV6, 4, ULONG(0), 0, None, None, IoAllocateIrp())
    listener.Dispatch.WskControlSocket(listener, WskSetOption, *off)  # one socket, both families
    listener.Dispatch.WskBind(listener, SOCKADDR_IN6(PORT), 0, IoAllocateIrp())
    return STATUS_MORE_PROCESSING_REQUIRED


def serve(subsystem):
    registration, npi, irp = WSK_REGISTRATION(subsystem), WSK_PROVIDER_NPI(), IoAllocateIrp()
    WskRegister(WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))), registration)
    WskCaptureProviderNPI(registration, WSK_INFINITE_WAIT, npi)
    events = WSK_EVENT_CALLBACK_CONTROL(WSK_EVENT_ACCEPT | WSK_EVENT_RECEIVE | WSK_EVENT_DISCONNECT)
    static = (WSK_SET_STATIC_EVENT_CALLBACKS, 8, events, 0, None, None, None)
    npi.Dispatch.WskControlClient(npi.Client, *static)
    IoSetCompletionRoutine(irp, created)
    kind = (AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET)
    callbacks = (npi, WSK_CLIENT_LISTEN_DISPATCH(accept))
    npi.Dispatch.WskSocket(npi.Client, *kind, *callbacks, None, None, None, irp)
