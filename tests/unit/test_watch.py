# SPDX-License-Identifier: Apache-2.0
"""What a watch follows, asks, takes for silence, and lets go of."""

from collections.abc import Mapping
import dataclasses
import datetime
import itertools
from typing import Any

from oslotest import base

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import past
from osc_migrate import testing
from osc_migrate import watch
from osc_migrate.cloud.history import InstanceAction
from osc_migrate.osc import keys
from osc_migrate.task import Action
from osc_migrate.task import Answer
from osc_migrate.task import OnStall
from osc_migrate.task import Request
from osc_migrate.task import Sight
from osc_migrate.task import Task
from tests.unit.test_report import progress
from tests.unit.test_report import record
from tests.unit.test_report import task

NOW = datetime.datetime.now(datetime.UTC)
MOVING = Sight(
    exists=True,
    name='web',
    memory_mb=512,
    status='MIGRATING',
    vm_state='active',
    task_state='migrating',
    power_state=1,
    host='compute-1',
)
ARRIVED = dataclasses.replace(
    MOVING, status='ACTIVE', task_state=None, host='compute-2'
)
STAYED = dataclasses.replace(ARRIVED, host='compute-1')


def ago(seconds: float) -> str:
    """Return the time some seconds ago, as Nova writes it."""
    moment = NOW - datetime.timedelta(seconds=seconds)
    return moment.replace(tzinfo=None).isoformat()


def migration(number: int, status: str, **attributes: Any) -> model.Migration:
    """Build a record with a number, written just now."""
    known = {
        'id': number,
        'uuid': f'migration-{number}',
        'instance_uuid': f'server-{number}',
        'status': status,
        'created_at': ago(30),
        'updated_at': ago(0),
    }
    return record(**known | attributes)


class ScriptedCloud:
    """A cloud that shows what it is told to, and notes what it is asked.

    ``records`` are the migrations that are there from a moment on, and
    ``servers`` what is shown of servers by id, or by ``''`` of any server.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[float, str]] = []
        self.orders: list[Request] = []
        self.records: dict[float, list[model.Migration]] = {0: []}
        self.servers: dict[float, dict[str, Sight]] = {0: {'': MOVING}}
        self.heartbeats: dict[str, str] = {}
        self.error: exceptions.CloudError | None = None

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds

    def _shown(self, script: Mapping[float, Any]) -> Any:
        return script[max(moment for moment in script if moment <= self.now)]

    def _note(self, request: str) -> None:
        self.asked.append((self.now, request))
        if self.error is not None:
            raise self.error

    def migrations(self, **filters: str) -> list[model.Migration]:
        self._note('migrations')
        return sorted(self._shown(self.records), key=lambda one: -one.id)

    def look(self, server_id: str) -> Sight:
        self._note('look')
        known = self._shown(self.servers)
        return known.get(server_id) or known['']

    def sights(self, filters: Mapping[str, Any]) -> dict[str, Sight]:
        self._note('servers')
        known = self._shown(self.servers)
        ids = {one.server_id for one in self._shown(self.records)}
        return {one: known.get(one) or known[''] for one in ids}

    def find(self, name: str) -> tuple[str, Sight]:
        self._note('find')
        return name, MOVING

    def services(self) -> dict[str, model.Host]:
        if not self.heartbeats:
            raise exceptions.Forbidden('no administrator')
        self._note('services')
        return {
            name: testing.host(name, updated_at=moment)
            for name, moment in self.heartbeats.items()
        }

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        self._note('figures')
        return None

    def requests_of(self, one: model.Migration) -> list[str]:
        self._note('actions')
        return ['req-1']

    def action(self, server_id: str, request_id: str) -> InstanceAction:
        self._note('action')
        return InstanceAction(
            name='live-migration', request_id='req-1', start='', events=()
        )

    def ask(self, request: Request) -> Answer:
        self._note('ask')
        self.orders.append(request)
        return Answer(status_code=202, message='', request_id='req-2')


EVERYTHING = past.Wanted(is_everything=True)


class WatchTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.cloud = ScriptedCloud()
        self.told: list[Task] = []
        self.said: list[str] = []
        self.ordered: list[tuple[str, Action]] = []

    def orders(self) -> list[tuple[str, Action]]:
        """Return what was ordered up to now, once."""
        orders, self.ordered = self.ordered, []
        return orders

    def results(
        self, wanted: past.Wanted = EVERYTHING, seconds: float = 0, **run: Any
    ) -> list[tuple[str, str]]:
        """Watch; return the migrations and their results.

        :param seconds: for how long to wait for new ones
        """
        self.watch = watch.Watch(
            self.cloud,
            policy=watch.policy(run.pop('on_stall', OnStall.WAIT)),
            reporters=[self.told.append],
            wait=self.cloud.wait,
            orders=self.orders,
            obeyed=self.said.append,
            clock=lambda: self.cloud.now,
        )
        ended = self.watch.run(
            wanted, until=lambda: self.cloud.now >= seconds, **run
        )
        self.outcomes = ended
        return [(one.migration, one.result) for one in ended]

    def show(self, *records: model.Migration, at: float = 0) -> None:
        """Let Nova show these migrations from a moment on."""
        self.cloud.records[at] = list(records)

    def test_nothing_to_follow(self):
        """What has ended before is not followed."""
        self.show(migration(1, 'completed'), migration(2, 'finished'))
        self.assertEqual([], self.results())
        self.assertEqual('completed', self.watch.last('server-1').status)

    def test_what_is_wanted(self):
        """A host means migrations from it and to it, a server only its own."""
        self.show(
            migration(1, 'running'),
            migration(2, 'running', dest_compute='compute-3'),
            migration(3, 'running', source_compute='compute-3'),
            migration(4, 'running'),
        )
        self.show(
            *(
                dataclasses.replace(one, status='completed')
                for one in self.cloud.records[0]
            ),
            at=5,
        )
        for wanted, numbers in (
            (past.Wanted(hosts=frozenset({'compute-3'})), (2, 3)),
            (past.Wanted(servers=frozenset({'server-4'})), (4,)),
            (EVERYTHING, (1, 2, 3, 4)),
        ):
            self.cloud.now = 0
            self.cloud.servers = {0: {'': MOVING}, 5: {}}
            self.cloud.servers[5] = {
                'server-2': dataclasses.replace(ARRIVED, host='compute-3'),
                '': ARRIVED,
            }
            self.assertEqual(
                [(f'migration-{number}', 'completed') for number in numbers],
                self.results(wanted),
            )

    def test_ends_between_two_looks(self):
        """What begins and ends while nobody looks is shown all the same."""
        self.show(migration(1, 'completed', created_at=ago(90)))
        new = migration(2, 'completed', created_at=ago(-1))
        self.show(*self.cloud.records[0], new, at=3)
        self.cloud.servers = {0: {'': ARRIVED}}
        self.assertEqual(
            [('migration-2', 'completed')], self.results(seconds=30)
        )
        self.assertEqual('completed', self.told[-1].record.status)

    def test_migrated_again_between_two_looks(self):
        """The end of the first one is not lost when a second has begun."""
        first = migration(1, 'running', instance_uuid='web')
        second = migration(
            2,
            'running',
            instance_uuid='web',
            source_compute='compute-2',
            dest_compute='compute-1',
            created_at=ago(-1),
        )
        self.show(first)
        done = dataclasses.replace(first, status='completed')
        self.show(done, second, at=5)
        self.show(done, dataclasses.replace(second, status='error'), at=15)
        self.cloud.servers[15] = {'': STAYED}
        self.assertEqual(
            [('migration-1', 'completed'), ('migration-2', 'error')],
            self.results(),
        )

    def test_orphans_are_told_and_left(self):
        """A record in progress without a task has been forgotten by Nova."""
        old = ago(300)
        self.show(
            migration(1, 'running', updated_at=old),
            migration(2, 'queued', updated_at=old, created_at=old),
        )
        self.cloud.servers[0]['server-1'] = STAYED
        self.cloud.servers[40] = {'': STAYED}
        self.assertEqual(
            [('migration-1', 'orphaned'), ('migration-2', 'orphaned')],
            self.results(),
        )
        self.assertIn('ACTIVE on compute-1', self.outcomes[0].reason)
        self.assertGreaterEqual(self.cloud.now, 40)
        self.assertEqual([], self.cloud.orders)

    def test_never_acts_by_itself(self):
        """It confirms, repairs, retries and aborts nothing."""
        cold = {'migration_type': 'migration', 'status': 'migrating'}
        self.show(
            migration(1, **cold),
            migration(2, 'queued'),
            migration(3, 'preparing'),
            migration(4, 'running'),
        )
        self.show(
            migration(1, **cold | {'status': 'finished'}),
            migration(2, 'cancelled'),
            migration(3, 'failed'),
            migration(4, 'error'),
            at=7500,
        )
        broken = dataclasses.replace(STAYED, status='ERROR', vm_state='error')
        self.cloud.servers[7500] = {'server-4': broken, '': STAYED}
        self.assertEqual(
            ['to confirm', 'cancelled', 'failed', 'error'],
            [result for _, result in self.results()],
        )
        self.assertEqual([], self.cloud.orders)
        self.assertIn('migration confirm', self.outcomes[0].remedy)
        self.assertIn('server set --state active', self.outcomes[3].remedy)
        self.assertEqual(('req-1',), self.outcomes[3].request_ids)

    def test_obeys_orders(self):
        """An order goes to the migration that is followed, and is answered."""
        self.show(migration(1, 'running'))
        self.show(migration(1, 'error'), at=20)
        self.cloud.servers[20] = {'': STAYED}
        self.ordered = [('server-1', Action.ABORT)]
        self.results()
        (order,) = self.cloud.orders
        self.assertEqual((Action.ABORT, 1), (order.action, order.migration_id))
        self.assertEqual(['abort of web: accepted'], self.said)
        self.assertIn('ordered by the operator', self.outcomes[0].reason)

    def test_time_is_up(self):
        """What goes on is told as such when the time is over."""
        self.show(migration(1, 'running'))
        self.assertEqual(
            [('migration-1', 'under way')], self.results(timeout=30)
        )
        self.assertTrue(self.watch.is_timed_out)
        self.assertEqual(30, round(self.cloud.now))

    def test_silence_is_no_progress(self):
        """Without a heartbeat and new figures nothing is said to go on."""
        self.show(migration(1, 'running'))
        self.cloud.heartbeats = {
            'compute-1': ago(45),
            'compute-2': ago(0),
        }
        self.results(timeout=60)
        self.assertEqual('', self.told[0].reason)
        self.assertRegex(
            self.told[-1].reason, '^no sign of life of compute-1 since '
        )
        self.assertIsNone(self.told[-1].progress)

    def test_figures_that_stand_still(self):
        """A host that lives may still have a copy that does not move."""
        self.show(migration(1, 'running'))
        self.show(migration(1, 'running', updated_at=ago(-50)), at=50)
        self.results(timeout=60)
        reasons = [one.reason for one in self.told]
        self.assertRegex(reasons[-2], '^no new figures since ')
        self.assertEqual('', reasons[-1])

    def test_a_host_that_only_receives_may_be_silent(self):
        """A copy goes on while the nova-compute of its destination stands."""
        self.show(migration(1, 'running'), migration(2, 'preparing'))
        self.cloud.heartbeats = {
            'compute-1': ago(0),
            'compute-2': ago(45),
        }
        self.results(timeout=20)
        silent = {one.server_id for one in self.told if one.reason}
        self.assertEqual({'server-2'}, silent)


class PaceTest(WatchTest):
    def requests(self, count: int) -> list[tuple[float, str]]:
        """Watch some migrations for a minute; return what was asked when."""
        self.cloud = ScriptedCloud()
        self.show(*(migration(n, 'running') for n in range(1, count + 1)))
        self.cloud.heartbeats = {'compute-1': ago(0)}
        self.results(timeout=60)
        return self.cloud.asked

    def test_two_requests_a_second(self):
        """However many there are, more than half a second lies between."""
        for count in (6, 60):
            moments = [moment for moment, _ in self.requests(count)]
            gaps = [b - a for a, b in itertools.pairwise(moments)]
            self.assertGreater(min(gaps), 0.549)

    def test_requests_of_a_round(self):
        """60 migrations cost no more requests in a round than 6."""
        costs = []
        for count in (6, 60):
            asked = ' '.join(name for _, name in self.requests(count))
            rounds = [one.split() for one in asked.split('migrations')]
            costs.append(max(map(len, rounds)))
        self.assertEqual(costs[0], costs[1])
        self.assertLess(costs[1], 10)

    def test_many_ends_cost_one_look(self):
        """When all end at once, their servers are read with one request."""
        self.show(*(migration(n, 'queued') for n in range(1, 61)))
        self.show(*(migration(n, 'completed') for n in range(1, 61)), at=10)
        self.cloud.servers[10] = {'': ARRIVED}
        self.assertEqual(60, len(self.results()))
        late = [name for moment, name in self.cloud.asked if moment > 10]
        self.assertLess(len(late), 10)

    def test_an_idle_watch_asks_rarely(self):
        """With nothing under way Nova is asked every ten seconds."""
        self.results(seconds=300)
        asked = [name for _, name in self.cloud.asked]
        self.assertLess(len(asked), 45)

    def test_nova_out_of_reach(self):
        """A silent Nova is waited for, and known to be silent."""
        self.show(migration(1, 'running'))
        self.cloud.error = exceptions.ServiceUnavailable('no connection')
        self.results(timeout=20)
        self.assertEqual('no connection', self.watch.cloud.unreachable)
        self.assertTrue(self.watch.is_timed_out)


class DialogueTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        self.dialogue = keys.Dialogue()
        self.shown = [
            dataclasses.replace(
                task(progress=progress(predicted_pause_seconds=8.0)),
                name=f'web-{number}',
                move=dataclasses.replace(
                    task().move, server_id=f'id-{number}'
                ),
            )
            for number in range(1, 13)
        ]
        self.dialogue.follow(self.shown)

    def press(self, text: str) -> None:
        """Press keys, one after the other."""
        for key in keys.split(text):
            self.dialogue.press(key, self.shown)

    def test_selection(self):
        """Arrows, j and k go by one row, a number to its row."""
        for pressed, wanted in (
            ('', 'id-1'),
            ('j', 'id-2'),
            ('\x1b[B', 'id-3'),
            ('\x1bOA', 'id-2'),
            ('kkk', 'id-1'),
            ('7', 'id-7'),
            ('12', 'id-12'),
            ('j', 'id-12'),
            ('99', 'id-9'),
            ('\x1b[5~?', 'id-9'),
        ):
            self.press(pressed)
            self.assertEqual(wanted, self.dialogue.selected, repr(pressed))

    def test_nothing_is_done_unasked(self):
        """Only y does it; the question names the server and the cost."""
        self.press('2f')
        self.assertIn('web-2', self.dialogue.footer)
        self.assertIn('stands still for about 8 s', self.dialogue.footer)
        self.press('n')
        self.assertEqual([], self.dialogue.take())
        self.press('a')
        self.assertIn('stays on compute-1', self.dialogue.footer)
        self.assertIn('ERROR', self.dialogue.footer)
        self.press('y')
        self.assertEqual([('id-2', Action.ABORT)], self.dialogue.take())
        self.assertEqual([], self.dialogue.take())

    def test_the_question_keeps_its_server(self):
        """A table that changes under the question changes no answer."""
        self.press('2a')
        self.shown.reverse()
        self.dialogue.follow(self.shown[:3])
        self.assertEqual('id-2', self.dialogue.selected)
        self.press('y')
        self.assertEqual([('id-2', Action.ABORT)], self.dialogue.take())
        self.dialogue.follow(self.shown[:3])
        self.assertEqual('id-12', self.dialogue.selected)

    def test_what_nova_would_refuse(self):
        """It is said at once what cannot be done."""
        for status, kind, key in (
            ('queued', model.MigrationType.LIVE, 'f'),
            ('running (post-copy)', model.MigrationType.LIVE, 'a'),
            ('migrating', model.MigrationType.COLD, 'a'),
            ('completed', model.MigrationType.LIVE, 'a'),
        ):
            self.shown[0] = task(
                record=record(status=status),
                move=dataclasses.replace(
                    task().move, server_id='id-1', migration_type=kind
                ),
            )
            self.press(f'{key}y')
            self.assertEqual([], self.dialogue.take(), status)

    def test_quit(self):
        """The key q leaves, but not as an answer."""
        self.press('aq')
        self.assertFalse(self.dialogue.is_over)
        self.press('q')
        self.assertTrue(self.dialogue.is_over)
