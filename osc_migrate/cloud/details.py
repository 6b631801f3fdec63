# SPDX-License-Identifier: Apache-2.0
"""What is read for each server only where its own attributes make it matter.

Volumes if it has any, its topology if its flavor or image asks for one, its
shares if the cloud has a service for them, all bindings of its ports if a
live migration of it has failed; the traits of each distinct image once.
"""

from collections.abc import Collection, Mapping
import dataclasses
from typing import Any

from osc_migrate import model
from osc_migrate.cloud import compute
from osc_migrate.cloud import connection
from osc_migrate.cloud import network
from osc_migrate.cloud import reading
from osc_migrate.cloud import storage

TOPOLOGY = (2, 78)
SHARES = (2, 97)
# what gives a guest a NUMA topology (nova.virt.hardware.numa_get_constraints)
_SPECS = (
    'hw:numa_nodes',
    'hw:cpu_policy',
    'hw:mem_page_size',
    'hw:cpu_dedicated_mask',
    'hw:pmem',
)
_PROPERTIES = ('hw_numa_nodes', 'hw_cpu_policy', 'hw_mem_page_size')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What was read, by server id or image id; missing means unknown."""

    volumes: Mapping[str, Mapping[str, Any]]
    image_traits: Mapping[str, frozenset[str] | None]
    shares: Mapping[str, tuple[str, ...]]
    topologies: Mapping[str, model.Topology]


def read(
    reader: reading.Reader, bodies: Collection[dict[str, Any]]
) -> Details:
    """Read the details of servers, all at once."""
    link = reader.link
    attached = {
        volume['id']
        for body in bodies
        for volume in body.get('os-extended-volumes:volumes_attached', ())
    }
    images = {body['image']['id'] for body in bodies if body.get('image')}
    volumes = reader.start(storage.volumes, attached)
    traits = {
        image: reader.start(storage.image_traits, image) for image in images
    }
    topologies = {
        body['id']: reader.start(_topology, body['id'])
        for body in bodies
        if _has_topology(body)
    }
    has_shares = link.has('shared-file-system')
    can_tell = link.compute_max >= SHARES
    shares = {
        body['id']: reader.start(_shares, body['id'])
        for body in bodies
        if has_shares and can_tell
    }
    found_shares = reader.optional_all('shares', shares)
    if not has_shares:
        # Nova keeps no shares that Manila does not
        found_shares = {body['id']: () for body in bodies}
    return Details(
        volumes=reader.optional('volumes', volumes) or {},
        image_traits=reader.optional_all('images', traits),
        shares=found_shares,
        topologies=reader.optional_all('topologies', topologies),
    )


def _has_topology(body: Mapping[str, Any]) -> bool:
    specs = body['flavor'].get('extra_specs') or {}
    properties = (body.get('image') or {}).get('properties') or {}
    return any(name in specs for name in _SPECS) or any(
        name in properties for name in _PROPERTIES
    )


def _topology(link: connection.Connection, server_id: str) -> model.Topology:
    known = link.get(
        'compute',
        f'/servers/{server_id}/topology',
        microversion=link.microversion(TOPOLOGY),
    )
    return model.Topology(
        cells=tuple(
            model.NumaCell(
                vcpus=frozenset(node['vcpu_set']),
                memory_mb=node['memory_mb'],
                host_node=node.get('host_node'),
                cpu_pinning=node.get('cpu_pinning'),
            )
            for node in known['nodes']
        ),
        pagesize_kb=known.get('pagesize_kb'),
    )


def topologies_on(
    link: connection.Connection, host: str
) -> dict[str, tuple[str, model.Topology]]:
    """Return name and topology of the servers of a host that have one.

    :raises CloudError: Nova does not answer
    """
    with reading.begin(link) as reader:
        bodies = [
            body
            for body in compute.servers(link, host=host)
            if _has_topology(body)
        ]
        found = reader.optional_all(
            'topologies',
            {
                body['id']: reader.start(_topology, body['id'])
                for body in bodies
            },
        )
    names = {body['id']: body['name'] for body in bodies}
    return {one: (names[one], known) for one, known in found.items()}


def topology(
    link: connection.Connection, server_id: str
) -> model.Topology | None:
    """Return the topology of a server, ``None`` if Nova does not tell.

    :raises CloudError: Nova does not answer
    """
    with reading.begin(link) as reader:
        return reader.optional('topology', reader.start(_topology, server_id))


def _shares(link: connection.Connection, server_id: str) -> tuple[str, ...]:
    listed = link.get(
        'compute',
        f'/servers/{server_id}/shares',
        microversion=link.microversion(SHARES),
    )
    return tuple(share['share_id'] for share in listed['shares'])


def with_bindings(
    reader: reading.Reader,
    ports: Mapping[str, tuple[model.Port, ...]],
    migrations: Collection[model.Migration],
) -> dict[str, tuple[model.Port, ...]]:
    """Give ports all their bindings where a migration may have left some."""
    failed = {
        record.server_id
        for record in migrations
        if record.migration_type == 'live-migration'
        and record.status in ('failed', 'error', 'cancelled')
    }
    started = {
        port.id: reader.start(network.with_bindings, port)
        for server_id in failed & ports.keys()
        for port in ports[server_id]
    }
    bound = reader.optional_all('port bindings', started)
    return {
        server_id: tuple(bound.get(port.id, port) for port in listed)
        for server_id, listed in ports.items()
    }
