# SPDX-License-Identifier: Apache-2.0
"""Take the topologies after the moves, and compare them with those before.

Only servers that have a topology cost anything: one GET each, and of their
destinations what else is there and how full they are. What only the hosts
themselves know is compared if they were asked before, and are again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses

from osc_migrate import cloud as cloud_module
from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import topology
from osc_migrate.task import Phase
from osc_migrate.task import Task

# what Nova answers when its scheduler's filters left no host; it says no more
_NO_HOST = 'No valid host was found'
Probes = Mapping[str, hardware.HostProbe]
# of the servers of a host, by id: name and topology
Topologies = Mapping[str, tuple[str, model.Topology]]
_CLASSES = ('VCPU', 'PCPU', 'MEMORY_MB')


def explained(task: Task, before: Mapping[str, model.Server]) -> Task:
    """Add to a refusal of Nova what it may mean for a server with cells.

    :param before: the servers of the source, as they were last seen there
    """
    server = before.get(task.server_id)
    is_told = 'in no API' in task.reason or _NO_HOST not in task.reason
    if is_told or server is None or not _has_cells(server):
        return task
    where = task.destination or ', '.join(sorted(task.refused)) or 'a host'
    reason = (
        f'{task.reason}; by count {where} had the room, but it needs that in '
        f'its cells, as it has now: {topology.shape(server.topology)}; what '
        'is free in the cells of a host is in no API'
    )
    return dataclasses.replace(task, reason=reason)


def gather(
    cloud: cloud_module.Cloud,
    tasks: Iterable[Task],
    before: Mapping[str, model.Server],
    *,
    snapshot: model.Snapshot,
    ask: Callable[[Sequence[str]], Probes] = lambda names: {},
) -> topology.Proof:
    """Compare what the servers that were moved had with what they have.

    :param before: the servers of the source, as they were last seen there
    :param snapshot: of the beginning, with what hosts said then
    :param ask: asks hosts again
    :raises CloudError: Nova does not answer
    """
    moved = [
        task
        for task in tasks
        if task.phase is Phase.DONE and _has_cells(before.get(task.server_id))
    ]
    names = sorted({task.destination or '' for task in moved} - {''})
    there = {name: cloud.topologies(name) for name in names}
    known = [name for name in names if name in snapshot.probes]
    probes = ask(known) if known else {}
    comparisons = tuple(
        topology.compare(
            task.server_id,
            task.name,
            before=_before(before, task.server_id, snapshot.probes),
            after=_place(there, task.destination, task.server_id, probes),
        )
        for task in moved
    )
    loads = tuple(
        load
        for name in names
        if name in snapshot.hosts
        for load in _loads(cloud, snapshot.hosts[name])
    )
    return topology.Proof(comparisons=comparisons, loads=loads)


def _has_cells(server: model.Server | None) -> bool:
    known = server.topology if server is not None else None
    return known is not None and bool(known.cells)


def _before(
    servers: Mapping[str, model.Server], server_id: str, probes: Probes
) -> topology.Place:
    source = servers[server_id].host
    known = {
        server.id: (server.name, server.topology)
        for server in servers.values()
        if server.topology is not None
    }
    return _place({source or '': known}, source, server_id, probes)


def _place(
    known: Mapping[str, Topologies],
    host: str | None,
    server_id: str,
    probes: Probes,
) -> topology.Place:
    there = known.get(host or '', {})
    own = there.get(server_id)
    probe = probes.get(host or '')
    return topology.Place(
        host=host,
        topology=own[1] if own else None,
        others={
            name: other
            for one, (name, other) in there.items()
            if one != server_id
        },
        siblings=_siblings(probe),
        is_strict=_strictness(probe, server_id),
    )


def _siblings(
    probe: hardware.HostProbe | None,
) -> dict[int, frozenset[int]] | None:
    """Return the other CPUs of the core of each CPU, if the host told."""
    if probe is None or not probe.cells:
        return None
    return {
        cpu.id: cpu.siblings - {cpu.id}
        for cell in probe.cells
        for cpu in cell.cpus
    }


def _strictness(
    probe: hardware.HostProbe | None, server_id: str
) -> bool | None:
    guest = probe.guests.get(server_id) if probe is not None else None
    if guest is None or guest.memory_mode is None:
        return None
    return guest.memory_mode == 'strict'


def _loads(
    cloud: cloud_module.Cloud, host: model.Host
) -> Iterable[topology.Load]:
    """Say how full a host is now, and was in the beginning."""
    usage = cloud.usage(host)
    for resource_class in _CLASSES:
        if resource_class not in usage:
            continue
        used, total = usage[resource_class]
        # a tree without any room is not told of
        room = host.room(resource_class) if host.providers else None
        yield topology.Load(
            host=host.name,
            resource_class=resource_class,
            before=room.used if room else None,
            after=used,
            total=total,
        )
