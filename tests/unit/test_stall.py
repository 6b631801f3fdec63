# SPDX-License-Identifier: Apache-2.0
"""Deadlines and stalls: wait, force, abort, and never free what Nova holds."""

from typing import Any

from oslotest import base

from osc_migrate import progress
from osc_migrate import stall
from osc_migrate.task import Action
from osc_migrate.task import OnStall
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Task
from tests.unit import scenes
from tests.unit.scenes import COLD
from tests.unit.scenes import POLICY
from tests.unit.scenes import record
from tests.unit.scenes import task

GIB = 1024**3
FORCE = Policy(on_stall=OnStall.FORCE_COMPLETE, max_pause=10)
WAIT = Policy(on_stall=OnStall.WAIT)


def judged(endless: bool, pause: float | None = None) -> progress.Progress:
    """Build a judgement."""
    verdict = progress.Verdict.CONVERGING
    if endless:
        verdict = progress.Verdict.NOT_CONVERGING
    return progress.Progress(
        verdict=verdict, reason='level', predicted_pause_seconds=pause
    )


class StallTest(base.BaseTestCase):
    def act(
        self,
        phase: Phase,
        now: float,
        policy: Policy = POLICY,
        **attributes: Any,
    ) -> tuple[Task, Request | None]:
        """Act on a move that is in a phase since 0 s."""
        newest = attributes.pop('record', record('running'))
        return stall.act(task(phase, record=newest, **attributes), now, policy)

    def assertAborts(self, step: tuple[Task, Request | None]) -> Task:
        """See that Nova is asked to abort this very migration."""
        one, request = step
        assert request is not None
        self.assertEqual(
            Request(
                action=Action.ABORT, server_id=scenes.SERVER, migration_id=8
            ),
            request,
        )
        self.assertEqual((Phase.ABORTING, False), (one.phase, one.is_sure))
        self.assertTrue(one.aborted)
        return one


class DeadlineTest(StallTest):
    def test_each_phase_of_a_live_migration_has_its_own(self) -> None:
        """At the deadline nothing happens, a second later something does."""
        for phase, limit, phase_after in (
            (Phase.QUEUED, 7200, Phase.ABORTING),
            (Phase.PREPARING, 900, Phase.ABORTING),
            (Phase.RUNNING, 300, Phase.ABORTING),
            (Phase.POST_COPY, 7200, Phase.STUCK),
            (Phase.FINISHING, 300, Phase.STUCK),
            (Phase.CONFIRMING, 900, Phase.STUCK),
            (Phase.ASKED, 300, Phase.STUCK),
        ):
            with self.subTest(phase):
                one, request = self.act(phase, limit)
                self.assertEqual((phase, None), (one.phase, request))
                one, request = self.act(phase, limit + 1)
                self.assertEqual(phase_after, one.phase)
                self.assertEqual(
                    phase_after is Phase.ABORTING, request is not None
                )
                self.assertIn(f'{limit + 1} s', one.reason)
                self.assertTrue(one.phase.holds_slot)

    def test_a_cold_migration_cannot_be_aborted(self) -> None:
        """It gets stuck instead, after two hours of copying."""
        for phase, limit in (
            (Phase.PREPARING, 900),
            (Phase.RUNNING, 7200),
            (Phase.FINISHING, 300),
        ):
            one, request = self.act(phase, limit, way=COLD)
            self.assertEqual((phase, None), (one.phase, request))
            one, request = self.act(phase, limit + 1, way=COLD)
            self.assertEqual((Phase.STUCK, None), (one.phase, request))
            self.assertIn('server migration list', one.remedy)

    def test_running_may_take_longer_the_larger_it_is(self) -> None:
        """150 s for each GiB, at least two, of memory and copied disk."""
        for memory, disk, mb, limit in (
            (None, None, 512, 300),
            (None, None, 8192, 1200),
            (GIB, None, 8192, 300),
            (4 * GIB, None, 512, 600),
            (4 * GIB, 6 * GIB, 512, 1500),
            (0, 0, 4096, 600),
        ):
            newest = record('running', memory_total=memory, disk_total=disk)
            one = task(Phase.RUNNING, record=newest, memory_mb=mb)
            self.assertEqual(limit, stall.running_limit(one, POLICY))
        one = task(Phase.RUNNING, way=COLD)
        self.assertEqual(7200, stall.running_limit(one, POLICY))

    def test_time_in_the_queue_does_not_count(self) -> None:
        """The deadline of a copy begins with the copy."""
        one, request = self.act(Phase.RUNNING, 5300, since=5000.0)
        self.assertEqual((Phase.RUNNING, None), (one.phase, request))


class AbortingTest(StallTest):
    def test_waits_and_then_is_stuck(self) -> None:
        """A deadline of ours frees nothing that Nova still holds."""
        one, request = self.act(Phase.ABORTING, 180, aborted='slow')
        self.assertEqual((Phase.ABORTING, None), (one.phase, request))
        one, request = self.act(Phase.ABORTING, 181, aborted='slow')
        self.assertEqual((Phase.STUCK, None), (one.phase, request))
        self.assertIn('does not abort', one.reason)
        self.assertTrue(one.phase.holds_slot)

    def test_asks_again_when_it_was_not_heard(self) -> None:
        """An answer that was lost, or a refusal: after ten seconds."""
        lost = {'aborted': 'slow', 'is_sure': False, 'not_before': 10.0}
        one, request = self.act(Phase.ABORTING, 9, **lost)
        self.assertIsNone(request)
        one = self.assertAborts(self.act(Phase.ABORTING, 10, **lost))
        self.assertEqual(
            ('slow', 0, 20), (one.aborted, one.since, one.not_before)
        )

    def test_what_is_stuck_is_left_alone(self) -> None:
        """However long it takes."""
        one, request = self.act(Phase.STUCK, 99999)
        self.assertEqual((Phase.STUCK, None), (one.phase, request))


class RunningTest(StallTest):
    def test_waits_if_told_to(self) -> None:
        """Neither a stall nor a deadline does anything then."""
        for attributes in ({'progress': judged(True)}, {}):
            one, request = self.act(Phase.RUNNING, 999, WAIT, **attributes)
            self.assertEqual((Phase.RUNNING, None), (one.phase, request))
            self.assertIn('999 s', one.reason)

    def test_a_copy_that_converges_is_left_alone(self) -> None:
        """Within its deadline; and its reason is gone."""
        for policy in (POLICY, FORCE):
            one, request = self.act(
                Phase.RUNNING,
                300,
                policy,
                progress=judged(False, 1),
                reason='old',
            )
            self.assertEqual((Phase.RUNNING, None), (one.phase, request))
            self.assertEqual('', one.reason)

    def test_an_endless_one_is_aborted(self) -> None:
        """At once, and with the judgement as reason."""
        one = self.assertAborts(
            self.act(Phase.RUNNING, 60, progress=judged(True))
        )
        self.assertEqual('level', one.aborted)
        self.assertEqual(70, one.not_before)

    def test_force_only_if_the_pause_is_short(self) -> None:
        """Ten seconds at most; a longer one waits for the deadline."""
        for pause, action in (
            (10.0, Action.FORCE_COMPLETE),
            (10.1, None),
            (None, None),
        ):
            one, request = self.act(
                Phase.RUNNING, 60, FORCE, progress=judged(True, pause)
            )
            self.assertEqual(action, request and request.action)
            self.assertEqual(Phase.RUNNING, one.phase)
            self.assertIn('level', one.reason)
            self.assertEqual(action is not None, one.is_forced)
        one = self.assertAborts(
            self.act(Phase.RUNNING, 301, FORCE, progress=judged(True, 10.1))
        )
        self.assertIn('pause too long', one.aborted)

    def test_force_names_the_migration(self) -> None:
        """By its number, as Nova wants it."""
        _, request = self.act(
            Phase.RUNNING, 60, FORCE, progress=judged(True, 1)
        )
        assert request is not None
        self.assertEqual(8, request.migration_id)

    def test_force_is_given_time(self) -> None:
        """Then it is asked for again, and when late it is given up."""
        forced = {
            'progress': judged(True, 1),
            'is_forced': True,
            'not_before': 240.0,
            'reason': 'forced',
        }
        one, request = self.act(Phase.RUNNING, 239, FORCE, **forced)
        self.assertEqual(('forced', None), (one.reason, request))
        one, request = self.act(Phase.RUNNING, 240, FORCE, **forced)
        assert request is not None
        self.assertEqual(Action.FORCE_COMPLETE, request.action)
        self.assertEqual(420, one.not_before)
        one = self.assertAborts(self.act(Phase.RUNNING, 301, FORCE, **forced))
        self.assertIn('could not be forced', one.aborted)
