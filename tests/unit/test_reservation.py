# SPDX-License-Identifier: Apache-2.0
"""A reserved destination, on the made-up Nova of the property tests.

The client is killed at every single request of a drain; then the same is run
again. Whatever the destination was before, it is in the end.
"""

import argparse
from collections.abc import Iterator
import contextlib
import re
from typing import Any

from oslotest import base

from osc_migrate import drain
from osc_migrate import exceptions
from osc_migrate import executor
from osc_migrate import handover
from osc_migrate import restore
from osc_migrate import testing
from osc_migrate import token
from osc_migrate.osc import misuse
from tests.property import matter
from tests.property import nova as novas
from tests.property import world as worlds

SOURCE, OTHER, DEST = HOSTS = ('compute-1', 'compute-2', 'compute-3')
STATES = {'enabled': None, 'by hand': 'bad (DIMM) [slot 3], 50 %'}


class Nova(novas.Nova):
    """One whose client can die, and that sees what is open when."""

    is_dead = False

    def __init__(
        self, world: worlds.World, at: int = 0, fault: str = 'crash-after'
    ) -> None:
        super().__init__(
            world,
            self,  # type: ignore[arg-type]
            faults={at: fault} if at else {},
            interruptions={},
            refusals={},
            patience=20_000,
        )
        self.open: list[bool] = []

    @contextlib.contextmanager
    def _request(self) -> Iterator[str]:
        if self.is_dead:
            raise novas.Crash
        self.open.append(DEST not in self.world.disabled)
        try:
            with super()._request() as fault:
                yield fault
        except novas.Crash:
            self.is_dead = True
            raise

    def asked(self, *_: Any) -> None:
        """A request that changes something has come."""

    took_off = placed = asked


class ReservationTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.world = worlds.World(HOSTS)

    def server(
        self, name: str, host: str = SOURCE, **attributes: Any
    ) -> matter.Server:
        """Put a server on a host."""
        values: dict[str, Any] = {
            'id': testing.identifier(name),
            'name': name,
            'ram': 512,
            'vm_state': 'active',
            'host': host,
            'trips': [],
        }
        server = matter.Server(**{**values, **attributes})
        self.world.servers[server.id] = server
        return server

    def drain(
        self, nova: Nova, to: str = DEST, *, is_reserved: bool = True
    ) -> tuple[drain.Drain, drain.Result]:
        """Drain the source, as the command does."""
        emptying = drain.Drain(
            nova,
            SOURCE,
            drain.Options(to=frozenset({to}), is_reserved=is_reserved),
        )
        kept = emptying.reservation
        if kept is not None:
            kept.clock, kept.sleep = self.world.clock, nova.sleep
            kept.check(emptying.token)
        plan = emptying.plan()
        mark = emptying.close(user='alice', reason='memory')
        runner = executor.Executor(
            kept or nova,
            choose=emptying.choose,
            hosts=emptying.services,
            is_ours=emptying.is_ours,
            since=mark.since,
            clock=self.world.clock,
            sleep=nova.sleep,
        )
        return emptying, emptying.run(plan, runner)

    def state(self, host: str = DEST) -> str | None:
        """Return the reason for which a host is disabled, if it is."""
        return self.world.disabled.get(host)


class WholeTest(ReservationTest):
    def test_is_closed_but_for_its_moves(self) -> None:
        """Open while a request is scheduled; what it was in the end."""
        for name, was in STATES.items():
            with self.subTest(name):
                self.world = worlds.World(HOSTS)
                if was is not None:
                    self.world.disabled[DEST] = was
                for number in range(3):
                    self.server(f'few-{number}')
                nova = Nova(self.world)
                kept, result = self.drain(nova)
                self.assertTrue(result.is_empty)
                self.assertEqual((), kept.reservation.strangers)
                self.assertEqual(
                    {DEST}, {s.host for s in self.world.servers.values()}
                )
                self.assertEqual(was, self.state())
                self.assertNotIn('reserves', self.state(SOURCE))
                # three moves of many requests each
                times = ''.join('x' if one else '.' for one in nova.open)
                opened = re.findall(r'(?<=\.)x+(?=\.)', times)
                self.assertEqual(3, len(opened), times)
                self.assertLess(max(map(len, opened)), 8)

    def test_cold_and_paused(self) -> None:
        """Every way of moving is let in."""
        self.server('stopped', vm_state='stopped')
        self.server('paused', vm_state='paused')
        _, result = self.drain(Nova(self.world))
        self.assertTrue(result.is_empty)
        self.assertIsNone(self.state())

    def test_a_slow_conductor_is_waited_for(self) -> None:
        """The door stays open until the scheduler has spoken."""
        self.server('slow', trips=[matter.Trip(lag=9)])
        _, result = self.drain(Nova(self.world))
        self.assertTrue(result.is_empty)
        self.assertEqual(['completed'], [r.status for r in self.world.records])
        self.assertIsNone(self.state())

    def test_a_request_that_nova_refuses(self) -> None:
        """Nothing comes of it, and the door is closed at once."""
        server = self.server('refused')
        nova = Nova(self.world)
        nova._refusals = {server.id: 400}
        _, result = self.drain(nova)
        self.assertEqual(['failed'], [str(t.phase) for t in result.tasks])
        self.assertEqual([], self.world.records)
        self.assertIsNone(self.state())

    def test_refused_unless_empty(self) -> None:
        """Nothing has changed, and the choice is told."""
        self.server('mine')
        self.server('stranger', DEST)
        error = self.assertRaises(
            exceptions.InvalidInput, self.drain, Nova(self.world)
        )
        self.assertIn('the server stranger', str(error))
        self.assertIn(
            'openstack compute drain compute-3 --no-disable --server '
            + testing.identifier('stranger'),
            str(error),
        )
        self.assertEqual({}, self.world.disabled)

    def test_what_slips_in_stops_the_drain(self) -> None:
        """What runs is ended, nothing more is begun, and it is said."""
        for number in range(4):
            self.server(f'few-{number}')

        def slip_in() -> None:
            self.server('stranger', DEST)

        self.world.after(2, slip_in)
        kept, result = self.drain(Nova(self.world))
        held = kept.reservation
        self.assertEqual(['stranger'], [one.name for one in held.strangers])
        said = held.warning('openstack compute drain compute-1')
        self.assertIn('compute-3 holds what is not of', said)
        self.assertIn('--reserve: openstack compute drain compute-1', said)
        phases = [str(task.phase) for task in result.tasks]
        self.assertEqual({'done', 'pending'}, set(phases))
        self.assertIsNone(self.state())

    def test_only_one_and_known(self) -> None:
        """A library is told so, too."""
        nova = Nova(self.world)
        two = drain.Options(to=frozenset(HOSTS[1:]), is_reserved=True)
        self.assertRaises(
            exceptions.InvalidInput, drain.Drain, nova, SOURCE, two
        )
        self.assertRaises(
            exceptions.HostNotFound, self.drain, nova, 'compute-9'
        )

    def test_reserved_by_another_drain(self) -> None:
        """Its name is told, and how to end that."""
        self.world.disabled[DEST] = (
            '[osc-migrate: reserved for compute-2 by bob (b0b) since '
            '2026-01-01T00:00:00Z, was enabled]'
        )
        error = self.assertRaises(
            exceptions.InvalidInput, self.drain, Nova(self.world)
        )
        self.assertIn('the drain of compute-2 by bob', str(error))
        self.assertIn('openstack compute undrain compute-2', str(error))

    def test_disabled_by_nova_itself(self) -> None:
        """A host that lost its hypervisor is no destination."""
        self.world.disabled[DEST] = 'AUTO: Connection to libvirt lost'
        error = self.assertRaises(
            exceptions.InvalidInput, self.drain, Nova(self.world)
        )
        self.assertIn('by Nova itself', str(error))


class OptionsTest(base.BaseTestCase):
    def misuse(self, **options: Any) -> str:
        """Return what is wrong with options."""
        known = {
            'host': SOURCE,
            'evacuate': False,
            'fenced': False,
            'reserve': True,
            'to': [DEST],
            'scheduler': False,
            'no_disable': False,
            'reason': '',
        }
        return misuse.of_drain(argparse.Namespace(**{**known, **options}))

    def test_one_destination_and_a_host_that_remembers(self) -> None:
        """All else is wrong usage."""
        self.assertEqual('', self.misuse())
        self.assertEqual('', self.misuse(to=[], reserve=False))
        for to in ([], [OTHER, DEST]):
            self.assertIn('exactly one --to', self.misuse(to=to))
        self.assertIn('--no-disable', self.misuse(no_disable=True))
        self.assertIn('say --fenced', self.misuse(evacuate=True))


class KilledTest(ReservationTest):
    def killed(self, was: str | None, number: int) -> Nova | None:
        """Kill a drain at a request; return Nova if it got that far."""
        self.world = worlds.World(HOSTS)
        nova = Nova(self.world, number)
        if was is not None:
            self.world.disabled[DEST] = was
        self.server('a')
        self.server('b', vm_state='stopped')
        try:
            self.drain(nova)
        except novas.Crash:
            nova.is_dead = False
            return nova
        return None

    def each_kill(self, was: str | None) -> Iterator[tuple[int, Nova]]:
        """Kill a drain at its first request, its second, and so on."""
        number = 1
        while nova := self.killed(was, number):
            yield number, nova
            number += 1
        self.assertGreater(number, 40)

    def test_run_again(self) -> None:
        """The same command, then: all moved once, all as it was.

        One request that was being scheduled may find the door closed.
        """
        for name, was in STATES.items():
            for number, nova in self.each_kill(was):
                with self.subTest(name, number=number):
                    _, result = self.drain(nova)
                    self.assertTrue(result.is_empty)
                    self.assertEqual(was, self.state())
                    ended = [r.status for r in self.world.records]
                    self.assertEqual(2, len(set(ended) - {'error'}), ended)
                    self.assertLessEqual(ended.count('error'), 1)
                    self.assertNotIn('reserves', self.state(SOURCE))

    def test_run_again_without_reserving(self) -> None:
        """It is given back before anything else."""
        for name, was in STATES.items():
            for number, nova in self.each_kill(was):
                with self.subTest(name, number=number):
                    self.drain(nova, OTHER, is_reserved=False)
                    self.assertEqual(was, self.state())
                    self.assertNotIn('reserves', self.state(SOURCE))

    def test_undone(self) -> None:
        """Undrain gives both hosts back."""
        for name, was in STATES.items():
            for number, nova in self.each_kill(was):
                with self.subTest(name, number=number):
                    service, mark = restore.mark(nova, SOURCE)
                    if mark is not None:
                        restore.reopen(nova, service, mark)
                    self.assertEqual(was, self.state())
                    self.assertIsNone(self.state(SOURCE))

    def test_its_source_was_enabled_by_hand(self) -> None:
        """Then the mark of the destination itself tells what it was."""
        for was in STATES.values():
            for _, nova in self.each_kill(was):
                held = token.read_reserved(self.state())
                if held is None:
                    continue
                del self.world.disabled[SOURCE]
                service, mark = restore.mark(nova, DEST)
                self.assertEqual(held, mark)
                restore.reopen(nova, service, mark)
                self.assertEqual(was, self.state())


class FaultTest(ReservationTest):
    def test_one_request_goes_wrong(self) -> None:
        """No answer, a lost one, an error: it goes on, or can be run again."""
        for fault in ('reset', 'lost', 'broken'):
            number = reached = 1
            while reached >= number:
                with self.subTest(fault, number=number):
                    self.world = worlds.World(HOSTS)
                    self.world.disabled[DEST] = 'by hand'
                    self.server('a')
                    nova = Nova(self.world, number, fault)
                    try:
                        self.drain(nova)
                    except exceptions.CloudError:
                        self.drain(nova)
                    self.assertEqual('by hand', self.state())
                    self.assertEqual(
                        [DEST], [s.host for s in self.world.servers.values()]
                    )
                    self.assertNotIn('reserves', self.state(SOURCE))
                number, reached = number + 1, nova.number
            self.assertGreater(number, 30)


class GiveBackTest(ReservationTest):
    def given_back(self, present: str | None, **reserved: str) -> str:
        """Give a host back; return what is said."""
        if present is not None:
            self.world.disabled[DEST] = present
        kept = token.Reserved(
            **{'host': DEST, 'was': 'enabled', 'reason': '', **reserved}
        )
        return handover.give_back(Nova(self.world), SOURCE, kept)

    def test_what_others_did_since_is_left(self) -> None:
        """A host that somebody disabled by hand is not enabled."""
        said = self.given_back('smoke!')
        self.assertEqual('smoke!', self.state())
        self.assertIn('disabled (smoke!) and stays so', said)

    def test_a_host_that_is_gone(self) -> None:
        """It was deleted: nothing can be done."""
        self.assertIn('exists no more', self.given_back(None, host='gone'))

    def test_without_a_reason(self) -> None:
        """None was given, none is given again."""
        self.given_back(None, was='disabled')
        self.assertEqual('', self.state())
