# SPDX-License-Identifier: Apache-2.0
"""A whole snapshot, from all that a real cloud answered when it was taken."""

from typing import Any
from unittest import mock

from keystoneauth1 import session as keystone_session

from osc_migrate import cloud
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import serial
from osc_migrate.cloud import placement
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import NEUTRON
from tests.unit.cloud.recorded import NOVA
from tests.unit.cloud.recorded import PLACEMENT

NAMES = {
    'plain',
    'moving',
    'waiting',
    'failing',
    'stopped',
    'paused',
    'broken',
    'web-1',
    'volume-backed',
    'owned',
}


class SurveyTest(recorded.RecordedTest):
    def setUp(self) -> None:
        super().setUp()
        patch = mock.patch.object(keystone_session.time, 'sleep')
        patch.start()
        self.addCleanup(patch.stop)

    def take(self, **of: Any) -> dict[str, model.Server]:
        """Take a snapshot of compute-1; return its servers by name."""
        self.snapshot = cloud.Cloud(self.session()).snapshot(
            **(of or {'host': 'compute-1'})
        )
        return {one.name: one for one in self.snapshot.servers.values()}


class NewestTest(SurveyTest):
    def setUp(self) -> None:
        super().setUp()
        self.replay('traffic')

    def test_has_all(self) -> None:
        """Servers, hosts, room, ports, groups and records, without a gap."""
        servers = self.take()
        snapshot = self.snapshot
        self.assertEqual((), snapshot.gaps)
        self.assertEqual(NAMES, servers.keys())
        self.assertEqual(4, len(snapshot.hosts))
        self.assertEqual('2.104', snapshot.compute_microversion)
        self.assertIn('admin', snapshot.roles)
        self.assertTrue(snapshot.user_id and snapshot.taken_at)
        self.assertEqual(
            ('fast',), tuple(a.name for a in snapshot.aggregates or ())
        )
        self.assertEqual(
            {'error', 'completed', 'finished', 'queued', 'running'},
            {record.status for record in snapshot.migrations or ()},
        )
        for host in snapshot.hosts.values():
            self.assertEqual(1, len(host.providers or ()))
            self.assertEqual(2, len(host.agents or ()))

    def test_servers_are_whole(self) -> None:
        """What belongs to a server is joined from all services."""
        servers = self.take()
        moving = servers['moving']
        self.assertEqual('migrating', moving.task_state)
        assert moving.topology is not None
        self.assertEqual(1, len(moving.topology.cells))
        self.assertEqual({'hw_disk_bus': 'virtio'}, moving.image_properties)
        self.assertEqual(frozenset(), moving.image_traits)
        plain = servers['plain']
        self.assertEqual(
            (('blue',), {'tier': '1'}), (plain.tags, plain.metadata)
        )
        self.assertIsNone(plain.topology)
        self.assertEqual(
            [{'VCPU': 1, 'MEMORY_MB': 512, 'DISK_GB': 1}],
            list((plain.allocations or {}).values()),
        )
        backed = servers['volume-backed']
        self.assertEqual((True, ''), (backed.is_volume_backed, backed.image))
        self.assertEqual(2, len(backed.volumes))
        self.assertEqual({'in-use'}, {one.status for one in backed.volumes})
        self.assertEqual(
            ['physnet1'], [p.physical_network for p in backed.ports or ()]
        )
        (group,) = servers['web-1'].groups or ()
        self.assertEqual(
            {servers['web-1'].id: 'compute-1'},
            self.snapshot.groups[group].members,
        )
        self.assertEqual((), plain.groups)
        self.assertTrue(servers['owned'].locked)
        self.assertEqual(
            {'error'}, {servers[one].vm_state for one in ('broken', 'failing')}
        )

    def test_placement_is_asked_once_for_what_is_alike(self) -> None:
        """Each distinct request, and all offered hosts by their names."""
        self.take()
        offers = self.snapshot.candidates
        self.assertEqual(3, len(offers))
        for offered in offers.values():
            self.assertEqual(set(), offered - self.snapshot.hosts.keys())
            self.assertNotIn('compute-3', offered)
            self.assertIn('compute-2', offered)

    def test_can_be_planned_and_kept(self) -> None:
        """What was recorded is good for all that follows."""
        self.take()
        plan = planner.plan(self.snapshot, 'compute-1')
        names = {self.snapshot.servers[m.server_id].name for m in plan.moves}
        self.assertEqual(set(), {'plain', 'stopped', 'volume-backed'} - names)
        self.assertTrue(
            {'broken', 'failing', 'moving', 'waiting'}.isdisjoint(names)
        )
        again = serial.from_json(model.Snapshot, serial.to_json(self.snapshot))
        self.assertEqual(self.snapshot, again)

    def test_unknown_names_are_refused(self) -> None:
        """Before anything is made of the rest."""
        self.wire.get(
            f'{NOVA}/servers/detail?name=%5Enobody%24', json={'servers': []}
        )
        self.wire.get(
            f'{NOVA}/os-migrations?limit=1000', json={'migrations': []}
        )
        for of, kind in (
            ({'host': 'compute-9'}, exceptions.HostNotFound),
            ({'servers': 'nobody'}, exceptions.ServerNotFound),
        ):
            self.wire.get(
                f'{NOVA}/os-migrations?host=compute-9',
                json={'migrations': []},
            )
            self.wire.get(
                f'{NOVA}/servers/detail?host=compute-9', json={'servers': []}
            )
            error = self.assertRaises(kind, self.take, **of)
            self.assertTrue(str(error))


class GapTest(SurveyTest):
    def setUp(self) -> None:
        super().setUp()
        self.replay('traffic')

    def forbidden(self, url: str) -> dict[str, model.Server]:
        """Take a snapshot when a part of it is forbidden."""
        self.answer('GET', url, 'answer-forbidden')
        return self.take()

    def test_what_may_not_be_read_is_unknown(self) -> None:
        """And one gap says what, why, and who could."""
        for url, subject in (
            (f'{NOVA}/os-aggregates', 'aggregates'),
            (f'{NOVA}/os-server-groups', 'server groups'),
            (f'{NOVA}/os-hypervisors/detail', 'hypervisors'),
            (f'{NOVA}/os-migrations', 'migrations'),
            (f'{NEUTRON}/v2.0/agents', 'network agents'),
            (f'{NEUTRON}/v2.0/ports', 'ports'),
        ):
            with self.subTest(subject):
                self.replay('traffic')
                servers = self.forbidden(url)
                (gap,) = self.snapshot.gaps
                self.assertEqual(subject, gap.subject)
                self.assertIn("Policy doesn't allow", gap.reason)
                self.assertIn('admin', gap.remedy)
                self.assertNotIn('admin', gap.reason)
                self.assertEqual(NAMES, servers.keys())

    def test_a_manager_sees_some_migrations(self) -> None:
        """What others began of the servers is unknown."""
        self.replay('traffic')
        project = recorded.body('token')['token']['project']['id']
        url = f'{NOVA}/os-migrations'
        self.answer('GET', url, 'answer-forbidden')
        self.answer('GET', f'{url}?project_id={project}', 'migrations')
        self.take()
        assert self.snapshot.migrations is not None
        self.assertEqual(5, len(self.snapshot.migrations))
        (gap,) = self.snapshot.gaps
        self.assertEqual('migrations', gap.subject)
        self.assertIn('project began', gap.reason)
        self.assertIn('role admin', gap.remedy)

    def test_without_placement(self) -> None:
        """Room is unknown, and so are offers and allocations."""
        self.answer(
            'GET', f'{PLACEMENT}/allocation_candidates', 'placement-forbidden'
        )
        servers = self.take()
        self.assertEqual(
            ['resource providers'], [gap.subject for gap in self.snapshot.gaps]
        )
        self.assertEqual(
            {None}, {h.providers for h in self.snapshot.hosts.values()}
        )
        self.assertEqual({}, self.snapshot.candidates)
        self.assertIsNone(self.snapshot.hosts['compute-1'].room('VCPU'))
        self.assertIsNone(servers['plain'].allocations)

    def test_without_services(self) -> None:
        """No host is known, which only matters to who asks for a host."""
        self.answer('GET', f'{NOVA}/os-services', 'answer-forbidden')
        self.assertRaises(exceptions.Forbidden, self.take)
        self.wire.get(
            f'{NOVA}/servers/detail',
            json={'servers': [recorded.server('active')]},
        )
        self.wire.get(f'{NOVA}/os-migrations', json={'migrations': []})
        self.wire.get(f'{NEUTRON}/v2.0/ports', json={'ports': []})
        name = recorded.server('active')['name']
        servers = self.take(servers=name)
        self.assertEqual({}, self.snapshot.hosts)
        self.assertEqual({}, self.snapshot.candidates)
        self.assertIsNone(servers[name].allocations)
        (gap,) = self.snapshot.gaps
        self.assertEqual('compute services', gap.subject)

    def test_servers_are_needed(self) -> None:
        """Without them there is no answer."""
        self.answer('GET', f'{NOVA}/servers/detail', 'answer-forbidden')
        self.assertRaises(exceptions.Forbidden, self.take)

    def test_what_is_broken_is_no_gap(self) -> None:
        """A service that fails is not one that does not tell."""
        for url in (
            f'{NOVA}/os-aggregates',
            f'{NEUTRON}/v2.0/ports',
            f'{PLACEMENT}/allocation_candidates',
        ):
            self.replay('traffic')
            self.wire.get(url, status_code=503)
            self.assertRaises(exceptions.ServiceUnavailable, self.take)


class OlderTest(SurveyTest):
    def test_what_it_does_not_tell_is_unknown(self) -> None:
        """2.90 knows no pinned zone, image properties, hints and shares."""
        self.older()
        self.replay('traffic-old')
        self.older()
        servers = self.take()
        self.assertEqual('2.90', self.snapshot.compute_microversion)
        plain = servers['plain']
        self.assertEqual(
            (None, None, None),
            (
                plain.pinned_availability_zone,
                plain.image_properties,
                plain.scheduler_hints,
            ),
        )
        self.assertEqual(('blue',), plain.tags)
        # of the image of a root volume Cinder keeps a copy
        kept = servers['volume-backed'].image_properties or {}
        self.assertEqual('virtio', kept['hw_disk_bus'])
        moving = servers['moving']
        self.assertIsNotNone(moving.topology)
        plan = planner.plan(self.snapshot, 'compute-1')
        self.assertGreater(len(plan.moves), 4)


class ProviderTest(recorded.RecordedTest):
    def test_microversion_is_that_of_the_scheduler(self) -> None:
        """Older ones do not know all that Nova asks for."""
        self.assertEqual('1.36', placement.MICROVERSION)
