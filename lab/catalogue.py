# SPDX-License-Identifier: Apache-2.0
"""What servers are made of: flavors, images, networks, groups, volume types.

Each is known by its name; what is there already is left as it is.
"""

from collections.abc import Callable, Iterable
import dataclasses
from typing import Any

from lab import api as apis
from lab import scenario as scenarios


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Ids by name."""

    flavors: dict[str, str]
    images: dict[str, str]
    networks: dict[str, str]
    groups: dict[str, str]


def create(
    users: dict[str, apis.Api], scenario: scenarios.Scenario
) -> Catalogue:
    """Create what is missing; ``users`` are the APIs of the projects.

    A server group belongs to the project of its first server.
    """
    admin = users['admin']
    projects = {
        server.group: server.project
        for server in reversed(scenario.servers)
        if server.group
    }

    def create_group(name: str, group: scenarios.ServerGroup) -> str:
        user = users[projects.get(name, 'admin')]
        return _create_group(user, name, group)

    return Catalogue(
        flavors=_complete(
            admin.compute('GET', '/flavors')['flavors'],
            scenario.flavors,
            lambda name, flavor: _create_flavor(admin, name, flavor),
        ),
        images=_complete(
            admin.send('image', 'GET', '/v2/images?limit=1000')['images'],
            scenario.images,
            lambda name, image: _create_image(admin, name, image),
        ),
        networks=_complete(
            admin.send('network', 'GET', '/v2.0/networks')['networks'],
            scenario.networks,
            lambda name, network: _create_network(admin, name, network),
        ),
        groups=_complete(groups(admin), scenario.server_groups, create_group),
    )


def groups(admin: apis.Api) -> list[dict[str, Any]]:
    """Return the server groups of all projects."""
    path = '/os-server-groups?all_projects=true'
    found: list[dict[str, Any]] = admin.compute('GET', path)['server_groups']
    return found


def _complete(
    found: Iterable[dict[str, Any]],
    wanted: dict[str, Any],
    create_one: Callable[[str, Any], str],
) -> dict[str, str]:
    ids = {entry['name']: entry['id'] for entry in found}
    for name, value in wanted.items():
        if name not in ids:
            ids[name] = create_one(name, value)
    return ids


def _create_flavor(
    admin: apis.Api, name: str, flavor: scenarios.Flavor
) -> str:
    body = {
        'name': name,
        'vcpus': flavor.vcpus,
        'ram': flavor.ram,
        'disk': flavor.disk,
        'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeral,
        'swap': flavor.swap,
    }
    made = admin.compute('POST', '/flavors', {'flavor': body})['flavor']
    if flavor.extra_specs:
        path = f'/flavors/{made["id"]}/os-extra_specs'
        admin.compute('POST', path, {'extra_specs': flavor.extra_specs})
    return str(made['id'])


def _create_image(admin: apis.Api, name: str, image: scenarios.Image) -> str:
    body = {
        'name': name,
        'disk_format': 'raw',
        'container_format': 'bare',
        'visibility': 'public',
        **image.properties,
    }
    made = admin.send('image', 'POST', '/v2/images', body)
    admin.send(
        'image',
        'PUT',
        f'/v2/images/{made["id"]}/file',
        data=b'nothing boots from this',
        headers={'Content-Type': 'application/octet-stream'},
    )
    return str(made['id'])


def _create_network(
    admin: apis.Api, name: str, network: scenarios.Network
) -> str:
    provider = {'provider:network_type': 'local'}
    if network.physical_network:
        provider = {
            'provider:network_type': 'vlan',
            'provider:physical_network': network.physical_network,
        }
    body = {'name': name, 'shared': True, **provider}
    made = admin.send('network', 'POST', '/v2.0/networks', {'network': body})
    identity = str(made['network']['id'])
    subnet = {
        'network_id': identity,
        'ip_version': 4,
        # each network is its own world: the same addresses in all
        'cidr': '10.0.0.0/16',
        'enable_dhcp': False,
    }
    admin.send('network', 'POST', '/v2.0/subnets', {'subnet': subnet})
    return identity


def _create_group(
    user: apis.Api, name: str, group: scenarios.ServerGroup
) -> str:
    body: dict[str, Any] = {'name': name, 'policy': group.policy}
    if group.max_server_per_host is not None:
        body['rules'] = {'max_server_per_host': group.max_server_per_host}
    answer = user.compute('POST', '/os-server-groups', {'server_group': body})
    return str(answer['server_group']['id'])
