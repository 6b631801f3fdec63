# SPDX-License-Identifier: Apache-2.0
"""Take a snapshot: read all that a question needs, in bulk and in parallel.

What the caller may not read, or what has no service in this cloud, becomes
``None`` and one gap that says who could tell. The servers are the exception:
without them there is no answer at all. Without Nova's services no host is
known, so the servers of a host cannot be asked about.
"""

from collections.abc import Callable, Iterable, Mapping
import dataclasses
import datetime
from typing import Any, TypeVar

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import resources
from osc_migrate.cloud import compute
from osc_migrate.cloud import connection
from osc_migrate.cloud import details
from osc_migrate.cloud import network
from osc_migrate.cloud import placement
from osc_migrate.cloud import reading
from osc_migrate.cloud import servers as servers_module

T = TypeVar('T')


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
    link.compute_max  # noqa: B018 - negotiated once, before the threads
    hosts = set(hosts)
    with reading.begin(link) as reader:
        scene = _Scene(reader, hosts, servers)
        found = scene.servers()
        user_id, roles = link.caller()
        now = datetime.datetime.now(datetime.UTC)
        return model.Snapshot(
            taken_at=now.isoformat(timespec='seconds'),
            user_id=user_id,
            roles=roles,
            compute_microversion='.'.join(map(str, link.compute_max)),
            servers=found,
            surveyed=frozenset(hosts),
            hosts=scene.hosts,
            groups=_located(reader, scene.groups or [], found),
            aggregates=reader.optional('aggregates', scene.zones),
            migrations=scene.migrations,
            candidates=_candidates(reader, found, scene.hosts),
            probes={},
            gaps=tuple(reader.gaps),
        )


class _Scene:
    """What does not depend on which servers there are, read side by side."""

    def __init__(
        self,
        reader: reading.Reader,
        wanted: set[str],
        servers: Iterable[str],
    ) -> None:
        self._reader = reader
        self._wanted = wanted
        services = reader.start(compute.services)
        nodes = reader.start(compute.hypervisors)
        self.zones = reader.start(compute.aggregates)
        groups = reader.start(compute.groups)
        one_host = {'host': next(iter(wanted))} if len(wanted) == 1 else {}
        records = reader.start(compute.migrations, **one_host)
        trees = reader.start(placement.trees)
        agents = reader.start(network.agents)
        self._bodies = _bodies(reader, wanted, servers)
        self.hosts = _hosts(
            services()
            if wanted
            else reader.optional('compute services', services) or (),
            reader.optional('hypervisors', nodes) or {},
            reader.optional('resource providers', trees),
            reader.optional('network agents', agents),
        )
        for name in sorted(wanted - self.hosts.keys()):
            raise exceptions.HostNotFound(name, self.hosts)
        self.groups = reader.optional('server groups', groups)
        known = reader.optional('migrations', records)
        self.migrations = None if known is None else tuple(known)
        if reader.link.confined_to:
            reader.note(
                model.Gap(
                    subject='migrations',
                    reason="only those are shown that the caller's project "
                    'began',
                    remedy=exceptions.Forbidden.remedy,
                )
            )

    def servers(self) -> dict[str, model.Server]:
        """Read all that belongs to the servers, and join it."""
        bodies = self._bodies()
        if not bodies:
            return {}
        reader = self._reader
        sources = {
            str(body['OS-EXT-SRV-ATTR:host'])
            for body in bodies
            if body.get('OS-EXT-SRV-ATTR:host')
        }
        ids = [body['id'] for body in bodies]
        bound_to = sources if self._wanted else set()
        ports = reader.start(network.ports, ids, bound_to)
        held = _held(reader, [self.hosts.get(name) for name in sources])
        known = details.read(reader, bodies)
        found_ports = reader.optional('ports', ports)
        if found_ports is not None:
            found_ports = details.with_bindings(
                reader, found_ports, self.migrations or ()
            )
        found_held = held and reader.optional('allocations', held)
        return {
            body['id']: servers_module.server(
                body,
                groups=self.groups,
                ports=_of(found_ports, body['id'], ()),
                details=known,
                allocations=_allocated(found_held, body),
            )
            for body in bodies
        }


def _of(found: Mapping[str, T] | None, key: str, nothing: T) -> T | None:
    """Look up what was read for a server; ``None`` if nothing was."""
    return None if found is None else found.get(key, nothing)


def _allocated(
    found: Mapping[str, dict[str, Mapping[str, int]]] | None,
    body: Mapping[str, Any],
) -> dict[str, Mapping[str, int]] | None:
    """Look up what a server holds; its host, if it may be seen, was asked."""
    if 'OS-EXT-SRV-ATTR:host' not in body:
        return None
    return _of(found, body['id'], {})


def _held(
    reader: reading.Reader, sources: Iterable[model.Host | None]
) -> Callable[[], dict[str, dict[str, Mapping[str, int]]]] | None:
    """Begin to read what is allocated there, if Placement tells of all."""
    providers: list[str] = []
    for host in sources:
        if host is None or host.providers is None:
            return None
        # a host without any room has no tree, but still its root
        root = host.hypervisor_id
        ids = [provider.id for provider in host.providers]
        providers += ids or ([root] if root else [])
    return reader.start(placement.allocations, providers)


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
    if not hosts or any(host.providers is None for host in hosts.values()):
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
