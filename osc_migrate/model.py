# SPDX-License-Identifier: Apache-2.0
"""The values that everything else speaks of: one cloud at one moment.

Names of attributes are those of the OpenStack APIs. An attribute that the
cloud did not tell (no right to see it, too old a microversion, service not in
the catalogue) is ``None``: unknown, which is neither yes nor no. There are no
defaults, so whoever builds a value must say every attribute; tests take
defaults from :mod:`osc_migrate.testing`.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import functools
from typing import Any

from osc_migrate import hardware
from osc_migrate import inventory
from osc_migrate.inventory import RequestGroup as RequestGroup
from osc_migrate.inventory import ResourceProvider as ResourceProvider
from osc_migrate.inventory import ResourceRequest as ResourceRequest
from osc_migrate.inventory import Room as Room
from osc_migrate.migration import Migration as Migration
from osc_migrate.migration import MigrationType as MigrationType
from osc_migrate.migration import Move as Move


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """The flavor embedded in a server: its own copy, which moves with it.

    ``ram`` and ``swap`` are in MiB, ``disk`` and ``ephemeral`` in GiB.
    ``extra_specs`` is ``None`` when the caller may not see them.
    """

    original_name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int
    swap: int
    extra_specs: Mapping[str, str] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """An attached volume. All but the id come from Cinder."""

    id: str
    device: str | None
    status: str | None
    migration_status: str | None
    multiattach: bool | None
    encrypted: bool | None
    image_metadata: Mapping[str, str] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a server, as Neutron shows it to the caller.

    ``bindings`` maps every host that has a binding of the port to its
    status, ``ACTIVE`` or ``INACTIVE``. ``resource_request`` is empty when
    the port requests nothing.
    """

    id: str
    network_id: str
    network_type: str | None
    physical_network: str | None
    vnic_type: str
    vif_type: str | None
    host_id: str | None
    device_profile: str | None
    resource_request: Mapping[str, Any] | None
    bindings: Mapping[str, str] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NumaCell:
    """One cell of a server's NUMA topology (``memory_mb`` in MiB)."""

    vcpus: frozenset[int]
    memory_mb: int
    host_node: int | None
    cpu_pinning: Mapping[str, int] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """``GET /servers/{id}/topology``; no cells means no NUMA topology."""

    cells: tuple[NumaCell, ...]
    pagesize_kb: int | None

    def elsewhere(self) -> 'Topology':
        """Return it for another host, in whichever cells of that."""
        moved = (dataclasses.replace(c, host_node=None) for c in self.cells)
        return dataclasses.replace(self, cells=tuple(moved))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server, with what moves with it.

    ``image`` is ``''`` for a server that boots from a volume, and
    ``pinned_availability_zone`` is ``''`` for one that is pinned nowhere, as
    ``None`` means unknown. ``image_traits`` are the required traits of its
    image, which only Glance tells. ``allocations`` maps resource provider
    to resource class to amount on the present host. ``groups`` holds the
    ids of its server groups.
    """

    id: str
    name: str
    project_id: str
    user_id: str | None
    status: str
    vm_state: str | None
    task_state: str | None
    power_state: int | None
    host: str | None
    hypervisor_hostname: str | None
    host_status: str | None
    locked: bool | None
    locked_reason: str | None
    created: str
    launched_at: str | None
    availability_zone: str | None
    pinned_availability_zone: str | None
    flavor: Flavor
    image: str | None
    image_properties: Mapping[str, Any] | None
    image_traits: frozenset[str] | None
    config_drive: bool
    scheduler_hints: Mapping[str, Any] | None
    metadata: Mapping[str, str]
    tags: tuple[str, ...] | None
    fault: str | None
    root_device_name: str | None
    volumes: tuple[Volume, ...]
    ports: tuple[Port, ...] | None
    shares: tuple[str, ...] | None
    topology: Topology | None
    allocations: Mapping[str, Mapping[str, int]] | None
    groups: tuple[str, ...] | None
    request: ResourceRequest

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def is_volume_backed(self) -> bool | None:
        """Whether it boots from a volume; ``None`` if unknown."""
        return None if self.image is None else self.image == ''

    @property
    def has_local_disks(self) -> bool:
        """Whether it has, or may have, disks that are no volumes."""
        flavor = self.flavor
        is_local = not self.is_volume_backed
        return is_local or flavor.ephemeral > 0 or flavor.swap > 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuInfo:
    """The CPU of a host (``cpu_info`` of os-hypervisors up to 2.87)."""

    arch: str | None
    vendor: str | None
    model: str | None
    features: frozenset[str]
    topology: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A Neutron agent of a host.

    ``physical_networks`` are those that it maps to a bridge or a device.
    """

    agent_type: str
    alive: bool
    admin_state_up: bool
    physical_networks: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A nova-compute service and its node.

    ``name`` is the service host, the one that Nova accepts as a destination.
    ``providers`` is the tree in Placement, root first; it is empty when the
    tree has no room at all (Placement then offers no summary of it).
    """

    name: str
    service_id: str
    status: str
    state: str
    disabled_reason: str | None
    forced_down: bool
    zone: str
    updated_at: str | None
    hypervisor_id: str | None
    hypervisor_hostname: str | None
    hypervisor_type: str | None
    hypervisor_version: int | None
    cpu_info: CpuInfo | None
    running_vms: int | None
    providers: tuple[ResourceProvider, ...] | None
    agents: tuple[Agent, ...] | None

    @property
    def is_usable(self) -> bool:
        """Whether Nova would take this host as a destination at all."""
        return self.status == 'enabled' and self.state == 'up'

    @property
    def traits(self) -> frozenset[str] | None:
        """Traits of the root provider, ``None`` when Placement hides them."""
        if not self.providers:
            return None
        return self.providers[0].traits

    def room(self, resource_class: str) -> Room | None:
        """Add up a resource class over the tree; ``None`` if unknown."""
        if self.providers is None:
            return None
        rooms = [
            provider.resources[resource_class]
            for provider in self.providers
            if resource_class in provider.resources
        ]
        units = [room.max_unit for room in rooms if room.max_unit is not None]
        return Room(
            capacity=sum(room.capacity for room in rooms),
            used=sum(room.used for room in rooms),
            max_unit=max(units, default=None),
        )

    def taking_in(
        self, server: Server
    ) -> tuple['Host', inventory.Allotment | None]:
        """Add what a server takes; return the host and what it took."""
        if self.providers is None:
            return self, None
        request = inventory.translated(self.providers, server.request)
        taken, _ = inventory.allot(self.providers, request)
        return self._charged(taken, 1), taken

    def letting_go(self, server: Server) -> 'Host':
        """Take away what a server holds here."""
        if self.providers is None:
            return self
        if server.allocations is not None:
            return self._charged(server.allocations, -1)
        held, _ = inventory.allot(self.providers, server.request)
        return self._charged(held, -1)

    def _charged(
        self, amounts: Mapping[str, Mapping[str, int]], sign: int
    ) -> 'Host':
        assert self.providers is not None
        return dataclasses.replace(
            self, providers=inventory.charged(self.providers, amounts, sign)
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """A server group; ``members`` maps server id to its host, if known."""

    id: str
    name: str
    policy: str
    max_server_per_host: int
    members: Mapping[str, str | None]

    def members_on(self, host: str) -> tuple[str, ...]:
        """Return the ids of the members on a host."""
        return tuple(
            server_id
            for server_id, member_host in self.members.items()
            if member_host == host
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A host aggregate; ``uuid`` is also Placement's aggregate."""

    name: str
    uuid: str | None
    hosts: frozenset[str]
    metadata: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something the caller could not read, and who could."""

    subject: str
    reason: str
    remedy: str


# without slots, so that it can keep what it has worked out
@dataclasses.dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All that was read of a cloud for one question, at one moment.

    ``servers`` are those asked about, by id; of the hosts in ``surveyed``
    they are all. ``hosts`` are all of the cloud, by name. ``candidates``
    maps the query string of a resource request (see
    :func:`osc_migrate.resources.query`) to the hosts that Placement offered
    for it. ``roles`` and ``user_id`` are the caller's. ``probes`` holds what
    hosts said themselves, by name, where they were asked.
    """

    taken_at: str
    user_id: str | None
    roles: frozenset[str]
    compute_microversion: str
    servers: Mapping[str, Server]
    surveyed: frozenset[str]
    hosts: Mapping[str, Host]
    groups: Mapping[str, ServerGroup]
    aggregates: tuple[Aggregate, ...] | None
    migrations: tuple[Migration, ...] | None
    candidates: Mapping[str, frozenset[str]]
    probes: Mapping[str, hardware.HostProbe]
    gaps: tuple[Gap, ...]

    @functools.cached_property
    def unended_migrations(self) -> tuple[Migration, ...]:
        """The records that have not ended; empty when they are unknown."""
        return tuple(m for m in self.migrations or () if not m.has_ended)

    @functools.cached_property
    def aggregates_by_host(self) -> Mapping[str, tuple[Aggregate, ...]]:
        """The aggregates that each host is in."""
        found: dict[str, tuple[Aggregate, ...]] = {}
        for aggregate in self.aggregates or ():
            for host in aggregate.hosts:
                found[host] = (*found.get(host, ()), aggregate)
        return found

    def servers_on(self, host: str) -> Iterator[Server]:
        """Yield the servers of this snapshot that a host runs."""
        return (s for s in self.servers.values() if s.host == host)

    def groups_of(self, server: Server) -> Iterator[ServerGroup]:
        """Yield the server groups that a server is a member of."""
        return (
            self.groups[group_id]
            for group_id in server.groups or ()
            if group_id in self.groups
        )

    def after(self, move: Move) -> 'Snapshot':
        """Return the cloud as it will be when a move has ended well."""
        if move.destination is None:
            return self
        server = self.servers[move.server_id]
        hosts = dict(self.hosts)
        source = hosts.get(move.source)
        if source is not None:
            hosts[source.name] = source.letting_go(server)
        destination = hosts.get(move.destination)
        allocations: Mapping[str, Mapping[str, int]] | None = None
        if destination is not None:
            hosts[destination.name], allocations = destination.taking_in(
                server
            )
        groups = {
            group.id: dataclasses.replace(
                group, members={**group.members, server.id: move.destination}
            )
            for group in self.groups_of(server)
        }
        moved = dataclasses.replace(
            server,
            host=move.destination,
            allocations=allocations,
            topology=server.topology and server.topology.elsewhere(),
        )
        return dataclasses.replace(
            self,
            hosts=hosts,
            groups={**self.groups, **groups},
            servers={**self.servers, server.id: moved},
        )
