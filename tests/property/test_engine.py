# SPDX-License-Identifier: Apache-2.0
"""The whole drain against made-up clouds in which much goes wrong.

A client that dies is started again, as an operator would, and knows nothing
of before but what Nova shows.
"""

import dataclasses
import unittest

import hypothesis

from osc_migrate import drain
from osc_migrate import exceptions
from osc_migrate import executor
from osc_migrate import limits as limits_module
from osc_migrate import testing
from osc_migrate.task import Action
from osc_migrate.task import Phase
from osc_migrate.task import Request
from osc_migrate.task import Task
from tests.property import engine_strategies
from tests.property import matter
from tests.property import nova as novas
from tests.property import world as worlds

HOST = 'compute-1'
# virtual seconds
PATIENCE = 10_000
MOVES = (Action.LIVE_MIGRATE, Action.COLD_MIGRATE)
BAD = ('failed', 'error', 'cancelled', 'reverted')


class Watchdog:
    """Notes what must never be asked.

    Of what others do it counts only what the client could have seen.
    """

    def __init__(
        self, limits: limits_module.Limits, *, allow_cold: bool
    ) -> None:
        self._limits = limits
        self._allow_cold = allow_cold
        self.complaints: list[str] = []
        self.ended: dict[str, Task] = {}

    def asked(self, nova: novas.Nova, request: Request) -> None:
        """See whether a request may be sent."""
        server = nova.world.servers[request.server_id]
        record = nova.newest(server)
        if not server.exists:
            return
        if request.action in MOVES:
            self._move(nova, server, request.action)
        elif request.action is Action.CONFIRM:
            is_ours = record and record.user_id == novas.OPERATOR
            if not is_ours or record.migration_type != 'migration':
                self._complain(nova, f"confirms another's resize: {server}")
        elif request.action is Action.RESET_STATE:
            is_lost = record and record.migration_type == 'live-migration'
            if server.vm_state != 'error' or server.host != HOST:
                self._complain(nova, f'resets what is well: {server}')
            if not is_lost or server.power_state == matter.SHUTDOWN:
                self._complain(nova, f'resets what is broken: {server}')
        elif request.action is Action.PAUSE and record.was != 'paused':
            self._complain(nova, f'pauses what ran: {server}')

    def _move(
        self, nova: novas.Nova, server: matter.Server, action: Action
    ) -> None:
        is_cold = action is Action.COLD_MIGRATE
        if is_cold and server.vm_state == 'active' and not self._allow_cold:
            self._complain(nova, f'powers off: {server}')
        if server.host != HOST:
            self._complain(nova, f'moves what has moved: {server}')
        looked = nova.looks.get(server.id, 0)
        if looked <= nova.rested:
            self._complain(nova, f'asks without a look: {server}')
        for flight in nova.flights:
            if flight.server is not server:
                continue
            record = flight.record
            if flight.user_id != novas.OPERATOR:
                if not flight.is_over and flight.asked <= looked:
                    self._complain(nova, f'asks what is under way: {server}')
            elif not flight.is_over or (
                record.status not in BAD and record.is_alive
            ):
                self._complain(nova, f'asks twice: {server}')

    def saw(self, task: Task) -> None:
        """See whether what has ended stays so, as long as a client lives."""
        known = self.ended.setdefault(task.server_id, task)
        if known.phase is not task.phase:
            self.complaints.append(f'{known} has ended, and now is {task}')
        if not task.phase.is_final:
            del self.ended[task.server_id]

    def took_off(self, nova: novas.Nova, flight: novas.Flight) -> None:
        """See whether one more may be under way."""
        beside = self._beside(nova, flight)
        leaving = [f for f in beside if f.source == flight.source]
        for which, count, most in (
            ('in all', len(beside), self._limits.total),
            ('from its source', len(leaving), self._limits.per_source),
        ):
            if count >= most:
                self._complain(nova, f'{count + 1} {which}: {flight}')
        if flight.destination is not None:
            self.placed(nova, flight)

    def placed(self, nova: novas.Nova, flight: novas.Flight) -> None:
        """See whether one more may be on its way to a host."""
        there = [
            other
            for other in self._beside(nova, flight)
            if other.destination == flight.destination
        ]
        if len(there) >= self._limits.per_destination:
            self._complain(nova, f'{len(there) + 1} to one host: {flight}')
        group = flight.server.group
        if group and any(other.server.group == group for other in there):
            self._complain(nova, f'rivals to one host: {flight}')

    def _beside(
        self, nova: novas.Nova, flight: novas.Flight
    ) -> list[novas.Flight]:
        """Return what else is under way, as far as the client can know."""
        return [
            other
            for other in nova.flights
            if other is not flight
            and not other.is_over
            and (
                other.user_id == novas.OPERATOR
                or (other.recorded or flight.read) < flight.read
            )
        ]

    def _complain(self, nova: novas.Nova, text: str) -> None:
        self.complaints.append(
            f'request {nova.number} at {nova.world.now:.1f} s {text}'
        )


class Rehearsal:
    """A cloud that was made up, and the drain of its first host."""

    def __init__(self, case: engine_strategies.Case) -> None:
        self.case = case
        self.watchdog = Watchdog(
            case.limits, allow_cold=case.policy.allow_cold
        )
        self.world = worlds.World(
            engine_strategies.HOSTS,
            leaves_error=case.leaves_error,
            per_source=case.per_source,
            confirms_after=case.confirms_after,
        )
        for number, seed in enumerate(case.seeds):
            server = _server(f'server-{number}', seed)
            self.world.servers[server.id] = server
        ids = list(self.world.servers)
        self.before = {s.id: s.vm_state for s in self.world.servers.values()}
        self.nova = novas.Nova(
            self.world,
            self.watchdog,
            faults=case.faults,
            interruptions={act.number: act for act in case.acts if act.number},
            refusals={
                ids[index % len(ids)]: status
                for index, status in case.refusals.items()
            },
            patience=PATIENCE,
        )
        for act in case.acts:
            if act.number is None:
                self.world.after(act.seconds, lambda a=act: a(self.nova))

    def run(self) -> drain.Result:
        """Drain the host; begin anew as often as the client dies."""
        while True:
            try:
                return self._run_once()
            except (novas.Crash, exceptions.ServiceUnavailable):
                # an operator takes a moment
                self.nova.sleep(3)

    def was_reset(self, server: matter.Server) -> bool:
        """Whether a client died after it had reset a paused server.

        Nova can reset to active only, and then nothing in it tells the next
        client that the server was paused.
        """
        has_died = any(
            fault[:5] == 'crash' for fault in self.case.faults.values()
        )
        was_paused = self.before[server.id] == 'paused'
        return has_died and was_paused and server.vm_state == 'active'

    def _run_once(self) -> drain.Result:
        self.watchdog.ended = {}
        emptying = drain.Drain(self.nova, HOST, self.case.options)
        plan = emptying.plan()
        token = emptying.close(user='alice')
        runner = executor.Executor(
            self.nova,
            limits=self.case.limits,
            policy=self.case.policy,
            choose=emptying.choose,
            reporters=[self.watchdog.saw],
            hosts=emptying.services,
            is_ours=emptying.is_ours,
            since=token.since,
            clock=self.world.clock,
            sleep=self.nova.sleep,
        )
        return emptying.run(plan, runner)


def _server(name: str, seed: engine_strategies.Seed) -> matter.Server:
    is_broken = seed.vm_state == 'error'
    return matter.Server(
        id=testing.identifier(name),
        name=name,
        ram=seed.ram,
        vm_state=seed.vm_state,
        host=HOST,
        group=seed.group,
        power_state=matter.POWER.get(seed.vm_state, matter.RUNNING),
        fault='broken before' if is_broken else None,
        trips=list(seed.trips),
    )


class DrainTest(unittest.TestCase):
    """What holds of every drain, whatever goes wrong."""

    maxDiff = None

    @hypothesis.given(engine_strategies.ANY_CASES)
    def test_hostile_cloud(self, case: engine_strategies.Case) -> None:
        """It asks nothing wrong, comes to an end and tells the truth."""
        rehearsal = Rehearsal(case)
        result = rehearsal.run()
        rehearsal.world.pass_time(600)
        self.assertEqual([], rehearsal.watchdog.complaints)
        self._tells_the_truth(rehearsal, result)

    @hypothesis.given(engine_strategies.KIND_CASES)
    def test_kind_cloud(self, case: engine_strategies.Case) -> None:
        """Where all migrations go well, the host is emptied.

        However often requests fail or the client dies, all servers are what
        they were.
        """
        rehearsal = Rehearsal(case)
        result = rehearsal.run()
        self.assertEqual([], rehearsal.watchdog.complaints)
        self.assertEqual((), result.leftovers)
        for server in rehearsal.world.servers.values():
            self.assertNotEqual(HOST, server.host)
            self.assertEqual(rehearsal.before[server.id], server.vm_state)
            self.assertIsNone(server.task_state)

    def test_every_moment(self) -> None:
        """A fault at any one request changes nothing of how it ends.

        Nor does it cost a server a second request, whichever fault it is.
        """
        case = engine_strategies.ALL_KINDS
        last = self._ends_well(case)
        for number in range(1, last + 1):
            for fault in novas.FAULTS:
                with self.subTest(f'{fault} at request {number} of {last}'):
                    self._ends_well(
                        dataclasses.replace(case, faults={number: fault})
                    )

    def _ends_well(self, case: engine_strategies.Case) -> int:
        """Drain; return how many requests that took."""
        rehearsal = Rehearsal(case)
        result = rehearsal.run()
        nova = rehearsal.nova
        self.assertEqual([], rehearsal.watchdog.complaints)
        self.assertEqual((), result.leftovers)
        for server in rehearsal.world.servers.values():
            self.assertEqual(rehearsal.before[server.id], server.vm_state)
            (flight,) = (f for f in nova.flights if f.server is server)
            self.assertEqual(flight.record.destination, server.host)
        return nova.number

    def test_every_moment_of_a_bad_day(self) -> None:
        """The same where servers fail in all ways, twice in a row."""
        case = engine_strategies.ALL_TROUBLES
        rehearsal = Rehearsal(case)
        rehearsal.run()
        last = rehearsal.nova.number
        # every other one: it takes its time
        for number in range(1, last + 1, 2):
            fault = novas.FAULTS[number % len(novas.FAULTS)]
            with self.subTest(f'{fault} at request {number} of {last}'):
                faults = {number: fault, number + 3: fault}
                rehearsal = Rehearsal(dataclasses.replace(case, faults=faults))
                result = rehearsal.run()
                rehearsal.world.pass_time(600)
                self.assertEqual([], rehearsal.watchdog.complaints)
                self._tells_the_truth(rehearsal, result)

    def _tells_the_truth(
        self, rehearsal: Rehearsal, result: drain.Result
    ) -> None:
        left = {found.id for found in result.leftovers}
        named = {found.name for found in result.leftovers}
        tasks = {task.server_id: task for task in result.tasks}
        for task in result.tasks:
            self.assertNotIn(task.phase, (Phase.PENDING, Phase.ASKED))
            if task.phase is not Phase.DONE:
                self.assertTrue(task.reason, task)
        for found in result.leftovers:
            self.assertTrue(found.message, found)
        for server in rehearsal.world.servers.values():
            if not server.exists or server.is_touched:
                continue
            task = tasks.get(server.id)
            if task and task.phase is Phase.DONE:
                self.assertEqual(task.record.dest_compute, server.host)
            if server.host == HOST:
                self.assertIn(server.id, left, server)
            elif server.id in named or rehearsal.was_reset(server):
                continue
            elif server.vm_state != rehearsal.before[server.id]:
                self.assertIsNotNone(task, server)
                self.assertIn(task.phase, (Phase.FAILED, Phase.STUCK))
