# SPDX-License-Identifier: Apache-2.0
"""What Neutron tells of ports, bindings and agents."""

from typing import Any

from osc_migrate import testing
from osc_migrate.cloud import network
from tests.unit.cloud import recorded
from tests.unit.cloud.recorded import NEUTRON
from tests.unit.cloud.recorded import query

API = f'{NEUTRON}/v2.0'
PORT = recorded.body('ports')['ports'][0]
SERVER = PORT['device_id']


class PortTest(recorded.RecordedTest):
    def setUp(self) -> None:
        super().setUp()
        self.answer('GET', f'{API}/ports', 'ports')
        self.answer('GET', f'{API}/networks', 'networks')

    def ports(self, *ids: str, hosts: tuple[str, ...] = ()) -> dict[str, Any]:
        """Read the ports of servers."""
        return network.ports(self.link(), ids, set(hosts))

    def test_of_a_host(self) -> None:
        """One request for all, and each server has its own."""
        found = self.ports(SERVER, 'without', hosts=('compute-1',))
        (port,) = found[SERVER]
        self.assertEqual((), found['without'])
        self.assertEqual(
            (PORT['id'], PORT['network_id'], 'normal', 'ovs', 'compute-1'),
            (
                port.id,
                port.network_id,
                port.vnic_type,
                port.vif_type,
                port.host_id,
            ),
        )
        self.assertEqual(
            ('vlan', 'physnet1'), (port.network_type, port.physical_network)
        )
        # this Neutron has no extension that asks Placement for anything
        self.assertIsNone(port.resource_request)
        self.assertIsNone(port.bindings)
        first, second = self.asked(NEUTRON)
        self.assertEqual({'binding:host_id': ['compute-1']}, query(first))
        self.assertEqual(
            {'id', 'provider:network_type', 'provider:physical_network'},
            set(query(second)['fields']),
        )

    def test_of_servers(self) -> None:
        """A hundred in a request, as an address must stay short."""
        ids = [testing.identifier(str(number)) for number in range(150)]
        self.ports(*ids)
        asked = [
            query(request)['device_id']
            for request in self.asked(f'{API}/ports')
        ]
        self.assertEqual([100, 50], [len(listed) for listed in asked])
        self.assertEqual(ids, asked[0] + asked[1])

    def test_no_ports_need_no_networks(self) -> None:
        """One request less."""
        self.wire.get(f'{API}/ports', json={'ports': []})
        self.assertEqual({'a': ()}, self.ports('a'))
        self.assertEqual(1, len(self.asked(NEUTRON)))

    def test_what_only_administrators_see(self) -> None:
        """Is unknown to all others, not absent."""
        seen = {
            key: value
            for key, value in PORT.items()
            if not key.startswith('binding:') and key != 'resource_request'
        }
        self.wire.get(f'{API}/ports', json={'ports': [seen]})
        self.wire.get(f'{API}/networks', json={'networks': []})
        (port,) = self.ports(SERVER)[SERVER]
        self.assertEqual(
            (None, None, None, None, None, 'normal'),
            (
                port.vif_type,
                port.host_id,
                port.network_type,
                port.physical_network,
                port.resource_request,
                port.vnic_type,
            ),
        )

    def test_what_a_port_asks_of_placement(self) -> None:
        """Null means nothing, and not unknown."""
        asked = {'resources': {'NET_BW_EGR_KILOBIT_PER_SEC': 1000}}
        for told, expected in ((None, {}), (asked, asked)):
            port = {**PORT, 'resource_request': told}
            self.wire.get(f'{API}/ports', json={'ports': [port]})
            (found,) = self.ports(SERVER)[SERVER]
            self.assertEqual(expected, found.resource_request)

    def test_bindings(self) -> None:
        """Also those of other hosts, which a failed migration leaves."""
        url = f'{API}/ports/{PORT["id"]}/bindings'
        self.answer('GET', url, 'bindings')
        port = testing.port(id=PORT['id'])
        bound = network.with_bindings(self.link(), port)
        self.assertEqual({'compute-1': 'ACTIVE'}, bound.bindings)


class AgentTest(recorded.RecordedTest):
    def agents(self, *listed: dict[str, Any]) -> dict[str, Any]:
        """Read agents."""
        self.wire.get(f'{API}/agents', json={'agents': list(listed)})
        return network.agents(self.link())

    def test_by_host(self) -> None:
        """Whether they live, and the networks that they know."""
        self.answer('GET', f'{API}/agents', 'agents')
        found = network.agents(self.link())
        self.assertEqual(
            {f'compute-{number}' for number in range(1, 5)}, found.keys()
        )
        self.assertTrue(all(one.alive for one in found['compute-1']))
        self.assertFalse(any(one.alive for one in found['compute-4']))
        for one in found['compute-1']:
            self.assertEqual({'physnet1'}, one.physical_networks)
            self.assertTrue(one.admin_state_up)

    def test_networks_are_spelt_in_many_ways(self) -> None:
        """Of Open vSwitch, OVN, SR-IOV and the Linux bridge."""
        known = recorded.body('agents')['agents'][0]
        for settings, expected in (
            ({'bridge_mappings': {'a': 'br-a', 'b': 'br-b'}}, {'a', 'b'}),
            ({'bridge-mappings': 'a:br-a,b:br-b'}, {'a', 'b'}),
            ({'device_mappings': {'a': ['eth0']}}, {'a'}),
            ({'interface_mappings': {'a': 'eth0'}}, {'a'}),
            ({'bridge_mappings': {}}, set()),
            ({'bridge-mappings': ''}, set()),
            ({}, set()),
            (None, set()),
        ):
            found = self.agents({**known, 'configurations': settings})
            (agent,) = found[known['host']]
            self.assertEqual(expected, agent.physical_networks, settings)

    def test_others_see_none(self) -> None:
        """Neutron does not refuse a member, it shows nothing."""
        self.answer('GET', f'{API}/agents', 'network-forbidden')
        self.assertEqual({}, network.agents(self.link()))
