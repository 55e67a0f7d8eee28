# SPDX-License-Identifier: MIT
"""TCP congestion control: signals in, a window out.  Chosen by name from `ALGORITHMS`.

seam          what an algorithm is told, and what it answers
window        slow start and all else that algorithms with a window share
rounds        round trips; hystart and validation watch them
reno, cubic, compound, ledbat
bbr           which has no slow start but a model of the path, bbr_model
"""

from __future__ import annotations

from typing import Final

from stack.tcp.congestion.bbr import Bbr
from stack.tcp.congestion.compound import Compound
from stack.tcp.congestion.cubic import Cubic
from stack.tcp.congestion.ledbat import Ledbat
from stack.tcp.congestion.reno import Reno
from stack.tcp.congestion.seam import CongestionControl

ALGORITHMS: Final[dict[str, type[CongestionControl]]] = {
    "reno": Reno,
    "newreno": Reno,
    "cubic": Cubic,
    "compound": Compound,
    "ledbat": Ledbat,
    "bbr": Bbr,
}
"""Every algorithm by the name users know.  An entry of your own makes yours one of them."""


def algorithm(name: str) -> type[CongestionControl]:
    """The algorithm called `name`.  Raises ValueError, which lists those there are."""
    found = ALGORITHMS.get(name)
    if found is None:
        known = ", ".join(sorted(ALGORITHMS))
        raise ValueError(f"no congestion control is called {name!r}; there are {known}")
    return found
