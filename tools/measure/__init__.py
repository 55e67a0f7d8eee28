# SPDX-License-Identifier: MIT
"""What `tools/bench` is made of: generators, kernels to compare with, and what is timed alone."""
