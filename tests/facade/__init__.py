# SPDX-License-Identifier: MIT
"""The Pythonic front door: `wsk_api/facade` on every runtime."""
