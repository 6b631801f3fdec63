# SPDX-License-Identifier: Apache-2.0
"""How many may be under way: in all, from one host, to one host."""

from collections.abc import Iterable
import dataclasses

from oslotest import base

from osc_migrate import exceptions
from osc_migrate import limits
from osc_migrate import progress
from tests.unit import scenes

FREE = limits.Limits(total=9, per_source=9, per_destination=9)


def load(
    source: str = 'a',
    destination: str | None = 'x',
    *,
    weight: int = 1,
    groups: Iterable[str] = (),
) -> limits.Load:
    """Build a migration under way."""
    return limits.Load(
        source=source,
        destination=destination,
        weight=weight,
        groups=frozenset(groups),
    )


class LimitsTest(base.BaseTestCase):
    def test_each_limit_is_at_least_one(self) -> None:
        """None at all would wait for ever."""
        for name in ('total', 'per_source', 'per_destination'):
            limits.Limits(**{name: 1})
            error = self.assertRaises(
                exceptions.InvalidInput, limits.Limits, **{name: 0}
            )
            self.assertIn(name, str(error))

    def test_each_limit_is_reached_and_not_passed(self) -> None:
        """The last one that fits goes, the next one waits."""
        one = load()
        for limit, others, is_allowed in (
            (limits.Limits(total=2), [load('b', 'y')], True),
            (limits.Limits(total=2), [load('b', 'y'), load('c', 'z')], False),
            (limits.Limits(per_source=2), [load('a', 'y')], True),
            (
                limits.Limits(per_source=2),
                [load('a', 'y'), load('a', 'z')],
                False,
            ),
            (limits.Limits(per_destination=2), [load('b', 'x')], True),
            (
                limits.Limits(per_destination=2),
                [load('b', 'x'), load('c', 'x')],
                False,
            ),
            (
                limits.Limits(per_source=1, per_destination=1),
                [load('b', 'y')],
                True,
            ),
            (limits.Limits(total=1), [load('b', 'y')], False),
            (limits.Limits(total=1), [], True),
        ):
            with self.subTest(f'{limit} {others}'):
                self.assertEqual(is_allowed, limit.allow(one, others))

    def test_the_heavy_go_alone(self) -> None:
        """What is heavier than a limit starts only when nothing runs."""
        one = limits.Limits(total=1, per_source=1, per_destination=1)
        heavy = load(weight=2)
        self.assertTrue(one.allow(heavy, []))
        self.assertFalse(one.allow(heavy, [load('b', 'y')]))
        two = limits.Limits(total=9, per_source=2)
        self.assertFalse(two.allow(heavy, [load('a', 'y')]))
        self.assertFalse(two.allow(load(), [load('a', 'y', weight=2)]))
        self.assertTrue(two.allow(heavy, [load('b', 'y')]))

    def test_where_nova_chooses_it_may_be_any_host(self) -> None:
        """Somewhere, the limit of a destination is always kept."""
        two = limits.Limits(total=9, per_source=9, per_destination=2)
        anywhere = load('a', None)
        for one, others, is_allowed in (
            (anywhere, [], True),
            (anywhere, [load('b', 'x'), load('b', 'y')], True),
            (anywhere, [load('b', 'x'), load('c', 'x')], False),
            (anywhere, [anywhere], True),
            (anywhere, [anywhere, anywhere], False),
            (anywhere, [anywhere, load('b', 'x')], False),
            (load(), [anywhere], True),
            (load(), [anywhere, load('b', 'x')], False),
            (load(), [anywhere, load('b', 'y')], True),
        ):
            with self.subTest(f'{one} {others}'):
                self.assertEqual(is_allowed, two.allow(one, others))

    def test_rivals_do_not_move_together(self) -> None:
        """Nova sees members of an anti-affinity group when they are there."""
        for one, other, is_allowed in (
            ('x', 'x', False),
            ('x', 'y', True),
            ('x', None, False),
            (None, 'y', False),
            (None, None, False),
        ):
            with self.subTest(f'{one} {other}'):
                rivals = (
                    load('a', one, groups='g'),
                    load('b', other, groups='gh'),
                )
                self.assertEqual(is_allowed, FREE.allow(rivals[0], rivals[1:]))
                others = [load('b', other, groups='h')]
                self.assertTrue(FREE.allow(rivals[0], others))


class LoadTest(base.BaseTestCase):
    def test_of_a_record(self) -> None:
        """A migration of others weighs as much as one of ours."""
        self.assertEqual(
            load('compute-1', 'compute-2'),
            limits.of_record(scenes.record('running')),
        )
        self.assertEqual(
            load('compute-1', None, weight=2),
            limits.of_record(
                scenes.record('running', dest_compute=None, disk_total=1)
            ),
        )

    def test_of_a_task(self) -> None:
        """Where it goes is what the record says, then what we wished."""
        groups = frozenset({'g'})
        one = scenes.task(groups=groups)
        self.assertEqual(
            load('compute-1', 'compute-2', groups='g'), limits.of_task(one)
        )
        newest = scenes.record(
            'running', dest_compute='compute-3', disk_total=9
        )
        one = scenes.task(record=newest)
        self.assertEqual(
            load('compute-1', 'compute-3', weight=2), limits.of_task(one)
        )

    def test_disks_that_were_seen_or_are_expected(self) -> None:
        """Expected once a copy from there was seen, not before."""
        without = scenes.record('running')
        copied = progress.Progress(
            **{
                field.name: None
                for field in dataclasses.fields(progress.Progress)
            }
            | {'disk_total': 9}
        )
        for task, copying, weight in (
            (scenes.pending(has_local_disks=True), (), 1),
            (scenes.pending(has_local_disks=True), {'compute-9'}, 1),
            (scenes.pending(has_local_disks=True), {'compute-1'}, 2),
            (scenes.pending(has_local_disks=False), {'compute-1'}, 1),
            (scenes.task(has_local_disks=True), {'compute-1'}, 2),
            (scenes.task(record=without), {'compute-1'}, 1),
            # its figures are not read in each look
            (scenes.task(record=without, progress=copied), (), 2),
        ):
            with self.subTest(f'{task} {copying}'):
                self.assertEqual(weight, limits.of_task(task, copying).weight)

    def test_of_a_task_that_waits_for_its_next_try(self) -> None:
        """Where it failed before is not where it goes now."""
        newest = scenes.record('error', dest_compute='compute-3')
        one = scenes.pending(record=newest)
        self.assertEqual('compute-2', limits.of_task(one).destination)
