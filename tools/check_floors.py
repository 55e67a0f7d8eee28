# SPDX-License-Identifier: MIT
"""Imports only point down: `python tools/check_floors.py`; exit status 1 if one does not.

The floors, and what may not be imported at all under `stack/`, are the tables below.  Imports in
functions and under TYPE_CHECKING count like any other.  Run by `.ci/run`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

FLOORS: Final = {
    "stack.base": 0,
    "stack.wire": 1,
    "stack.filter": 2,
    "stack.link": 3,
    "stack.ip": 4,
    "stack.transport": 5,
    "stack.udp": 6,
    "stack.raw": 6,
    "stack.tcp": 6,
    "stack.services": 6,
    "stack.on_demand": 7,
    "stack.compartment": 8,
    "stack.core": 9,
    "stack": 10,  # the front door over core
    "tap": 10,
    "wsk_api": 10,
    "wsk_api.facade": 11,
    "tools": 12,
    "tests": 13,
}
SANS_IO: Final = frozenset(
    (
        "asyncio",
        "concurrent",
        "ctypes",
        "datetime",
        "fcntl",
        "importlib",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "queue",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
    )
)
"""Not under `stack/`: time, chance, threads and the outside come in through `Env`."""
NARROW: Final = {
    "wsk_api": ("stack.base", "stack.transport", "wsk_api"),
    "wsk_api.facade": (
        "stack.base",
        "stack.transport.naming",
        "stack.transport.seam",
        "wsk_api",
    ),
    "tap": ("stack.base", "stack.wire", "stack.link", "stack.core", "stack.tcp.names", "tap"),
}
"""What may be seen of the floors below, where that is less than everything."""
PRODUCT: Final = ("stack", "tap", "wsk_api")
TEST_ONLY: Final = frozenset(("scapy", "hypothesis", "pytest", "tests", "tools"))


def package(module: str) -> str:
    """The floor's name of a module: the longest known prefix."""
    parts = module.split(".")
    while parts and ".".join(parts) not in FLOORS:
        parts.pop()
    return ".".join(parts)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; of `from a import b` both a and a.b where that exists."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                path = ROOT / full.replace(".", "/")
                is_module = path.is_dir() or path.with_suffix(".py").is_file()
                yield node.lineno, full if is_module else node.module


def faults(path: Path) -> Iterator[str]:
    """What is wrong with the imports of one file."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    own = package(module)
    top = own.split(".")[0]
    for line, name in imports(ast.parse(path.read_text())):
        where = f"{path.relative_to(ROOT)}:{line}: "
        first = name.split(".")[0]
        target = package(name)
        if top == "stack" and first in SANS_IO:
            yield f"{where}{first} is not for a stack without I/O"
        if top in PRODUCT and first in TEST_ONLY:
            yield f"{where}the product must not need {first}"
        if not target:
            continue
        same = target == own
        if FLOORS[target] > FLOORS[own] or (FLOORS[target] == FLOORS[own] and not same):
            yield f"{where}{own} (floor {FLOORS[own]}) imports {name} (floor {FLOORS[target]})"
        allowed = NARROW.get(own, NARROW.get(top))
        if allowed and not any(name == a or name.startswith(a + ".") for a in allowed):
            yield f"{where}{top} may import {', '.join(allowed)}, not {name}"


def main() -> int:
    files = [
        path for top in ("stack", "tap", "wsk_api", "tools") for path in ROOT.glob(f"{top}/**/*.py")
    ]
    found = [fault for path in sorted(files) for fault in faults(path)]
    for fault in found:
        print(fault)
    print(f"floors: {len(files)} files, {len(found)} imports that do not point down")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
