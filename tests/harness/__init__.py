# SPDX-License-Identifier: MIT
"""The virtual world: stacks, wires and a segment-writing peer on one seeded, virtual clock."""

from tests.harness.hub import StampedPort
from tests.harness.peer import Peer, Seen
from tests.harness.world import Host, RecordingPort, World, quiet

__all__ = ["Host", "Peer", "RecordingPort", "Seen", "StampedPort", "World", "quiet"]
