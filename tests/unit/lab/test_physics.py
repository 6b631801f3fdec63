# SPDX-License-Identifier: Apache-2.0
"""Pre-copy and the sharing of links, in numbers that can be worked out."""

import hypothesis
from hypothesis import strategies
from oslotest import base

from lab import physics

DOWNTIME = 0.3


def run(
    copy: physics.Copy,
    *,
    rate: float,
    dirty_rate: float,
    tick: float = 0.1,
    limit: float = 1000.0,
) -> tuple[physics.Copy, float]:
    """Copy until it is done or for ``limit`` seconds; return the time."""
    elapsed = 0.0
    while not copy.is_done and elapsed < limit:
        copy = physics.advance(
            copy, tick, rate=rate, dirty_rate=dirty_rate, downtime=DOWNTIME
        )
        elapsed += tick
    return copy, elapsed


class CopyTest(base.BaseTestCase):
    """How one copy goes."""

    def test_idle_guest(self) -> None:
        """What is never dirtied is sent once."""
        copy, elapsed = run(physics.start(1000, 0), rate=100, dirty_rate=0)
        self.assertTrue(copy.is_done)
        self.assertAlmostEqual(1000, copy.sent)
        self.assertAlmostEqual(10, elapsed, delta=0.2)

    def test_passes(self) -> None:
        """1000 MiB, then half of it, a quarter ..., until 30 MiB fit."""
        copy, elapsed = run(physics.start(1000, 0), rate=100, dirty_rate=50)
        # 1000 500 250 125 62.5, then 31.25 > 30, then 15.6 while it stands
        sent = 1000 + 500 + 250 + 125 + 62.5 + 31.25 + 15.625
        self.assertAlmostEqual(sent, copy.sent)
        self.assertAlmostEqual(sent / 100, elapsed, delta=0.2)

    def test_never_ends(self) -> None:
        """Dirtied faster than sent: saw teeth as high as the memory."""
        copy = physics.start(512, 0)
        lefts = []
        for _ in range(600):
            copy = physics.advance(
                copy, 0.1, rate=100, dirty_rate=150, downtime=DOWNTIME
            )
            lefts.append(copy.left)
        self.assertFalse(copy.is_done)
        self.assertAlmostEqual(60 * 100, copy.sent)
        self.assertGreater(max(lefts[100:]), 500)
        self.assertLess(min(lefts[100:]), 20)
        self.assertLessEqual(max(lefts), 512)

    def test_disks_first(self) -> None:
        """The disks go before the memory, which is not dirtied so early."""
        copy = physics.start(100, 1000)
        copy = physics.advance(
            copy, 5, rate=100, dirty_rate=50, downtime=DOWNTIME
        )
        self.assertAlmostEqual(500, copy.disk_left)
        self.assertEqual((100, 0, 0), (copy.left, copy.dirtied, copy.sent))
        copy, elapsed = run(copy, rate=100, dirty_rate=0)
        self.assertEqual(0, copy.disk_left)
        self.assertAlmostEqual(6, elapsed, delta=0.2)

    def test_stopped_guest(self) -> None:
        """Once the guest stands, what is dirty is all that is left."""
        copy = physics.start(1000, 0)
        copy = physics.advance(
            copy, 4, rate=100, dirty_rate=500, downtime=DOWNTIME
        )
        copy = physics.stop_guest(copy)
        self.assertEqual(1000, copy.left)  # never more than the memory
        copy, elapsed = run(copy, rate=100, dirty_rate=500)
        self.assertTrue(copy.is_done)
        self.assertAlmostEqual(10, elapsed, delta=0.2)

    def test_no_link(self) -> None:
        """Nothing moves over a link that gives nothing."""
        copy = physics.start(1000, 0)
        after = physics.advance(
            copy, 9, rate=0, dirty_rate=1, downtime=DOWNTIME
        )
        self.assertEqual(copy, after)

    def test_no_downtime(self) -> None:
        """A guest that is granted no downtime ends all the same."""
        copy = physics.advance(
            physics.start(100, 0), 99, rate=100, dirty_rate=50, downtime=0
        )
        self.assertTrue(copy.is_done)

    @hypothesis.given(
        memory=strategies.floats(1, 1e6),
        disk=strategies.floats(0, 1e6),
        rate=strategies.floats(1, 1e5),
        dirty=strategies.floats(0, 0.9),
        steps=strategies.lists(strategies.floats(0.01, 50), min_size=1),
    )
    def test_ticks_do_not_matter(
        self,
        memory: float,
        disk: float,
        rate: float,
        dirty: float,
        steps: list[float],
    ) -> None:
        """The same time in one step or in many comes to the same."""
        whole = parts = physics.start(memory, disk)
        for step in steps:
            parts = physics.advance(
                parts,
                step,
                rate=rate,
                dirty_rate=dirty * rate,
                downtime=DOWNTIME,
            )
        whole = physics.advance(
            whole,
            sum(steps),
            rate=rate,
            dirty_rate=dirty * rate,
            downtime=DOWNTIME,
        )
        size = memory + disk
        self.assertAlmostEqual(whole.sent, parts.sent, delta=size / 1e6)
        self.assertAlmostEqual(whole.left, parts.left, delta=size / 1e6)


class ShareTest(base.BaseTestCase):
    """How copies share links."""

    def test_source(self) -> None:
        """Two copies over one link have half of it each."""
        rates = physics.share(
            {'a': 100, 'b': 1000, 'c': 1000},
            {'one': ('a', 'b'), 'two': ('a', 'c')},
        )
        self.assertEqual({'one': 50, 'two': 50}, rates)

    def test_destination(self) -> None:
        """The destination's link is shared as the source's is."""
        rates = physics.share(
            {'a': 1000, 'b': 1000, 'c': 100},
            {'one': ('a', 'c'), 'two': ('b', 'c')},
        )
        self.assertEqual({'one': 50, 'two': 50}, rates)

    def test_rest_is_not_lost(self) -> None:
        """What one cannot use for its other link, the others get."""
        rates = physics.share(
            {'a': 100, 'slow': 10, 'b': 1000},
            {'one': ('a', 'slow'), 'two': ('a', 'b')},
        )
        self.assertEqual({'one': 10, 'two': 90}, rates)

    @hypothesis.given(
        capacity=strategies.lists(
            strategies.floats(0, 1e5), min_size=2, max_size=6
        ),
        paths=strategies.lists(
            strategies.tuples(
                strategies.integers(0, 99), strategies.integers(0, 99)
            ),
            max_size=12,
        ),
    )
    def test_fair(
        self, capacity: list[float], paths: list[tuple[int, int]]
    ) -> None:
        """No link carries too much, and each copy has a full link."""
        links = {str(n): speed for n, speed in enumerate(capacity)}
        ways = {
            str(n): tuple({str(end % len(capacity)) for end in path})
            for n, path in enumerate(paths)
        }
        rates = physics.share(links, ways)
        loads = {
            link: sum(rates[copy] for copy in ways if link in ways[copy])
            for link in links
        }
        for link, load in loads.items():
            self.assertLessEqual(load, links[link] + 1e-6)
        for way in ways.values():
            self.assertTrue(
                any(loads[link] >= links[link] - 1e-3 for link in way)
            )
