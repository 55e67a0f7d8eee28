# SPDX-License-Identifier: MIT
"""A WSK client: what you send to TCP port 7777, over IPv4 or IPv6, comes back in capitals.

tools/demo --with examples/shout.py         and in another terminal
tools/wsk in nc 10.77.0.2 7777
"""

from wsk_api import *

PORT = 7777


def receive(conn, flags, data, count, accepted):  # WskReceiveEvent: a list of buffers, not copied
    while data is not None:
        shout = wsk_buf(bytes(data.Buffer.Mdl.view).upper())
        conn.Dispatch.WskSend(conn, shout, 0, IoAllocateIrp())
        data = data.Next
    return STATUS_SUCCESS


def disconnect(conn, flags):  # WskDisconnectEvent: the peer has closed; close, then let go
    irp = IoAllocateIrp()
    IoSetCompletionRoutine(irp, lambda *_: conn.Dispatch.WskCloseSocket(conn, IoAllocateIrp()))
    return conn.Dispatch.WskDisconnect(conn, None, 0, irp)


def accept(context, flags, local, remote, conn, conn_context, conn_dispatch):  # WskAcceptEvent
    conn_context.value = conn
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
    callbacks = (None, WSK_CLIENT_LISTEN_DISPATCH(accept))
    npi.Dispatch.WskSocket(npi.Client, *kind, *callbacks, None, None, None, irp)
