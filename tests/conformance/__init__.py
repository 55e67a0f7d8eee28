# SPDX-License-Identifier: MIT
"""The clauses of the RFCs, one by one: which test shows each."""
