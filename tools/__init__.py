# SPDX-License-Identifier: MIT
"""The commands people type, and the programs behind them.  Floor 9: may import everything."""
