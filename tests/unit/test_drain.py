# SPDX-License-Identifier: Apache-2.0
"""The drain of a host: what it takes charge of, and what it says is left.

The cloud is the made-up Nova of the property tests.
"""

import dataclasses
from typing import Any

from oslotest import base

from osc_migrate import drain
from osc_migrate import exceptions
from osc_migrate import executor
from osc_migrate import selection
from osc_migrate import testing
from osc_migrate.task import Phase
from osc_migrate.task import Policy
from osc_migrate.task import Task
from tests.property import matter
from tests.property import nova as novas
from tests.property import others
from tests.property import world as worlds
from tests.unit import scenes

HOST = 'compute-1'
HOSTS = ('compute-1', 'compute-2', 'compute-3', 'compute-4')


class Unwatched:
    """A watchdog that sleeps."""

    def asked(self, *_: Any) -> None:
        """A request that changes something has come."""

    took_off = placed = asked


class DrainTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = worlds.World(HOSTS)
        self.nova = self.cloud()

    def cloud(self) -> novas.Nova:
        """Make the API of the world."""
        return novas.Nova(
            self.world,
            Unwatched(),
            faults={},
            interruptions={},
            refusals={},
            patience=20_000,
        )

    def server(
        self, name: str, *trips: matter.Trip, **attributes: Any
    ) -> matter.Server:
        """Put a server on the host."""
        values: dict[str, Any] = {
            'id': testing.identifier(name),
            'name': name,
            'ram': 512,
            'vm_state': 'active',
            'host': HOST,
            'trips': list(trips),
        }
        server = matter.Server(**{**values, **attributes})
        self.world.servers[server.id] = server
        return server

    def emptied(
        self, *, policy: Policy | None = None, **options: Any
    ) -> drain.Result:
        """Drain the host."""
        chosen = {
            key: frozenset(options.pop(key))
            for key in ('servers', 'exclude')
            if key in options
        }
        if 'limit' in options:
            chosen['limit'] = options.pop('limit')
        emptying = drain.Drain(
            self.nova,
            HOST,
            drain.Options(
                selection=selection.Selection(**chosen),
                **{
                    key: frozenset(value) if key == 'to' else value
                    for key, value in options.items()
                },
            ),
        )
        plan = emptying.plan()
        token = emptying.close(user='alice', reason='memory')
        return emptying.run(
            plan,
            executor.Executor(
                self.nova,
                policy=policy,
                choose=emptying.choose,
                since=token.since,
                clock=self.world.clock,
                sleep=self.nova.sleep,
            ),
        )

    def phases(self, result: drain.Result) -> dict[str, str]:
        """Return the phases by the names of servers."""
        return {task.name: str(task.phase) for task in result.tasks}

    def left(self, result: drain.Result) -> list[tuple[str, str]]:
        """Return kind and id of what is left."""
        return [(found.kind, found.id) for found in result.leftovers]


class WholeHostTest(DrainTest):
    def test_unknown_hosts_are_refused(self) -> None:
        """Exact names only; nothing has happened."""
        self.assertRaises(
            (exceptions.HostNotFound, KeyError),
            drain.Drain,
            self.nova,
            'compute-9',
        )

    def test_an_empty_host_is_closed_and_empty(self) -> None:
        """Two looks, and the proof."""
        result = self.emptied()
        self.assertTrue(result.is_empty)
        self.assertEqual(((), ()), (result.tasks, result.leftovers))
        self.assertIn('drained by alice', self.world.disabled[HOST])

    def test_what_arrives_meanwhile_is_moved_as_well(self) -> None:
        """Even when it comes between the last move and the last look."""
        self.server('early')
        arrive = others.Act(kind='arrive', which=0, number=None, seconds=0)
        for seconds in (2, 14, 15, 16):
            self.world.after(seconds, lambda: arrive(self.nova))
        result = self.emptied()
        self.assertTrue(result.is_empty)
        self.assertEqual(['done'] * 5, list(self.phases(result).values()))

    def test_two_looks_must_find_nothing(self) -> None:
        """What comes after the first of them is moved as well."""
        self.server('early')
        arrive = others.Act(kind='arrive', which=0, number=None, seconds=0)
        look, looks = self.nova.snapshot, []

        def counted(**wanted: Any) -> Any:
            looks.append(self.world.now)
            if len(looks) == 2:
                self.world.after(1, lambda: arrive(self.nova))
            return look(**wanted)

        self.nova.snapshot = counted  # type: ignore[method-assign]
        result = self.emptied()
        self.assertTrue(result.is_empty)
        self.assertEqual(['done'] * 2, list(self.phases(result).values()))

    def test_what_is_busy_is_waited_for(self) -> None:
        """Also one that is paused, which can never move cold."""
        for state in ('active', 'paused'):
            server = self.server(state, vm_state=state, task_state='pausing')
            self.world.after(
                30, lambda server=server: setattr(server, 'task_state', None)
            )
        result = self.emptied()
        self.assertEqual(
            {'active': 'done', 'paused': 'done'}, self.phases(result)
        )

    def test_what_stays_busy_is_left(self) -> None:
        """After ten minutes of waiting, and it is said."""
        server = self.server('busy', task_state='pausing')
        result = self.emptied()
        self.assertEqual([('server', server.id)], self.left(result))
        self.assertFalse(result.is_empty)
        self.assertGreater(self.world.now, 500)
        self.assertEqual([server.id], [s.id for s in result.stranded])

    def test_interrupted(self) -> None:
        """What was not begun is still there, and said to be."""
        self.server('a', matter.Trip(seconds=30))
        emptying = drain.Drain(self.nova, HOST)
        runner = executor.Executor(
            self.nova, clock=self.world.clock, sleep=self.nova.sleep
        )
        runner.stop()
        result = emptying.run(emptying.plan(), runner)
        self.assertTrue(result.is_interrupted)
        self.assertEqual({'a': 'pending'}, self.phases(result))
        self.assertFalse(result.is_empty)


class ResumeTest(DrainTest):
    def begun(self, name: str, kind: str, user: str, **trip: Any) -> None:
        """Let a migration from the host run when the drain begins."""
        server = self.server(
            name,
            vm_state='stopped' if kind == 'migration' else 'active',
        )
        server.trips = [matter.Trip(**trip)]
        self.nova.move(server, kind, 'compute-2', user=user)

    def mark(self) -> None:
        """Close the host, as an earlier run did."""
        drain.Drain(self.nova, HOST).close(user='alice')

    def test_goes_on_with_its_own(self) -> None:
        """A cold migration that has arrived is confirmed."""
        self.mark()
        self.begun('a', 'migration', novas.OPERATOR)
        self.world.pass_time(60)
        result = self.emptied()
        self.assertTrue(result.is_empty)
        self.assertEqual({'a': 'done'}, self.phases(result))

    def test_waits_for_a_record_of_before(self) -> None:
        """What Nova took from an earlier run counts before it is seen."""
        self.mark()
        self.begun('asked', 'migration', novas.OPERATOR, lag=25)
        self.server('next')
        result = self.emptied()
        self.assertEqual(
            {'asked': 'done', 'next': 'done'}, self.phases(result)
        )
        first, second = self.nova.flights
        self.assertEqual('next', second.server.name)
        assert first.recorded is not None
        self.assertLess(first.recorded, second.asked)

    def test_does_not_wait_for_ever_for_a_record(self) -> None:
        """A request that Nova lost keeps nobody else."""
        lost = self.server('lost', task_state='migrating')
        self.server('next')
        result = self.emptied()
        self.assertEqual({'next': 'done'}, self.phases(result))
        self.assertEqual([('server', lost.id)], self.left(result))

    def test_confirms_nothing_of_others(self) -> None:
        """Neither of another user, nor an owner's resize, nor of before."""
        self.begun('old', 'migration', novas.OPERATOR)
        self.world.pass_time(30)
        self.mark()
        self.begun('other', 'migration', novas.OWNER)
        server = self.server('resized')
        self.nova.move(server, 'resize', 'compute-3', user=novas.OPERATOR)
        self.world.pass_time(60)
        result = self.emptied()
        self.assertEqual(
            {'finished'}, {record.status for record in self.world.records}
        )
        self.assertEqual(['migration'] * 3, [k for k, _ in self.left(result)])

    def test_goes_on_without_a_mark(self) -> None:
        """Of a named server, a cold migration that we asked for is ours."""
        for seconds in (5, 60):
            self.world = worlds.World(HOSTS)
            self.nova = self.cloud()
            self.begun('a', 'migration', novas.OPERATOR, seconds=20)
            self.world.pass_time(seconds)
            result = self.unmarked('a')
            self.assertEqual({'a': 'done'}, self.phases(result))
            self.assertTrue(result.is_empty)

    def test_says_what_another_has_not_confirmed(self) -> None:
        """Of a server that is named, it is a part that is left here."""
        self.begun('a', 'migration', novas.OWNER)
        self.world.pass_time(60)
        result = self.unmarked('a')
        self.assertEqual(['migration'], [k for k, _ in self.left(result)])

    def test_says_what_may_be_its_own(self) -> None:
        """Of what is chosen but not named, a cold move may be another's."""
        for name in ('a', 'spared'):
            self.begun(name, 'migration', novas.OPERATOR)
        self.begun('other', 'migration', novas.OWNER)
        self.world.pass_time(60)
        result = self.unmarked(exclude=frozenset({'spared'}))
        (left,) = result.leftovers
        self.assertEqual(
            ('migration', testing.identifier('a')), (left.kind, left.name)
        )
        self.assertEqual(
            {'finished'}, {record.status for record in self.world.records}
        )

    def unmarked(self, *names: str, **conditions: Any) -> drain.Result:
        """Drain chosen servers, and leave the host enabled."""
        self.nova.find = lambda name: (  # type: ignore[attr-defined]
            testing.identifier(name),
            self.nova.look(testing.identifier(name)),
        )
        chosen = selection.Selection(servers=frozenset(names), **conditions)
        emptying = drain.Drain(
            self.nova, HOST, drain.Options(selection=chosen)
        )
        runner = executor.Executor(
            self.nova,
            is_ours=emptying.is_ours,
            clock=self.world.clock,
            sleep=self.nova.sleep,
        )
        return emptying.run(emptying.plan(), runner)

    def test_follows_what_others_began(self) -> None:
        """It leaves the host as well, and takes a slot."""
        self.begun('a', 'live-migration', novas.OWNER, seconds=30)
        self.world.pass_time(5)
        result = self.emptied()
        self.assertEqual({'a': 'done'}, self.phases(result))
        self.assertEqual(1, len(self.world.records))

    def test_resets_what_an_earlier_run_left_in_error(self) -> None:
        """The guest runs on the source: reset it and try again."""
        self.mark()
        self.begun('a', 'live-migration', novas.OPERATOR, fails_at='copy')
        self.world.pass_time(60)
        self.assertEqual('ERROR', self.server_named('a').status)
        result = self.emptied()
        self.assertTrue(result.is_empty)
        self.assertEqual({'a': 'done'}, self.phases(result))
        self.assertEqual('ACTIVE', self.server_named('a').status)

    def test_leaves_what_was_in_error_before(self) -> None:
        """That is somebody else's to repair."""
        self.begun('a', 'live-migration', novas.OPERATOR, fails_at='copy')
        self.world.pass_time(60)
        self.server('b', vm_state='error')
        result = self.emptied()
        self.assertEqual({}, self.phases(result))
        self.assertEqual(2, len(result.leftovers))
        self.assertEqual('ERROR', self.server_named('a').status)

    def test_says_what_an_earlier_run_broke_elsewhere(self) -> None:
        """The host is empty, but a server is in ERROR because of us."""
        self.mark()
        self.begun('a', 'live-migration', novas.OPERATOR, fails_at='end')
        self.world.pass_time(60)
        result = self.emptied()
        self.assertEqual({'a': 'failed'}, self.phases(result))
        self.assertIn('ERROR on compute-2', result.tasks[0].reason)

    def test_knows_rivals_again(self) -> None:
        """A member that is under way keeps the others waiting."""
        self.mark()
        self.begun('a', 'live-migration', novas.OPERATOR, seconds=60)
        self.server_named('a').group = 'web'
        self.world.pass_time(5)
        (task,) = drain.Drain(self.nova, HOST).under_way()
        self.assertEqual(frozenset({'web'}), task.groups)

    def server_named(self, name: str) -> matter.Server:
        """Return a server."""
        return self.world.servers[testing.identifier(name)]


class ChosenTest(DrainTest):
    def test_only_those_that_are_named(self) -> None:
        """The others are neither moved nor counted as left."""
        self.server('a')
        self.server('b')
        result = self.emptied(servers=['a'])
        self.assertEqual({'a': 'done'}, self.phases(result))
        self.assertTrue(result.is_empty)

    def test_a_named_one_that_cannot_move_is_left(self) -> None:
        """It was not tried, and is still meant."""
        server = self.server('a', vm_state='error')
        self.server('b')
        result = self.emptied(servers=['a'])
        self.assertEqual([('server', server.id)], self.left(result))
        self.assertFalse(result.is_empty)

    def test_migrations_of_others_are_theirs(self) -> None:
        """Of a server that is not meant, nothing is followed."""
        self.server('a')
        other = self.server('b')
        self.nova.move(other, 'live-migration', None, user=novas.OWNER)
        self.world.pass_time(3)
        result = self.emptied(servers=['a'])
        self.assertEqual({'a': 'done'}, self.phases(result))

    def test_what_their_moves_left_is_said(self) -> None:
        """A cold migration that is not confirmed holds a part of the host."""
        server = self.server('a', vm_state='stopped')
        self.world.confirm = lambda record: None  # type: ignore[method-assign]
        result = self.emptied(servers=['a'])
        self.assertEqual({'a': 'stuck'}, self.phases(result))
        self.assertEqual(
            [server.id], [found.name for found in result.leftovers]
        )

    def test_none_that_matches(self) -> None:
        """That is a mistake, unless they have all left."""
        self.server('a')
        chosen = selection.Selection(flavors=frozenset({'nonsense'}))
        options = drain.Options(selection=chosen)
        emptying = drain.Drain(self.nova, HOST, options)
        error = self.assertRaises(exceptions.InvalidInput, emptying.check)
        self.assertEqual(
            'No server of compute-1 matches flavor nonsense', str(error)
        )
        emptying.close(user='alice')
        drain.Drain(self.nova, HOST, options).check()

    def test_as_many_as_allowed(self) -> None:
        """Over all plans, whatever arrives."""
        for name in 'abc':
            self.server(name)
        arrive = others.Act(kind='arrive', which=0, number=None, seconds=0)
        self.world.after(5, lambda: arrive(self.nova))
        result = self.emptied(limit=2)
        self.assertEqual(['done', 'done'], list(self.phases(result).values()))
        self.assertTrue(result.is_empty)
        self.assertEqual(2, len(self.world.records))
        result = self.emptied(limit=9)
        self.assertEqual(2, len(result.tasks))


class DestinationTest(DrainTest):
    def chosen(self, task: Task, **options: Any) -> str | None:
        """Choose a destination for a server that is on the host."""
        self.server('server')
        emptying = drain.Drain(self.nova, HOST, drain.Options(**options))
        return emptying.choose(task)

    def test_another_one_then_nova(self) -> None:
        """Not what has failed; after two of them Nova may choose."""
        for refused, expected in (
            ({'compute-2'}, 'compute-3'),
            ({'compute-3'}, 'compute-2'),
            ({'compute-2', 'compute-3'}, None),
        ):
            task = scenes.pending(refused=frozenset(refused))
            self.assertEqual(expected, self.chosen(task))

    def test_nova_chooses_if_it_is_told_to(self) -> None:
        """From the beginning."""
        task = scenes.pending(refused=frozenset({'compute-2'}))
        self.assertIsNone(self.chosen(task, is_scheduled=True))

    def test_never_elsewhere_than_allowed(self) -> None:
        """However often the only host has failed, or is full."""
        for refused in ({'compute-3'}, {'compute-3', 'compute-4'}):
            task = scenes.pending(refused=frozenset(refused))
            to = frozenset({'compute-3'})
            self.assertEqual('compute-3', self.chosen(task, to=to))
        task = scenes.pending(refused=frozenset({'compute-3'}))
        to = frozenset({'compute-3', 'compute-4'})
        self.assertEqual('compute-4', self.chosen(task, to=to))
        self.world.down.add('compute-4')
        self.assertEqual('compute-4', self.chosen(task, to=to))

    def test_what_is_deleted_needs_none(self) -> None:
        """It is found out when it is looked at again."""
        emptying = drain.Drain(self.nova, HOST)
        self.server('server').exists = False
        task = scenes.pending(refused=frozenset({'compute-2'}))
        self.assertIsNone(emptying.choose(task))

    def test_a_drain_stays_within_its_hosts(self) -> None:
        """Three failures on the only host, and no server elsewhere."""
        self.server('a', *[matter.Trip(fails_at='check')] * 9)
        result = self.emptied(to=['compute-3'])
        self.assertEqual({'a': 'failed'}, self.phases(result))
        self.assertEqual(
            ['compute-3'] * 3, [r.destination for r in self.world.records]
        )

    def test_nova_chooses_all(self) -> None:
        """With the scheduler no destination is named."""
        self.server('a')
        emptying = drain.Drain(
            self.nova, HOST, drain.Options(is_scheduled=True)
        )
        self.assertEqual(
            [None], [m.destination for m in emptying.plan().moves]
        )


class MarkTest(DrainTest):
    def test_a_mark_is_joined(self) -> None:
        """The second drain keeps the first one's mark."""
        first = drain.Drain(self.nova, HOST).close(user='alice')
        self.world.pass_time(100)
        emptying = drain.Drain(self.nova, HOST)
        self.assertEqual(first, emptying.token)
        self.assertEqual(first, emptying.close(user='bob'))
        self.assertEqual(str(first), self.world.disabled[HOST])

    def test_a_fenced_host_is_shown_as_down(self) -> None:
        """The plan is for what will be, before anything is done."""
        emptying = drain.Drain(
            self.nova, HOST, drain.Options(is_fenced=True, method='evacuate')
        )
        self.assertEqual(
            ('down', True), (emptying.host.state, emptying.host.forced_down)
        )

    def test_stuck_in_one_plan_is_stuck_in_the_next(self) -> None:
        """It keeps its slot, and what waits behind it ends."""
        trip = matter.Trip(is_endless=True, ignores_abort=True)
        self.server('a', trip)
        arrive = others.Act(kind='arrive', which=0, number=None, seconds=0)
        self.world.after(600, lambda: arrive(self.nova))
        policy = dataclasses.replace(
            Policy(), deadlines=scenes.POLICY.deadlines
        )
        emptying = drain.Drain(self.nova, HOST)
        runner = executor.Executor(
            self.nova,
            limits=executor.limits_module.Limits(total=1),
            policy=policy,
            clock=self.world.clock,
            sleep=self.nova.sleep,
        )
        result = emptying.run(emptying.plan(), runner)
        phases = self.phases(result)
        self.assertEqual(Phase.STUCK, phases.pop('a'))
        self.assertIn(list(phases.values()), ([], ['failed']))


class TogetherTest(DrainTest):
    """What others do to the host while it is drained."""

    def test_the_mark_is_looked_for_again(self) -> None:
        """Planning and the answer of a human take their time."""
        emptying = drain.Drain(self.nova, HOST)
        self.world.disabled[HOST] = 'bad DIMM'
        token = emptying.close(user='alice')
        self.assertEqual(('disabled', 'bad DIMM'), (token.was, token.reason))
        late = drain.Drain(self.nova, HOST)
        late.token = None
        self.assertEqual(token, late.close(user='alice'))
        self.assertTrue(late.is_joined)

    def test_another_user_joins(self) -> None:
        """What either of them moves is of this drain."""
        drain.Drain(self.nova, HOST).close(user='alice')
        emptying = drain.Drain(self.nova, HOST)
        emptying.snapshot = dataclasses.replace(
            emptying.snapshot, user_id='bob-id'
        )
        token = emptying.close(user='bob')
        self.assertEqual('alice, bob', token.user)
        self.assertEqual(str(token), self.world.disabled[HOST])

    def join(self) -> None:
        """Let another user join the drain."""
        joining = drain.Drain(self.nova, HOST)
        joining.snapshot = dataclasses.replace(
            joining.snapshot, user_id=novas.OWNER
        )
        joining.close(user='bob')

    def closed(self, **how: Any) -> tuple[drain.Drain, executor.Executor]:
        """Begin to drain the host."""
        emptying = drain.Drain(self.nova, HOST)
        emptying.close(user='alice')
        runner = executor.Executor(
            self.nova,
            hosts=emptying.services,
            is_ours=emptying.is_ours,
            clock=self.world.clock,
            sleep=self.nova.sleep,
            **how,
        )
        return emptying, runner

    def test_what_who_joins_moves_is_confirmed(self) -> None:
        """Whenever it is met: on its way, or there already."""
        for moment in (5, 15, 20, 21):
            self.world = worlds.World(HOSTS)
            self.nova = self.cloud()
            with self.subTest(moment):
                self._joined_at(moment)

    def _joined_at(self, moment: float) -> None:
        self.server('a', matter.Trip(seconds=20))
        cold = self.server('z', vm_state='stopped')
        limits = executor.limits_module.Limits(per_source=1)
        emptying, runner = self.closed(limits=limits)

        def act() -> None:
            self.join()
            self.nova.move(cold, 'migration', 'compute-2', user=novas.OWNER)

        self.world.after(moment, act)
        result = emptying.run(emptying.plan(), runner)
        self.assertEqual({'a': 'done', 'z': 'done'}, self.phases(result))
        self.assertTrue(result.is_empty)
        self.assertEqual(2, len(self.world.records))

    def test_who_joins_is_known(self) -> None:
        """The mark is read again for a record of another user, once."""
        emptying, _ = self.closed()
        record = testing.migration(created_at='2100-01-02T00:00:00')
        stranger = dataclasses.replace(record, id=1, user_id='carol')
        joined = dataclasses.replace(record, id=2, user_id=novas.OWNER)
        self.join()
        before = self.nova.number
        for _ in range(3):
            self.assertFalse(emptying.is_ours(stranger))
            self.assertTrue(emptying.is_ours(joined))
        self.assertEqual(1, self.nova.number - before)

    def test_a_host_that_is_enabled_is_left_alone(self) -> None:
        """Who did that wants servers on it."""
        for name in 'abc':
            self.server(name, matter.Trip(seconds=60))
        self.world.after(30, lambda: self.world.disabled.pop(HOST))
        limits = executor.limits_module.Limits(total=1)
        emptying, runner = self.closed(limits=limits)
        result = emptying.run(emptying.plan(), runner)
        self.assertTrue(result.is_reopened)
        self.assertTrue(result.is_interrupted)
        self.assertEqual(1, len(self.world.records))
        self.assertEqual(2, len(result.leftovers))

    def test_nothing_is_asked_once_it_is_seen_enabled(self) -> None:
        """Whenever that is, for instance between a look and a request."""
        for moment in range(1, 15):
            self.world = worlds.World(HOSTS)
            self.nova = self.cloud()
            with self.subTest(moment):
                self._enabled_at(moment)

    def _enabled_at(self, moment: float) -> None:
        for name in 'abc':
            self.server(name, matter.Trip(lag=0, seconds=1, tail=0))
        self.world.after(moment, self.world.disabled.clear)
        emptying = drain.Drain(self.nova, HOST)
        emptying.close(user='alice')
        seen: list[int] = []

        def services() -> Any:
            found = emptying.services()
            if found[HOST].status == 'enabled':
                seen.append(self.nova.number)
            return found

        runner = executor.Executor(
            self.nova,
            limits=executor.limits_module.Limits(total=1),
            hosts=services,
            clock=self.world.clock,
            sleep=self.nova.sleep,
        )
        emptying.run(emptying.plan(), runner)
        asked = [flight.asked for flight in self.nova.flights]
        self.assertTrue(not seen or max(asked) < seen[0])

    def test_what_has_a_place_is_waited_for(self) -> None:
        """A server that is on its way arrives, and leaves again."""
        server = self.server('late')
        server.host, server.task_state = 'compute-2', 'migrating'
        held: dict[str, Any] = {server.id: {}}
        before = self.nova.allocations
        self.nova.allocations = (  # type: ignore[method-assign]
            lambda host: before(host) | held
        )

        def arrive() -> None:
            server.host, server.task_state = HOST, None
            held.clear()

        self.world.after(30, arrive)
        result = self.emptied()
        self.assertTrue(result.is_empty)
        self.assertEqual({'late': 'done'}, self.phases(result))

    def test_named_servers_that_have_left(self) -> None:
        """A drain of chosen servers is resumed by its own command."""
        self.server('a')
        self.nova.find = (  # type: ignore[attr-defined]
            lambda name: ('b-id', scenes.sight(host='compute-3'))
        )
        emptying = drain.Drain(
            self.nova,
            HOST,
            drain.Options(
                selection=selection.Selection(
                    servers=frozenset({'a', 'b'}), exclude=frozenset({'c'})
                )
            ),
        )
        self.assertEqual({'b': 'compute-3', 'c': 'compute-3'}, emptying.away)
        self.assertEqual(1, len(emptying.plan().moves))
