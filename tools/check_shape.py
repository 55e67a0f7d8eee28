# SPDX-License-Identifier: MIT
"""Small rooms: `python tools/check_shape.py`; exit status 1 if a file or function outgrew them.

Also: every file begins with its licence and a docstring that says what it is.  Run by `.ci/run`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LICENCE: Final = "# SPDX-License-Identifier: MIT"
FILE_LINES: Final = 500
TEST_FILE_LINES: Final = 700
FUNCTION_LINES: Final = 80


def faults(path: Path) -> Iterator[str]:
    """What is wrong with the shape of one file."""
    text = path.read_text()
    name = path.relative_to(ROOT)
    lines = text.count("\n")
    most = TEST_FILE_LINES if name.parts[0] == "tests" else FILE_LINES
    if lines > most:
        yield f"{name}: {lines} lines; more than {most} are two files"
    tree = ast.parse(text)
    if not tree.body:
        return
    if not text.startswith(LICENCE):
        yield f"{name}: the first line is not {LICENCE!r}"
    if ast.get_docstring(tree) is None:
        yield f"{name}: no docstring says what this file is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {size} lines, over {FUNCTION_LINES}"


def main() -> int:
    tops = ("stack", "tap", "wsk_api", "tools", "tests")
    files = sorted(path for top in tops for path in ROOT.glob(f"{top}/**/*.py"))
    found = [fault for path in files for fault in faults(path)]
    for fault in found:
        print(fault)
    print(f"shape: {len(files)} files, {len(found)} outgrown")
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main())
