# SPDX-License-Identifier: MIT
"""The tables of control as a page: `python tools/control_tables.py` writes docs/wsk-control.md.

What is written by hand stays; between the two marks stands what `wsk_api/control` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wsk_api.constants import IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, SOL_SOCKET
from wsk_api.control.rows import BASIC, CONNECTION, DATAGRAM, LISTEN, Ioctl, Option, Refused
from wsk_api.control.tables import IOCTLS, OPTIONS
from wsk_api.ntstatus import status_name

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "wsk-control.md"
BEGIN: Final = "<!-- tables: tools/control_tables.py -->\n"
END: Final = "<!-- end of tables -->\n"
LEVELS: Final = {
    SOL_SOCKET: "SOL_SOCKET",
    IPPROTO_TCP: "IPPROTO_TCP",
    IPPROTO_UDP: "IPPROTO_UDP",
    IPPROTO_IP: "IPPROTO_IP",
    IPPROTO_IPV6: "IPPROTO_IPV6",
}
_LETTERS: Final = ((LISTEN, "L"), (CONNECTION, "C"), (DATAGRAM, "D"), (BASIC, "B"))


def letters(categories: int) -> str:
    """A mask of categories as letters."""
    return "".join(letter for bit, letter in _LETTERS if categories & bit)


def access(row: Option) -> str:
    """What can be done: "set", "get", "set get"."""
    return " ".join(name for name, way in (("set", row.set), ("get", row.get)) if way)


def _option(row: Option) -> str:
    cells = (
        f"`{row.name}`",
        f"0x{row.code:X}" if row.code > 0xFF else str(row.code),
        f"{row.kind.name}, {row.kind.size or 8}",
        access(row),
        letters(row.categories),
        row.irp,
        row.when,
    )
    return "| " + " | ".join(cells) + " |"


def _ioctl(row: Ioctl) -> str:
    cells = (f"`{row.name}`", f"0x{row.code:08X}", letters(row.categories), row.irp, row.when)
    return "| " + " | ".join(cells) + " |"


def _refused(row: Refused) -> str:
    level = "IOCTL" if row.level is None else LEVELS[row.level]
    code = f"0x{row.code:X}" if row.code > 0xFF else str(row.code)
    return f"| `{row.name}` | {level} | {code} | {status_name(row.status)} | {row.why} |"


def tables() -> Iterator[str]:
    """Lines of the generated part."""
    for level, name in LEVELS.items():
        yield f"\n## {name} ({level if level < 256 else hex(level)})\n"
        yield "| option | value | type, octets | | sockets | IRP | when it is set |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        found = [r for r in OPTIONS.values() if isinstance(r, Option) and r.level == level]
        yield from (_option(row) for row in sorted(found, key=lambda r: r.code))
    yield "\n## IOCTLs\n"
    yield "| IOCTL | code | sockets | IRP | when |"
    yield "| --- | --- | --- | --- | --- |"
    yield from (_ioctl(row) for row in IOCTLS.values() if isinstance(row, Ioctl))
    yield "\n## Known and refused\n"
    yield "| name | level | value | status | why |"
    yield "| --- | --- | --- | --- | --- |"
    rows = (*OPTIONS.values(), *IOCTLS.values())
    yield from (_refused(row) for row in rows if isinstance(row, Refused))


def render() -> str:
    """The whole page."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(tables()) + "\n\n" + END + after


def main() -> None:
    PAGE.write_text(render())
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
