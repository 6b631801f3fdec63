# SPDX-License-Identifier: Apache-2.0
"""How a move ends: four facts, and what is done when they do not agree."""

from typing import Any

from oslotest import base

from osc_migrate import machine
from osc_migrate import model
from osc_migrate import settle
from osc_migrate.task import Action
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Sight
from osc_migrate.task import Task
from tests.unit import scenes
from tests.unit.scenes import COLD
from tests.unit.scenes import EVACUATE
from tests.unit.scenes import POLICY
from tests.unit.scenes import broken
from tests.unit.scenes import moving
from tests.unit.scenes import record
from tests.unit.scenes import resized
from tests.unit.scenes import seen
from tests.unit.scenes import sight
from tests.unit.scenes import task

ARRIVED = sight(host='compute-2')


class SettleTest(base.BaseTestCase):
    def advance(
        self,
        one: Task,
        newest: model.Migration,
        what: Sight | None,
        now: float = 10,
        policy: Policy = POLICY,
    ) -> tuple[Task, Request | None]:
        return machine.advance(one, seen(what, newest), now, policy)

    def assertAsks(self, action: Action, request: Request | None) -> None:
        """See that a request is the expected one, of this server."""
        assert request is not None
        self.assertEqual(
            (action, scenes.SERVER), (request.action, request.server_id)
        )


class WellTest(SettleTest):
    def test_looks_before_it_believes_the_record(self) -> None:
        """What a record says of its end is the first of four facts."""
        for status in ('completed', 'done', 'confirmed', 'failed', 'error'):
            one, request = self.advance(
                task(Phase.RUNNING), record(status), None
            )
            self.assertEqual(Phase.RUNNING, one.phase)
            self.assertAsks(Action.LOOK, request)

    def test_all_four_facts_are_success(self) -> None:
        """Record, host, no task, no ERROR: done."""
        for status in ('completed', 'done', 'confirmed'):
            one, request = self.advance(
                task(Phase.RUNNING), record(status), ARRIVED
            )
            self.assertEqual((Phase.DONE, None), (one.phase, request))
            self.assertEqual('', one.reason)

    def test_any_fact_that_is_missing_is_waited_for(self) -> None:
        """The server may need a moment; after the deadline it is stuck."""
        for what in (
            sight(),
            moving(host='compute-2'),
            sight(host='compute-3'),
            resized(),
        ):
            with self.subTest(what):
                one, request = self.advance(
                    task(Phase.RUNNING), record('completed'), what
                )
                self.assertEqual((Phase.FINISHING, None), (one.phase, request))
                late, _ = self.advance(one, record('completed'), what, 310)
                self.assertEqual(Phase.FINISHING, late.phase)
                late, _ = self.advance(one, record('completed'), what, 311)
                self.assertEqual(Phase.STUCK, late.phase)
                self.assertIn(f'{what.status} on {what.host}', late.reason)
                self.assertIn('server show', late.remedy)
                # and it may still end well
                late, _ = self.advance(late, record('completed'), ARRIVED, 400)
                self.assertEqual(Phase.DONE, late.phase)

    def test_an_error_on_the_destination_is_a_failure(self) -> None:
        """Not at once, as Nova writes the end in several steps."""
        what = broken(host='compute-2', fault='no port')
        one, _ = self.advance(task(Phase.RUNNING), record('completed'), what)
        one, _ = self.advance(one, record('completed'), what, 12)
        self.assertEqual(Phase.FINISHING, one.phase)
        one, request = self.advance(one, record('completed'), what, 13)
        self.assertEqual((Phase.FAILED, None), (one.phase, request))
        self.assertIn('ERROR on compute-2: no port', one.reason)
        self.assertIn('fault', one.remedy)


class ConfirmTest(SettleTest):
    def cold(self, phase: Phase = Phase.RUNNING, **attributes: Any) -> Task:
        """Build a cold migration that we asked for."""
        return task(phase, way=COLD, **attributes)

    def finished(self, status: str = 'finished') -> model.Migration:
        """Build its record."""
        return record(status, migration_type='migration')

    def test_looks_then_confirms(self) -> None:
        """VERIFY_RESIZE, no task, and on the destination: confirm."""
        one, request = self.advance(self.cold(), self.finished(), None)
        self.assertEqual(Phase.TO_CONFIRM, one.phase)
        self.assertAsks(Action.LOOK, request)
        one, request = self.advance(one, self.finished(), resized())
        self.assertEqual(Phase.CONFIRMING, one.phase)
        self.assertAsks(Action.CONFIRM, request)

    def test_waits_until_all_agrees(self) -> None:
        """A confirmation too early would be refused."""
        for what in (
            resized(task_state='resize_finish'),
            resized(host='compute-1'),
            sight(host='compute-2'),
            resized(status='ERROR'),
        ):
            one, request = self.advance(self.cold(), self.finished(), what)
            self.assertEqual((Phase.TO_CONFIRM, None), (one.phase, request))

    def test_asks_again_after_ten_seconds(self) -> None:
        """An answer may be lost; Nova refuses what is confirmed already."""
        one, _ = self.advance(self.cold(), self.finished(), resized())
        one, request = self.advance(one, self.finished(), resized(), 19)
        self.assertIsNone(request)
        one, request = self.advance(one, self.finished(), resized(), 20)
        self.assertAsks(Action.CONFIRM, request)

    def test_waits_for_the_end_of_the_confirmation(self) -> None:
        """A confirmed record and the server at rest: done."""
        one, _ = self.advance(self.cold(), self.finished(), resized())
        one, request = self.advance(one, self.finished('confirming'), None)
        self.assertEqual((Phase.CONFIRMING, None), (one.phase, request))
        one, _ = self.advance(one, self.finished('confirmed'), resized())
        self.assertEqual(Phase.FINISHING, one.phase)
        one, _ = self.advance(one, self.finished('confirmed'), ARRIVED)
        self.assertEqual(Phase.DONE, one.phase)

    def test_who_confirms_does_not_matter(self) -> None:
        """A deployment may confirm by itself."""
        one, _ = self.advance(self.cold(), self.finished('confirmed'), ARRIVED)
        self.assertEqual(Phase.DONE, one.phase)

    def test_never_confirms_for_others(self) -> None:
        """Whoever moved it wants to see first whether it works."""
        one, request = self.advance(
            self.cold(is_ours=False), self.finished(), resized()
        )
        self.assertEqual((Phase.FAILED, None), (one.phase, request))
        self.assertIn('somebody else', one.reason)
        self.assertIn('migration confirm', one.remedy)

    def test_is_stuck_when_nova_does_not_confirm(self) -> None:
        """After fifteen minutes, with a reason; and it goes on later."""
        one, _ = self.advance(self.cold(), self.finished(), resized())
        late, request = self.advance(one, self.finished(), resized(), 911)
        self.assertEqual((Phase.STUCK, None), (late.phase, request))
        self.assertIn('not confirmed', late.reason)
        late, request = self.advance(late, self.finished(), resized(), 912)
        self.assertAsks(Action.CONFIRM, request)
        self.assertEqual(Phase.CONFIRMING, late.phase)


class BadlyTest(SettleTest):
    def fail(
        self,
        what: Sight,
        status: str = 'error',
        *,
        policy: Policy = POLICY,
        **attributes: Any,
    ) -> tuple[Task, Request | None]:
        """Let a migration end badly, and wait until that has settled."""
        kind = scenes.TYPES[attributes.get('way', scenes.LIVE)]
        newest = record(status, migration_type=kind)
        one, request = self.advance(
            task(Phase.RUNNING, **attributes), newest, what
        )
        self.assertEqual((Phase.FINISHING, None), (one.phase, request))
        one, request = self.advance(one, newest, what, 12, policy)
        self.assertEqual((Phase.FINISHING, None), (one.phase, request))
        return self.advance(one, newest, what, 13, policy)

    def test_a_server_at_rest_tries_the_next_way(self) -> None:
        """Another destination, and this one never again."""
        for status in ('failed', 'error', 'reverted'):
            one, request = self.fail(sight(), status)
            self.assertEqual((Phase.PENDING, None), (one.phase, request))
            self.assertEqual(frozenset({'compute-2'}), one.refused)
            self.assertEqual((None, 1), (one.move.destination, one.tries))
            self.assertIsNone(one.destination)
            self.assertIn(f'compute-2 ended: {status}', one.reason)
            self.assertEqual((one.reason,), one.attempts)

    def test_a_task_is_waited_for(self) -> None:
        """Nova has not finished; after five minutes it is stuck."""
        newest = record('error')
        one, _ = self.advance(task(Phase.RUNNING), newest, moving())
        late, _ = self.advance(one, newest, moving(), 310)
        self.assertEqual(Phase.FINISHING, late.phase)
        late, _ = self.advance(one, newest, moving(), 311)
        self.assertEqual(Phase.STUCK, late.phase)
        self.assertIn('still migrating', late.reason)

    def test_a_server_elsewhere_wants_a_human(self) -> None:
        """It failed, and is not where it was: that cannot be tried again."""
        for what in (
            broken(host='compute-2', fault='no port'),
            sight(host='compute-2'),
            resized(host='compute-1'),
        ):
            one, request = self.fail(what)
            self.assertEqual((Phase.FAILED, None), (one.phase, request))
            self.assertIn(f'{what.status} on {what.host}', one.reason)
            self.assertIn(what.fault or '', one.reason)

    def test_an_error_whose_guest_runs_is_reset(self) -> None:
        """Nova 34 leaves one so after an abort or a failure."""
        for power, was, reset in (
            (1, 'active', True),
            (3, 'paused', True),
            (4, 'active', False),
            (0, 'active', False),
            (None, 'active', False),
            (1, 'stopped', False),
            (1, 'error', False),
            (1, None, False),
        ):
            with self.subTest(f'{power} {was}'):
                what = broken(power_state=power, vm_state='error')
                one, request = self.fail(what, was=was or 'stopped')
                if reset:
                    self.assertEqual(Phase.RESETTING, one.phase)
                    self.assertAsks(Action.RESET_STATE, request)
                else:
                    self.assertEqual(
                        (Phase.FAILED, None), (one.phase, request)
                    )
                self.assertIn('left it in ERROR', one.reason)

    def test_an_error_without_a_live_guest_says_why(self) -> None:
        """The fault is joined to the reason."""
        one, _ = self.fail(broken(power_state=4, fault='no space'), way=COLD)
        self.assertIn('ERROR: no space', one.reason)
        one, _ = self.fail(broken(power_state=4))
        self.assertIn('ERROR: no fault', one.reason)

    def test_resets_nothing_without_permission(self) -> None:
        """Then the command is named."""
        one, request = self.fail(broken(), policy=Policy(reset_state=False))
        self.assertEqual((Phase.FAILED, None), (one.phase, request))
        self.assertIn('its guest runs on compute-1', one.reason)
        self.assertIn('server set --state active', one.remedy)

    def test_an_evacuation_that_fails_is_tried_again(self) -> None:
        """Its server may be in ERROR all the while."""
        one, _ = self.fail(broken(power_state=4), way=EVACUATE)
        self.assertEqual(Phase.PENDING, one.phase)

    def test_an_abort_of_others_is_obeyed(self) -> None:
        """Somebody does not want it to move."""
        one, _ = self.fail(sight(), 'cancelled')
        self.assertEqual(Phase.FAILED, one.phase)
        self.assertIn('somebody else aborted', one.reason)
        one, _ = self.fail(sight(), 'cancelled', aborted='was slow')
        self.assertEqual(Phase.PENDING, one.phase)
        self.assertEqual('was aborted (was slow)', one.reason)

    def test_an_aborted_phase_settles_too(self) -> None:
        """Also what was stuck or aborting goes on when Nova has ended it."""
        for phase in (Phase.ABORTING, Phase.STUCK, Phase.QUEUED):
            one, _ = self.advance(task(phase), record('error'), sight())
            self.assertEqual((Phase.FINISHING, 10), (one.phase, one.since))


class ResetTest(SettleTest):
    def resetting(self, was: str = 'active') -> Task:
        """Build a move whose server is being reset since 10 s."""
        return task(
            Phase.RESETTING,
            was=was,
            since=10.0,
            not_before=20.0,
            reason='failed',
            remedy='reset it',
            record=record('error'),
        )

    def reset(
        self, one: Task, what: Sight, now: float
    ) -> tuple[Task, Request | None]:
        """Look at a server that was reset."""
        return self.advance(one, record('error'), what, now)

    def test_goes_on_when_it_is_what_it_was(self) -> None:
        """Reset, so it can be tried again."""
        one, request = self.reset(self.resetting(), sight(), 11)
        self.assertEqual((Phase.PENDING, None), (one.phase, request))
        what = sight(vm_state='paused', power_state=3)
        one, request = self.reset(self.resetting('paused'), what, 11)
        self.assertEqual((Phase.PENDING, None), (one.phase, request))

    def test_pauses_what_was_paused(self) -> None:
        """Nova resets to active only."""
        _, request = self.reset(self.resetting('paused'), sight(), 11)
        self.assertAsks(Action.PAUSE, request)
        _, request = self.reset(
            self.resetting('paused'), sight(task_state='pausing'), 12
        )
        self.assertIsNone(request)

    def test_asks_again_while_it_is_in_error(self) -> None:
        """After ten seconds, as the answer may have been lost."""
        _, request = self.reset(self.resetting(), broken(), 19)
        self.assertIsNone(request)
        one, request = self.reset(self.resetting(), broken(), 20)
        self.assertAsks(Action.RESET_STATE, request)
        self.assertEqual((10, 30), (one.since, one.not_before))

    def test_gives_up_after_a_minute(self) -> None:
        """And says what was wrong in the first place."""
        one, _ = self.reset(self.resetting(), broken(), 70)
        self.assertEqual(Phase.RESETTING, one.phase)
        one, request = self.reset(self.resetting(), broken(), 71)
        self.assertEqual((Phase.FAILED, None), (one.phase, request))
        self.assertEqual(('failed', 'reset it'), (one.reason, one.remedy))


class TryAgainTest(base.BaseTestCase):
    def again(self, policy: Policy = POLICY, **attributes: Any) -> Task:
        """Fail once more at 10 s."""
        one, request = settle.try_again(
            task(Phase.FINISHING, **attributes), 'broke', 10, policy
        )
        self.assertIsNone(request)
        return one

    def test_as_often_as_allowed(self) -> None:
        """Three tries of a way, and two that had to be aborted."""
        for tries, aborted, phase in (
            (1, '', Phase.PENDING),
            (2, '', Phase.PENDING),
            (3, '', Phase.FAILED),
            (1, 'slow', Phase.PENDING),
            (2, 'slow', Phase.FAILED),
        ):
            one = self.again(tries=tries, aborted=aborted)
            self.assertEqual(phase, one.phase, (tries, aborted))
        one = self.again(Policy(tries=1), tries=1, aborted='slow')
        self.assertEqual(Phase.FAILED, one.phase)

    def test_the_end_tells_all_tries(self) -> None:
        """Each reason once, in their order."""
        one = self.again(tries=3, attempts=('a', 'broke', 'b'))
        self.assertEqual('a; then broke; then b', one.reason)
        self.assertIn('preflight', one.remedy)

    def test_cold_comes_last_and_only_if_allowed(self) -> None:
        """A running guest is powered off only with permission."""
        allowed = Policy(allow_cold=True)
        one = self.again(allowed, tries=3)
        self.assertEqual((Phase.PENDING, 0), (one.phase, one.tries))
        self.assertEqual(COLD, one.move.migration_type)
        for attributes in (
            {'was': 'paused'},
            {'way': COLD},
            {'way': EVACUATE},
        ):
            one = self.again(allowed, tries=3, **attributes)
            self.assertEqual(Phase.FAILED, one.phase, attributes)

    def test_every_failed_host_is_refused(self) -> None:
        """Those of before, and the one that Nova had chosen now."""
        one = self.again(
            refused=frozenset({'compute-5'}),
            record=record('error', dest_compute='compute-3'),
        )
        self.assertEqual(frozenset({'compute-5', 'compute-3'}), one.refused)
        one = self.again(
            record=record('error', dest_compute=None),
            move=model.Move(
                server_id=scenes.SERVER,
                source='compute-1',
                destination=None,
                migration_type=scenes.LIVE,
            ),
        )
        self.assertEqual(frozenset(), one.refused)
