# SPDX-License-Identifier: MIT
"""The demo's services.  Each is a WSK client: it registers, listens on one dual-stack socket, and
lives on event callbacks.  Read `echo` first."""
