# SPDX-License-Identifier: Apache-2.0
"""Two hosts side by side: what differs, and whether that matters to a move.

What they are counts as a difference; how full they are does not, although it
is listed and marked.
"""

from collections.abc import Callable, Iterable, Iterator
import dataclasses
from typing import Any

from osc_migrate import exceptions
from osc_migrate import hardware
from osc_migrate import inventory
from osc_migrate import model

_COUNTED = ('PCPU', 'VCPU', 'MEMORY_MB', 'DISK_GB')
_TOPOLOGY = ('cells', 'sockets', 'cores', 'threads')
# a host that is closed is the same host
_DISABLED = frozenset({'COMPUTE_STATUS_DISABLED'})
_MEMORY = 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attribute of both hosts; ``None`` is unknown.

    A list holds what only this host has, where the two are compared by it.
    With ``is_use`` it says how full a host is, not what it is. Numbers that
    differ by no more than the share ``slack`` are alike: the firmware of two
    equal hosts leaves a little more or less of their memory.
    """

    attribute: str
    values: tuple[Any, Any]
    is_use: bool = False
    slack: float = 0.0

    @property
    def differs(self) -> bool | None:
        """Whether the two differ; ``None`` if one of them is unknown."""
        first, second = self.values
        if first is None or second is None:
            return None
        if self.slack:
            return bool(abs(first - second) > self.slack * max(first, second))
        return bool(first != second)


def compare(
    snapshot: model.Snapshot, first: str, second: str
) -> tuple[Row, ...]:
    """Compare two hosts of a snapshot, of all of whose servers it tells.

    :raises HostNotFound: one of them is not there
    """
    hosts = []
    for name in (first, second):
        if name not in snapshot.hosts:
            raise exceptions.HostNotFound(name, snapshot.hosts)
        hosts.append(snapshot.hosts[name])
    one, two = hosts
    probes = [snapshot.probes.get(host.name) for host in hosts]
    return (
        *_service(snapshot, one, two),
        *_processor(one, two),
        *_room(one, two),
        *_servers(snapshot, one, two),
        *(_probed(probes[0], probes[1]) if any(probes) else ()),
    )


def has_difference(rows: Iterable[Row]) -> bool:
    """Whether anything differs beside how full the hosts are."""
    return any(row.differs and not row.is_use for row in rows)


def _pair(
    name: str,
    hosts: tuple[Any, Any],
    get: Callable[[Any], Any],
    *,
    is_use: bool = False,
    slack: float = 0.0,
) -> Row:
    return Row(
        attribute=name,
        values=(get(hosts[0]), get(hosts[1])),
        is_use=is_use,
        slack=slack,
    )


def _only(
    name: str,
    first: frozenset[str] | None,
    second: frozenset[str] | None,
) -> Row:
    """Show of two sets what the other one lacks."""
    if first is None or second is None:
        return Row(
            attribute=name,
            values=(
                None if first is None else sorted(first),
                None if second is None else sorted(second),
            ),
        )
    return Row(
        attribute=f'{name} (only here)',
        values=(sorted(first - second), sorted(second - first)),
    )


def _service(
    snapshot: model.Snapshot, one: model.Host, two: model.Host
) -> Iterator[Row]:
    both = (one, two)
    yield _pair(
        'status', both, lambda h: f'{h.status}, {h.state}', is_use=True
    )
    yield _pair('availability zone', both, lambda h: h.zone)

    def aggregates(host: model.Host) -> list[str] | None:
        if snapshot.aggregates is None:
            return None
        found = snapshot.aggregates_by_host.get(host.name, ())
        return sorted(aggregate.name for aggregate in found)

    yield _pair('aggregates', both, aggregates)
    yield _pair('hypervisor', both, lambda h: h.hypervisor_type)
    yield _pair('hypervisor version', both, _hypervisor_version)
    traits = [host.traits and host.traits - _DISABLED for host in both]
    yield _only('traits', traits[0], traits[1])


def _hypervisor_version(host: model.Host) -> str | None:
    number = host.hypervisor_version
    if number is None:
        return None
    return f'{number // 1000000}.{number // 1000 % 1000}.{number % 1000}'


def _processor(one: model.Host, two: model.Host) -> Iterator[Row]:
    both = (one.cpu_info, two.cpu_info)

    def known(get: Callable[[model.CpuInfo], Any]) -> Callable[[Any], Any]:
        return lambda info: None if info is None else get(info)

    yield _pair('architecture', both, known(lambda i: i.arch))
    yield _pair('CPU vendor', both, known(lambda i: i.vendor))
    yield _pair('CPU model', both, known(lambda i: i.model))
    features = [None if i is None else i.features for i in both]
    yield _only('CPU features', features[0], features[1])
    for name in _TOPOLOGY:
        label = 'NUMA cells' if name == 'cells' else f'CPU {name}'
        yield _pair(label, both, known(_of_topology(name)))


def _of_topology(name: str) -> Callable[[model.CpuInfo], int | None]:
    return lambda info: info.topology.get(name)


def _room(one: model.Host, two: model.Host) -> Iterator[Row]:
    """Show what Placement counts, of the usual classes and all others."""
    names = list(_COUNTED)
    for host in (one, two):
        for provider in host.providers or ():
            names += sorted(provider.resources.keys() - set(names))
    for name in names:
        rooms = (one.room(name), two.room(name))
        if any(room is not None and room.capacity for room in rooms):
            yield _pair(
                f'{name} capacity',
                rooms,
                _of_room('capacity'),
                slack=_MEMORY if name == 'MEMORY_MB' else 0.0,
            )
            for what in ('used', 'free'):
                yield _pair(
                    f'{name} {what}', rooms, _of_room(what), is_use=True
                )


def _of_room(what: str) -> Callable[[inventory.Room | None], int | None]:
    return lambda room: None if room is None else int(getattr(room, what))


def _servers(
    snapshot: model.Snapshot, one: model.Host, two: model.Host
) -> Iterator[Row]:
    """Show what runs there, and which CPUs of which cell are pinned."""
    both = (one.name, two.name)

    def on(name: str) -> list[model.Server]:
        return list(snapshot.servers_on(name))

    yield _pair('servers', both, lambda n: len(on(n)), is_use=True)
    yield _pair(
        'servers with NUMA topology',
        both,
        lambda n: sum(bool(s.topology and s.topology.cells) for s in on(n)),
        is_use=True,
    )
    pinned = [_pinned(on(name)) for name in both]
    for cell in sorted(pinned[0].keys() | pinned[1].keys()):
        yield Row(
            attribute=f'CPUs pinned by servers in cell {cell}',
            values=(
                sorted(pinned[0].get(cell, ())),
                sorted(pinned[1].get(cell, ())),
            ),
            is_use=True,
        )


def _pinned(servers: Iterable[model.Server]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for server in servers:
        for cell in server.topology.cells if server.topology else ():
            if cell.host_node is not None and cell.cpu_pinning:
                cpus = found.setdefault(cell.host_node, set())
                cpus.update(cell.cpu_pinning.values())
    return found


def _probed(
    one: hardware.HostProbe | None, two: hardware.HostProbe | None
) -> Iterator[Row]:
    """Show what the hosts said themselves."""
    both = (one, two)

    def told(get: Callable[[hardware.HostProbe], Any]) -> Callable[..., Any]:
        return lambda probe: get(probe) if probe else None

    yield _pair('libvirt version', both, told(lambda p: p.libvirt_version))
    yield _pair('QEMU version', both, told(lambda p: p.hypervisor_version))
    yield _pair(
        'CPU model (libvirt)',
        both,
        told(lambda p: p.processor and p.processor.model),
    )
    flags = [
        p.processor.flags or None if p and p.processor else None for p in both
    ]
    yield _only('CPU flags', flags[0], flags[1])
    machines = [p.machine_types or None if p else None for p in both]
    yield _only('machine types', machines[0], machines[1])
    cells = [
        {cell.id: cell for cell in (probe.cells if probe else ())}
        for probe in both
    ]
    for number in sorted(cells[0].keys() | cells[1].keys()):
        yield from _cell(number, (cells[0].get(number), cells[1].get(number)))
    yield _pair('not answered', both, told(_unanswered), is_use=True)


def _unanswered(probe: hardware.HostProbe) -> str:
    return probe.why_not if probe.gaps else ''


def _cell(
    number: int, both: tuple[hardware.Cell | None, hardware.Cell | None]
) -> Iterator[Row]:
    def told(get: Callable[[hardware.Cell], Any]) -> Callable[..., Any]:
        return lambda cell: None if cell is None else get(cell)

    name = f'cell {number}'
    yield _pair(f'{name} CPUs', both, told(lambda c: sorted(c.cpu_ids)))
    yield _pair(
        f'{name} memory (MB)',
        both,
        told(lambda c: c.memory_mb),
        slack=_MEMORY,
    )
    yield _pair(
        f'{name} free memory (MB)',
        both,
        told(lambda c: c.free_memory_mb),
        is_use=True,
    )
    sizes = {size for cell in both if cell for size in cell.pages}
    for size in sorted(size for size in sizes if size >= 1024):
        for what in ('total', 'free'):
            yield _pair(
                f'{name} {size} KiB pages, {what}',
                both,
                told(_of_pages(size, what)),
                is_use=what == 'free',
            )


def _of_pages(size: int, what: str) -> Callable[[hardware.Cell], Any]:
    none = hardware.Pages(total=0, free=0)
    return lambda cell: (
        getattr(cell.pages.get(size, none), what) if cell.pages else None
    )
