# SPDX-License-Identifier: MIT
"""Floor 2: the filtering platform's place in the order of floors.

Filters look at packets and flows between the wire formats below and the interfaces above, so
every floor that will hold a hook may import this one and it may import none of them.  The
engine itself (layers, sublayers, weights, callouts) is not written yet; no hook pretends
otherwise.
"""
