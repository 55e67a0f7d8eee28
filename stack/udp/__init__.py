# SPDX-License-Identifier: MIT
"""Floor 6: UDP (RFC 768, RFC 1122 4.1, RFC 8200 8.1).

`protocol` receives and demultiplexes, `endpoint` is what a user holds, `way` and `membership` its
options and groups.
"""
