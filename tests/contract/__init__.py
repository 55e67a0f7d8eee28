# SPDX-License-Identifier: MIT
"""What WSK promises of any transport behind the floor-5 seam.

transports    what the suite runs against: add an entry, and all of it runs
test_*        the promises, which name no transport
"""
