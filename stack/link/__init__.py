# SPDX-License-Identifier: MIT
"""Floor 3: interfaces, neighbours, and the seam to devices.

A `Nic` turns frames into packets and packets into frames; a `Neighbor` knows where a next
hop is on the link and whether it still answers, by one machine for ARP and NDP alike;
`offload` does in software what a device cannot.

Reading order: `seam`, `neighbor`, `nic`, `arp`, `offload`, `loopback`.
"""
