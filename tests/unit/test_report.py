# SPDX-License-Identifier: Apache-2.0
"""Lines, sentences, summaries and JSON lines about migrations."""

import dataclasses
import io
import json
import pathlib
from typing import Any

from oslotest import base

from osc_migrate import account
from osc_migrate import model
from osc_migrate import outcome
from osc_migrate import report
from osc_migrate import summary
from osc_migrate.cloud import compute
from osc_migrate.cloud import history
from osc_migrate.progress import Progress
from osc_migrate.progress import Sample
from osc_migrate.progress import Verdict
from osc_migrate.task import Phase
from osc_migrate.task import Task

RECORDED = pathlib.Path(__file__).with_name('recorded')
GIB = 2**30


def record(**attributes: Any) -> model.Migration:
    """Build a record of a live migration from compute-1 to compute-2."""
    known = {
        'id': 7,
        'uuid': 'c0ffee',
        'instance_uuid': 'web-id',
        'status': 'running',
        'migration_type': 'live-migration',
        'source_compute': 'compute-1',
        'dest_compute': 'compute-2',
        'created_at': '2026-01-31T12:00:00.000000',
        'updated_at': '2026-01-31T12:00:30.000000',
    }
    return compute.migration(known | attributes)


def progress(**attributes: Any) -> Progress:
    """Build the judgement of a copy that ends in 40 s."""
    known: dict[str, Any] = {
        'verdict': Verdict.CONVERGING,
        'reason': 'passes shrink',
        'transfer_rate': 100 * 2**20,
        'seconds_left': 40.0,
        'memory_remaining': 1 * GIB,
        'memory_total': 4 * GIB,
    }
    return Progress(**known | attributes)


def task(phase: Phase = Phase.RUNNING, **attributes: Any) -> Task:
    """Build a task that was queued at 10 and is in its phase since 40."""
    known: dict[str, Any] = {
        'move': model.Move(
            server_id='web-id',
            source='compute-1',
            destination='compute-2',
            migration_type=model.MigrationType.LIVE,
        ),
        'name': 'web',
        'memory_mb': 4096,
        'phase': phase,
        'since': 40,
        'started': 10,
        'entered': ((Phase.QUEUED, 10), (phase, 40)),
        'record': record(),
    }
    return Task(**known | attributes)


def ended(phase: Phase, status: str, **attributes: Any) -> Task:
    """Build a task whose record has ended."""
    return task(phase, record=record(status=status), **attributes)


class TextTest(base.BaseTestCase):
    def test_amounts_and_times(self):
        """Numbers have the unit that fits."""
        self.assertEqual('512 MiB', report.size(512 * 2**20))
        self.assertEqual('1.5 GiB', report.size(1.5 * GIB))
        self.assertEqual('45 s', report.duration(45))
        self.assertEqual('3 min 20 s', report.duration(200))
        self.assertEqual('2 h 5 min', report.duration(7500))

    def test_phases_are_the_operators_words(self):
        """Live and cold migrations have words of their own."""
        cold = record(migration_type='migration', status='migrating')
        moved = record(migration_type='migration', status='post-migrating')
        for wanted, one in {
            'queued': task(Phase.QUEUED),
            'preparing': task(Phase.PREPARING),
            'running': task(),
            'post-copy': task(Phase.POST_COPY),
            'post-migrating': task(Phase.FINISHING),
            'failing': ended(Phase.FINISHING, 'error'),
            'completed': ended(Phase.DONE, 'completed'),
            'failed': ended(Phase.FAILED, 'failed'),
            'error': ended(Phase.FAILED, 'error'),
            'cancelled': ended(Phase.FAILED, 'cancelled'),
            'migrating': task(record=cold),
            'finishing': task(Phase.FINISHING, record=moved),
            'to confirm': ended(Phase.FAILED, 'finished'),
            'confirming': ended(Phase.CONFIRMING, 'confirming'),
            'confirmed': ended(Phase.DONE, 'confirmed'),
            'reverted': ended(Phase.FAILED, 'reverted'),
            'stuck': task(Phase.STUCK, reason='Nova does not abort it'),
            'orphaned': task(Phase.STUCK, reason=outcome.ORPHAN),
            'deleted': task(Phase.SKIPPED, reason='was deleted'),
        }.items():
            self.assertEqual(wanted, report.phase(one))

    def test_a_record_that_lies_is_no_success(self):
        """A record may be completed while its server is in ERROR."""
        self.assertEqual(
            'failed', report.phase(ended(Phase.FAILED, 'completed'))
        )

    def test_verdicts(self):
        """The verdict is a sentence, with the time where it is known."""
        for wanted, seen in {
            'converges in about 40 s': progress(),
            'converging': progress(seconds_left=None),
            'not known yet': progress(verdict=Verdict.UNKNOWN),
            'will not converge at this rate': progress(
                verdict=Verdict.NOT_CONVERGING
            ),
        }.items():
            self.assertEqual(wanted, report.verdict(task(progress=seen)))

    def test_elapsed_before_it_was_seen_is_not_known(self):
        """What began before it was seen has lasted longer than that."""
        self.assertEqual(('20 s', '50 s'), report.elapsed(task(), now=60))
        first = task(entered=((Phase.RUNNING, 40),))
        self.assertEqual(('> 20 s', '50 s'), report.elapsed(first, now=60))
        waiting = task(Phase.QUEUED, entered=((Phase.QUEUED, 40),))
        self.assertEqual(('50 s', '50 s'), report.elapsed(waiting, now=60))
        told = report.document(waiting, now=60)
        self.assertEqual(50, told['seconds_in_phase'])
        self.assertEqual(50, told['seconds_in_all'])

    def test_line(self):
        """A line tells the phase, the way, and how it gets on."""
        self.assertEqual(
            'web: running, live from compute-1 to compute-2; converges in '
            'about 40 s, 1.0 GiB of 4.0 GiB left, 100 MiB/s',
            report.line(task(progress=progress())),
        )
        self.assertEqual(
            'web: error after 30 s, live from compute-1 to compute-2; why',
            report.line(ended(Phase.FAILED, 'error', reason='why')),
        )


class LinesTest(base.BaseTestCase):
    def said(self, *tasks: Task) -> list[str]:
        """Return what is said about tasks, without the time."""
        stream = io.StringIO()
        lines = report.Lines(stream)
        for one in tasks:
            lines(one)
        return [line[9:] for line in stream.getvalue().splitlines()]

    def test_figures_alone_are_no_news(self):
        """A change is told once; numbers that go on are not told."""
        first = task(progress=progress(), reason='late for 20 s')
        second = task(
            progress=progress(memory_remaining=0.5 * GIB, seconds_left=20.0),
            reason='late for 25 s',
        )
        self.assertEqual([report.line(first)], self.said(first, second, first))

    def test_changes_are_news(self):
        """A phase, a verdict and a reason are told when they change."""
        endless = progress(verdict=Verdict.NOT_CONVERGING)
        tasks = [
            task(Phase.QUEUED),
            task(progress=progress()),
            task(progress=endless),
            task(progress=endless, reason='passes stay large'),
            ended(Phase.DONE, 'completed'),
        ]
        self.assertEqual(
            [report.line(one) for one in tasks], self.said(*tasks)
        )


class JsonLinesTest(base.BaseTestCase):
    def test_each_change_is_one_object(self):
        """Figures are changes here; the time alone is not."""
        stream = io.StringIO()
        moments = iter((50.0, 55.0, 60.0))
        lines = report.JsonLines(stream, clock=lambda: next(moments))
        lines(task(progress=progress()))
        lines(task(progress=progress()))
        lines(task(progress=progress(memory_remaining=7)))
        first, second = map(json.loads, stream.getvalue().splitlines())
        self.assertEqual('change', first['event'])
        self.assertEqual('running', first['phase'])
        self.assertEqual('converging', first['verdict'])
        self.assertEqual(10.0, first['seconds_in_phase'])
        self.assertEqual('c0ffee', first['migration'])
        self.assertEqual(7, second['memory_remaining'])


class SummaryTest(base.BaseTestCase):
    def outcome(self, phase: Phase, status: str, **attributes: Any) -> Any:
        """Return the outcome of a task that ended at 100."""
        entered = (
            (Phase.QUEUED, 10),
            (Phase.PREPARING, 15),
            (Phase.RUNNING, 20),
            (phase, 100),
        )
        samples = (
            Sample(
                at=95,
                memory_total=4 * GIB,
                memory_processed=5 * GIB,
                memory_remaining=GIB,
                disk_total=0,
                disk_processed=0,
                disk_remaining=0,
                status='running',
            ),
        )
        one = ended(
            phase,
            status,
            entered=entered,
            since=100,
            samples=samples,
            **attributes,
        )
        return outcome.of_task(one, now=500)

    def test_times_and_bytes(self):
        """What it waited, ran and sent stands in the row."""
        good = self.outcome(Phase.DONE, 'completed')
        self.assertEqual((10, 80, 90), (good.queued, good.running, good.total))
        self.assertEqual(6 * GIB, good.copied)
        self.assertTrue(good.is_good)
        _, row = summary.table([good])
        self.assertEqual(
            ['10 s', '1 min 20 s', '1 min 30 s', '6.0 GiB', '77 MiB/s'],
            [cell.strip() for cell in row.split('  ') if cell][-5:],
        )
        self.assertIn('running for 1 min 20 s', summary.sentences([good])[0])

    def test_a_table_without_room_is_sentences(self):
        """No row of it is broken by a narrow terminal."""
        good = self.outcome(Phase.DONE, 'completed')
        rows = summary.table([good])
        width = max(map(len, rows))
        self.assertEqual(rows, summary.table([good], width))
        self.assertEqual(
            summary.sentences([good]), summary.table([good], width - 1)
        )

    def test_failures_are_explained_below(self):
        """A reason, the request and the remedy follow the table."""
        bad = self.outcome(
            Phase.FAILED,
            'error',
            reason='no room',
            remedy='openstack server show web',
            request_ids=('req-1',),
        )
        self.assertFalse(bad.is_good)
        self.assertEqual(
            [
                'web: error: no room (req-1)',
                '    -> openstack server show web',
            ],
            summary.table([bad])[2:],
        )
        self.assertEqual(['req-1'], summary.document(bad)['request_ids'])

    def test_a_watch_calls_arrival_an_end(self):
        """A cold migration of somebody else is to be confirmed by them."""
        one = self.outcome(Phase.FAILED, 'finished')
        self.assertEqual('to confirm', one.result)
        self.assertTrue(one.is_good)

    def test_what_ran_before_it_was_seen(self):
        """Then its time is a least time, and no rate is worked out."""
        late = ended(
            Phase.DONE, 'completed', entered=((Phase.RUNNING, 40),), since=60
        )
        one = outcome.of_task(late, now=500)
        self.assertTrue(one.is_at_least)
        self.assertIsNone(one.queued)
        self.assertIn('> 20 s', summary.table([one])[1])


class HistoryTest(base.BaseTestCase):
    """What a real Nova remembered of six migrations."""

    def setUp(self):
        super().setUp()
        path = RECORDED / 'instance_actions.json'
        self.recorded = json.loads(path.read_text())

    def account(self, name: str) -> account.Account:
        """Join what is recorded of a server."""
        known = self.recorded[name]
        one = compute.migration(known['record'])
        wanted = history.concerning(known['listed'], one)
        actions = [
            history.action(action)
            for action in known['actions']
            if action['request_id'] in wanted
        ]
        return account.account(one, actions, known['fault'])

    def test_what_failed_first_comes_first(self):
        """The check of the destination failed, then the scheduling."""
        told = self.account('badcheck')
        self.assertEqual(
            'compute_check_can_live_migrate_destination on compute-3: '
            'Migration pre-check error: check-destination; '
            'conductor_live_migrate_instance on control: No valid host was '
            'found. There are not enough hosts available.',
            told.reason,
        )
        self.assertRegex(told.request_ids[0], '^req-6fb750a8')

    def test_a_fault_is_not_told_twice(self):
        """The server's fault is the same sentence as the event's."""
        told = self.account('coldbad')
        self.assertEqual(
            'compute_finish_resize on compute-3: The scenario lets this '
            'fail: finish',
            told.reason,
        )
        self.assertAlmostEqual(4.6, told.running, delta=0.1)

    def test_what_no_api_tells(self):
        """A copy that fails leaves no reason: the log is named."""
        told = self.account('badrun')
        self.assertIn('no API tells why: look for req-8629', told.reason)
        self.assertIn('nova-compute on compute-1', told.reason)

    def test_an_abort_is_found(self):
        """The request that aborted it is named."""
        told = self.account('aborted')
        self.assertIn('an abort was asked for (req-4f1e1938', told.reason)
        self.assertEqual(2, len(told.request_ids))

    def test_times(self):
        """How long it waited and ran is read from the events."""
        told = self.account('ok')
        self.assertAlmostEqual(6.2, told.queued, delta=0.1)
        self.assertAlmostEqual(1.6, told.running, delta=0.1)

    def test_a_later_request_is_not_the_cause(self):
        """What was asked after the record was made did not make it."""
        known = self.recorded['ok']
        one = compute.migration(known['record'])
        early = dataclasses.replace(one, created_at='2026-01-01T00:00:00')
        self.assertEqual([], history.concerning(known['listed'], early))

    def test_past_outcomes(self):
        """A record and its events make a row without anybody watching."""
        one = compute.migration(self.recorded['cold']['record'])
        row = outcome.of_record(one, None, self.account('cold'))
        self.assertEqual('to confirm', row.result)
        self.assertIn('migration confirm', row.remedy)
        left = dataclasses.replace(one, status='migrating')
        row = outcome.of_record(left, None, self.account('cold'))
        self.assertEqual('orphaned', row.result)
        self.assertFalse(row.is_good)
