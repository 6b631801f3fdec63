# SPDX-License-Identifier: Apache-2.0
"""When things are looked at and asked for, and when the loop ends.

What Nova does meanwhile is that of the made-up Nova of the property tests.
"""

from collections.abc import Callable, Iterable
import dataclasses
import itertools
from typing import Any

from oslotest import base

from osc_migrate import exceptions
from osc_migrate import executor
from osc_migrate import limits
from osc_migrate import machine
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import task as tasks
from osc_migrate import testing
from osc_migrate.task import Action
from osc_migrate.task import Phase
from osc_migrate.task import Task
from tests.property import matter
from tests.property import nova as novas
from tests.property import world as worlds

HOSTS = ('compute-1', 'compute-2', 'compute-3', 'compute-4')
ONE = limits.Limits(total=1)


class Unwatched:
    """A watchdog that sleeps."""

    def asked(self, *_: Any) -> None:
        """A request that changes something has come."""

    took_off = placed = asked


class Recorder(novas.Nova):
    """Writes down what is asked of it, and when."""

    def __init__(self, world: worlds.World, **how: Any) -> None:
        values = {'faults': {}, 'interruptions': {}, 'refusals': {}}
        super().__init__(
            world, Unwatched(), patience=20_000, **{**values, **how}
        )
        self.calls: list[tuple[float, str, list[Any]]] = []
        self.slept: list[float] = []
        self.disk_total = 0

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name not in ('look', 'migrations', 'running_migration', 'ask'):
            return value

        def noted(*arguments: Any, **filters: Any) -> Any:
            self.calls.append((self.world.now, name, [*arguments, filters]))
            return value(*arguments, **filters)

        return noted

    def sleep(self, seconds: float) -> None:
        """Note how long the client sleeps."""
        self.slept.append(seconds)
        super().sleep(seconds)

    def asked(self) -> list[tuple[float, str, str]]:
        """Return when what was asked of which server, by name."""
        return [
            (
                at,
                str(request.action),
                self.world.servers[request.server_id].name,
            )
            for at, name, (request, *_) in self.calls
            if name == 'ask'
        ]

    def times(self, wanted: str) -> list[float]:
        """Return when something was called."""
        return [at for at, name, _ in self.calls if name == wanted]

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a migration that copies disks, or does not."""
        record = super().running_migration(server_id, migration_id)
        return record and dataclasses.replace(
            record, disk_total=self.disk_total
        )


class ExecutorTest(base.BaseTestCase):
    def cloud(self, *trips: matter.Trip, **how: Any) -> Recorder:
        """Make a cloud with one server for each trip on compute-1."""
        world = worlds.World(HOSTS, **how.pop('world', {}))
        for number, trip in enumerate(trips):
            name = f'server-{number}'
            world.servers[testing.identifier(name)] = matter.Server(
                id=testing.identifier(name),
                name=name,
                ram=512,
                vm_state='active',
                host='compute-1',
                trips=[trip],
            )
        self.seen: list[Task] = []
        self.nova = Recorder(world, **how)
        return self.nova

    def executor(self, nova: Recorder, **how: Any) -> executor.Executor:
        """Make an executor that goes by the cloud's clock."""
        return executor.Executor(
            nova,
            clock=nova.world.clock,
            sleep=nova.sleep,
            reporters=[self.seen.append],
            **how,
        )

    def plan(
        self, nova: novas.Nova, *destinations: str | None
    ) -> planner.Plan:
        """Plan to empty compute-1, to the destinations if there are any."""
        plan = planner.plan(
            nova.snapshot('compute-1'), 'compute-1', order='name'
        )
        if not destinations:
            return plan
        moves = tuple(
            dataclasses.replace(move, destination=to)
            for move, to in zip(plan.moves, destinations, strict=True)
        )
        return dataclasses.replace(plan, moves=moves)

    def phases(self, ended: Iterable[Task]) -> list[str]:
        """Return the phases of tasks."""
        return [str(task.phase) for task in ended]


class RunTest(ExecutorTest):
    def test_a_plan_is_carried_out(self) -> None:
        """In its order, within the limits, and each change is told once."""
        nova = self.cloud(*[matter.Trip()] * 3)
        ended = self.executor(nova, limits=ONE).run(self.plan(nova))
        self.assertEqual(['done'] * 3, self.phases(ended))
        self.assertEqual(
            ['server-0', 'server-1', 'server-2'],
            [name for _, _, name in nova.asked()],
        )
        told = [
            str(task.phase) for task in self.seen if task.name == 'server-0'
        ]
        self.assertEqual(
            ['pending', 'asked', 'preparing', 'running', 'done'],
            list(dict.fromkeys(told)),
        )
        distinct = {(t.name, t.phase, t.reason, t.progress) for t in self.seen}
        self.assertEqual(len(distinct), len(self.seen))

    def test_nothing_to_do_ends_at_once(self) -> None:
        """One look at the records, no sleep."""
        nova = self.cloud()
        self.assertEqual((), self.executor(nova).run())
        self.assertEqual(([0.0], []), (nova.times('migrations'), nova.slept))

    def test_looks_before_it_asks(self) -> None:
        """The server and its records, just before the request."""
        nova = self.cloud(matter.Trip())
        self.executor(nova).run(self.plan(nova))
        names = [name for _, name, _ in nova.calls[:4]]
        self.assertEqual(['migrations', 'look', 'migrations', 'ask'], names)

    def test_what_waits_costs_nothing(self) -> None:
        """Requests do not grow with the number of pending moves."""
        counts = []
        for number in (2, 40):
            nova = self.cloud(*[matter.Trip(seconds=60)] * number)
            run = self.executor(nova, limits=ONE)
            nova.world.after(50, run.stop)
            run.run(self.plan(nova))
            counts.append(len(nova.calls))
        self.assertEqual(counts[0], counts[1])

    def test_one_bulk_read_a_tick(self) -> None:
        """However many run; figures come every five seconds only."""
        nova = self.cloud(
            *[matter.Trip(seconds=30)] * 3, world={'per_source': 3}
        )
        run = self.executor(
            nova, limits=limits.Limits(per_source=3, per_destination=3)
        )
        run.run(self.plan(nova))
        ticks = [
            at
            for at, name, how in nova.calls
            if name == 'migrations' and 'instance_uuid' not in how[0]
        ]
        self.assertEqual(len(ticks), len(set(ticks)))
        for server in nova.world.servers:
            reads = [
                at
                for at, name, (first, *_) in nova.calls
                if name == 'running_migration' and first == server
            ]
            gaps = [b - a for a, b in itertools.pairwise(reads)]
            self.assertTrue(all(gap >= 5 for gap in gaps), gaps)
            self.assertGreater(len(reads), 3)

    def test_copies_of_disks_weigh_more_once_one_is_seen(self) -> None:
        """Two begin as if storage were shared, then one after the other."""
        for disk_total, overlaps in ((0, 3), (9, 1)):
            with self.subTest(disk_total=disk_total):
                nova = self.cloud(*[matter.Trip(seconds=30)] * 4)
                nova.disk_total = disk_total
                run = self.executor(nova)
                run.run(self.plan(nova))
                ends = {
                    task.name: task.entered[-1][1]
                    for task in self.seen
                    if task.phase is Phase.DONE
                }
                begins = {name: at for at, _, name in nova.asked()}
                beside = sum(
                    begins[one] < ends[other] and begins[other] < ends[one]
                    for one, other in itertools.combinations(begins, 2)
                )
                self.assertEqual(overlaps, beside)

    def test_reads_only_what_has_changed(self) -> None:
        """By Nova's own times, a minute back, lest one is missed."""
        nova = self.cloud(matter.Trip(seconds=200))
        self.executor(
            nova,
            policy=tasks.Policy(
                deadlines=tasks.Deadlines(running_per_gib=500)
            ),
        ).run(self.plan(nova))
        filters = [
            how[0]
            for _, name, how in nova.calls
            if name == 'migrations' and 'instance_uuid' not in how[0]
        ]
        self.assertEqual({}, filters[0])
        newest = nova.world.records[0].updated
        since = filters[-1]['changes_since'][:19]
        self.assertLessEqual(since, nova.world.iso(newest - 60))
        self.assertGreater(since, nova.world.iso(newest - 70))

    def test_sleeps_little_when_something_is_due(self) -> None:
        """One second when a phase is short, up to five when it is long."""
        nova = self.cloud(matter.Trip(seconds=100))
        self.executor(nova).run(self.plan(nova))
        self.assertEqual({1.0, 5.0}, {min(nova.slept), max(nova.slept)})

    def test_a_slot_is_free_when_the_move_is_over(self) -> None:
        """Not when the record says so: the four facts, then the next."""
        nova = self.cloud(matter.Trip(tail=20), matter.Trip())
        self.executor(nova, limits=ONE).run(self.plan(nova))
        (_, first), (second, _) = ((at, name) for at, _, name in nova.asked())
        self.assertEqual('server-0', nova.asked()[0][2])
        ended = nova.world.records[0].updated
        self.assertGreaterEqual(nova.asked()[1][0], ended)
        self.assertTrue(first and second)

    def test_what_failed_before_comes_last(self) -> None:
        """The others are not kept waiting by the second try of one."""
        nova = self.cloud(
            matter.Trip(fails_at='check'), matter.Trip(), matter.Trip()
        )
        self.executor(nova, limits=ONE).run(self.plan(nova))
        self.assertEqual(
            ['server-0', 'server-1', 'server-2', 'server-0'],
            [name for _, _, name in nova.asked()],
        )


class StopTest(ExecutorTest):
    def test_starts_nothing_more(self) -> None:
        """What runs is followed to its end, what waits stays pending."""
        nova = self.cloud(matter.Trip(), matter.Trip())
        run = self.executor(nova, limits=ONE)
        nova.world.after(3, run.stop)
        self.assertEqual(
            ['done', 'pending'], self.phases(run.run(self.plan(nova)))
        )
        self.assertEqual(1, len(nova.asked()))
        self.assertEqual(1, len(nova.looks))
        run.pause(30)
        self.assertNotIn(30, nova.slept)


class ReachTest(ExecutorTest):
    def test_a_short_silence_is_ridden_out(self) -> None:
        """Nova may be out of reach for ten minutes."""
        faults = dict.fromkeys(range(8, 300), 'broken')
        nova = self.cloud(matter.Trip(), faults=faults)
        ended = self.executor(nova).run(self.plan(nova))
        self.assertEqual(['done'], self.phases(ended))
        self.assertEqual(1, len(nova.asked()))

    def test_a_long_silence_is_an_error(self) -> None:
        """Then somebody must look at Nova first."""
        nova = self.cloud(
            matter.Trip(), faults=dict.fromkeys(range(8, 3000), 'broken')
        )
        plan = self.plan(nova)
        self.assertRaises(
            exceptions.ServiceUnavailable, self.executor(nova).run, plan
        )
        self.assertGreater(nova.world.now, 600)

    def test_a_missing_right_is_an_error_at_once(self) -> None:
        """To wait does not help."""
        nova = self.cloud(matter.Trip())
        plan = self.plan(nova)

        def forbid(**_: Any) -> Any:
            raise exceptions.Forbidden('no')

        nova.migrations = forbid  # type: ignore[method-assign]
        self.assertRaises(exceptions.Forbidden, self.executor(nova).run, plan)
        self.assertEqual(0, nova.world.now)

    def test_patiently(self) -> None:
        """Repeats what may be repeated, but only if Nova is silent."""
        nova = self.cloud()
        run = self.executor(nova)

        def act(*errors: Exception) -> Callable[[], str]:
            left = list(errors)

            def read() -> str:
                if left:
                    raise left.pop(0)
                return 'read'

            return read

        silence = exceptions.ServiceUnavailable('silence')
        self.assertEqual('read', run.patiently(act(silence, silence)))
        self.assertEqual([5.0, 5.0], nova.slept)
        refusal = exceptions.CloudError('no', status_code=400)
        self.assertRaises(exceptions.CloudError, run.patiently, act(refusal))
        forever = act(*[silence] * 999)
        self.assertRaises(exceptions.CloudError, run.patiently, forever)
        self.assertAlmostEqual(610, nova.world.now, delta=10)
        run.stop()
        self.assertRaises(exceptions.CloudError, run.patiently, act(silence))


class SlotTest(ExecutorTest):
    def other(self, nova: Recorder, host: str = 'compute-2') -> matter.Record:
        """Let somebody else move another server for ever."""
        server = matter.Server(
            id='other', name='other', ram=512, vm_state='active', host=host
        )
        server.task_state = 'migrating'
        nova.world.servers['other'] = server
        record = nova.world.new_record(
            server,
            'live-migration',
            'compute-4',
            user=novas.OWNER,
            trip=matter.Trip(),
        )
        nova.world.write(record, 'queued')
        return record

    def test_others_count(self) -> None:
        """A slot that they hold is free only when they have ended."""
        nova = self.cloud(matter.Trip())
        record = self.other(nova)
        for status in ('completed', 'error', 'finished'):
            nova = self.cloud(matter.Trip())
            record = self.other(nova)
            nova.world.after(
                100,
                lambda: nova.world.write(record, status),  # noqa: B023
            )
            self.executor(nova, limits=ONE).run(self.plan(nova))
            self.assertGreaterEqual(nova.asked()[0][0], 100, status)

    def test_the_dead_do_not_count(self) -> None:
        """An hour without a change, by Nova's time or by ours."""
        nova = self.cloud(matter.Trip(), matter.Trip())
        record = self.other(nova)
        nova.world.pass_time(3700)
        other = self.other(nova, 'compute-3')
        nova.world.write(other, 'completed')
        self.executor(nova, limits=ONE).run(self.plan(nova))
        self.assertEqual(3700, nova.asked()[0][0])
        self.assertEqual('queued', record.status)

        nova = self.cloud(matter.Trip())
        self.other(nova)
        self.executor(nova, limits=ONE).run(self.plan(nova))
        self.assertAlmostEqual(3600, nova.asked()[0][0], delta=5)

    def test_gives_up_when_only_others_move_for_long(self) -> None:
        """As long as Nova's queue may last, and with a reason."""
        nova = self.cloud(matter.Trip())
        record = self.other(nova)

        def go_on() -> None:
            nova.world.write(record, 'running')
            nova.world.after(60, go_on)

        go_on()
        (ended,) = self.executor(nova, limits=ONE).run(self.plan(nova))
        self.assertEqual(Phase.FAILED, ended.phase)
        self.assertIn('was not begun', ended.reason)
        self.assertAlmostEqual(7200, nova.world.now, delta=5)
        self.assertEqual([], nova.asked())

    def test_gives_up_what_only_the_stuck_hold_back(self) -> None:
        """But not what has a slot beside them, nor before all else ended."""
        nova = self.cloud(
            matter.Trip(is_endless=True, ignores_abort=True),
            matter.Trip(),
            matter.Trip(),
            world={'per_source': 2},
        )
        run = self.executor(nova, limits=limits.Limits(per_destination=1))
        ended = run.run(self.plan(nova, 'compute-2', 'compute-2', 'compute-3'))
        self.assertEqual(['stuck', 'failed', 'done'], self.phases(ended))
        self.assertIn('was not begun', ended[1].reason)

    def test_a_new_choice_must_fit_as_well(self) -> None:
        """The limit of the destination that was chosen instead counts."""
        nova = self.cloud(
            matter.Trip(fails_at='scheduler'),
            matter.Trip(seconds=30),
            world={'per_source': 2},
        )
        run = self.executor(
            nova,
            limits=limits.Limits(per_destination=1),
            choose=lambda task: 'compute-3',
        )
        run.run(self.plan(nova, 'compute-2', 'compute-3'))
        again = [at for at, _, name in nova.asked() if name == 'server-0'][1]
        ended = next(
            r for r in nova.world.records if r.server.name == 'server-1'
        )
        self.assertGreaterEqual(again, ended.updated)

    def test_a_second_try_waits_for_its_own_host_only(self) -> None:
        """A host that is full by others does not hold back all."""
        for chosen, is_kept in (('compute-3', False), ('compute-4', True)):
            nova = self.cloud(matter.Trip(fails_at='check'))
            self.other(nova)
            run = self.executor(
                nova,
                limits=limits.Limits(per_destination=1),
                choose=lambda task: chosen,  # noqa: B023
            )
            run.run(self.plan(nova, 'compute-2'))
            again = nova.asked()[1][0]
            self.assertEqual(is_kept, again > 3000, chosen)

    def test_a_host_of_an_earlier_run_is_chosen_anew(self) -> None:
        """What failed there in that run is looked up, and the other fits."""
        nova = self.cloud(
            matter.Trip(fails_at='check'), matter.Trip(seconds=30)
        )
        first = self.plan(nova, 'compute-2', 'compute-3')
        moves = dataclasses.replace(first, moves=first.moves[:1])
        self.executor(nova, policy=tasks.Policy(tries=1)).run(moves)
        run = self.executor(
            nova,
            limits=limits.Limits(per_destination=1),
            choose=lambda task: 'compute-3',
            since=nova.world.iso(0),
        )
        moves = dataclasses.replace(first, moves=first.moves[::-1])
        run.run(moves)
        sent = [
            (nova.world.servers[request.server_id].name, request.destination)
            for _, name, (request, *_) in nova.calls
            if name == 'ask'
        ]
        self.assertEqual(
            [
                ('server-0', 'compute-2'),
                ('server-1', 'compute-3'),
                ('server-0', 'compute-3'),
            ],
            sent,
        )
        ended = next(
            r for r in nova.world.records if r.server.name == 'server-1'
        )
        self.assertGreaterEqual(nova.asked()[2][0], ended.updated)


class ChooseTest(ExecutorTest):
    def test_is_asked_for_another_destination(self) -> None:
        """Only after one has failed; None leaves it to Nova."""
        asked: list[frozenset[str]] = []

        def choose(task: Task) -> str | None:
            asked.append(task.refused)
            return 'compute-3' if len(task.refused) == 1 else None

        nova = self.cloud(matter.Trip(fails_at='check'))
        server = next(iter(nova.world.servers.values()))
        server.trips.append(matter.Trip(fails_at='check'))
        run = self.executor(nova, choose=choose)
        run.run(self.plan(nova, 'compute-2'))
        self.assertEqual([{'compute-2'}, {'compute-2', 'compute-3'}], asked)
        sent = [
            request.destination
            for _, name, (request, *_) in nova.calls
            if name == 'ask'
        ]
        self.assertEqual(['compute-2', 'compute-3', None], sent)

    def test_history_counts(self) -> None:
        """What failed since the drain began is not tried from the start."""
        nova = self.cloud(*[matter.Trip(fails_at='check')] * 1)
        server = next(iter(nova.world.servers.values()))
        server.trips *= 9
        first = self.executor(nova, policy=tasks.Policy(tries=2))
        first.run(self.plan(nova, 'compute-2'))
        for since, tries in ((nova.world.iso(0), 3), ('', 5)):
            run = self.executor(
                nova, policy=tasks.Policy(tries=2), since=since
            )
            run.run(self.plan(nova, 'compute-2'))
            self.assertEqual(tries, len(nova.asked()), since)

    def test_failures_are_explained(self) -> None:
        """Each try that failed, and only these."""
        nova = self.cloud(matter.Trip(fails_at='check'), matter.Trip())

        def explain(task: Task) -> Task:
            return dataclasses.replace(task, reason=f'why {task.tries}')

        run = self.executor(
            nova, policy=tasks.Policy(tries=1), explain=explain
        )
        ended = run.run(self.plan(nova))
        self.assertEqual(['why 1', ''], [task.reason for task in ended])


class FollowTest(ExecutorTest):
    def begin(self, nova: Recorder) -> Task:
        """Let a migration run that was asked for before."""
        server = next(iter(nova.world.servers.values()))
        nova.move(server, 'live-migration', 'compute-2', user=novas.OPERATOR)
        nova.world.pass_time(2)
        return machine.attach(
            nova.migrations()[0], name='server-0', memory_mb=512, is_ours=True
        )

    def test_what_is_under_way(self) -> None:
        """It is followed to its end, and not asked for again."""
        nova = self.cloud(matter.Trip())
        task = self.begin(nova)
        (ended,) = self.executor(nova).run(None, [task])
        self.assertEqual((Phase.DONE, 2.0), (ended.phase, ended.started))
        self.assertEqual([], nova.asked())

    def test_what_is_discovered(self) -> None:
        """A newer migration of a server takes the place of an older one."""
        nova = self.cloud(matter.Trip())
        task = self.begin(nova)
        run = self.executor(
            nova,
            discover=lambda records: (
                [
                    dataclasses.replace(
                        task, baseline=task.baseline, started=1.0
                    )
                ]
                if nova.world.now < 5
                else []
            ),
        )
        (ended,) = run.run(until=lambda: nova.world.now > 20)
        self.assertEqual((Phase.DONE, 1.0), (ended.phase, ended.started))
        self.assertGreater(nova.world.now, 20)

    def test_commands(self) -> None:
        """An abort is sent for what is under way, and only for that."""
        nova = self.cloud(matter.Trip(is_endless=True))
        run = self.executor(nova)
        self.assertRaises(
            exceptions.InvalidInput, run.command, 'nobody', Action.ABORT
        )
        (server,) = nova.world.servers
        nova.world.after(20, lambda: run.command(server, Action.ABORT))
        (ended,) = run.run(self.plan(nova))
        self.assertEqual('done', ended.phase)
        self.assertEqual(
            ['live-migrate', 'abort', 'reset-state', 'live-migrate'],
            [action for _, action, _ in nova.asked()],
        )
        self.assertIn('ordered by the operator', ended.attempts[0])
        self.assertRaises(
            exceptions.InvalidInput, run.command, server, Action.ABORT
        )

    def test_what_nova_forgot_is_left(self) -> None:
        """The loop ends although its record never does."""
        nova = self.cloud(matter.Trip(is_endless=True))
        run = self.executor(nova)
        (server,) = nova.world.servers
        nova.world.after(20, lambda: run.leave(server, 'why', 'what'))
        (ended,) = run.run(self.plan(nova))
        self.assertEqual(
            (Phase.STUCK, 'why', 'what'),
            (ended.phase, ended.reason, ended.remedy),
        )
