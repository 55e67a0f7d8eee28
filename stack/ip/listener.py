# SPDX-License-Identifier: MIT
"""Floor 4: `Listener`, the host's part of IGMP and MLD on one interface, as one machine.

Done: RFC 3376 5 and RFC 3810 6 (state-change reports with their retransmission and merging,
delayed and combined answers to queries, spread over the time that there is for them), the
adoption of the querier's robustness and interval, and RFC 3376 7.2 and RFC 3810 8.2 (older
queriers): in an older version's mode the machine of RFC 2236 6 and RFC 2710 5, a timer per group,
reports that are kept back when another host's is heard, and a leave from whoever reported last.
Not done: reports that are kept back in the newest mode (RFC 3376 7.2.2, a MAY).

What several users do to a group within one turn is one change, and changes of several groups
within one turn share their reports: the first transmission waits for the end of the input phase.

Made by `membership`, which is also how it speaks; changes come from `groups`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base.seam import TimerOwner
from stack.base.timers import NEVER, Timer
from stack.base.units import SECOND
from stack.ip.groups import NOTHING, Filter
from stack.ip.reports import length
from stack.link.nic import Nic
from stack.wire.groups import (
    ALLOW,
    BLOCK,
    IS_EXCLUDE,
    IS_INCLUDE,
    TO_EXCLUDE,
    TO_INCLUDE,
    Query,
    Record,
)

if TYPE_CHECKING:
    from stack.ip.membership import Membership

UNSOLICITED_INTERVAL: Final = 1 * SECOND  # RFC 3376 8.11, RFC 3810 9.11
OLD_UNSOLICITED_INTERVAL: Final = 10 * SECOND  # RFC 2236 8.10, RFC 2710 7.10
QUERY_INTERVAL: Final = 125 * SECOND  # RFC 3376 8.2, RFC 3810 9.2

_ANSWER: Final = 0
_CHANGES: Final = 1
_OLDER: Final = 2  # and above: an older querier is present, of version kind - _OLDER


class Interest(TimerOwner):
    """What the protocol keeps of one group.

    wanted        the interface state: what the host wants of the group now
    mode_left     state-change reports that still have to say the whole filter
    sources_left  the same per source that was added or taken away
    due           ns of the next state-change report; NEVER if nothing is left to tell
    timer         the answer to a query; in an older version's mode the next report of any kind
    asked         the sources of the query to be answered; empty if it asked for the group
    reporter      nobody else has reported the group since we did (RFC 2236 6)
    repeats       unsolicited reports left in an older version's mode
    """

    __slots__ = (
        "asked",
        "due",
        "group",
        "listener",
        "mode_left",
        "repeats",
        "reporter",
        "sources_left",
        "timer",
        "wanted",
    )

    def __init__(self, listener: Listener, group: bytes) -> None:
        self.listener = listener
        self.group = group
        self.wanted = NOTHING
        self.mode_left = 0
        self.sources_left: dict[bytes, int] = {}
        self.due = NEVER
        self.timer = Timer(self)
        self.asked: set[bytes] = set()
        self.reporter = True
        self.repeats = 0

    def fired(self, timer: Timer) -> None:
        self.listener.answer(self)

    def calm(self) -> None:
        """Forget what was to be told."""
        self.mode_left = self.repeats = 0
        self.sources_left.clear()
        self.asked.clear()
        self.due = NEVER
        self.timer.disarm()

    def current(self) -> Record:
        """The whole filter, as the answer to a query."""
        kind = IS_INCLUDE if self.wanted.include else IS_EXCLUDE
        return Record(kind, self.group, self.wanted.sources)


class Listener(TimerOwner):
    """One family on one interface.

    version      the mode: the protocol version spoken now
    robustness   transmissions of a state change
    interval     the querier's query interval, ns
    anonymous    a report went out without a source address
    """

    def __init__(self, membership: Membership, nic: Nic) -> None:
        self.nic = nic
        self.version = membership.forced or membership.newest
        self.robustness = membership.robustness
        self.interval = QUERY_INTERVAL
        self.anonymous = False
        self.interests: dict[bytes, Interest] = {}
        self._membership = membership
        self._env = membership.env
        self._timers = membership.timers
        self._answer = Timer(self, _ANSWER)
        self._changes = Timer(self, _CHANGES)
        self._older = [
            Timer(self, _OLDER + version)
            for version in range(membership.oldest, membership.newest)
            if not membership.forced
        ]
        self._unanswered: list[bytes] = []  # groups of a general query's answer still to come
        self._until = 0  # when that answer must be complete

    # The link.

    def announce(self) -> None:
        """Tell of every group as if it had just been joined."""
        for interest in list(self.interests.values()):
            if interest.wanted.wanted:
                self._change(interest, NOTHING)

    def down(self) -> None:
        """The link is gone, and its querier with it."""
        self._calm()
        for timer in self._older:
            timer.disarm()
        self.version = self._membership.forced or self._membership.newest
        self.robustness = self._membership.robustness
        self.interval = QUERY_INTERVAL

    # Changes of the interface state.

    def changed(self, group: bytes, before: Filter, after: Filter) -> None:
        """The host wants something else of `group` (RFC 3376 5.1, RFC 3810 6.1)."""
        interest = self.interests.get(group)
        if interest is None:
            interest = self.interests[group] = self._make(group)
        interest.wanted = after
        if self.nic.up:
            self._change(interest, before)
        elif not after.wanted:
            del self.interests[group]

    def _make(self, group: bytes) -> Interest:
        """A new group.  Where many have been left the oldest of those is told of no more."""
        if len(self.interests) >= 2 * self._membership.group_limit:
            for interest in self.interests.values():
                if not interest.wanted.wanted:
                    self._forget(interest)
                    break
        return Interest(self, group)

    def _change(self, interest: Interest, before: Filter) -> None:
        if self.version < self._membership.newest:
            self._change_old(interest, before)
            return
        after, again = interest.wanted, self.robustness
        if before.include != after.include:
            interest.mode_left = again
        else:
            for source in before.sources ^ after.sources:
                interest.sources_left[source] = again
            if len(interest.sources_left) > self._membership.source_limit:
                # Too many to keep apart: a filter-mode record says all of them at once.
                interest.sources_left.clear()
                interest.mode_left = again
        interest.due = self._env.now
        self._arm(self._changes, interest.due)

    def _change_old(self, interest: Interest, before: Filter) -> None:
        """RFC 2236 6, RFC 2710 5: joined or left is all there is to tell."""
        joined = interest.wanted.wanted
        if before.wanted == joined:
            return
        interest.repeats = 0
        if joined:
            interest.repeats = self.robustness
            interest.reporter = False
        self._arm(interest.timer, self._env.now)

    def _arm(self, timer: Timer, when: int) -> None:
        self._timers.arm(timer, when)
        self._env.executor.wanted()

    def _report_changes(self) -> None:
        """The state-change records that are due, and when the rest is."""
        now = self._env.now
        records: list[Record] = []
        again = now + self._within(UNSOLICITED_INTERVAL)
        for interest in list(self.interests.values()):
            if interest.due <= now:
                self._take_changes(interest, records)
                more = interest.mode_left or interest.sources_left
                interest.due = again if more else NEVER
                if not more and not interest.wanted.wanted:
                    self._forget(interest)
        if records:
            self._membership.report(self, records)
        when = min((interest.due for interest in self.interests.values()), default=NEVER)
        self._timers.arm(self._changes, when)

    @staticmethod
    def _take_changes(interest: Interest, records: list[Record]) -> None:
        """RFC 3376 5.1's last table: the records of the next report, and one repetition less."""
        wanted, left = interest.wanted, interest.sources_left
        if interest.mode_left:
            interest.mode_left -= 1
            kind = TO_INCLUDE if wanted.include else TO_EXCLUDE
            records.append(Record(kind, interest.group, wanted.sources))
        else:
            allow = [source for source in left if wanted.passes(source)]
            block = [source for source in left if not wanted.passes(source)]
            if allow:
                records.append(Record(ALLOW, interest.group, allow))
            if block:
                records.append(Record(BLOCK, interest.group, block))
        for source in list(left):
            left[source] -= 1
            if not left[source]:
                del left[source]

    # Queries.

    def query(self, query: Query) -> None:
        """A sound query arrived (RFC 3376 5.2, RFC 3810 6.2)."""
        if query.version == self._membership.newest:
            self.robustness = query.robustness or self._membership.robustness
            self.interval = query.interval or QUERY_INTERVAL
        else:
            self._note_older(query)
        if self.version < self._membership.newest:
            self._ask_old(query)
            return
        now = self._env.now
        at = now + self._within(query.max_response)
        begun = bool(self._unanswered)  # some groups are reported already: start again
        if not begun and self._answer.deadline <= at:
            return
        if not query.group:
            if any(interest.wanted.wanted for interest in self.interests.values()):
                self._unanswered.clear()
                self._until = now + query.max_response
                self._timers.arm(self._answer, at)
            return
        interest = self.interests.get(query.group)
        if interest is not None and interest.wanted.wanted:
            self._ask(interest, query.sources, at)

    def _ask(self, interest: Interest, sources: tuple[bytes, ...], at: int) -> None:
        """Rules 3 to 5: one answer per group, to all that was asked, at the earliest time."""
        if not interest.timer.armed:
            interest.asked = set(sources)
        elif not sources or not interest.asked:
            interest.asked.clear()
        else:
            interest.asked.update(sources)
        if len(interest.asked) > self._membership.source_limit:
            interest.asked.clear()  # answer for the whole group, which says no less
        self._timers.arm(interest.timer, min(at, interest.timer.deadline))

    def _ask_old(self, query: Query) -> None:
        """RFC 2236 3, RFC 2710 4: a timer per group, which only moves to earlier."""
        limit, now = query.max_response, self._env.now
        for group in [query.group] if query.group else list(self.interests):
            interest = self.interests.get(group)
            if interest is None or not interest.wanted.wanted:
                continue
            if interest.timer.deadline > now + limit:
                self._timers.arm(interest.timer, now + self._within(limit))

    def answer(self, interest: Interest) -> None:
        """A group's timer expired."""
        if self.version < self._membership.newest:
            self._answer_old(interest)
            return
        wanted, asked = interest.wanted, interest.asked
        interest.asked = set()
        if not wanted.wanted:
            return
        if not asked:
            self._membership.report(self, [interest.current()])
            return
        heard = [source for source in asked if wanted.passes(source)]
        if heard:
            self._membership.report(self, [Record(IS_INCLUDE, interest.group, heard)])

    def _answer_old(self, interest: Interest) -> None:
        if not interest.wanted.wanted:
            if interest.reporter:
                self._membership.leave_old(self, interest.group)
            self._forget(interest)
            return
        self._membership.report_old(self, interest.group)
        interest.reporter = True
        if interest.repeats:
            interest.repeats -= 1
        if interest.repeats:
            when = self._env.now + self._within(OLD_UNSOLICITED_INTERVAL)
            self._timers.arm(interest.timer, when)

    def _answer_general(self) -> None:
        """One report's worth of groups, and a time for the next within what is left."""
        if not self._unanswered:
            self._unanswered = sorted(self.interests, reverse=True)
        room = self._membership.room(self.nic)
        records: list[Record] = []
        while self._unanswered:
            interest = self.interests.get(self._unanswered[-1])
            if interest is not None and interest.wanted.wanted:
                record = interest.current()
                room -= length(record)
                if room < 0 and records:
                    break
                records.append(record)
            self._unanswered.pop()
        if records:
            self._membership.report(self, records)
        if self._unanswered:
            times = -(-len(self._unanswered) // len(records))
            left = max(0, self._until - self._env.now)
            self._timers.arm(self._answer, self._env.now + self._within(left // times))

    # Other hosts, and older queriers.

    def heard(self, group: bytes) -> bool:
        """Another host reported `group` in an older version.  True if we need not (RFC 2236 6)."""
        interest = self.interests.get(group)
        if interest is None or not interest.wanted.wanted or not interest.timer.armed:
            return False
        if self.version == self._membership.newest:
            return False
        interest.timer.disarm()
        interest.repeats = 0
        interest.reporter = False
        return True

    def _note_older(self, query: Query) -> None:
        """RFC 3376 7.2.1, RFC 3810 8.2.1: an older querier is present."""
        if not self._membership.proves_older(query):
            return
        for timer in self._older:
            if timer.kind == _OLDER + query.version:
                patience = self.robustness * self.interval + query.max_response
                self._timers.arm(timer, self._env.now + patience)
        self._choose_mode()

    def _choose_mode(self) -> None:
        """The oldest version of which a querier is present.  A change cancels what was due."""
        present = [timer.kind - _OLDER for timer in self._older if timer.armed]
        version = min(present, default=self._membership.forced or self._membership.newest)
        if version != self.version:
            self.version = version
            self._calm()

    def _calm(self) -> None:
        """Nothing is due any more."""
        self._answer.disarm()
        self._changes.disarm()
        self._unanswered.clear()
        for interest in list(self.interests.values()):
            interest.calm()
            if not interest.wanted.wanted:
                self._forget(interest)

    def _forget(self, interest: Interest) -> None:
        interest.calm()
        del self.interests[interest.group]

    # Timers.

    def fired(self, timer: Timer) -> None:
        if timer.kind == _ANSWER:
            self._answer_general()
        elif timer.kind == _CHANGES:
            self._report_changes()
        else:
            self._choose_mode()

    def pending(self, group: bytes) -> tuple[int, int]:
        """ns of the next report of a change and of the next answer, of one group."""
        interest = self.interests.get(group)
        if interest is None:
            return NEVER, NEVER
        if interest.repeats:
            return interest.timer.deadline, NEVER
        return interest.due, min(interest.timer.deadline, self._answer.deadline)

    def _within(self, span: int) -> int:
        """A random time in (0, span]; 0 if there is no time."""
        return (self._env.random_below(1 << 32) * span >> 32) + 1 if span else 0
