# SPDX-License-Identifier: Apache-2.0
"""Take a snapshot: read all that a question needs, in bulk and in parallel.

What the caller may not read, or what has no service in this cloud, becomes
``None`` and one gap that says who could tell. Nova's services and servers are
the exception: without them there is no answer at all.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
import datetime
from typing import Any

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import resources
from osc_migrate.cloud import compute
from osc_migrate.cloud import connection
from osc_migrate.cloud import details
from osc_migrate.cloud import network
from osc_migrate.cloud import placement
from osc_migrate.cloud import reading


def take(
    link: connection.Connection,
    *,
    hosts: Iterable[str] = (),
    servers: Iterable[str] = (),
) -> model.Snapshot:
    """Read the cloud for a question about some servers.

    :param hosts: exact names of hosts, whose servers are all asked about
    :param servers: names or ids of more servers, of any project
    :raises HostNotFound, ServerNotFound, AmbiguousName: no such thing
    :raises CloudError: Nova does not answer
    """
    wanted = set(hosts)
    link.compute_max  # noqa: B018 - negotiated once, before the threads
    with reading.begin(link) as reader:
        services = reader.start(compute.services)
        nodes = reader.start(compute.hypervisors)
        zones = reader.start(compute.aggregates)
        groups = reader.start(compute.groups)
        records = reader.start(
            compute.migrations,
            **({'host': next(iter(wanted))} if len(wanted) == 1 else {}),
        )
        trees = reader.start(placement.trees)
        agents = reader.start(network.agents)
        bodies = _bodies(reader, wanted, servers)

        known_hosts = _hosts(
            services(),
            reader.optional('hypervisors', nodes) or {},
            reader.optional('resource providers', trees),
            reader.optional('network agents', agents),
        )
        for name in sorted(wanted - known_hosts.keys()):
            raise exceptions.HostNotFound(name, known_hosts)
        known_groups = reader.optional('server groups', groups)
        known_records = reader.optional('migrations', records)
        found = _servers(
            reader,
            bodies(),
            hosts=known_hosts,
            groups=known_groups,
            migrations=known_records or [],
            is_by_host=bool(wanted),
        )
        user_id, roles = link.caller()
        return model.Snapshot(
            taken_at=datetime.datetime.now(datetime.UTC).isoformat(
                timespec='seconds'
            ),
            user_id=user_id,
            roles=roles,
            compute_microversion='.'.join(map(str, link.compute_max)),
            servers=found,
            hosts=known_hosts,
            groups=_located(reader, known_groups or [], found),
            aggregates=reader.optional('aggregates', zones),
            migrations=(
                None if known_records is None else tuple(known_records)
            ),
            candidates=_candidates(reader, found, known_hosts),
            gaps=tuple(reader.gaps),
        )


def _bodies(
    reader: reading.Reader, hosts: Iterable[str], servers: Iterable[str]
) -> Callable[[], list[dict[str, Any]]]:
    """Begin to read the servers; the result waits for all of them."""

    def on_host(link: connection.Connection, name: str) -> list[Any]:
        return list(compute.servers(link, host=name))

    listed = [reader.start(on_host, name) for name in hosts]
    named = [reader.start(compute.find_server, name) for name in servers]

    def wait() -> list[dict[str, Any]]:
        found = [body for page in listed for body in page()]
        found += [body() for body in named]
        return list({body['id']: body for body in found}.values())

    return wait


def _hosts(
    services: Iterable[Mapping[str, Any]],
    nodes: Mapping[str, Any],
    trees: Mapping[str, tuple[model.ResourceProvider, ...]] | None,
    agents: Mapping[str, tuple[model.Agent, ...]] | None,
) -> dict[str, model.Host]:
    found = {}
    for service in services:
        host = compute.host(service, nodes.get(service['host']))
        if trees is not None and host.hypervisor_id is not None:
            host = placement.with_providers(host, trees)
        if agents is not None:
            host = dataclasses.replace(host, agents=agents.get(host.name, ()))
        found[host.name] = host
    return found


def _servers(
    reader: reading.Reader,
    bodies: list[dict[str, Any]],
    *,
    hosts: Mapping[str, model.Host],
    groups: list[model.ServerGroup] | None,
    migrations: list[model.Migration],
    is_by_host: bool,
) -> dict[str, model.Server]:
    """Read all that belongs to the servers, and join it."""
    if not bodies:
        return {}
    ids = [body['id'] for body in bodies]
    sources = {
        str(body['OS-EXT-SRV-ATTR:host'])
        for body in bodies
        if body.get('OS-EXT-SRV-ATTR:host')
    }
    ports = reader.start(network.ports, ids, sources if is_by_host else set())
    providers = [
        provider.id
        for name in sources
        if name in hosts
        for provider in hosts[name].providers or ()
    ]
    held = reader.start(placement.allocations, providers)
    known = details.read(reader, bodies)
    found_ports = reader.optional('ports', ports)
    if found_ports is not None:
        found_ports = details.with_bindings(reader, found_ports, migrations)
    allocations = reader.optional('allocations', held)
    return {
        body['id']: compute.server(
            body,
            groups=groups,
            ports=(
                None
                if found_ports is None
                else found_ports.get(body['id'], ())
            ),
            details=known,
            allocations=(
                None
                if allocations is None
                else allocations.get(body['id'], {})
            ),
        )
        for body in bodies
    }


def _located(
    reader: reading.Reader,
    groups: Iterable[model.ServerGroup],
    servers: Mapping[str, model.Server],
) -> dict[str, model.ServerGroup]:
    """Find the hosts of all members of the groups that matter."""
    relevant = {
        group.id: group
        for group in groups
        if group.members.keys() & servers.keys()
    }
    others = {
        member
        for group in relevant.values()
        for member in group.members
        if member not in servers
    }
    bodies = {
        member: reader.start(compute.server_body, member) for member in others
    }
    known: dict[str, str | None] = {
        server_id: server.host for server_id, server in servers.items()
    }
    for member, wait in bodies.items():
        body = wait()
        known[member] = body.get('OS-EXT-SRV-ATTR:host') if body else None
    return {
        group_id: dataclasses.replace(
            group, members={m: known[m] for m in group.members}
        )
        for group_id, group in relevant.items()
    }


def _candidates(
    reader: reading.Reader,
    servers: Mapping[str, model.Server],
    hosts: Mapping[str, model.Host],
) -> dict[str, frozenset[str]]:
    """Ask Placement once for each distinct request."""
    if any(host.providers is None for host in hosts.values()):
        return {}
    by_root = {host.hypervisor_id: host.name for host in hosts.values()}
    queries = {resources.query(s.request) for s in servers.values()}
    started = {
        query: reader.start(placement.offered, query) for query in queries
    }
    return {
        query: frozenset(by_root[root] for root in wait() if root in by_root)
        for query, wait in started.items()
    }
