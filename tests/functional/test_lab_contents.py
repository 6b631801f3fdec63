# SPDX-License-Identifier: Apache-2.0
"""The hosts and servers of a scenario, as Nova shows and judges them."""

from typing import Any

from tests.functional import base

STATUSES = (
    'ACTIVE',
    'PAUSED',
    'SHUTOFF',
    'SUSPENDED',
    'ERROR',
    'SHELVED_OFFLOADED',
    'RESCUE',
    'VERIFY_RESIZE',
)


class ServerTest(base.FunctionalTest):
    """Servers as the scenario describes them."""

    def test_statuses(self) -> None:
        """Every status can be had, on the host that was asked for."""
        self.scenario(
            'servers:\n'
            + ''.join(
                f'- {{name: {s.lower()}, host: compute-2, status: {s}}}\n'
                for s in STATUSES
            )
        )
        found = self.openstack_json('server list --all-projects --long')
        self.assertEqual(
            {(status.lower(), status) for status in STATUSES},
            {(server['Name'], server['Status']) for server in found},
        )
        self.assertEqual(
            {'compute-2', None}, {server['Host'] for server in found}
        )
        (record,) = self.migrations('verify_resize')
        self.assertEqual('finished', record['status'])
        self.assertEqual('compute-2', record['dest_compute'])

    def test_attributes(self) -> None:
        """What else a scenario says of a server is true of it."""
        ids = self.scenario("""
            server_groups: {web: {policy: anti-affinity}}
            networks: {net1: {}}
            servers:
              - name: rich
                host: compute-3
                project: demo
                group: web
                tags: [gold]
                metadata: {tier: 1}
                config_drive: true
                volume_backed: true
                volumes: [{size: 2}]
                ports: [{network: net1}, {network: net1}]
                locked: true
        """)
        server = self.openstack_json(['server', 'show', ids['rich']])
        self.assertEqual('compute-3', server['OS-EXT-SRV-ATTR:host'])
        self.assertEqual('True', str(server['config_drive']))
        self.assertEqual(2, len(server['volumes_attached']))
        self.assertEqual(2, len(server['addresses']['net1']))
        self.assertEqual({'tier': '1'}, server['properties'])
        shown = self.server('rich')
        self.assertEqual(['gold'], shown['tags'])
        self.assertTrue(shown['locked'])
        self.assertIsNone(shown['image'] or None)
        project = self.openstack_json('project show demo')
        self.assertEqual(project['id'], server['project_id'])
        user = self.openstack_json('user show member')
        self.assertEqual(user['id'], server['user_id'])
        (group,) = shown['server_groups']
        path = f'/os-server-groups/{group}'
        answer = self.nova('GET', path).json()['server_group']
        self.assertEqual([ids['rich']], answer['members'])
        # nobody keeps the rights that were needed to put it there
        assigned = self.openstack_json(
            'role assignment list --user member --project demo --names'
        )
        self.assertEqual(['member'], [a['Role'] for a in assigned])

    def test_shared_volume(self) -> None:
        """A volume that is named twice is one volume."""
        self.scenario("""
            servers:
              - name: pair
                count: 2
                volumes: [{name: common, multiattach: true}]
        """)
        attached = [
            self.server(name)['os-extended-volumes:volumes_attached']
            for name in ('pair-1', 'pair-2')
        ]
        self.assertEqual(attached[0], attached[1])

    def test_reset(self) -> None:
        """What a test leaves is gone before the next."""
        self.scenario("""
            networks: {net1: {}}
            servers: [{name: left, host: compute-1, ports: [{network: net1}],
                       volumes: [{}]}]
        """)
        before = self._services()
        self.openstack('compute service set --disable compute-2 nova-compute')
        self.lab_host('freeze', 'compute-3')
        self.lab_set('left', 'dirty_mb_s=9')
        self.doCleanups()
        for command in (
            'server list --all-projects',
            'volume list --all-projects',
            'port list',
            'network list',
            'flavor list --all',
        ):
            self.assertEqual([], self.openstack_json(command), command)
        self.assertEqual(before, self._services())
        self.assertEqual({'up'}, {state for _, _, state in before})

    def _services(self) -> set[tuple[str, str, str]]:
        services = self.openstack_json('compute service list')
        return {(s['Host'], s['Status'], s['State']) for s in services}


class HostTest(base.FunctionalTest):
    """What the hosts can do, judged by Nova itself."""

    def test_hypervisors(self) -> None:
        """The hypervisors show their own kind."""
        found = self.nova(
            'GET', '/os-hypervisors/detail', microversion='2.87'
        ).json()['hypervisors']
        nodes = {node['hypervisor_hostname']: node for node in found}
        self.assertEqual('Westmere', nodes['compute-8']['cpu_info']['model'])
        self.assertEqual(8192, nodes['compute-7']['memory_mb'])
        self.assertEqual('QEMU', nodes['compute-1']['hypervisor_type'])
        zones = {
            service['host']: service['zone']
            for service in self.nova('GET', '/os-services').json()['services']
        }
        self.assertEqual('az2', zones['compute-7'])
        provider = self._provider('compute-5')
        path = f'/resource_providers/{provider}'
        traits = self.placement('GET', f'{path}/traits').json()['traits']
        self.assertIn('CUSTOM_FAST', traits)
        inventories = self.placement('GET', f'{path}/inventories').json()
        self.assertEqual(8, inventories['inventories']['PCPU']['total'])

    def _provider(self, host: str) -> str:
        path = f'/resource_providers?name={host}'
        (found,) = self.placement('GET', path).json()['resource_providers']
        return str(found['uuid'])

    def refusal(
        self, name: str, host: str, block_migration: Any = 'auto'
    ) -> int:
        """Ask for a live migration that Nova checks within the request."""
        body = {'host': host, 'block_migration': block_migration}
        path = f'/servers/{self.identity(name)}/action'
        # 2.30 to 2.33: the answer comes after Nova's checks
        return self.nova(
            'POST',
            path,
            {'os-migrateLive': {**body, 'force': False}},
            microversion='2.33',
        ).status_code

    def assert_moves(self, name: str, host: str) -> None:
        self.assertEqual(202, self.refusal(name, host))
        self.wait_for(
            lambda: (
                self.server(name)['OS-EXT-SRV-ATTR:host'] == host
                and self.server(name)['OS-EXT-STS:task_state'] is None
            ),
            60,
            f'{name} does not get to {host}',
        )

    def test_refusals(self) -> None:
        """Nova refuses by processors, storage, groups, room and agents."""
        self.scenario("""
            flavors: {small: {}, large: {ram: 16384}}
            server_groups: {apart: {policy: anti-affinity}}
            networks: {net1: {}}
            servers:
              - {name: plain, host: compute-1}
              - {name: large, host: compute-1, flavor: large}
              - {name: apart-1, host: compute-1, group: apart}
              - {name: apart-2, host: compute-2, group: apart}
              - {name: old, host: compute-8}
              - {name: wired, host: compute-1, ports: [{network: net1}]}
        """)
        self.assertEqual(400, self.refusal('plain', 'compute-8'))
        self.assertEqual(400, self.refusal('plain', 'compute-2', True))
        self.assertEqual(400, self.refusal('plain', 'compute-7', False))
        self.assertEqual(400, self.refusal('large', 'compute-7'))
        self.assertEqual(400, self.refusal('apart-1', 'compute-2'))
        self.assertEqual(400, self.refusal('wired', 'compute-8'))
        self.assert_moves('old', 'compute-3')
        self.assert_moves('plain', 'compute-7')
        self.assert_moves('apart-1', 'compute-3')
        self.assert_moves('wired', 'compute-3')

    def test_choosy(self) -> None:
        """Pinned, huge-page and device servers find their like only."""
        self.scenario("""
            flavors:
              pinned: {vcpus: 2, extra_specs: {"hw:cpu_policy": dedicated}}
              huge: {extra_specs: {"hw:mem_page_size": 2MB}}
              gpu: {extra_specs: {"pci_passthrough:alias": "gpu:1"}}
              vf: {extra_specs: {"pci_passthrough:alias": "movable-vf:1"}}
              tpm: {extra_specs: {"hw:tpm_version": "2.0",
                                  "hw:tpm_secret_security": host}}
              vgpu: {extra_specs: {"resources:VGPU": 1}}
            networks: {net1: {}}
            servers:
              - {name: tpm, flavor: tpm, host: compute-5}
              - {name: vgpu, flavor: vgpu, host: compute-5}
              - {name: pinned, count: 2, flavor: pinned, host: compute-5}
              - {name: huge, flavor: huge, host: compute-5}
              - {name: gpu, flavor: gpu, host: compute-5}
              - {name: vf, flavor: vf, host: compute-5}
              - {name: sriov, host: compute-5, flavor: huge,
                 ports: [{network: net1, vnic_type: direct}]}
        """)
        self.assertEqual(400, self.refusal('pinned-1', 'compute-1'))
        self.assertEqual(400, self.refusal('huge', 'compute-1'))
        self.assertEqual(400, self.refusal('gpu', 'compute-6'))
        self.assertEqual(400, self.refusal('tpm', 'compute-1'))
        self.assertEqual(400, self.refusal('vgpu', 'compute-1'))
        moving = ('pinned-1', 'pinned-2', 'huge', 'vf', 'sriov', 'tpm', 'vgpu')
        for name in moving:
            self.assert_moves(name, 'compute-6')
        pins = [self._pins(name) for name in ('pinned-1', 'pinned-2')]
        self.assertEqual(4, len(set(pins[0]) | set(pins[1])), pins)

    def _pins(self, name: str) -> list[int]:
        path = f'/servers/{self.identity(name)}/topology'
        nodes = self.nova('GET', path).json()['nodes']
        return [cpu for node in nodes for cpu in node['cpu_pinning'].values()]
