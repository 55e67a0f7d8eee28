# SPDX-License-Identifier: MIT
"""Floor 4: addresses that the host makes up: stateless autoconfiguration (RFC 4862 5.3-5.5).

Done: a link-local address when an interface comes up (5.3); an address in every advertised prefix
(5.5.3), stable and opaque (RFC 7217, the default of RFC 8064) or made from the MAC; the two-hour
rule (5.5.3 e).  Each prefix is a `Formed` of its own, with temporary addresses beside the stable
one (`temporary`).  A link that comes up again is taken for the same one if the first advertisement
there names a prefix that is known (RFC 6059's idea); if none, what was formed before goes.
Not done: authenticated advertisements (5.5.3 e 2), Network_ID of RFC 7217.

Told of prefixes by router discovery, of interfaces and addresses by `host`.  Bounded: prefixes per
interface (`Config.slaac_limit`), temporary addresses of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr
from stack.base.lifetimes import after, left
from stack.base.seam import TimerOwner
from stack.base.timers import NEVER, Timer
from stack.base.units import SECOND
from stack.ip import interface_ids
from stack.ip.addrconf import DUPLICATED, LINK_LOCAL, SLAAC, TEMPORARY, LocalAddress
from stack.ip.seam import Attendant, PrefixListener
from stack.ip.temporary import Temporaries
from stack.link.nic import Nic
from stack.wire import ipv6

if TYPE_CHECKING:
    from stack.ip.v6 import V6Layer

TWO_HOURS: Final = 7200 * SECOND

# RFC 7217 7
IDGEN_RETRIES: Final = 3
IDGEN_DELAY: Final = SECOND

_LINK_LOCAL: Final = addr.parse("fe80::")
_LENGTH: Final = 64


def renewed(remaining: int, valid: int) -> int:
    """RFC 4862 5.5.3 e: the valid lifetime of an address after an unauthenticated advertisement.

    remaining  what is left of it, ns, NEVER for ever
    valid      what was advertised
    """
    if valid > TWO_HOURS or valid > remaining:
        return valid
    if remaining <= TWO_HOURS:
        return remaining
    return TWO_HOURS


class Formed(TimerOwner):
    """What was formed from one prefix on one interface.

    stable      the stable address, None while there is none
    counter     DAD_Counter of RFC 7217: how many identifiers turned out to be taken
    retries     of those since the link came up; `pending` while the next one waits for its moment
    preferred_until, valid_until  of the prefix, as last heard
    """

    __slots__ = (
        "autoconf",
        "counter",
        "nic",
        "pending",
        "preferred_until",
        "prefix",
        "retries",
        "stable",
        "temporaries",
        "timer",
        "valid_until",
    )

    def __init__(self, autoconf: Autoconf, nic: Nic, prefix: bytes) -> None:
        self.autoconf = autoconf
        self.nic = nic
        self.prefix = prefix
        self.preferred_until = self.valid_until = autoconf.layer.env.now
        self.stable: LocalAddress | None = None
        self.counter = 0
        self.retries = 0
        self.pending = False
        self.temporaries = Temporaries(autoconf.layer, nic, prefix)
        self.timer = Timer(self)

    def fired(self, timer: Timer) -> None:
        self.autoconf.due(self)


class Autoconf(Attendant, PrefixListener):
    """Autoconfiguration of one host."""

    def __init__(self, layer: V6Layer) -> None:
        self.layer = layer
        self._env = layer.env
        self._timers = layer.host.timers
        self._config = layer.config
        self._addresses = layer.addresses
        self._secret = layer.config.stable_secret
        self._formed: dict[int, dict[bytes, Formed]] = {}  # by interface, by prefix
        self._before: dict[int, set[bytes]] = {}  # prefixes of what may have been another link
        self._again: dict[int, set[bytes]] = {}  # and which were advertised since
        layer.host.attendants.append(self)
        layer.host.prefix_listeners.append(self)

    # Interfaces.

    def nic_up(self, nic: Nic) -> None:
        """RFC 4862 5.3: a link-local address whenever an interface is enabled."""
        if nic.is_loopback or nic.mtu < ipv6.MIN_MTU:
            return
        formed = self._formed.setdefault(nic.index, {})
        known = {prefix for prefix in formed if prefix != _LINK_LOCAL}
        if known:
            self._before[nic.index] = known
        for record in formed.values():
            record.retries = 0
            record.temporaries.reset()
        local = formed.get(_LINK_LOCAL)
        if local is None:
            local = formed[_LINK_LOCAL] = Formed(self, nic, _LINK_LOCAL)
            local.preferred_until = local.valid_until = NEVER
        if local.stable is None:
            self._form(local)

    def _decide(self, index: int) -> None:
        """The first advertisement since the link came up has been heard in full."""
        before, again = self._before.pop(index, set()), self._again.pop(index, set())
        if before & again:
            return
        for prefix in before:
            record = self._formed[index].get(prefix)
            if record is not None:
                self._forget(record)

    # Prefixes.

    def prefix(
        self,
        nic: Nic,
        prefix: bytes,
        length: int,
        valid: int,
        preferred: int,
        autonomous: bool,
        on_link: bool,
        router: bytes,
    ) -> None:
        """RFC 4862 5.5.3."""
        if not autonomous or not self._config.slaac:
            return
        unfit = addr.is_link_scope(prefix) or addr.is_multicast(prefix) or length != _LENGTH
        if unfit or preferred > valid:
            self._addresses.counters.prefixes_ignored += 1
            return
        prefix = addr.mask(prefix, length)
        if nic.index in self._before:
            if nic.index not in self._again:
                self._again[nic.index] = set()
                self._env.executor.submit(lambda: self._decide(nic.index))
            self._again[nic.index].add(prefix)
        formed = self._formed.setdefault(nic.index, {})
        record = formed.get(prefix)
        if record is None:
            if not valid:
                return
            if len(formed) > self._config.slaac_limit:  # one of them is link-local
                if nic.index in self._before:
                    # Those of another link are about to make room.
                    again = (nic, prefix, length, valid, preferred, True, on_link, router)
                    self._env.executor.submit(lambda: self.prefix(*again))
                    return
                if not self._make_room(nic, formed, router):
                    self._addresses.counters.prefixes_refused += 1
                    return
            record = formed[prefix] = Formed(self, nic, prefix)
        self._hear(record, valid, preferred)

    def _make_room(self, nic: Nic, formed: dict[bytes, Formed], router: bytes) -> bool:
        """Give up what no router that answers advertises any more; False if there is nothing."""
        gateways = self.layer.host.gateways
        for prefix, record in formed.items():
            if prefix != _LINK_LOCAL and not gateways.vouch(nic, prefix, _LENGTH, router):
                self._forget(record)
                return True
        return False

    def _hear(self, record: Formed, valid: int, preferred: int) -> None:
        now = self._env.now
        lasting = renewed(left(now, record.valid_until), valid)
        record.valid_until = after(now, lasting)
        record.preferred_until = after(now, preferred)
        if record.stable is None:
            self._form(record)
        elif record.stable.state != DUPLICATED:
            self._addresses.renew(record.stable, preferred, lasting)
        record.temporaries.hear(
            record.preferred_until, record.valid_until, preferred, valid, renewed
        )
        self._wait(record)

    # Forming.

    def _form(self, record: Formed) -> None:
        """Take the stable address of a prefix; unless somebody gave us that very one."""
        address = record.prefix[:8] + self._identifier(record)
        if address in self._addresses.all:
            return
        local, now = record.prefix == _LINK_LOCAL, self._env.now
        record.stable = self.layer.add_address(
            record.nic,
            address,
            _LENGTH,
            preferred=left(now, record.preferred_until),
            valid=left(now, record.valid_until),
            origin=LINK_LOCAL if local else SLAAC,
            on_link=local,
        )

    def _identifier(self, record: Formed) -> bytes:
        config = self._config
        wanted = config.link_local_ids if record.prefix == _LINK_LOCAL else config.slaac_ids
        if wanted == "eui64":
            return addr.eui64(record.nic.mac)
        self._secret = self._secret or self._env.random(16)  # RFC 7217 5: 128 bits at least
        while True:
            found = interface_ids.opaque(
                record.prefix, record.nic.name, record.counter, self._secret
            )
            if not interface_ids.is_reserved(found):
                return found
            record.counter += 1

    def _opaque(self, record: Formed) -> bool:
        local = record.prefix == _LINK_LOCAL
        return (self._config.link_local_ids if local else self._config.slaac_ids) == "opaque"

    # What became of it.

    def address_changed(self, entry: LocalAddress) -> None:
        if entry.origin not in (LINK_LOCAL, SLAAC, TEMPORARY):
            return
        for record in self._formed.get(entry.nic.index, {}).values():
            if record.stable is entry:
                self._stable_changed(record, entry)
                return
            if entry in record.temporaries.entries:
                record.temporaries.changed(entry)
                self._wait(record)
                return

    def _stable_changed(self, record: Formed, entry: LocalAddress) -> None:
        """RFC 7217 6: another identifier if this one is taken, after a random while."""
        if entry.removed:
            record.stable = None
        elif entry.state == DUPLICATED and self._opaque(record) and record.retries < IDGEN_RETRIES:
            record.retries += 1
            record.pending = True
            delay = self._env.random_below(IDGEN_DELAY)
            self._timers.arm(record.timer, self._env.now + delay)

    def due(self, record: Formed) -> None:
        """The timer of a prefix: another attempt, a temporary address, or its end."""
        now = self._env.now
        if record.valid_until <= now:
            self._forget(record)
            return
        if record.pending:
            record.pending = False
            if record.stable is not None and record.stable.state == DUPLICATED:
                self.layer.remove_address(record.stable.address)
                record.counter += 1
                self._form(record)
        if record.prefix != _LINK_LOCAL:
            record.temporaries.tend()
        self._wait(record)

    def _wait(self, record: Formed) -> None:
        if record.pending or record.prefix == _LINK_LOCAL:
            return
        deadline = min(record.temporaries.due(), record.valid_until)
        self._timers.arm(record.timer, max(deadline, self._env.now))

    def _forget(self, record: Formed) -> None:
        """Nothing of a prefix is left."""
        record.timer.disarm()
        self._formed[record.nic.index].pop(record.prefix, None)
        entries = [*record.temporaries.entries, record.stable]
        for entry in entries:
            if entry is not None and not entry.removed:
                self.layer.remove_address(entry.address)
