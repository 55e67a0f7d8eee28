# SPDX-License-Identifier: MIT
"""The commands people type, and the programs behind them.  Floor 10: may import everything."""
