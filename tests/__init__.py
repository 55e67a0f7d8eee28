# SPDX-License-Identifier: MIT
"""The proof.  One folder per floor, mirroring file names; `harness` is the virtual world."""
