# SPDX-License-Identifier: Apache-2.0
"""What Nova shows, as its real answers show it."""

from typing import Any
from unittest import mock

from osc_migrate import cloud
from osc_migrate import exceptions
from osc_migrate import testing
from osc_migrate.cloud import compute
from osc_migrate.task import Sight
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import NOVA
from tests.unit.cloud.recorded import query

PLAIN = recorded.server('active')
SERVERS = f'{NOVA}/servers/detail'


class SightTest(recorded.RecordedTest):
    def test_shows_what_matters(self) -> None:
        """Of each state that a server is in while it moves."""
        at_rest = {'task_state': None, 'power_state': 1, 'host': 'compute-1'}
        for name, expected in (
            ('active', {'status': 'ACTIVE', 'vm_state': 'active', **at_rest}),
            (
                'migrating',
                {
                    'status': 'MIGRATING',
                    'vm_state': 'active',
                    **at_rest,
                    'task_state': 'migrating',
                    'memory_mb': 4096,
                },
            ),
            (
                'unconfirmed',
                {
                    'status': 'VERIFY_RESIZE',
                    'vm_state': 'resized',
                    **at_rest,
                    'host': 'compute-2',
                },
            ),
            ('failed', {'status': 'ERROR', 'vm_state': 'error', **at_rest}),
            (
                'paused',
                {
                    'status': 'PAUSED',
                    'vm_state': 'paused',
                    **at_rest,
                    'power_state': 3,
                },
            ),
        ):
            with self.subTest(name):
                seen = compute.sight(recorded.server(name))
                self.assertTrue(seen.exists)
                self.assertEqual(recorded.server(name)['name'], seen.name)
                for key, value in {'memory_mb': 512, **expected}.items():
                    self.assertEqual(value, getattr(seen, key), key)
                self.assertIsNone(seen.fault)

    def test_shows_the_fault(self) -> None:
        """Its message only."""
        known = {**PLAIN, 'fault': {'message': 'No port.', 'code': 500}}
        self.assertEqual('No port.', compute.sight(known).fault)

    def test_shows_what_is_gone(self) -> None:
        """Nothing but that."""
        self.assertEqual(Sight(exists=False), compute.sight(None))
        known = {**PLAIN, 'status': 'DELETED'}
        self.assertEqual(Sight(exists=False), compute.sight(known))

    def test_bears_what_a_broken_cell_leaves_out(self) -> None:
        """Then Nova shows little more than the id."""
        known = {
            key: value
            for key, value in PLAIN.items()
            if not key.startswith('OS-')
        }
        seen = compute.sight({**known, 'status': 'UNKNOWN'})
        self.assertEqual((None, None), (seen.vm_state, seen.host))


class ServerTest(recorded.RecordedTest):
    def test_looks_at_one(self) -> None:
        """At the newest microversion that Nova and we know."""
        self.answer('GET', f'{NOVA}/servers/1', 'server-active')
        seen = cloud.Cloud(self.session()).look('1')
        self.assertEqual('ACTIVE', seen.status)
        (request,) = self.asked()
        self.assertEqual(
            'compute 2.100', request.headers['OpenStack-API-Version']
        )

    def test_one_that_is_gone(self) -> None:
        """404 is an answer; anything else is an error."""
        self.answer('GET', f'{NOVA}/servers/1', 'server-gone')
        self.assertFalse(cloud.Cloud(self.session()).look('1').exists)
        self.answer('GET', f'{NOVA}/servers/1', 'answer-forbidden')
        self.assertRaises(
            exceptions.Forbidden, cloud.Cloud(self.session()).look, '1'
        )

    def test_lists_those_of_a_host(self) -> None:
        """Of all projects, by their ids."""
        self.answer('GET', SERVERS, 'servers')
        seen = cloud.Cloud(self.session()).servers_on('compute-1')
        listed = recorded.body('servers')['servers']
        self.assertEqual({one['id'] for one in listed}, seen.keys())
        self.assertIn('MIGRATING', {one.status for one in seen.values()})
        (request,) = self.asked()
        self.assertEqual(
            {'all_tenants': ['1'], 'limit': ['1000'], 'host': ['compute-1']},
            query(request),
        )

    def test_lists_page_by_page(self) -> None:
        """Until a page is not full; the marker is the last id."""
        listed = recorded.body('servers')['servers']
        pages = [listed[:5], listed[5:10], listed[10:]]
        self.wire.get(SERVERS, [{'json': {'servers': page}} for page in pages])
        with mock.patch.object(compute, 'PAGE', 5):
            found = list(compute.servers(self.link(), host='compute-1'))
        self.assertEqual(listed, found)
        self.assertEqual(
            [None, [listed[4]['id']], [listed[9]['id']]],
            [query(request).get('marker') for request in self.asked()],
        )

    def test_an_older_nova_is_asked_for_what_it_knows(self) -> None:
        """At 2.90 nothing of what is needed to look is missing."""
        self.older()
        self.answer('GET', SERVERS, 'old-servers')
        seen = cloud.Cloud(self.session()).servers_on('compute-1')
        self.assertEqual({None}, {one.fault for one in seen.values()})
        self.assertIn('PAUSED', {one.status for one in seen.values()})
        (request,) = self.asked()
        self.assertEqual(
            'compute 2.90', request.headers['OpenStack-API-Version']
        )

    def test_lists_those_that_the_caller_may_see(self) -> None:
        """Of the caller's project, where a role does not reach further."""
        self.answer('GET', f'{SERVERS}?all_tenants=1', 'answer-forbidden')
        self.answer('GET', f'{SERVERS}?all_tenants=0', 'servers')
        seen = cloud.Cloud(self.session()).sights({'changes-since': '2026'})
        listed = recorded.body('servers')['servers']
        self.assertEqual({one['id'] for one in listed}, seen.keys())
        self.assertEqual(['2026'], query(self.asked()[1])['changes-since'])

    def test_filters_may_have_several_values(self) -> None:
        """Each is sent."""
        self.answer('GET', SERVERS, 'servers')
        cloud.Cloud(self.session()).sights({'status': ('ACTIVE', 'ERROR')})
        (request,) = self.asked()
        self.assertEqual(['ACTIVE', 'ERROR'], query(request)['status'])


class FindTest(recorded.RecordedTest):
    def find(self, name: str, *bodies: dict[str, Any]) -> dict[str, Any]:
        """Find a server among these."""
        self.wire.get(SERVERS, json={'servers': list(bodies)})
        return compute.find_server(self.link(), name)

    def test_by_name(self) -> None:
        """Nova takes a name for a pattern; only the exact one is meant."""
        other = {**PLAIN, 'name': 'plain-2'}
        self.assertEqual(PLAIN, self.find('plain', other, PLAIN))
        (request,) = self.asked()
        self.assertEqual(['^plain$'], query(request)['name'])
        known = {**PLAIN, 'name': 'a.b+c'}
        self.assertEqual(known, self.find('a.b+c', known))
        self.assertEqual([r'^a\.b\+c$'], query(self.asked()[-1])['name'])

    def test_by_name_in_the_caller_s_project(self) -> None:
        """Where a role does not reach further."""
        url = f'{NOVA}/servers/detail'
        self.answer('GET', f'{url}?all_tenants=1', 'answer-forbidden')
        self.wire.get(f'{url}?all_tenants=0', json={'servers': [PLAIN]})
        known = compute.find_server(self.link(), 'plain')
        self.assertEqual(PLAIN, known)

    def test_by_id(self) -> None:
        """Without a listing; an id that is none may be a name."""
        self.answer('GET', f'{NOVA}/servers/{PLAIN["id"]}', 'server-active')
        self.assertEqual(PLAIN, self.find(PLAIN['id']))
        self.assertEqual(1, len(self.asked()))
        name = testing.identifier('odd name')
        self.answer('GET', f'{NOVA}/servers/{name}', 'server-gone')
        known = {**PLAIN, 'name': name}
        self.assertEqual(known, self.find(name, known))

    def test_none_or_several(self) -> None:
        """Nothing is guessed."""
        self.assertRaises(exceptions.ServerNotFound, self.find, 'plain')
        twin = {**PLAIN, 'id': 'twin'}
        error = self.assertRaises(
            exceptions.AmbiguousName, self.find, 'plain', PLAIN, twin
        )
        self.assertEqual((PLAIN['id'], 'twin'), error.ids)


class MigrationTest(recorded.RecordedTest):
    def test_records(self) -> None:
        """The newest first, as many as Nova lists, filtered by it."""
        self.answer('GET', f'{NOVA}/os-migrations', 'migrations')
        found = cloud.Cloud(self.session()).migrations(
            source_compute='compute-1', changes_since='2026-01-01T00:00:00'
        )
        listed = recorded.body('migrations')['migrations']
        self.assertEqual(
            [
                (one['id'], one['instance_uuid'], one['status'])
                for one in listed
            ],
            [(one.id, one.server_id, one.status) for one in found],
        )
        self.assertEqual(
            {'live-migration', 'migration'},
            {one.migration_type for one in found},
        )
        (request,) = self.asked()
        self.assertEqual(
            {
                'limit': ['1000'],
                'source_compute': ['compute-1'],
                'changes-since': ['2026-01-01T00:00:00'],
            },
            query(request),
        )
        one = found[-1]
        self.assertEqual(
            ('error', 'compute-1', 'compute-2', listed[-1]['user_id']),
            (one.status, one.source_compute, one.dest_compute, one.user_id),
        )
        self.assertIsNone(one.memory_total)

    def test_filters_are_sent(self) -> None:
        """Those of a server and of a status."""
        self.answer('GET', f'{NOVA}/os-migrations', 'migrations')
        cloud.Cloud(self.session()).migrations(
            instance_uuid='1', status='finished', host='compute-1'
        )
        (request,) = self.asked()
        self.assertEqual(
            {
                'limit': ['1000'],
                'instance_uuid': ['1'],
                'status': ['finished'],
                'host': ['compute-1'],
            },
            query(request),
        )

    def test_page_by_page(self) -> None:
        """While Nova links to more; its pages may be smaller than ours."""
        listed = recorded.body('migrations')['migrations']
        pages = [listed[:2], listed[2:4], listed[4:]]
        self.paged(*pages)
        found = compute.migrations(self.link(), changes_since='2026-01-01')
        self.assertEqual([5, 4, 3, 2, 1], [one.id for one in found])
        self.assertEqual(
            [None, [listed[1]['uuid']], [listed[3]['uuid']]],
            [query(request).get('marker') for request in self.asked()],
        )
        self.assertEqual(
            ['2026-01-01'], query(self.asked()[2])['changes-since']
        )

    def test_not_all_that_there_ever_was(self) -> None:
        """Without a filter pages are read up to a bound."""
        listed = recorded.body('migrations')['migrations']
        with mock.patch.object(compute, 'PAGES', 2):
            for filters, count in (({}, 2), ({'host': 'compute-1'}, 5)):
                self.paged(*([one] for one in listed))
                found = compute.migrations(self.link(), **filters)
                self.assertEqual(count, len(found))

    def paged(self, *pages: list[dict[str, Any]]) -> None:
        """Answer a page after the other."""
        more = {'migrations_links': [{'rel': 'next', 'href': 'http://more'}]}
        answers = [{'json': {'migrations': page, **more}} for page in pages]
        del answers[-1]['json']['migrations_links']
        self.wire.get(f'{NOVA}/os-migrations', answers)

    def test_of_a_manager(self) -> None:
        """Who may see what one project began is shown that, from then on."""
        project = recorded.body('token')['token']['project']['id']
        url = f'{NOVA}/os-migrations'
        self.answer('GET', url, 'answer-forbidden')
        self.answer('GET', f'{url}?project_id={project}', 'migrations')
        one = cloud.Cloud(self.session())
        self.assertFalse(one.is_confined)
        for _ in range(2):
            self.assertEqual(5, len(one.migrations(instance_uuid='1')))
        self.assertTrue(one.is_confined)
        self.assertEqual(
            [None, [project], [project]],
            [query(request).get('project_id') for request in self.asked()],
        )
        self.assertEqual(['1'], query(self.asked()[1])['instance_uuid'])

    def test_of_nobody(self) -> None:
        """Who may see none is told who may."""
        self.answer('GET', f'{NOVA}/os-migrations', 'answer-forbidden')
        error = self.assertRaises(
            exceptions.Forbidden, compute.migrations, self.link()
        )
        self.assertEqual(2, len(self.asked()))
        self.assertIn('; ask somebody with the role admin', str(error))

    def test_figures(self) -> None:
        """Of one that runs; ``None`` for one that is not listed."""
        known = recorded.body('migrations-running')['migrations'][0]
        url = f'{NOVA}/servers/{known["server_uuid"]}/migrations'
        self.answer('GET', url, 'migrations-running')
        one = cloud.Cloud(self.session())
        found = one.running_migration(known['server_uuid'], known['id'])
        assert found is not None
        self.assertEqual('live-migration', found.migration_type)
        self.assertEqual(known['server_uuid'], found.server_id)
        self.assertEqual(
            (4294967296, known['memory_remaining_bytes']),
            (found.memory_total, found.memory_remaining),
        )
        self.assertEqual(
            (known['memory_processed_bytes'], 0),
            (found.memory_processed, found.disk_total),
        )
        self.assertIsNone(one.running_migration(known['server_uuid'], 999))
        self.answer('GET', url, 'migrations-none')
        self.assertIsNone(
            one.running_migration(known['server_uuid'], known['id'])
        )


class HostTest(recorded.RecordedTest):
    def test_services(self) -> None:
        """By the name that Nova takes for a destination."""
        self.answer('GET', f'{NOVA}/os-services', 'services')
        found = cloud.Cloud(self.session()).services()
        self.assertEqual(
            ['compute-1', 'compute-2', 'compute-3', 'compute-4'], sorted(found)
        )
        one = found['compute-3']
        self.assertEqual(
            ('disabled', 'bad DIMM', 'up', False),
            (one.status, one.disabled_reason, one.state, one.forced_down),
        )
        self.assertEqual((None, None), (one.hypervisor_id, one.cpu_info))
        (request,) = self.asked()
        self.assertEqual({'binary': ['nova-compute']}, query(request))

    def test_nodes(self) -> None:
        """Joined with their services; with what a CPU is compared by."""
        self.answer('GET', f'{NOVA}/os-services', 'services')
        self.answer('GET', f'{NOVA}/os-hypervisors/detail', 'hypervisors')
        link = self.link()
        nodes = compute.hypervisors(link)
        service = compute.services(link)[0]
        host = compute.host(service, nodes[service['host']])
        self.assertEqual(host.name, host.hypervisor_hostname)
        self.assertEqual(
            ('QEMU', 8002002), (host.hypervisor_type, host.hypervisor_version)
        )
        assert host.cpu_info is not None
        self.assertEqual(
            (
                'x86_64',
                'Intel',
                'Skylake-Server',
                {'aes', 'avx', 'avx2', 'vmx'},
            ),
            (
                host.cpu_info.arch,
                host.cpu_info.vendor,
                host.cpu_info.model,
                host.cpu_info.features,
            ),
        )
        self.assertEqual(1, host.cpu_info.topology['cells'])
        self.assertEqual(
            'compute 2.87', self.asked()[0].headers['OpenStack-API-Version']
        )

    def test_nodes_page_by_page(self) -> None:
        """The marker is the id of the last one."""
        listed = recorded.body('hypervisors')['hypervisors']
        self.wire.get(
            f'{NOVA}/os-hypervisors/detail',
            [
                {'json': {'hypervisors': page}}
                for page in (listed[:2], listed[2:], [])
            ],
        )
        with mock.patch.object(compute, 'PAGE', 2):
            found = compute.hypervisors(self.link())
        self.assertEqual(4, len(found))
        self.assertEqual(
            [None, [listed[1]['id']], [listed[3]['id']]],
            [query(request).get('marker') for request in self.asked()],
        )

    def test_a_node_that_tells_no_cpu(self) -> None:
        """Unknown, not empty."""
        service = recorded.body('services')['services'][0]
        node = recorded.body('hypervisors')['hypervisors'][0]
        for told in (None, {}, ''):
            host = compute.host(service, {**node, 'cpu_info': told})
            self.assertIsNone(host.cpu_info)

    def test_aggregates(self) -> None:
        """With the hosts and the id that Placement knows."""
        self.answer('GET', f'{NOVA}/os-aggregates', 'aggregates')
        (found,) = compute.aggregates(self.link())
        self.assertEqual(('fast', {'compute-2'}), (found.name, found.hosts))
        self.assertTrue(found.uuid)

    def test_groups(self) -> None:
        """Of all projects; where the members are comes later."""
        self.answer('GET', f'{NOVA}/os-server-groups', 'groups')
        (found,) = compute.groups(self.link())
        self.assertEqual(
            ('web', 'anti-affinity', 2),
            (found.name, found.policy, found.max_server_per_host),
        )
        self.assertEqual([None], list(found.members.values()))
        (request,) = self.asked()
        self.assertEqual(['True'], query(request)['all_projects'])

    def test_groups_page_by_page(self) -> None:
        """They have an offset, not a marker; an old one a list of rules."""
        (known,) = recorded.body('groups')['server_groups']
        older = {**known, 'policies': ['affinity'], 'rules': None}
        del older['policy']
        self.wire.get(
            f'{NOVA}/os-server-groups',
            [
                {'json': {'server_groups': page}}
                for page in ([known], [older], [])
            ],
        )
        with mock.patch.object(compute, 'PAGE', 1):
            found = compute.groups(self.link())
        self.assertEqual(
            [('anti-affinity', 2), ('affinity', 1)],
            [(one.policy, one.max_server_per_host) for one in found],
        )
        self.assertEqual(
            [['0'], ['1'], ['2']],
            [query(one).get('offset', ['0']) for one in self.asked()],
        )
