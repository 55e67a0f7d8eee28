# SPDX-License-Identifier: MIT
"""Floor 0: units.  Time is integer nanoseconds everywhere in the core; sizes are octets."""

from typing import Final

US: Final = 1_000
MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86400 * SECOND

KIB: Final = 1024
MIB: Final = 1024 * 1024

View = bytes | bytearray | memoryview
"""Any buffer the core may borrow: it reads it, keeps a reference, and never writes to it."""
