# SPDX-License-Identifier: Apache-2.0
"""What every plan keeps, counted anew and not by the checks themselves."""

import collections

import hypothesis
from hypothesis import strategies as st
from oslotest import base

from osc_migrate import model
from osc_migrate import planner
from osc_migrate import verdict
from osc_migrate.checks import Severity
from tests.property import strategies

CLOUDS = strategies.clouds()
_WAYS = {
    'active': ('live', 'cold'),
    'paused': ('live',),
    'stopped': ('cold',),
}


def free(host: model.Host) -> collections.Counter[str]:
    """Return what is left on a host by resource class."""
    left: collections.Counter[str] = collections.Counter()
    for provider in host.providers or ():
        for name, room in provider.resources.items():
            left[name] += max(0, room.capacity - room.used)
    return left


def needed(server: model.Server, host: model.Host) -> dict[str, int]:
    """Return what a server takes there; dedicated CPUs perhaps as shared."""
    wanted = dict(server.request.total)
    classes = {
        name
        for provider in host.providers or ()
        for name in provider.resources
    }
    if 'PCPU' in wanted and 'PCPU' not in classes:
        wanted['VCPU'] = wanted.get('VCPU', 0) + wanted.pop('PCPU')
    return wanted


class PlanTest(base.BaseTestCase):
    def replay(self, snapshot: model.Snapshot, plan: planner.Plan):
        """Yield each move with its server and the cloud just before it."""
        ahead = snapshot
        for move in plan.moves:
            yield move, ahead.servers[move.server_id], ahead
            ahead = ahead.after(move)

    @hypothesis.given(
        snapshot=CLOUDS,
        leaving=st.sampled_from([(), ('compute-1',)]),
        allow_cold=st.booleans(),
        order=st.sampled_from(planner.ORDERS),
    )
    def test_every_server_moves_or_is_explained(
        self, snapshot, leaving, allow_cold, order
    ):
        plan = planner.plan(
            snapshot, leaving, allow_cold=allow_cold, order=order
        )
        asked = {server.id for server in verdict.select(snapshot, leaving)}
        moved = [move.server_id for move in plan.moves]
        stranded = [server.id for server in plan.stranded]
        self.assertEqual(sorted(asked), sorted(moved + stranded))
        for findings in plan.stranded.values():
            self.assertNotEqual((), findings)
            for finding in findings:
                self.assertIs(Severity.ERROR, finding.severity)
                self.assertNotEqual('', finding.message)
        again = planner.plan(
            snapshot, leaving, allow_cold=allow_cold, order=order
        )
        self.assertEqual(plan.moves, again.moves)

    @hypothesis.given(snapshot=CLOUDS, allow_cold=st.booleans())
    def test_a_move_is_one_that_nova_would_make(self, snapshot, allow_cold):
        """The way suits the state, the destination its host and its zone."""
        plan = planner.plan(snapshot, 'compute-1', allow_cold=allow_cold)
        for move, server, _ in self.replay(snapshot, plan):
            destination = snapshot.hosts[move.destination]
            self.assertEqual('compute-1', move.source)
            self.assertNotEqual('compute-1', move.destination)
            self.assertEqual(
                ('enabled', 'up'), (destination.status, destination.state)
            )
            self.assertEqual('up', snapshot.hosts['compute-1'].state)
            self.assertIn(move.migration_type, _WAYS[server.vm_state])
            if move.migration_type == 'cold' and server.vm_state == 'active':
                self.assertTrue(allow_cold)
            pinned = server.pinned_availability_zone
            if pinned and (
                snapshot.aggregates is None
                or any(
                    aggregate.metadata['availability_zone'] == pinned
                    for aggregate in snapshot.aggregates
                )
            ):
                self.assertEqual(pinned, destination.zone)
            if destination.providers:
                traits = destination.providers[0].traits
                specs = server.flavor.extra_specs
                if 'trait:CUSTOM_GOLD' in specs:
                    self.assertIn('CUSTOM_GOLD', traits)
                if 'trait:CUSTOM_SLOW' in specs:
                    self.assertNotIn('CUSTOM_SLOW', traits)

    @hypothesis.given(snapshot=CLOUDS)
    def test_no_host_is_overfilled(self, snapshot):
        """By sums over each host, and provider by provider."""
        plan = planner.plan(snapshot, 'compute-1', allow_cold=True)
        left = {name: free(host) for name, host in snapshot.hosts.items()}
        for move, server, ahead in self.replay(snapshot, plan):
            destination = ahead.hosts[move.destination]
            if destination.providers is None:
                continue
            wanted = needed(server, destination)
            for name, amount in wanted.items():
                self.assertLessEqual(amount, left[destination.name][name])
            left[destination.name].subtract(wanted)
            after = ahead.after(move).hosts[destination.name]
            taken = 0
            for before, now in zip(
                destination.providers, after.providers, strict=True
            ):
                for name, room in now.resources.items():
                    amount = room.used - before.resources[name].used
                    taken += amount
                    if amount:
                        self.assertLessEqual(room.used, room.capacity)
                        self.assertLessEqual(
                            amount, room.max_unit or room.capacity
                        )
            self.assertEqual(sum(wanted.values()), taken)

    @hypothesis.given(snapshot=CLOUDS)
    def test_groups_are_kept(self, snapshot):
        plan = planner.plan(snapshot, 'compute-1', allow_cold=True)
        places = {
            server.id: server.host for server in snapshot.servers.values()
        }
        for move in plan.moves:
            for group in snapshot.groups.values():
                if move.server_id not in group.members:
                    continue
                there = [
                    member
                    for member in group.members
                    if places[member] == move.destination
                ]
                if group.policy == 'anti-affinity':
                    self.assertLess(len(there), group.max_server_per_host)
                if group.policy == 'affinity':
                    self.assertNotEqual([], there)
            places[move.server_id] = move.destination

    @hypothesis.given(snapshot=CLOUDS)
    def test_what_is_stranded_fits_nowhere(self, snapshot):
        """At the end no host is left that nothing forbids."""
        plan = planner.plan(snapshot, 'compute-1', allow_cold=True)
        ahead = snapshot
        for move in plan.moves:
            ahead = ahead.after(move)
        stays = {server.id for server in plan.stranded}
        report = verdict.preflight(ahead, 'compute-1')
        for entry in report.servers:
            self.assertIn(entry.server.id, stays)
            self.assertEqual((), entry.destinations)
