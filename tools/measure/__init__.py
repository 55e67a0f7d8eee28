# SPDX-License-Identifier: MIT
"""What `tools/bench` is made of: a generator, the kernel to compare with, sockets counted."""
