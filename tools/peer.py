# SPDX-License-Identifier: MIT
"""The other end of the wire as a client: ping, fetch, echo and move data with the kernel's own
sockets.  Standard library only.

    python -m tools.peer PID

runs in the namespaces of PID (0: stay here), reads one JSON object per line {"check": name,
"arguments": {...}} and answers each with {"ok": bool, "text": what was seen}.  `tools/check`
asks, and `tools/wsk ping` uses `ping`.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tap.netns import join

_TIMEOUT: Final = 10.0
_CHUNK: Final = 1 << 20


class CheckFailed(Exception):
    """What was seen is not what should be."""


# ping


def ping(address: str, count: int = 3) -> str:
    """ICMP echo from the kernel's side; the median round trip."""
    times = [ping_once(address, number) for number in range(count)]
    return f"{count}/{count} answered, median {statistics.median(times) * 1e3:.2f} ms"


def ping_once(address: str, number: int) -> float:
    """One echo request; seconds until its reply.  Raises CheckFailed."""
    v6 = ":" in address
    family = socket.AF_INET6 if v6 else socket.AF_INET
    with _icmp_socket(family) as (sock, raw):
        ident = os.getpid() & 0xFFFF
        data = os.urandom(48)
        kind = 128 if v6 else 8
        bare = struct.pack("!BBHHH", kind, 0, 0, ident, number) + data
        message = bare if v6 else bare[:2] + _checksum(bare) + bare[4:]
        sock.settimeout(2)
        start = time.perf_counter()
        sock.sendto(message, (address, 0))
        while True:
            try:
                reply, _ = sock.recvfrom(65536)
            except TimeoutError:
                raise CheckFailed(f"no answer from {address} within 2 s") from None
            if raw and not v6:
                reply = reply[(reply[0] & 15) * 4 :]
            if reply[0] == (129 if v6 else 0) and reply[6:] == bare[6:]:
                return time.perf_counter() - start


class _icmp_socket:
    """An ICMP socket: the kernel's ping socket where allowed, else a raw one."""

    def __init__(self, family: int) -> None:
        proto = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
        try:
            self.sock = socket.socket(family, socket.SOCK_DGRAM, proto)
            self.raw = False
        except PermissionError:
            self.sock = socket.socket(family, socket.SOCK_RAW, proto)
            self.raw = True

    def __enter__(self) -> tuple[socket.socket, bool]:
        return self.sock, self.raw

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


# HTTP


def fetch(address: str, port: int) -> str:
    """The page, by an unmodified curl where there is one."""
    host = f"[{address}]" if ":" in address else address
    url = f"http://{host}:{port}/"
    curl = shutil.which("curl")
    if curl is None:
        connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
        connection.request("GET", "/")
        body = connection.getresponse().read()
        connection.close()
        how = "http.client"
    else:
        result = subprocess.run(
            [curl, "-sS", "-g", "--noproxy", "*", "--max-time", "10", url],
            capture_output=True,
            check=False,
        )
        if result.returncode:
            raise CheckFailed(f"curl {url}: {result.stderr.decode().strip()}")
        body = result.stdout
        version = subprocess.run([curl, "--version"], capture_output=True, text=True, check=False)
        how = " ".join(version.stdout.split()[:2])
    if b"It works" not in body:
        raise CheckFailed(f"the page is not ours: {body[:80]!r}")
    return f"{len(body)} octets by {how}"


def download(address: str, port: int, size: int) -> str:
    """GET /bytes/N, digests compared with the sender's."""
    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
    start = time.perf_counter()
    connection.request("GET", f"/bytes/{size}?digest")
    response = connection.getresponse()
    digest, buffer, count = hashlib.sha256(), bytearray(_CHUNK), 0
    while got := response.readinto(buffer):
        digest.update(memoryview(buffer)[:got])
        count += got
    elapsed = time.perf_counter() - start
    connection.request("GET", "/sha256")
    theirs = connection.getresponse().read().decode().strip()
    connection.close()
    if count != size or theirs != digest.hexdigest():
        raise CheckFailed(f"{count} of {size} octets, ours {digest.hexdigest()}, theirs {theirs}")
    return _moved(size, elapsed)


def upload(address: str, port: int, size: int) -> str:
    """POST /sha256 with random data, digests compared."""
    block = os.urandom(_CHUNK)
    digest = hashlib.sha256()
    connection = http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
    start = time.perf_counter()
    connection.putrequest("POST", "/sha256")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    left = size
    while left:
        part = block if left >= _CHUNK else block[:left]
        digest.update(part)
        connection.send(part)
        left -= len(part)
    theirs = connection.getresponse().read().decode().strip()
    elapsed = time.perf_counter() - start
    connection.close()
    if theirs != digest.hexdigest():
        raise CheckFailed(f"ours {digest.hexdigest()}, theirs {theirs}")
    return _moved(size, elapsed)


def _moved(size: int, elapsed: float) -> str:
    rate = size * 8 / elapsed / 1e9
    return f"{size >> 20} MiB in {elapsed:.2f} s ({rate:.2f} Gbit/s), digests equal"


# Echo


def echo_tcp(address: str, port: int) -> str:
    """A random message there and back, half-close included."""
    message = os.urandom(100_000)
    with socket.create_connection((address, port), timeout=_TIMEOUT) as sock:
        start = time.perf_counter()
        sock.sendall(message)
        sock.shutdown(socket.SHUT_WR)
        back = b"".join(iter(lambda: sock.recv(_CHUNK), b""))
        elapsed = time.perf_counter() - start
    if back != message:
        raise CheckFailed(f"{len(back)} of {len(message)} octets came back, or different ones")
    return f"{len(message)} octets there and back in {elapsed * 1e3:.1f} ms"


def echo_udp(address: str, port: int) -> str:
    """Datagrams of all sorts of sizes, fragmented ones among them."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sizes = (0, 1, 100, 1400, 1472, 4000, 20000)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((address, port))
        start = time.perf_counter()
        for size in sizes:
            message = os.urandom(size)
            sock.send(message)
            try:
                back = sock.recv(65536)
            except (TimeoutError, ConnectionRefusedError) as error:
                raise CheckFailed(f"{size} octets: {error}") from None
            if back != message:
                raise CheckFailed(f"{size} octets came back different")
        elapsed = time.perf_counter() - start
    return f"{len(sizes)} datagrams of 0 to 20000 octets, {elapsed / len(sizes) * 1e3:.2f} ms each"


def discard(address: str, port: int) -> str:
    """A megabyte is taken and the close is in order."""
    with socket.create_connection((address, port), timeout=_TIMEOUT) as sock:
        sock.sendall(bytes(_CHUNK))
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(1):
            raise CheckFailed("it answered")
    return "1 MiB taken"


def characters(address: str, port: int) -> str:
    """Lines of the character source."""
    with socket.create_connection((address, port), timeout=_TIMEOUT) as sock:
        data = b""
        while len(data) < 20_000 and (more := sock.recv(65536)):
            data += more
    lines = data.split(b"\r\n")[:-1]
    if len(lines) < 100 or not all(re.fullmatch(rb"[ -~]{72}", line) for line in lines):
        raise CheckFailed(f"not RFC 864's lines: {data[:80]!r}")
    return f"{len(lines)} lines of 72 characters"


CHECKS: Final[dict[str, Callable[..., str]]] = {
    "ping": ping,
    "fetch": fetch,
    "download": download,
    "upload": upload,
    "echo_tcp": echo_tcp,
    "echo_udp": echo_udp,
    "discard": discard,
    "characters": characters,
}


def perform(check: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    """Run one check: (did it hold, what was seen)."""
    try:
        return True, CHECKS[check](**arguments)
    except CheckFailed as error:
        return False, str(error)
    except (OSError, http.client.HTTPException) as error:
        return False, f"{type(error).__name__}: {error}"


def main() -> int:
    pid = int(sys.argv[1])
    if pid:
        join(pid)
    for line in sys.stdin:
        asked = json.loads(line)
        ok, text = perform(asked["check"], asked["arguments"])
        print(json.dumps({"ok": ok, "text": text}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
