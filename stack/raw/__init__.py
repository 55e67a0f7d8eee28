# SPDX-License-Identifier: MIT
"""Floor 6: raw endpoints, for IP protocols of the user's own (wsk.md 0.3, 2.8; RFC 3542 3).

`protocol` hands out copies of what arrives, `endpoint` is what a user holds, `header` looks at IP
headers that users bring.
"""
