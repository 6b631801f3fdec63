# SPDX-License-Identifier: Apache-2.0
"""Hosts that were closed or died since the plan."""

from oslotest import base

from osc_migrate import executor
from osc_migrate import hosts
from osc_migrate import testing
from osc_migrate.task import Phase
from osc_migrate.task import Task
from tests.property import matter
from tests.unit import scenes
from tests.unit import test_executor


class AimedTest(base.BaseTestCase):
    def aimed(self, task: Task, **changed: str) -> tuple[Task, str]:
        """Look at hosts of which one has changed."""
        name = changed.pop('name', 'compute-2')
        known = {f'compute-{n}': testing.host(f'compute-{n}') for n in (1, 2)}
        known[name] = testing.host(name, **changed)
        return hosts.aimed(task, known)

    def test_nothing_is_known(self) -> None:
        """Then nothing is in the way."""
        task = scenes.pending()
        self.assertEqual((task, ''), hosts.aimed(task, {}))

    def test_open_hosts(self) -> None:
        """The move begins as it was planned, the source disabled or not."""
        task = scenes.pending()
        self.assertEqual((task, ''), self.aimed(task))
        closed = {'name': 'compute-1', 'status': 'disabled'}
        self.assertEqual((task, ''), self.aimed(task, **closed))

    def test_a_closed_destination_is_none(self) -> None:
        """Disabled or down: as if Nova had refused it."""
        for changed in ({'status': 'disabled'}, {'state': 'down'}):
            task, why = self.aimed(scenes.pending(), **changed)
            self.assertEqual('', why)
            self.assertIsNone(task.move.destination)
            self.assertEqual({'compute-2'}, task.refused)

    def test_a_dead_source_is_waited_for(self) -> None:
        """Nova would take the request and fail it."""
        task, why = self.aimed(
            scenes.pending(), name='compute-1', state='down'
        )
        self.assertIn('nova-compute of compute-1 is down', why)
        self.assertEqual('compute-2', task.move.destination)

    def test_a_dead_source_is_evacuated(self) -> None:
        """That is what evacuations are for."""
        task = scenes.pending(way=scenes.EVACUATE)
        _, why = self.aimed(task, name='compute-1', state='down')
        self.assertEqual('', why)


class ToldTest(base.BaseTestCase):
    def told(self, task: Task, *down: str) -> str:
        """Return the reason of a move while some hosts are down."""
        known = {
            name: testing.host(name, state='down' if name in down else 'up')
            for name in ('compute-1', 'compute-2')
        }
        return hosts.told(task, known).reason

    def test_a_host_that_is_down_is_named(self) -> None:
        """The source or the destination; and no longer when it is back."""
        task = scenes.task(Phase.RUNNING)
        self.assertEqual('', self.told(task))
        for name in ('compute-1', 'compute-2'):
            said = self.told(task, name)
            self.assertEqual(
                f'nova-compute of {name} is down, last heartbeat '
                '2026-01-01T00:00:00 UTC',
                said,
            )
            again = scenes.task(Phase.RUNNING, reason=said)
            self.assertEqual(said, self.told(again, name))
            self.assertEqual('', self.told(again))

    def test_other_reasons_count_more(self) -> None:
        """And what waits, is over, or is evacuated is left alone."""
        for task in (
            scenes.task(Phase.ABORTING, reason='late'),
            scenes.pending(),
            scenes.task(Phase.DONE),
            scenes.task(way=scenes.EVACUATE),
        ):
            self.assertEqual(task.reason, self.told(task, 'compute-1'))


class BeginTest(test_executor.ExecutorTest):
    def test_a_destination_that_was_closed_costs_no_try(self) -> None:
        """The next one is asked at once."""
        nova = self.cloud(matter.Trip())
        plan = self.plan(nova, 'compute-2')
        nova.world.disabled['compute-2'] = 'drained'
        runner = self.executor(
            nova, hosts=nova.services, choose=lambda task: 'compute-3'
        )
        (task,) = runner.run(plan)
        self.assertEqual(('done', 'compute-3'), (task.phase, task.destination))
        self.assertEqual(1, len(nova.world.records))

    def test_a_source_that_comes_back(self) -> None:
        """Nothing is asked until it does."""
        nova = self.cloud(matter.Trip())
        plan = self.plan(nova)
        nova.world.down.add('compute-1')
        nova.world.after(60, lambda: nova.world.down.remove('compute-1'))
        (task,) = self.executor(nova, hosts=nova.services).run(plan)
        self.assertEqual('done', task.phase)
        ((at, _, _),) = nova.asked()
        self.assertGreaterEqual(at, 60)

    def test_a_source_that_stays_down(self) -> None:
        """It is given up after ten minutes, and said why."""
        nova = self.cloud(matter.Trip())
        plan = self.plan(nova)
        nova.world.down.add('compute-1')
        (task,) = self.executor(nova, hosts=nova.services).run(plan)
        self.assertEqual('failed', task.phase)
        self.assertIn('nova-compute of compute-1 is down', task.reason)
        self.assertEqual([], nova.asked())


class JoinTest(test_executor.ExecutorTest):
    def joined(self, runner: executor.Executor, nova: object) -> Task:
        """Let somebody else move the server while we wait to begin."""
        assert isinstance(nova, test_executor.Recorder)
        plan = self.plan(nova)
        (server,) = nova.world.servers.values()
        server.vm_state = 'stopped'
        nova.move(server, 'migration', 'compute-3', user='somebody')
        nova.world.pass_time(3)
        (task,) = runner.run(plan)
        return task

    def test_what_another_run_began_is_confirmed(self) -> None:
        """It may have died before it came to that."""
        nova = self.cloud(matter.Trip())
        runner = self.executor(nova, is_ours=lambda record: True)
        self.assertEqual('done', self.joined(runner, nova).phase)

    def test_what_somebody_began_is_theirs_to_confirm(self) -> None:
        """Nobody asked us to."""
        nova = self.cloud(matter.Trip())
        task = self.joined(self.executor(nova), nova)
        self.assertEqual('failed', task.phase)
        self.assertIn('has not confirmed', task.reason)
