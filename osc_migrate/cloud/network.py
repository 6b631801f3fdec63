# SPDX-License-Identifier: Apache-2.0
"""Read Neutron: the ports of servers and the agents of hosts.

What only an administrator sees (binding, provider network, resource request)
is ``None`` for everybody else.
"""

from collections.abc import Iterable, Mapping
import dataclasses
from typing import Any
from urllib import parse

from osc_migrate import model
from osc_migrate.cloud import connection

# keeps an URL under the 8 KiB that servers accept
_IDS_PER_REQUEST = 100


def ports(
    link: connection.Connection, server_ids: Iterable[str], hosts: set[str]
) -> dict[str, tuple[model.Port, ...]]:
    """Return the ports by server id.

    :param hosts: ask for all that is bound to these hosts instead of naming
        every server, if there are any
    """
    ids = list(server_ids)
    if hosts:
        queries = [[('binding:host_id', name)] for name in sorted(hosts)]
    else:
        queries = [
            [
                ('device_id', one)
                for one in ids[start : start + _IDS_PER_REQUEST]
            ]
            for start in range(0, len(ids), _IDS_PER_REQUEST)
        ]
    known = [
        port
        for query in queries
        for port in link.get('network', f'/ports?{parse.urlencode(query)}')[
            'ports'
        ]
    ]
    networks = _networks(link) if known else {}
    found: dict[str, list[model.Port]] = {one: [] for one in ids}
    for port in known:
        if port['device_id'] in found:
            found[port['device_id']].append(_port(port, networks))
    return {server_id: tuple(listed) for server_id, listed in found.items()}


def _networks(link: connection.Connection) -> dict[str, Any]:
    fields = (
        'id',
        'provider:network_type',
        'provider:physical_network',
    )
    query = parse.urlencode([('fields', field) for field in fields])
    listed = link.get('network', f'/networks?{query}')['networks']
    return {network['id']: network for network in listed}


def _port(known: Mapping[str, Any], networks: Mapping[str, Any]) -> model.Port:
    network = networks.get(known['network_id'], {})
    asked = known.get('resource_request')
    if asked is None and 'resource_request' in known:
        asked = {}
    return model.Port(
        id=known['id'],
        network_id=known['network_id'],
        network_type=network.get('provider:network_type'),
        physical_network=network.get('provider:physical_network'),
        vnic_type=known.get('binding:vnic_type') or 'normal',
        vif_type=known.get('binding:vif_type'),
        host_id=known.get('binding:host_id'),
        device_profile=known.get('device_profile'),
        resource_request=asked,
        bindings=None,
    )


def with_bindings(link: connection.Connection, port: model.Port) -> model.Port:
    """Give a port all of its bindings, also those of other hosts."""
    listed = link.get('network', f'/ports/{port.id}/bindings')
    return dataclasses.replace(
        port,
        bindings={
            binding['host']: binding['status']
            for binding in listed['bindings']
        },
    )


def agents(
    link: connection.Connection,
) -> dict[str, tuple[model.Agent, ...]]:
    """Return the agents by host."""
    found: dict[str, list[model.Agent]] = {}
    for known in link.get('network', '/agents')['agents']:
        settings = known.get('configurations') or {}
        mapped = (
            settings.get('bridge_mappings')
            or settings.get('bridge-mappings')  # as OVN spells it
            or settings.get('device_mappings')
            or settings.get('interface_mappings')
            or {}
        )
        if isinstance(mapped, str):
            mapped = dict(
                pair.split(':', 1) for pair in mapped.split(',') if pair
            )
        found.setdefault(known['host'], []).append(
            model.Agent(
                agent_type=known['agent_type'],
                alive=known['alive'],
                admin_state_up=known['admin_state_up'],
                physical_networks=frozenset(mapped),
            )
        )
    return {name: tuple(listed) for name, listed in found.items()}
