# SPDX-License-Identifier: Apache-2.0
"""Checks of ports."""

from osc_migrate import checks
from osc_migrate import model
from osc_migrate import testing
from osc_migrate.checks import Severity
from osc_migrate.checks import network as subject
from tests.unit.checks import base
from tests.unit.checks.base import COLD
from tests.unit.checks.base import EVACUATE
from tests.unit.checks.base import LIVE


def server(**attributes: object):
    """Return a server with one port."""
    return testing.server(ports=(testing.port(id='port-1', **attributes),))


def agent(
    agent_type: str = 'Open vSwitch agent',
    *physical_networks: str,
    alive: bool = True,
):
    """Return an agent."""
    return model.Agent(
        agent_type=agent_type,
        alive=alive,
        admin_state_up=True,
        physical_networks=frozenset(physical_networks),
    )


def host(name: str, *agents: model.Agent):
    """Return a host with agents."""
    return testing.host(name, agents=agents)


class AcceleratorTest(base.CheckTest):
    def test_other_ports_are_silent(self):
        for other in (
            testing.server(),
            testing.server(ports=None),
            server(vnic_type='direct'),
        ):
            self.assertSilent(subject.accelerator, other)

    def test_an_accelerator_stays(self):
        for way in (LIVE, COLD, EVACUATE):
            for kind in ('accelerator-direct', 'accelerator-direct-physical'):
                draft = self.assertFinds(
                    Severity.ERROR,
                    'has 1 ports with an accelerator',
                    subject.accelerator,
                    server(vnic_type=kind),
                    way=way,
                )
                self.assertEqual(
                    'openstack server remove port {server} port-1',
                    draft.remedy,
                )


class SriovTest(base.CheckTest):
    def test_an_ordinary_port_is_silent(self):
        for kind in ('normal', 'macvtap', 'virtio-forwarder'):
            self.assertSilent(subject.sriov, server(vnic_type=kind))
        self.assertSilent(subject.sriov, testing.server(ports=None))

    def test_a_device_is_unplugged_live(self):
        for kind in ('direct', 'direct-physical', 'vdpa', 'remote-managed'):
            draft = self.assertFinds(
                Severity.WARNING,
                '1 SR-IOV ports are unplugged while it moves',
                subject.sriov,
                server(vnic_type=kind),
            )
            self.assertEqual({'ports': ['port-1']}, draft.evidence)

    def test_not_cold(self):
        self.assertSilent(subject.sriov, server(vnic_type='direct'), way=COLD)


class DeviceTest(base.CheckTest):
    def test_an_ordinary_port_is_silent(self):
        self.assertSilent(subject.device)
        self.assertSilent(subject.device, server())
        self.assertSilent(subject.device, testing.server(ports=None))

    def test_how_many_are_free_is_unknown(self):
        ports = (
            testing.port(vnic_type='direct'),
            testing.port(vnic_type='direct'),
            testing.port(vnic_type='macvtap', physical_network=None),
        )
        draft = self.assertFinds(
            Severity.UNKNOWN,
            '2 x direct on physnet1, 1 x macvtap on any physical network',
            subject.device,
            testing.server(ports=ports),
        )
        self.assertEqual(2, draft.evidence['needed']['direct on physnet1'])


class BindingTest(base.CheckTest):
    SOURCE = host('compute-1', agent('Open vSwitch agent', 'physnet1'))

    def assertBinds(self, port_of: model.Server, *agents: model.Agent):
        """The port can be bound by these agents."""
        self.assertSilent(
            subject.binding,
            port_of,
            source=self.SOURCE,
            destination=host('compute-2', *agents),
        )

    def assertFails(
        self, text: str, port_of: model.Server, *agents: model.Agent
    ):
        """It cannot, whichever way the server moves."""
        for way in (LIVE, COLD, EVACUATE):
            self.assertFinds(
                Severity.ERROR,
                text,
                subject.binding,
                port_of,
                way=way,
                source=self.SOURCE,
                destination=host('compute-2', *agents),
            )

    def test_a_living_agent_with_the_network_is_enough(self):
        self.assertBinds(server(), agent('Open vSwitch agent', 'physnet1'))
        self.assertBinds(testing.server(ports=()))
        self.assertBinds(testing.server(ports=None))

    def test_an_agent_of_the_same_kind_will_do(self):
        self.assertBinds(
            server(), agent('OVN Controller Gateway agent', 'physnet1')
        )

    def test_no_agent_of_that_kind(self):
        for agents in ((), (agent('DHCP agent'),)):
            self.assertFails(
                'it has no OVN Controller Gateway agent or OVN Controller '
                'agent or Open vSwitch agent',
                server(),
                *agents,
            )

    def test_a_dead_agent(self):
        self.assertFails(
            'its Open vSwitch agent is dead',
            server(),
            agent('Open vSwitch agent', 'physnet1', alive=False),
        )

    def test_one_of_two_agents_alive_is_enough(self):
        self.assertBinds(
            server(),
            agent('Open vSwitch agent', 'physnet1', alive=False),
            agent('OVN Controller agent', 'physnet1'),
        )

    def test_a_network_that_is_not_mapped(self):
        self.assertFails(
            'does not map the physical network physnet1',
            server(),
            agent('Open vSwitch agent', 'physnet2'),
        )

    def test_a_tunnel_needs_no_mapping(self):
        for port_of in (
            server(network_type='vxlan', physical_network=None),
            server(network_type='geneve'),
            server(network_type='vlan', physical_network=None),
        ):
            self.assertBinds(port_of, agent())

    def test_what_no_agent_serves_is_not_judged(self):
        """Drivers of others have no agents, or agents of other names."""
        for vif_type in ('unbound', 'tap', None):
            self.assertBinds(server(vif_type=vif_type))
        self.assertSilent(
            subject.binding,
            server(),
            source=host('compute-1', agent('Somebody else agent')),
            destination=host('compute-2'),
        )

    def test_an_sriov_port_needs_its_own_agent(self):
        port_of = server(vnic_type='direct', vif_type='hw_veb')
        nic = agent('NIC Switch agent', 'physnet1')
        source = host('compute-1', agent(), nic)
        self.assertFinds(
            Severity.ERROR,
            'it has no NIC Switch agent',
            subject.binding,
            port_of,
            source=source,
            destination=host('compute-2', agent()),
        )
        self.assertSilent(
            subject.binding,
            port_of,
            source=source,
            destination=host('compute-2', nic),
        )

    def test_agents_that_nobody_tells_are_not_judged(self):
        self.assertSilent(subject.binding, server())
        self.assertSilent(
            subject.binding,
            testing.server(host='gone', ports=server().ports),
            destination=host('compute-2'),
        )


class StaleBindingTest(base.CheckTest):
    STALE = server(bindings={'compute-1': 'ACTIVE', 'compute-2': 'INACTIVE'})

    def test_one_binding_is_silent(self):
        for bindings in (
            None,
            {},
            {'compute-1': 'ACTIVE'},
            {'compute-1': 'ACTIVE', 'compute-3': 'INACTIVE'},
        ):
            self.assertSilent(subject.stale_binding, server(bindings=bindings))
        self.assertSilent(subject.stale_binding, testing.server(ports=None))

    def test_only_a_second_binding_concerns_it(self):
        for bindings, is_concerned in (
            ({}, False),
            ({'compute-1': 'ACTIVE'}, False),
            ({'compute-1': 'ACTIVE', 'compute-9': 'INACTIVE'}, True),
        ):
            pair = base.candidate(server(bindings=bindings))
            likeness = checks.likeness(subject.stale_binding, pair)
            self.assertEqual(is_concerned, likeness is not None)

    def test_one_on_the_destination_is_in_the_way(self):
        draft = self.assertFinds(
            Severity.ERROR,
            'has a binding of the port port-1 from an earlier migration '
            '(INACTIVE)',
            subject.stale_binding,
            self.STALE,
        )
        self.assertIn(
            'DELETE /v2.0/ports/port-1/bindings/{destination}', draft.remedy
        )

    def test_what_it_does_to_a_cold_one_is_unknown(self):
        self.assertFinds(
            Severity.UNKNOWN,
            'port-1',
            subject.stale_binding,
            self.STALE,
            way=COLD,
        )


class LinuxBridgeTest(base.CheckTest):
    PORT = server(vif_type='bridge')

    def test_other_ports_are_silent(self):
        self.assertSilent(subject.linux_bridge, server())
        self.assertSilent(subject.linux_bridge, testing.server(ports=None))

    def test_a_new_nova_has_forgotten_it(self):
        tree = testing.provider(traits=frozenset({'OWNER_NOVA'}))
        self.assertFinds(
            Severity.ERROR,
            'runs Nova 2026.2 or newer',
            subject.linux_bridge,
            self.PORT,
            destination=testing.host('compute-2', providers=(tree,)),
        )

    def test_which_nova_it_is_may_be_unknown(self):
        for providers in ((testing.provider(),), None):
            self.assertFinds(
                Severity.UNKNOWN,
                'only with a Nova older than 2026.2',
                subject.linux_bridge,
                self.PORT,
                destination=testing.host('compute-2', providers=providers),
            )
