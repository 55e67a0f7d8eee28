# SPDX-License-Identifier: MIT
"""Floor 5: the seam between transports below and WSK above, and what transports share.

Reading order: `seam`, `ports`, `demux`, `soft_errors`.
"""
