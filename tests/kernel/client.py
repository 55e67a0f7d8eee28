# SPDX-License-Identifier: MIT
"""What the kernel's side does in the traffic tests: ``python -m tests.kernel.client PID NAME JSON``

Joins the namespaces of PID, performs one deed with ordinary kernel sockets, and prints its result
as JSON.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from tap.netns import join
from tools import peer

Result = dict[str, Any]

TCP_CONGESTION: Final = 13
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104


def check(name: str, **arguments: Any) -> Result:
    """One of `tools/peer`'s checks."""
    ok, text = peer.perform(name, arguments)
    return {"ok": ok, "text": text}


def program(words: list[str]) -> Result:
    """An ordinary program: ping, curl."""
    result = subprocess.run(words, capture_output=True, timeout=30, check=False)
    out = result.stdout.decode(errors="replace")
    return {"status": result.returncode, "out": out, "err": result.stderr.decode()}


def crowd(address: str, port: int, count: int, size: int) -> Result:
    """`count` connections open at once, each echoing its own `size` octets."""
    socks = [socket.create_connection((address, port), timeout=20) for _ in range(count)]
    messages = [os.urandom(size) for _ in socks]
    back = [bytearray() for _ in socks]
    with selectors.DefaultSelector() as waiting:
        for index, sock in enumerate(socks):
            sock.sendall(messages[index])
            sock.shutdown(socket.SHUT_WR)
            waiting.register(sock, selectors.EVENT_READ, index)
        until = time.monotonic() + 30
        left = count
        while left and time.monotonic() < until:
            for key, _ in waiting.select(1):
                data = socks[key.data].recv(65536)
                if data:
                    back[key.data] += data
                else:
                    waiting.unregister(key.fileobj)
                    left -= 1
    for sock in socks:
        sock.close()
    return {"right": sum(bytes(b) == m for b, m in zip(back, messages, strict=True))}


def patient(address: str, port: int, count: int, size: int, pause: float) -> Result:
    """`count` connections at once; on each `size` octets to an echo and back, before a pause and
    after it."""
    socks = [socket.create_connection((address, port), timeout=20) for _ in range(count)]
    right = 0
    for turn in range(2):
        for sock in socks:
            right += _echoed(sock, os.urandom(size))
        if turn == 0:
            time.sleep(pause)
    for sock in socks:
        sock.close()
    return {"right": right}


def _echoed(sock: socket.socket, message: bytes) -> bool:
    """`message` comes back as it was."""
    sent, back = hashlib.sha256(message).digest(), hashlib.sha256()
    writer = threading.Thread(target=sock.sendall, args=(message,))
    writer.start()
    left = len(message)
    while left and (data := sock.recv(min(left, 65536))):
        back.update(data)
        left -= len(data)
    writer.join()
    return back.digest() == sent


def callers(address: str, port: int, count: int, shards: int, size: int, pause: float) -> Result:
    """Wait for `count` connections from a stack whose shards call by themselves, echo programs all
    of them; pause; then see whether what is sent there comes back.  The same by UDP."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=count) as server:
        server.settimeout(20)
        socks: list[socket.socket] = []
        while len(socks) < count:
            sock, _ = server.accept()
            sock.settimeout(20)
            socks.append(sock)
    part = 16384 // shards  # of the ephemeral ports, from 49152 on
    ports = [(sock.getpeername()[1] - 49152) // part for sock in socks]
    heard: dict[Any, int] = {}
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind((address, port))
        datagrams.settimeout(20)
        while len(heard) < count:
            heard[datagrams.recvfrom(100)[1]] = 0
        time.sleep(pause)
        right = sum(_echoed(sock, os.urandom(size)) for sock in socks)
        for number in range(20):
            for caller in heard:
                datagrams.sendto(b"#%d" % number, caller)
        until = time.monotonic() + 10
        while min(heard.values()) < 20 and time.monotonic() < until:
            data, caller = datagrams.recvfrom(100)
            heard[caller] += data.startswith(b"#")
    for sock in socks:
        sock.close()
    shares = [ports.count(n) for n in range(shards)]
    return {"right": right, "by_shard": shares, "datagrams": min(heard.values())}


def churn(address: str, port: int, count: int) -> Result:
    """`count` connections one after the other; every other one is reset instead of closed."""
    right = 0
    for number in range(count):
        with socket.create_connection((address, port), timeout=10) as sock:
            sock.sendall(b"%d" % number)
            right += sock.recv(100) == b"%d" % number
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return {"right": right}


def vanish(address: str, port: int, link: str) -> Result:
    """Connect, keep data coming, and go away without a word: the link is taken down."""
    sock = socket.create_connection((address, port), timeout=10)
    sock.recv(1000)
    from pyroute2 import IPRoute

    with IPRoute() as route:
        route.link("set", index=route.link_lookup(ifname=link)[0], state="down")
    return {"gone": True}


def lazy(address: str, port: int, pause: float, size: int) -> Result:
    """Connect and do not read for `pause` seconds, then read `size` octets."""
    sock = socket.create_connection((address, port), timeout=10)
    sock.settimeout(10)
    time.sleep(pause)
    digest, got = hashlib.sha256(), 0
    while got < size and (data := sock.recv(min(1 << 20, size - got))):
        digest.update(data)
        got += len(data)
    sock.close()
    return {"got": got, "digest": digest.hexdigest()}


def take(link: str, address: str, length: int) -> Result:
    """Give the kernel an IPv6 address, and see what its duplicate address detection says."""
    from pyroute2 import IPRoute

    tentative, failed = 0x40, 0x08
    switch = Path(f"/proc/sys/net/ipv6/conf/{link}/accept_dad")
    switch.write_text("1")
    with IPRoute() as route:
        index = route.link_lookup(ifname=link)[0]
        route.addr("add", index=index, address=address, prefixlen=length)
        flags = tentative
        until = time.monotonic() + 8
        while flags & tentative and not flags & failed and time.monotonic() < until:
            time.sleep(0.1)
            (found,) = route.get_addr(index=index, address=address)
            flags = found.get_attr("IFA_FLAGS")
        route.addr("del", index=index, address=address, prefixlen=length)
    switch.write_text("0")
    return {"failed": bool(flags & failed), "flags": flags}


def arp_probe(link: str, address: str) -> Result:
    """Ask by ARP who has `address` without having one (RFC 5227), and list who says so."""
    wanted = socket.inet_aton(address)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as sock:
        sock.bind((link, 0x0806))
        own = sock.getsockname()[4]
        body = bytes.fromhex("0001080006040001") + own + bytes(4) + bytes(6) + wanted
        sock.send(b"\xff" * 6 + own + b"\x08\x06" + body)
        sock.settimeout(0.2)
        macs = []
        until = time.monotonic() + 1
        while time.monotonic() < until:
            try:
                frame = sock.recv(2048)
            except TimeoutError:
                continue
            if frame[20:22] == b"\0\2" and frame[28:32] == wanted:
                macs.append(frame[22:28].hex(":"))
    return {"macs": macs}


def exchange(address: str, size: int, congestion: str) -> Result:
    """`size` octets from port 80 and as many to it; both ends' digests of both directions."""
    connection = http.client.HTTPConnection(address, 80, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, congestion.encode())
    digest, got = hashlib.sha256(), 0
    buffer = bytearray(1 << 20)
    connection.request("GET", f"/bytes/{size}?digest")
    response = connection.getresponse()
    while count := response.readinto(buffer):
        digest.update(memoryview(buffer)[:count])
        got += count
    connection.request("GET", "/sha256")
    sent = connection.getresponse().read().decode().strip()
    down = {"got": got, "sent": sent, "received": digest.hexdigest()}

    digest = hashlib.sha256()
    connection.putrequest("POST", "/sha256")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for at in range(0, size, len(buffer)):
        buffer[:8] = at.to_bytes(8, "big")  # or a mebibyte in the wrong place would not be seen
        part = memoryview(buffer)[: min(len(buffer), size - at)]
        digest.update(part)
        connection.send(part)
    received = connection.getresponse().read().decode().strip()
    connection.close()
    return {"down": down, "up": {"sent": digest.hexdigest(), "received": received}}


def digest_of(datagrams: list[bytes]) -> str:
    """Of the datagrams one by one: what is cut elsewhere gives another one."""
    digest = hashlib.sha256()
    for data in datagrams:
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()


def send_segments(address: str, port: int, sends: list[tuple[int, int]]) -> Result:
    """For each (octets, size) one send that the kernel makes datagrams of `size` octets of."""
    sent: list[bytes] = []
    with _datagram(address) as sock:
        sock.connect((address, port))
        for octets, size in sends:
            data = os.urandom(octets)
            segment = (socket.IPPROTO_UDP, UDP_SEGMENT, size.to_bytes(2, sys.byteorder))
            sock.sendmsg([data], [segment])
            sent += [data[at : at + size] for at in range(0, octets, size)]
            time.sleep(0.002)
    return {"digest": digest_of(sent), "count": len(sent)}


def hear_segments(address: str, port: int, counts: list[int], joined: bool) -> Result:
    """Ask for datagrams, and for more once they are there: so many each time; with UDP_GRO if they
    may come `joined`."""
    heard: list[bytes] = []
    calls = 0
    with _datagram(address) as sock:
        if joined:
            sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        sock.settimeout(5)
        sock.connect((address, port))
        wanted = 0
        for count in counts:
            wanted += count
            sock.send(b"more")
            while len(heard) < wanted:
                data, control, _, _ = sock.recvmsg(65536, 64)
                calls += 1
                size = int.from_bytes(control[0][2], sys.byteorder) if control else len(data)
                heard += [data[at : at + size] for at in range(0, len(data), size)]
    return {"digest": digest_of(heard), "count": len(heard), "calls": calls}


def _datagram(address: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)


def main() -> None:
    join(int(sys.argv[1]))
    deed = globals()[sys.argv[2]]
    print(json.dumps(deed(**json.loads(sys.argv[3]))))


if __name__ == "__main__":
    main()
