# SPDX-License-Identifier: Apache-2.0
"""The life of a move, step by step: what is seen decides what is asked."""

import dataclasses
from typing import Any

from oslotest import base

from osc_migrate import machine
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Request
from osc_migrate.task import Task
from tests.unit import scenes
from tests.unit.scenes import COLD
from tests.unit.scenes import EVACUATE
from tests.unit.scenes import GONE
from tests.unit.scenes import LIVE
from tests.unit.scenes import POLICY
from tests.unit.scenes import broken
from tests.unit.scenes import moving
from tests.unit.scenes import pending
from tests.unit.scenes import record
from tests.unit.scenes import resized
from tests.unit.scenes import seen
from tests.unit.scenes import sight
from tests.unit.scenes import task

COLD_ALLOWED = Policy(allow_cold=True)


def answer(status: int | None, message: str = 'no') -> Answer:
    """Build an answer of Nova."""
    request_id = None if status is None else 'req-1'
    return Answer(status_code=status, message=message, request_id=request_id)


class StartTest(base.BaseTestCase):
    def start(
        self, one: Task, what: Any, newest: Any = None, policy: Any = POLICY
    ) -> tuple[Task, Request | None]:
        """Start at 100 s."""
        return machine.start(one, seen(what, newest), 100, policy)

    def test_asks_for_what_was_planned(self) -> None:
        """A server at rest is asked to move, and what it was is noted."""
        for way, action in (
            (LIVE, Action.LIVE_MIGRATE),
            (COLD, Action.COLD_MIGRATE),
        ):
            state = 'active' if way is LIVE else 'stopped'
            with self.subTest(way):
                one, request = self.start(
                    pending(way=way), sight(vm_state=state), record('error', 5)
                )
                self.assertEqual(Phase.ASKED, one.phase)
                self.assertEqual(((Phase.ASKED, 100),), one.entered)
                self.assertEqual(
                    (state, 5, 1), (one.was, one.baseline, one.tries)
                )
                self.assertEqual((100, 100), (one.started, one.since))
                self.assertFalse(one.is_sure)
                self.assertEqual(
                    Request(
                        action=action,
                        server_id=scenes.SERVER,
                        destination='compute-2',
                    ),
                    request,
                )

    def test_asks_nothing_of_what_is_gone_or_elsewhere(self) -> None:
        """What was deleted or moved meanwhile is left alone, and said."""
        for what, reason in (
            (GONE, 'was deleted'),
            (sight(host='compute-3'), 'is on compute-3 already'),
            (resized(), 'is on compute-2 already'),
        ):
            with self.subTest(reason):
                one, request = self.start(pending(), what)
                self.assertEqual((Phase.SKIPPED, None), (one.phase, request))
                self.assertIn(reason, one.reason)

    def test_asks_nothing_of_what_cannot_move(self) -> None:
        """A state that Nova refuses fails the move before it is asked."""
        for state in ('error', 'suspended', 'rescued', 'resized', None):
            with self.subTest(state):
                one, request = self.start(
                    pending(), sight(vm_state=state, status=str(state))
                )
                self.assertEqual((Phase.FAILED, None), (one.phase, request))
                self.assertIn(f'is {state} now', one.reason)

    def test_waits_for_another_task(self) -> None:
        """A busy server is looked at again after five seconds."""
        one, request = self.start(pending(), sight(task_state='rebooting'))
        self.assertEqual((Phase.PENDING, None), (one.phase, request))
        self.assertEqual((105, 5), (one.not_before, one.put_off))
        self.assertEqual('busy: rebooting', one.reason)

    def test_gives_up_what_stays_busy(self) -> None:
        """After ten minutes of being put off the move has failed."""
        busy = sight(task_state='rebooting')
        one = pending(put_off=600.0, reason='busy: rebooting')
        self.assertEqual(Phase.PENDING, self.start(one, busy)[0].phase)
        one = dataclasses.replace(one, put_off=605.0)
        one, request = self.start(one, busy)
        self.assertEqual((Phase.FAILED, None), (one.phase, request))
        self.assertIn('605 s: busy: rebooting', one.reason)
        self.assertIn('preflight', one.remedy)

    def test_time_without_a_slot_is_not_time_of_being_busy(self) -> None:
        """A move that waited long for its turn may still be put off."""
        one = pending(since=1.0, tries=1, entered=((Phase.PENDING, 1.0),))
        one, _ = machine.start(
            one, seen(sight(task_state='rebooting')), 9999, POLICY
        )
        self.assertEqual(Phase.PENDING, one.phase)

    def test_follows_a_migration_that_others_began(self) -> None:
        """A server that moves already is followed, and nothing is asked."""
        one, request = self.start(
            pending(groups=frozenset({'web'}), attempts=('x',)),
            moving(),
            record('running', 9, dest_compute='compute-3'),
        )
        self.assertEqual((Phase.ASKED, None), (one.phase, request))
        self.assertEqual((False, 8), (one.is_ours, one.baseline))
        self.assertEqual('compute-3', one.destination)
        self.assertEqual('active', one.was)
        self.assertEqual(
            (frozenset({'web'}), ('x',)), (one.groups, one.attempts)
        )
        self.assertEqual((100, 100, 100), (one.since, one.started, one.looked))

    def test_does_not_follow_the_dead(self) -> None:
        """A record left behind is not what a rebooting server is busy with."""
        for what, newest in (
            (sight(task_state='rebooting'), record('running')),
            (moving(), record('completed')),
            (moving(), None),
        ):
            one, request = self.start(pending(), what, newest)
            self.assertEqual((Phase.PENDING, None), (one.phase, request))
            self.assertTrue(one.is_ours)

    def test_adapts_to_what_the_owner_did(self) -> None:
        """Who stops or starts a server changes how it moves."""
        for way, state, policy, expected in (
            (LIVE, 'active', POLICY, Action.LIVE_MIGRATE),
            (LIVE, 'paused', POLICY, Action.LIVE_MIGRATE),
            (LIVE, 'stopped', POLICY, Action.COLD_MIGRATE),
            (COLD, 'stopped', POLICY, Action.COLD_MIGRATE),
            (COLD, 'active', POLICY, Action.LIVE_MIGRATE),
            (COLD, 'active', COLD_ALLOWED, Action.COLD_MIGRATE),
            (COLD, 'paused', COLD_ALLOWED, Action.LIVE_MIGRATE),
        ):
            with self.subTest(f'{way} {state}'):
                _, request = self.start(
                    pending(way=way), sight(vm_state=state), policy=policy
                )
                assert request is not None
                self.assertEqual(expected, request.action)

    def test_evacuates_whatever_is_done_to_it(self) -> None:
        """An evacuation minds no task, and takes what is in ERROR."""
        for what in (
            sight(task_state='rebooting'),
            broken(),
            sight(vm_state='stopped'),
        ):
            _, request = self.start(pending(way=EVACUATE), what)
            assert request is not None
            self.assertEqual(Action.EVACUATE, request.action)
        one, _ = self.start(pending(way=EVACUATE), sight(vm_state='paused'))
        self.assertEqual(Phase.FAILED, one.phase)

    def test_forgets_the_try_before(self) -> None:
        """A second try begins as the first did, but counts."""
        again = pending(
            was='paused',
            tries=1,
            started=3.0,
            is_forced=True,
            aborted='was slow',
            record=record('error'),
            progress=object(),
            samples=(object(),),
            reason='r',
            remedy='m',
        )
        one, _ = self.start(again, sight(vm_state='paused'), record('error'))
        self.assertEqual((2, 3.0, 8), (one.tries, one.started, one.baseline))
        self.assertEqual(
            (None, None, ()), (one.record, one.progress, one.samples)
        )
        self.assertEqual(('', '', ''), (one.aborted, one.reason, one.remedy))
        self.assertFalse(one.is_forced)


class AnsweredTest(base.BaseTestCase):
    def answered(
        self,
        one: Task,
        action: Action,
        status: int | None,
        message: str = 'no',
    ) -> Task:
        """Note an answer at 100 s."""
        request = Request(action=action, server_id=scenes.SERVER)
        return machine.answered(one, request, answer(status, message), 100)

    def test_notes_the_request(self) -> None:
        """Every answer's request id is kept, and a yes makes sure."""
        one = task(is_sure=False, put_off=10.0)
        one = self.answered(one, Action.LIVE_MIGRATE, 202)
        self.assertEqual((True, 0), (one.is_sure, one.put_off))
        self.assertEqual(('req-1',), one.request_ids)
        self.assertEqual(Phase.ASKED, one.phase)

    def test_a_lost_answer_settles_nothing(self) -> None:
        """No answer, or a server's error: look before anything else."""
        for status in (None, 500, 503):
            one = self.answered(
                task(is_sure=False), Action.LIVE_MIGRATE, status
            )
            self.assertEqual((Phase.ASKED, False), (one.phase, one.is_sure))
            self.assertEqual((1, 'no'), (one.tries, one.reason))

    def test_a_conflict_is_no_try(self) -> None:
        """Gone, busy or too many: look again, and not too often."""
        for status in (404, 409, 429):
            one = self.answered(task(), Action.LIVE_MIGRATE, status)
            self.assertEqual((Phase.PENDING, 0), (one.phase, one.tries))
            self.assertEqual((105, 5), (one.not_before, one.put_off))
        waits = []
        one = task()
        for _ in range(8):
            one = self.answered(one, Action.LIVE_MIGRATE, 409)
            waits.append(one.not_before - 100)
        self.assertEqual([5, 5, 10, 20, 40, 60, 60, 60], waits)

    def test_a_refusal_ends_the_move(self) -> None:
        """Any other no is final, and says what Nova said."""
        for status in (400, 401, 403):
            one = self.answered(task(), Action.COLD_MIGRATE, status)
            self.assertEqual(Phase.FAILED, one.phase)
            self.assertEqual('Nova refused: no', one.reason)
            self.assertIn(scenes.SERVER, one.remedy)

    def test_other_refusals_leave_the_phase(self) -> None:
        """An abort, a confirmation or a force may come too late."""
        for action, phase in (
            (Action.ABORT, Phase.ABORTING),
            (Action.CONFIRM, Phase.CONFIRMING),
            (Action.PAUSE, Phase.RESETTING),
        ):
            for status in (400, 404, 409, None, 500):
                one = self.answered(task(phase, is_sure=False), action, status)
                self.assertEqual((phase, 'no'), (one.phase, one.reason))
                self.assertFalse(one.is_sure)

    def test_a_refused_force_is_not_repeated_at_once(self) -> None:
        """Nova refuses it of a paused guest as often as it is asked."""
        one = task(Phase.RUNNING, is_forced=True)
        one = self.answered(one, Action.FORCE_COMPLETE, 409)
        self.assertEqual((True, 160), (one.is_forced, one.not_before))

    def test_a_refused_reset_is_final(self) -> None:
        """Who may not reset a state is told who could."""
        one = task(Phase.RESETTING, reason='failed')
        one = self.answered(one, Action.RESET_STATE, 403)
        self.assertEqual(Phase.FAILED, one.phase)
        self.assertIn('failed; its state could not be reset: no', one.reason)
        self.assertIn('server set --state active', one.remedy)

    def test_is_accepted_or_refused(self) -> None:
        """Nothing was carried out only if Nova said so."""
        for status, accepted, refused in (
            (None, False, False),
            (202, True, False),
            (204, True, False),
            (399, True, False),
            (400, False, True),
            (499, False, True),
            (500, False, False),
        ):
            one = answer(status)
            self.assertEqual(
                (accepted, refused), (one.is_accepted, one.is_refused), status
            )


class AskedTest(base.BaseTestCase):
    """Asked, but Nova shows no record yet."""

    def advance(
        self, one: Task, what: Any, now: float, newest: Any = None
    ) -> tuple[Task, Request | None]:
        return machine.advance(one, seen(what, newest), now, POLICY)

    def test_looks_first(self) -> None:
        """Without a record only the server tells."""
        _, request = self.advance(task(), None, 1)
        assert request is not None
        self.assertEqual(Action.LOOK, request.action)

    def test_an_old_record_is_no_news(self) -> None:
        """A failure of before does not fail the new try."""
        for number in (6, 7):
            one, request = self.advance(
                task(), moving(), 1, record('error', number)
            )
            self.assertEqual((Phase.ASKED, None), (one.phase, request))
            self.assertIsNone(one.record)

    def test_waits_while_nova_has_the_request(self) -> None:
        """A set task_state says so, up to the deadline; then it is stuck."""
        for now, phase in ((300, Phase.ASKED), (301, Phase.STUCK)):
            one, request = self.advance(task(), moving(), now)
            self.assertEqual((phase, None), (one.phase, request))
        self.assertIn('301 s ago', one.reason)
        self.assertTrue(one.phase.holds_slot)

    def test_a_lost_request_is_asked_again(self) -> None:
        """Twenty seconds without a trace: it never arrived."""
        lost = task(is_sure=False, reason='reset')
        one, _ = self.advance(lost, sight(), 19)
        self.assertEqual(Phase.ASKED, one.phase)
        one, request = self.advance(lost, sight(), 20)
        self.assertEqual((Phase.PENDING, None), (one.phase, request))
        self.assertEqual((0, 20), (one.tries, one.put_off))
        self.assertIn('reset, and Nova shows nothing', one.reason)

    def test_a_request_without_a_record_was_a_try(self) -> None:
        """Nova took it and nothing came of it: on to the next try."""
        one, _ = self.advance(task(), sight(), 20)
        self.assertEqual((Phase.PENDING, 1), (one.phase, one.tries))
        self.assertEqual(frozenset({'compute-2'}), one.refused)
        one, _ = self.advance(task(tries=3), sight(), 20)
        self.assertEqual(Phase.FAILED, one.phase)

    def test_a_server_that_left_unseen_is_skipped(self) -> None:
        """Without a record nobody can say how it went."""
        one, _ = self.advance(task(), sight(host='compute-4'), 20)
        self.assertEqual(Phase.SKIPPED, one.phase)
        self.assertIn('compute-4', one.reason)

    def test_a_deleted_server_is_skipped(self) -> None:
        """Whatever else is seen of it."""
        for newest in (None, record('running'), record('error')):
            one, request = self.advance(task(), GONE, 1, newest)
            self.assertEqual((Phase.SKIPPED, None), (one.phase, request))


class AdvanceTest(base.BaseTestCase):
    def advance(
        self,
        one: Task,
        newest: Any,
        what: Any = None,
        now: float = 10,
        policy: Policy = POLICY,
    ) -> tuple[Task, Request | None]:
        return machine.advance(one, seen(what, newest), now, policy)

    def test_phases_follow_the_record(self) -> None:
        """Each of Nova's statuses has one phase."""
        for status, phase in (
            ('accepted', Phase.QUEUED),
            ('queued', Phase.QUEUED),
            ('preparing', Phase.PREPARING),
            ('pre-migrating', Phase.PREPARING),
            ('migrating', Phase.RUNNING),
            ('running', Phase.RUNNING),
            ('running (post-copy)', Phase.POST_COPY),
            ('post-migrating', Phase.FINISHING),
            ('confirming', Phase.CONFIRMING),
            ('reverting', Phase.FINISHING),
            ('something new', Phase.RUNNING),
        ):
            one, request = self.advance(task(), record(status))
            self.assertEqual((phase, None), (one.phase, request), status)
            self.assertEqual(10, one.since)

    def test_what_is_over_or_not_begun_is_left_alone(self) -> None:
        """Only what holds a slot advances."""
        for phase in (
            Phase.PENDING,
            Phase.DONE,
            Phase.FAILED,
            Phase.SKIPPED,
        ):
            one = task(phase)
            self.assertEqual(
                (one, None), self.advance(one, record('running'), GONE)
            )

    def test_a_phase_begins_once(self) -> None:
        """The time of a phase counts from its first sight."""
        one, _ = self.advance(task(), record('running'), now=10)
        one, _ = self.advance(one, record('running'), now=12)
        self.assertEqual(
            (10, ((Phase.RUNNING, 10),)), (one.since, one.entered)
        )

    def test_looks_at_quiet_servers_now_and_then(self) -> None:
        """After thirty seconds, as a deleted server's record may stay."""
        one, request = self.advance(
            task(looked=0.0), record('running'), now=30
        )
        self.assertIsNone(request)
        _, request = self.advance(one, record('running'), now=31)
        assert request is not None
        self.assertEqual(Action.LOOK, request.action)
        one, request = self.advance(one, record('running'), moving(), 31)
        self.assertEqual((31, None), (one.looked, request))

    def test_figures_are_judged(self) -> None:
        """Figures make samples; without them the last judgement stays."""
        newest = record(
            'running',
            memory_total=1000,
            memory_processed=400,
            memory_remaining=600,
        )
        one, _ = self.advance(task(), newest)
        self.assertEqual(1, len(one.samples))
        assert one.progress is not None
        self.assertEqual(600, one.progress.memory_remaining)
        again, _ = self.advance(one, record('running'), now=11)
        self.assertIs(one.samples, again.samples)
        self.assertIs(one.progress, again.progress)

    def test_stuck_stays_stuck_while_it_runs(self) -> None:
        """It leaves that only when Nova's record does."""
        stuck = task(Phase.STUCK, record=record('running'))
        self.assertEqual(
            Phase.STUCK,
            self.advance(stuck, record('running'), now=999)[0].phase,
        )
        self.assertEqual(
            Phase.STUCK, self.advance(stuck, record('queued'))[0].phase
        )
        one, _ = self.advance(
            stuck, record('completed'), sight(host='compute-2')
        )
        self.assertEqual(Phase.DONE, one.phase)

    def test_an_attached_server_is_what_it_was(self) -> None:
        """Of a migration that we did not begin, its first sight counts."""
        one, _ = self.advance(task(was=None), record('queued'), moving())
        self.assertEqual('active', one.was)
        one, _ = self.advance(one, record('queued'), broken())
        self.assertEqual('active', one.was)


class ForgottenTest(base.BaseTestCase):
    """A nova-compute that was restarted forgets what was queued."""

    def advance(
        self, task: Task, sight: Any, now: float
    ) -> tuple[Task, Request | None]:
        """Look at a server whose migration is said to be queued."""
        seen = scenes.seen(sight, scenes.record('queued'))
        return machine.advance(task, seen, now, scenes.POLICY)

    def test_it_is_tried_again(self) -> None:
        """When two looks apart have found the server without a task."""
        task, _ = self.advance(scenes.task(), scenes.sight(), 40)
        self.assertEqual('queued', task.phase)
        task, request = self.advance(task, scenes.sight(), 71)
        self.assertIsNone(request)
        self.assertEqual('pending', task.phase)
        self.assertIn('Nova has forgotten its migration', task.reason)
        self.assertTrue(task.has_been(scenes.record('queued')))

    def test_not_before(self) -> None:
        """It may only just have ended, or begun."""
        task, _ = self.advance(scenes.task(), scenes.sight(), 40)
        for shown, now in (
            (scenes.sight(), 60),
            (scenes.moving(), 80),
            (scenes.sight(host='compute-2'), 80),
        ):
            after, _ = self.advance(task, shown, now)
            self.assertEqual('queued', after.phase)
        after, _ = self.advance(task, scenes.moving(), 80)
        after, _ = self.advance(after, scenes.sight(), 120)
        self.assertEqual('queued', after.phase)

    def test_that_of_others_is_theirs(self) -> None:
        """Nothing is asked for a server that somebody else moves."""
        task = scenes.task(is_ours=False)
        for now in (40, 80, 120):
            task, _ = self.advance(task, scenes.sight(), now)
        self.assertEqual('queued', task.phase)


class OthersTest(base.BaseTestCase):
    """Records that are not those of the move that was asked for."""

    def test_a_resize_is_not_ours(self) -> None:
        """It is followed as its owner's, and never confirmed."""
        one = task(Phase.RUNNING, way=COLD)
        newest = record('finished', migration_type='resize')
        what = resized()
        one, request = machine.advance(one, seen(None, newest), 10, POLICY)
        assert request is not None
        self.assertEqual(Action.LOOK, request.action)
        one, request = machine.advance(one, seen(what, newest), 10, POLICY)
        self.assertEqual((False, None), (one.is_ours, request))
        one, request = machine.advance(one, seen(what, newest), 11, POLICY)
        self.assertEqual((Phase.FAILED, None), (one.phase, request))
        self.assertIn('has not confirmed', one.reason)

    def test_a_newer_record_is_not_ours(self) -> None:
        """Ours has ended between two looks, and somebody tries again."""
        one = task(Phase.RUNNING, record=record('running', 8))
        one, request = machine.advance(
            one, seen(moving(), record('running', 9)), 10, POLICY
        )
        self.assertEqual((False, None), (one.is_ours, request))
        self.assertEqual(8, one.baseline)

    def test_a_record_of_another_source_means_it_has_left(self) -> None:
        """Ours was seen, so it was ours that went well."""
        newest = record('running', 9, source_compute='compute-2')
        what = moving(host='compute-2')
        for known, phase in (
            (record('running', 8), Phase.DONE),
            (None, Phase.SKIPPED),
        ):
            one, request = machine.advance(
                task(record=known), seen(what, newest), 10, POLICY
            )
            self.assertEqual((phase, None), (one.phase, request))
            self.assertIn('compute-2', one.reason)

    def test_others_may_do_it_in_their_way(self) -> None:
        """Of a migration that is followed, any kind is right."""
        one = task(Phase.RUNNING, is_ours=False, record=record('running', 8))
        newest = record('migrating', 9, migration_type='resize')
        one, _ = machine.advance(one, seen(None, newest), 10, POLICY)
        self.assertEqual(9, one.record and one.record.id)


class AttachTest(base.BaseTestCase):
    def test_makes_a_task_of_a_record(self) -> None:
        """Whatever its kind; it counts from its own record on."""
        for kind, way in (
            ('live-migration', LIVE),
            ('migration', COLD),
            ('resize', COLD),
            ('evacuation', EVACUATE),
        ):
            one = machine.attach(
                record('running', 9, migration_type=kind),
                name='web',
                memory_mb=512,
                is_ours=True,
            )
            self.assertEqual(way, one.move.migration_type)
            self.assertEqual((Phase.ASKED, 8), (one.phase, one.baseline))
            self.assertEqual('compute-1', one.move.source)
            self.assertEqual('compute-2', one.destination)

    def test_counts_what_failed_since(self) -> None:
        """Failures from here, since then, and in this way are tries."""
        since = '2026-01-01T00:00:00Z'
        counted = record('failed', 1, dest_compute='compute-3')
        one = machine.with_history(
            pending(refused=frozenset({'compute-9'})),
            [
                counted,
                record('error', 2, dest_compute=None),
                record('error', 3, created_at='2025-12-31T23:59:59'),
                record('error', 4, source_compute='compute-4'),
                record('error', 5, migration_type='migration'),
                record('completed', 6),
                record('cancelled', 7),
            ],
            since,
        )
        self.assertEqual(2, one.tries)
        self.assertEqual(frozenset({'compute-3', 'compute-9'}), one.refused)

    def test_orders_are_noted(self) -> None:
        """What an operator orders is not taken for a failure of Nova."""
        one = machine.commanded(task(Phase.RUNNING), Action.ABORT, 10)
        self.assertEqual((Phase.ABORTING, 10), (one.phase, one.since))
        self.assertIn('operator', one.aborted)
        one = machine.commanded(task(Phase.RUNNING), Action.FORCE_COMPLETE, 10)
        self.assertEqual((Phase.RUNNING, True), (one.phase, one.is_forced))

    def test_what_was_found_out_is_kept(self) -> None:
        """The explanation of a failed try replaces the bare one."""
        one = pending(attempts=('a', 'b'), reason='b, because')
        self.assertEqual(('a', 'b, because'), machine.told(one).attempts)
        for other in (
            pending(reason='x'),
            task(Phase.FAILED, attempts=('a',)),
        ):
            self.assertEqual(other, machine.told(other))
