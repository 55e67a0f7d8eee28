# SPDX-License-Identifier: MIT
"""The kernel's services behind a bad wire: python -m tools.measure.badwire '{...}' COMMAND ...

`kernels.KernelPair` in a process of its own; COMMAND serves in the far kernel, says "ready" and
ends with its input.  The JSON object is the impairment, as for `target`.  Prints {"pid": N} of the
near kernel when it serves.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tap.impair import Impairment
from tap.ladder import Refused
from tap.netns import join
from tools.measure.kernels import KernelPair


def main() -> int:
    how = json.loads(sys.argv[1])
    seed = how.pop("seed")
    try:
        pair = KernelPair(Impairment(**how), seed)
    except Refused as why:
        print(json.dumps({"error": str(why)}), flush=True)
        return 2
    try:
        serving = subprocess.Popen(
            [sys.executable, "-m", "tools.measure.badwire", str(pair.far), *sys.argv[2:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert serving.stdin is not None
        assert serving.stdout is not None
        said = serving.stdout.readline().strip()
        print(json.dumps({"pid": pair.near} if said == "ready" else {"error": said}), flush=True)
        sys.stdin.read()
        serving.stdin.close()
        serving.wait(timeout=10)
    finally:
        pair.stop()
    return 0


def become() -> None:
    """The far side: enter the kernel of a process, become the command."""
    import os

    join(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    if sys.argv[1].isdigit():
        become()
    else:
        sys.exit(main())
