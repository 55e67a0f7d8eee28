# SPDX-License-Identifier: MIT
"""TCP loss: what was sent and what became of it.

`scoreboard` keeps the spans; `recovery` (fast retransmit) and `rto` (time-out) mark spans lost.
None of them sends: `output` sees what is lost.  RACK-TLP, PRR and undo will live beside them.
"""
