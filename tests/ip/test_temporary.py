# SPDX-License-Identifier: MIT
"""Temporary addresses (RFC 8981)."""

from __future__ import annotations

import pytest

from stack import Config
from stack.base import addr
from stack.base.units import DAY, SECOND
from stack.ip.addrconf import DEPRECATED, DUPLICATED, PREFERRED, SLAAC, TEMPORARY, LocalAddress
from stack.ip.interface_ids import is_reserved
from tests.harness import quiet
from tests.ip.addressing import FOREVER, Scene

ADVANCE = 5 * SECOND  # REGEN_ADVANCE by the default parameters: 2 + 3 * 1 * 1000 / 1000 seconds
LONG = 30 * 86400
ON_LINK = "2001:db8:1::ffff"


def scene_with(valid: int = LONG, preferred: int = LONG, **settings: object) -> Scene:
    scene = Scene(quiet(**settings))
    scene.advertise(valid=valid, preferred=preferred)
    return scene


def temporaries(scene: Scene) -> list[LocalAddress]:
    return scene.of_origin(TEMPORARY)


def live(scene: Scene) -> list[LocalAddress]:
    return [entry for entry in temporaries(scene) if entry.state == PREFERRED]


# 3.3-3.4: making them.


def test_one_beside_the_stable_one() -> None:
    scene = scene_with()
    (stable,) = scene.of_origin(SLAAC)
    (entry,) = temporaries(scene)
    assert entry.address[:8] == stable.address[:8]
    assert entry.address != stable.address
    assert not is_reserved(entry.address[8:])
    assert scene.source(ON_LINK) == addr.text(entry.address)  # RFC 6724 5 rule 7


def test_random_identifiers() -> None:
    """3.3.1: nothing links those of two prefixes, or of two hosts."""
    found = set()
    for seed in range(1, 20):
        scene = Scene(quiet(stable_secret=bytes(16)), seed=seed)
        scene.advertise("2001:db8:1::", more=("2001:db8:2::",))
        found |= {entry.address[8:] for entry in temporaries(scene)}
    assert len(found) == 2 * 19


def test_lifetimes_are_the_lower_of_two() -> None:
    """3.4 step 3: TEMP_VALID_LIFETIME; TEMP_PREFERRED_LIFETIME less a random DESYNC_FACTOR of no
    more than 0.4 of it."""
    spans = set()
    for seed in range(1, 20):
        scene = Scene(quiet(), seed=seed)
        scene.advertise(valid=LONG, preferred=LONG)
        (entry,) = temporaries(scene)
        assert entry.valid_until == scene.world.now + 2 * DAY
        span = entry.preferred_until - scene.world.now
        assert DAY * 6 // 10 <= span <= DAY
        spans.add(span)
    assert len(spans) > 15
    scene = scene_with(valid=3600, preferred=1800)
    (entry,) = temporaries(scene)
    assert entry.valid_until == scene.world.now + 3600 * SECOND
    assert entry.preferred_until == scene.world.now + 1800 * SECOND


@pytest.mark.parametrize(("preferred", "count"), [(0, 0), (5, 0), (6, 1), (7, 1)])
def test_none_that_would_be_gone_at_once(preferred: int, count: int) -> None:
    """3.4 step 4: created only if it is preferred for longer than REGEN_ADVANCE."""
    scene = scene_with(valid=3600, preferred=preferred)
    assert len(temporaries(scene)) == count


def test_the_advance_grows_with_what_detection_takes() -> None:
    """3.8: 2 + (TEMP_IDGEN_RETRIES * DupAddrDetectTransmits * RetransTimer / 1000)."""
    scene = Scene(quiet(dad_transmits=2))
    scene.stack.v6.interface(scene.nic).retrans_timer = 4 * SECOND
    scene.advertise(valid=3600, preferred=26)
    assert temporaries(scene) == []
    scene.advertise(valid=3600, preferred=27)
    assert len(temporaries(scene)) == 1


def test_off_by_configuration() -> None:
    """3.7: a way to disable them."""
    scene = scene_with(temporary_addresses=False)
    assert temporaries(scene) == []
    scene.run(3 * 86400)
    assert temporaries(scene) == []
    assert scene.source(ON_LINK) == addr.text(scene.of_origin(SLAAC)[0].address)


@pytest.mark.parametrize("default", [True, False])
def test_exceptions_by_prefix(default: bool) -> None:
    """3.7: for unique local prefixes, say, the other way round."""
    scene = Scene(quiet(temporary_addresses=default, temporary_exceptions=("fc00::/7",)))
    scene.advertise("2001:db8:1::", more=("fd12:3456:789a:1::",))
    prefix = "2001:db8:1::" if default else "fd12:3456:789a:1::"
    assert [entry.address[:8] for entry in temporaries(scene)] == [addr.parse(prefix)[:8]]


def test_public_ones_are_preferred_if_so_configured() -> None:
    scene = scene_with(prefer_temporary=False)
    assert len(temporaries(scene)) == 1
    assert scene.source(ON_LINK) == addr.text(scene.of_origin(SLAAC)[0].address)


def test_its_longest_lifetimes_are_configured() -> None:
    scene = scene_with(temporary_valid=20 * 3600 * SECOND, temporary_preferred=10 * 3600 * SECOND)
    (entry,) = temporaries(scene)
    assert entry.valid_until == scene.world.now + 20 * 3600 * SECOND
    assert entry.preferred_until <= scene.world.now + 10 * 3600 * SECOND


# 3.4 step 1: renewals.


def test_advertisements_do_not_keep_one_for_ever() -> None:
    """Neither valid nor preferred for longer than its own longest lifetimes."""
    scene = scene_with()
    (first,) = temporaries(scene)
    born, preferred_cap = scene.world.now, first.preferred_until
    for _ in range(23):
        scene.run(3600)
        scene.advertise(valid=LONG, preferred=LONG)
        assert first.preferred_until <= max(preferred_cap, scene.world.now)
        assert first.valid_until <= born + 2 * DAY
    assert first.state == DEPRECATED
    scene.run(26 * 3600)
    assert first.removed


def test_short_lifetimes_are_renewed() -> None:
    scene = scene_with(valid=1800, preferred=900)
    (first,) = temporaries(scene)
    for _ in range(20):
        scene.run(600)
        scene.advertise(valid=1800, preferred=900)
    assert temporaries(scene) == [first]
    assert first.state == PREFERRED
    assert scene.moves.of(addr.text(first.address)) == [PREFERRED]


def test_the_two_hour_rule_holds_for_them_too() -> None:
    scene = scene_with()
    (entry,) = temporaries(scene)
    scene.advertise(valid=0, preferred=0)
    assert entry.valid_until == scene.world.now + 7200 * SECOND
    assert entry.state == DEPRECATED


def test_a_prefix_that_is_deprecated_gets_no_new_one() -> None:
    """3.5: not in response to the advertisement that deprecates it; and with the prefix's next
    life they live again."""
    scene = scene_with()
    (first,) = temporaries(scene)
    scene.advertise(valid=LONG, preferred=0)
    scene.run(100)
    assert temporaries(scene) == [first]
    assert first.state == DEPRECATED
    scene.advertise(valid=LONG, preferred=LONG)
    assert first.state == PREFERRED
    assert temporaries(scene) == [first]


# 3.5-3.6: expiry and regeneration.


def test_the_next_one_comes_before_the_last_is_deprecated() -> None:
    """REGEN_ADVANCE before it; there is always a preferred one, and seldom two."""
    scene = scene_with(valid=FOREVER, preferred=FOREVER)
    (first,) = temporaries(scene)
    early = first.preferred_until - ADVANCE
    scene.world.run(early - scene.world.now - SECOND)
    assert temporaries(scene) == [first]
    scene.run(2)
    _, second = temporaries(scene)
    assert [e.state for e in (first, second)] == [PREFERRED, PREFERRED]
    scene.world.run(first.preferred_until - scene.world.now + SECOND)
    assert [e.state for e in (first, second)] == [DEPRECATED, PREFERRED]
    assert scene.source(ON_LINK) == addr.text(second.address)
    assert second.address[8:] != first.address[8:]


def test_for_a_month_one_a_day_and_never_many() -> None:
    scene = scene_with(valid=FOREVER, preferred=FOREVER)
    names = set()
    for _ in range(30 * 24):
        scene.run(3600)
        names |= {entry.address for entry in temporaries(scene)}
        assert 1 <= len(live(scene)) <= 2
        assert len(temporaries(scene)) <= 4
    assert 30 <= len(names) <= 52  # a life is between 0.6 and 1 of a day


def test_none_without_a_prefix() -> None:
    """When advertisements cease, so does all that was made of them, and every timer with it."""
    scene = scene_with(valid=10000, preferred=5000)
    scene.run(10001)
    assert temporaries(scene) == scene.of_origin(SLAAC) == []
    scene.world.run()
    assert scene.world.now < 40000 * SECOND


# 3.4 step 6: duplicates.


def test_another_identifier_for_one_that_is_taken() -> None:
    scene = Scene(Config())
    scene.run(10)
    scene.advertise(valid=LONG, preferred=LONG)
    (first,) = temporaries(scene)
    scene.solicit(addr.text(first.address))
    (second,) = temporaries(scene)
    assert first.removed
    assert second.address != first.address
    scene.run(5)
    assert second.state == PREFERRED


def test_after_three_no_more() -> None:
    """TEMP_IDGEN_RETRIES, until the interface is on another link."""
    scene = Scene(Config())
    scene.run(10)
    scene.advertise(valid=LONG, preferred=LONG)
    for _ in range(3):
        (entry,) = temporaries(scene)
        scene.advertise_self(addr.text(entry.address))
    assert temporaries(scene) == []
    assert any("no other will be tried" in line for line in scene.world.trace.lines)
    for _ in range(5):
        scene.run(10000)
        scene.advertise(valid=LONG, preferred=LONG)
    assert temporaries(scene) == []
    assert scene.of_origin(SLAAC)[0].state == PREFERRED
    scene.stack.set_link(scene.nic, False)
    scene.stack.set_link(scene.nic, True)
    scene.advertise(valid=LONG, preferred=LONG)
    scene.run(5)
    assert len(live(scene)) == 1


def test_failures_count_in_succession_only() -> None:
    scene = Scene(Config(temporary_preferred=3600 * SECOND))
    scene.run(10)
    scene.advertise(valid=FOREVER, preferred=FOREVER)
    for _ in range(6):
        for _ in range(2):
            entry = temporaries(scene)[-1]
            scene.solicit(addr.text(entry.address))
        scene.run(3)
        newest = temporaries(scene)[-1]
        assert newest.state == PREFERRED
        scene.world.run(newest.preferred_until - ADVANCE - scene.world.now)
        assert temporaries(scene)[-1] is not newest
    assert all(entry.state != DUPLICATED for entry in temporaries(scene))


def test_configured_lifetimes_are_checked() -> None:
    with pytest.raises(ValueError, match="temporary_preferred"):
        Config(temporary_preferred=2 * DAY)
    with pytest.raises(ValueError, match="temporary_exceptions"):
        Config(temporary_exceptions=("fc00::",))
    with pytest.raises(ValueError, match="stable_secret"):
        Config(stable_secret=b"short")
