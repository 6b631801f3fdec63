# SPDX-License-Identifier: Apache-2.0
"""Checks of ports: can Neutron bind them on the destination.

A live migration binds every port to the destination before it starts, and
Nova takes another host if that fails. A cold one binds when the server is
already there, so a failure leaves the server in ERROR.
"""

from collections.abc import Hashable, Iterator

from osc_migrate import checks
from osc_migrate import model

# nova.network.model: VNIC_TYPES_DIRECT_PASSTHROUGH, _SRIOV, _ACCELERATOR
_PASSTHROUGH = ('direct', 'direct-physical', 'vdpa', 'remote-managed')
_DEVICES = (*_PASSTHROUGH, 'macvtap', 'virtio-forwarder')
_ACCELERATOR = ('accelerator-direct', 'accelerator-direct-physical')
# The agents whose mechanism drivers make these types of vif.
_SWITCHES = frozenset(
    (
        'Open vSwitch agent',
        'OVN Controller agent',
        'OVN Controller Gateway agent',
    )
)
_AGENTS = {
    'ovs': _SWITCHES,
    'vhostuser': _SWITCHES,
    'bridge': frozenset(['Linux bridge agent']),
    'hw_veb': frozenset(['NIC Switch agent']),
    'hostdev_physical': frozenset(['NIC Switch agent']),
    'macvtap': frozenset(['Macvtap agent', 'NIC Switch agent']),
}
_PHYSICAL = ('flat', 'vlan')
_OWNER = 'OWNER_NOVA'


@checks.server_check('port-accelerator')
def accelerator(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A port with an accelerator cannot be moved.

    Nova refuses to migrate or evacuate a server with a port of the types
    accelerator-direct and accelerator-direct-physical
    (``block_port_accelerators`` in ``nova/compute/api.py``).

    What to do: detach the port first (``openstack server remove port``).
    """
    found = [
        port.id
        for port in candidate.server.ports or ()
        if port.vnic_type in _ACCELERATOR
    ]
    if found:
        yield checks.error(
            f'has {len(found)} ports with an accelerator, which Nova does '
            'not move',
            f'openstack server remove port {{server}} {found[0]}',
            ports=found,
        )


@checks.server_check('port-sriov')
def sriov(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A port on a physical device loses traffic while its server moves live.

    Nova unplugs the device before the live migration and plugs one in after it
    (``_detach_direct_passthrough_vifs`` and ``_reattach_instance_vifs`` in
    ``nova/virt/libvirt/driver.py``); the guest must take part.

    What to do: tell its owner: a bond with a virtio port in the guest keeps it
    reachable. Or move it cold.
    """
    if not candidate.is_live:
        return
    direct = [
        port
        for port in candidate.server.ports or ()
        if port.vnic_type in _PASSTHROUGH
    ]
    if direct:
        yield checks.warning(
            f'{len(direct)} SR-IOV ports are unplugged while it moves: no '
            'traffic on them until the guest has taken them back',
            f'openstack port show {direct[0].id}',
            ports=[port.id for port in direct],
        )


@checks.server_check('port-device')
def device(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have a free device for each SR-IOV port.

    It claims a virtual function (or what else the type of the port stands
    for) on the port's physical network (``_claim_pci_for_instance_vifs`` in
    ``nova/compute/manager.py``). Nova does not keep these devices in
    Placement, so how many are free on any host is in no API.

    What to do: count the free virtual functions on the destination, or name
    one that is known to have some (``--to``).
    """
    wanted: dict[str, int] = {}
    for port in candidate.server.ports or ():
        if port.vnic_type in _DEVICES:
            where = port.physical_network or 'any physical network'
            what = f'{port.vnic_type} on {where}'
            wanted[what] = wanted.get(what, 0) + 1
    if wanted:
        text = ', '.join(f'{n} x {what}' for what, n in wanted.items())
        yield checks.unknown(
            f'needs devices for its SR-IOV ports ({text}); how many are free '
            'on which host is in no API',
            'on the destination: grep device_spec /etc/nova/nova.conf; '
            'ip link show',
            needed=wanted,
        )


def _networks(candidate: checks.Candidate) -> Hashable:
    ports = candidate.server.ports
    if not ports:
        return None
    return candidate.server.host, tuple(
        (
            port.network_id,
            port.vif_type,
            port.network_type,
            port.physical_network,
        )
        for port in ports
    )


@checks.destination_check('port-binding', alike=_networks)
def binding(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Neutron must be able to bind every port on the destination.

    That takes a living agent of the kind that serves the port now, and on a
    flat or VLAN network one that maps its physical network (``bind_port`` in
    ``neutron/plugins/ml2/drivers/mech_agent.py`` and in
    ``neutron/plugins/ml2/drivers/ovn/mech_driver/mech_driver.py``). Live,
    Nova then takes another host. Cold, it moves the server first and finds a
    port that it cannot plug (``get_config`` in
    ``nova/virt/libvirt/vif.py``): the server ends there in ERROR. Drivers
    without agents are not judged.

    What to do: start the agent (``openstack network agent list --host``), map
    the physical network there, or take another host.
    """
    destination, source = candidate.destination, candidate.source
    assert destination is not None
    if destination.agents is None or source is None:
        return
    for port in candidate.server.ports or ():
        kinds = _AGENTS.get(port.vif_type or '')
        # a kind that does not serve the source either is not in use here
        if kinds is None or not _of(source, kinds):
            continue
        why = _unbound(port, _of(destination, kinds), kinds)
        if why:
            yield checks.error(
                f'Neutron cannot bind a port of the network '
                f'{port.network_id} there: {why}',
                'openstack network agent list --host {destination}',
                network=port.network_id,
                physical_network=port.physical_network,
                agents=sorted(kinds),
            )


def _bindings(candidate: checks.Candidate) -> Hashable:
    has_several = any(
        port.bindings and len(port.bindings) > 1
        for port in candidate.server.ports or ()
    )
    if not has_several:
        return None
    return candidate.server.id, candidate.is_live


@checks.destination_check('port-stale-binding', alike=_bindings)
def stale_binding(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """No port may have a binding on the destination already.

    An interrupted live migration leaves inactive bindings behind. Neutron
    answers 409 to the next one (``create_port_binding`` in
    ``neutron/plugins/ml2/plugin.py``), and Nova looks for another host.

    What to do: take another destination, or let a user with the role
    ``service``, and nobody else may, delete the binding through the API.
    """
    destination = candidate.destination
    assert destination is not None
    for port in candidate.server.ports or ():
        if port.bindings and destination.name in port.bindings:
            say = checks.error if candidate.is_live else checks.unknown
            yield say(
                f'has a binding of the port {port.id} from an earlier '
                f'migration ({port.bindings[destination.name]})',
                'with the role service: DELETE '
                f'/v2.0/ports/{port.id}/bindings/{{destination}}',
                port=port.id,
                status=port.bindings[destination.name],
            )


def _bridged(candidate: checks.Candidate) -> Hashable:
    # the message names the ports
    is_bridged = any(
        port.vif_type == 'bridge' for port in candidate.server.ports or ()
    )
    return candidate.server.id if is_bridged else None


@checks.destination_check('port-linux-bridge', alike=_bridged)
def linux_bridge(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A Nova from 2026.2 on cannot plug ports of the Linux bridge driver.

    It has forgotten the type ``bridge`` (``nova_to_osvif_vif`` in
    ``nova/network/os_vif_util.py``), so an upgraded host cannot take such a
    server.

    What to do: move the network to Open vSwitch or OVN first.
    """
    ports = [
        port.id
        for port in candidate.server.ports or ()
        if port.vif_type == 'bridge'
    ]
    if not ports:
        return
    destination = candidate.destination
    assert destination is not None
    if _OWNER in (destination.traits or ()):
        yield checks.error(
            f'runs Nova 2026.2 or newer, which cannot plug {len(ports)} '
            'ports of the Linux bridge driver',
            f'openstack port show {ports[0]}',
            ports=ports,
        )
    else:
        yield checks.unknown(
            f'can plug {len(ports)} ports of the Linux bridge driver only '
            'with a Nova older than 2026.2',
            'on {destination}: nova-compute --version',
            ports=ports,
        )


def _of(host: model.Host, kinds: frozenset[str]) -> list[model.Agent]:
    """Return the agents of a host that are of these kinds."""
    return [a for a in host.agents or () if a.agent_type in kinds]


def _unbound(
    port: model.Port, agents: list[model.Agent], kinds: frozenset[str]
) -> str:
    """Return why none of the agents can bind a port, '' if one can."""
    if not agents:
        return f'it has no {" or ".join(sorted(kinds))}'
    alive = [agent for agent in agents if agent.alive]
    if not alive:
        return f'its {agents[0].agent_type} is dead'
    physical_network = port.physical_network
    if port.network_type not in _PHYSICAL or physical_network is None:
        return ''
    if any(physical_network in agent.physical_networks for agent in alive):
        return ''
    return (
        f'its {alive[0].agent_type} does not map the physical network '
        f'{physical_network}'
    )
