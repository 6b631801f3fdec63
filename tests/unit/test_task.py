# SPDX-License-Identifier: Apache-2.0
"""The values of a move under way."""

from oslotest import base

from osc_migrate import task as tasks
from osc_migrate.task import Phase
from tests.unit import scenes


class PhaseTest(base.BaseTestCase):
    def test_what_holds_a_slot(self) -> None:
        """All but what has not begun and what is over."""
        free = {phase for phase in Phase if not phase.holds_slot}
        final = {Phase.DONE, Phase.FAILED, Phase.SKIPPED}
        self.assertEqual({Phase.PENDING, *final}, free)
        self.assertEqual(final, {p for p in Phase if p.is_final})


class TaskTest(base.BaseTestCase):
    def test_enters_a_phase_once(self) -> None:
        """Its time is that of the first moment."""
        one = tasks.to(scenes.task(), Phase.RUNNING, 5)
        self.assertEqual((Phase.RUNNING, 5), (one.phase, one.since))
        self.assertIs(one, tasks.to(one, Phase.RUNNING, 6))
        one = tasks.to(one, Phase.FINISHING, 7)
        self.assertEqual(
            ((Phase.RUNNING, 5), (Phase.FINISHING, 7)), one.entered
        )

    def test_ends_with_a_reason(self) -> None:
        """And with what to do about it."""
        one = tasks.end(scenes.task(), Phase.FAILED, 'why', 'what', now=9)
        self.assertEqual(
            (Phase.FAILED, 9, 'why', 'what'),
            (one.phase, one.since, one.reason, one.remedy),
        )

    def test_destination(self) -> None:
        """What Nova recorded, else what was wished."""
        recorded = scenes.record('running', dest_compute='compute-3')
        for one, expected in (
            (scenes.task(), 'compute-2'),
            (scenes.task(record=recorded), 'compute-3'),
            (
                scenes.task(record=scenes.record('x', dest_compute=None)),
                'compute-2',
            ),
            (scenes.task(Phase.PENDING, record=recorded), 'compute-2'),
            (scenes.task(Phase.FAILED, record=recorded), 'compute-3'),
        ):
            self.assertEqual(expected, one.destination)

    def test_as_text(self) -> None:
        """Who, how, where, how far, and why."""
        one = scenes.task(Phase.RUNNING)
        self.assertEqual('web live compute-1 -> compute-2: running', str(one))
        one = tasks.end(one, Phase.FAILED, 'why', now=9)
        self.assertEqual(
            'web live compute-1 -> compute-2: failed (why)', str(one)
        )
