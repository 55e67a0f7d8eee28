# SPDX-License-Identifier: MIT
"""What `tools/bench` is made of: generators, kernels to compare with, segments and sockets timed."""
