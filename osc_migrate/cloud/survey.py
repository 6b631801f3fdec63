# SPDX-License-Identifier: Apache-2.0
"""Take a snapshot: read all that a question needs, in bulk and in parallel.

What the caller may not read, or what has no service in this cloud, becomes
``None`` and one gap that says who could tell. Nova's services and servers are
the exception: without them there is no answer at all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
import contextlib
import dataclasses
import datetime
from typing import Any, TypeVar

from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import resources
from osc_migrate.cloud import compute
from osc_migrate.cloud import connection
from osc_migrate.cloud import network
from osc_migrate.cloud import placement

T = TypeVar('T')

_CONNECTIONS = 8


class _Survey:
    """One snapshot in the making: a pool of connections, and the gaps."""

    def __init__(
        self, link: connection.Connection, pool: futures.Executor
    ) -> None:
        self.link = link
        self.gaps: list[model.Gap] = []
        self._pool = pool

    def start(
        self, read: Callable[..., T], *arguments: Any, **filters: Any
    ) -> Callable[[], T]:
        """Begin to read; the result is a function that waits for it."""
        return self._pool.submit(read, self.link, *arguments, **filters).result

    def optional(self, subject: str, wait: Callable[[], T]) -> T | None:
        """Wait for something that the caller perhaps may not read."""
        try:
            return wait()
        except exceptions.CloudError as error:
            if error.status_code not in (None, 403, 404):
                raise
            is_forbidden = isinstance(error, exceptions.Forbidden)
            self.gaps.append(
                model.Gap(
                    subject=subject,
                    reason=str(error),
                    remedy=(
                        'ask somebody with the role admin'
                        if is_forbidden
                        else 'openstack catalog list'
                    ),
                )
            )
            return None


@contextlib.contextmanager
def _begin(link: connection.Connection) -> Iterator[_Survey]:
    with futures.ThreadPoolExecutor(_CONNECTIONS) as pool:
        yield _Survey(link, pool)


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
    with _begin(link) as survey:
        services = survey.start(compute.services)
        nodes = survey.start(compute.hypervisors)
        zones = survey.start(compute.aggregates)
        groups = survey.start(compute.groups)
        records = survey.start(
            compute.migrations,
            **({'host': next(iter(wanted))} if len(wanted) == 1 else {}),
        )
        trees = survey.start(placement.trees)
        agents = survey.start(network.agents)
        bodies = _bodies(survey, wanted, servers)

        known_hosts = _hosts(
            services(),
            survey.optional('hypervisors', nodes) or {},
            survey.optional('resource providers', trees),
            survey.optional('network agents', agents),
        )
        for name in sorted(wanted - known_hosts.keys()):
            raise exceptions.HostNotFound(name, known_hosts)
        known_groups = survey.optional('server groups', groups)
        found = _servers(survey, bodies(), known_hosts, known_groups, wanted)
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
            groups=_located(survey, known_groups or [], found),
            aggregates=survey.optional('aggregates', zones),
            migrations=_as_tuple(survey.optional('migrations', records)),
            candidates=_candidates(survey, found, known_hosts),
            gaps=tuple(survey.gaps),
        )


def _as_tuple(found: list[T] | None) -> tuple[T, ...] | None:
    return None if found is None else tuple(found)


def _bodies(
    survey: _Survey, hosts: Iterable[str], servers: Iterable[str]
) -> Callable[[], list[dict[str, Any]]]:
    """Begin to read the servers; the result waits for all of them."""

    def on_host(link: connection.Connection, name: str) -> list[Any]:
        return list(compute.servers(link, host=name))

    listed = [survey.start(on_host, name) for name in hosts]
    named = [survey.start(compute.find_server, name) for name in servers]

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
    survey: _Survey,
    bodies: list[dict[str, Any]],
    hosts: Mapping[str, model.Host],
    groups: list[model.ServerGroup] | None,
    wanted: set[str],
) -> dict[str, model.Server]:
    if not bodies:
        return {}
    ids = [body['id'] for body in bodies]
    sources = {
        str(body['OS-EXT-SRV-ATTR:host'])
        for body in bodies
        if body.get('OS-EXT-SRV-ATTR:host')
    }
    ports = survey.start(network.ports, ids, sources if wanted else set())
    providers = [
        provider.id
        for name in sources
        if name in hosts
        for provider in hosts[name].providers or ()
    ]
    held = survey.start(placement.allocations, providers)
    found_ports = survey.optional('ports', ports)
    allocations = survey.optional('allocations', held)
    return {
        body['id']: compute.server(
            body,
            groups=groups,
            ports=None
            if found_ports is None
            else found_ports.get(body['id'], ()),
            image_traits=None,
            allocations=None
            if allocations is None
            else allocations.get(body['id'], {}),
        )
        for body in bodies
    }


def _located(
    survey: _Survey,
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
        member: survey.start(compute.server_body, member) for member in others
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
    survey: _Survey,
    servers: Mapping[str, model.Server],
    hosts: Mapping[str, model.Host],
) -> dict[str, frozenset[str]]:
    """Ask Placement once for each distinct request."""
    if any(host.providers is None for host in hosts.values()):
        return {}
    by_root = {host.hypervisor_id: host.name for host in hosts.values()}
    queries = {resources.query(s.request) for s in servers.values()}
    started = {
        query: survey.start(placement.offered, query) for query in queries
    }
    return {
        query: frozenset(by_root[root] for root in wait() if root in by_root)
        for query, wait in started.items()
    }
