# SPDX-License-Identifier: Apache-2.0
"""Checks of the room in single NUMA cells of a destination.

The APIs count whole hosts. Where a probe has asked the hosts, it is known
what each cell has left; see :mod:`osc_migrate.cells`.
"""

from collections.abc import Hashable, Iterator
import dataclasses
import math
from typing import Any

from osc_migrate import cells
from osc_migrate import checks
from osc_migrate import hardware
from osc_migrate import inventory
from osc_migrate import model

_LOOK = (
    'on {destination}: virsh freepages --all; numactl --hardware; virsh '
    'capabilities; grep cpu_dedicated_set /etc/nova/nova.conf'
)
_ASK = (
    'ask the hosts themselves: openstack server migration preflight {server} '
    '--to {destination} --probe ssh'
)
_SIZES = frozenset({'cells', 'sockets', 'cores', 'threads'})
# MB; memory is not what is asked about
_ENDLESS = 2**62
_COUNTED = ('PCPU', 'VCPU', 'MEMORY_MB')
_EVIDENCE = ('virsh freepages --all', 'numactl --hardware')


def _asked(candidate: checks.Candidate) -> Hashable:
    wanted = cells.demands(candidate.server, is_live=candidate.is_live)
    if not wanted:
        return None
    return (
        *(
            candidate.server.host,
            _in_pairs(candidate),
            checks.asked(candidate),
        ),
        *((demand.cpus, demand.memory_mb, demand.pages) for demand in wanted),
        # a guest that is left there from an earlier try does not count
        candidate.server.id if candidate.snapshot.probes else '',
    )


@checks.destination_check('numa-room', alike=_asked)
def room(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Cells of the destination must have room for the cells of the guest.

    Each cell of the guest needs a cell of the host with as many dedicated
    CPUs and memory pages (``numa_fit_instance_to_host`` in
    ``nova/virt/hardware.py``). The APIs tell whether they are there in all;
    with ``--probe ssh`` the hosts tell what each cell has: the CPUs that no
    guest is pinned to, the pages that neither guests nor a virtual switch
    hold. Which of the CPUs are in ``cpu_dedicated_set`` is written in
    nova.conf only; where that decides, it stays unknown. Pages that
    ``reserved_huge_pages`` keeps and nobody holds count as free.

    What to do: choose a destination whose cells have room, or make room in
    one cell by moving another server first.
    """
    wanted = cells.demands(candidate.server, is_live=candidate.is_live)
    if not wanted:
        return
    destination = candidate.destination
    assert destination is not None
    probe = candidate.snapshot.probes.get(destination.name)
    if probe is None and not candidate.snapshot.probes:
        yield from _by_count(candidate, len(wanted))
    elif probe is None:
        yield checks.unknown(
            'what is free in its NUMA cells is unknown: it was not probed',
            _ASK,
        )
    elif not probe.cells:
        yield checks.unknown(
            f'what is free in its NUMA cells is unknown: {probe.why_not}',
            _LOOK,
            gaps=dict(probe.gaps),
        )
    else:
        yield from _by_cell(candidate, destination, probe)


def _by_count(
    candidate: checks.Candidate, count: int
) -> Iterator[checks.Draft]:
    """Name a host that has the room in all, and how it compares."""
    source, destination = candidate.source, candidate.destination
    assert destination is not None
    if destination.providers is None:
        return
    asked = inventory.translated(
        destination.providers, candidate.server.request
    )
    if inventory.allot(destination.providers, asked)[1]:
        return
    full = _full(candidate, destination)
    if full is not None:
        yield full
        return
    free = {
        name: found.free
        for name in _COUNTED
        if (found := destination.room(name)) is not None and found.capacity
    }
    ours = source.cpu_info if source else None
    theirs = destination.cpu_info
    listed = ', '.join(f'{amount} {name}' for name, amount in free.items())
    yield checks.info(
        f'fits by count ({listed} free{_likeness(ours, theirs)}); whether '
        'its cells have room is in no API',
        _ASK,
        free=free,
        cells=count,
        topology=dict(theirs.topology) if theirs else None,
        source_topology=dict(ours.topology) if ours else None,
        running_vms=destination.running_vms,
    )


def _likeness(ours: model.CpuInfo | None, theirs: model.CpuInfo | None) -> str:
    """Compare the cells of two hosts, if both are known."""
    if not (ours and theirs and ours.topology and theirs.topology):
        return ''
    if ours.topology == theirs.topology:
        return ', with cells like the source'
    return ', with other cells than the source'


def _full(
    candidate: checks.Candidate, destination: model.Host
) -> checks.Draft | None:
    """Say so if servers there are known to hold the CPUs of every cell.

    Nova tells where their CPUs are pinned (microversion 2.78), if the
    snapshot is about the servers of the destination as well.
    """
    topology = destination.cpu_info and destination.cpu_info.topology
    if not topology or not topology.keys() >= _SIZES:
        return None
    size = math.prod(topology[name] for name in _SIZES - {'cells'})
    free = dict.fromkeys(range(topology['cells']), size)
    for server in candidate.snapshot.servers_on(destination.name):
        if server.id == candidate.server.id or server.topology is None:
            continue
        for cell in server.topology.cells:
            if cell.host_node in free:
                free[cell.host_node] -= len(cell.cpu_pinning or ())
    wanted = cells.demands(candidate.server, is_live=candidate.is_live)
    supplies = [
        cells.Supply(id=cell, cpus=left, memory_mb=_ENDLESS, pages_mb=None)
        for cell, left in free.items()
    ]
    bare = [dataclasses.replace(demand, pages=None) for demand in wanted]
    if cells.fits([bare], supplies) is not False:
        return None
    have = '; '.join(f'cell {cell}: {left}' for cell, left in free.items())
    return checks.error(
        f'has room by count, but not {cells.counted(len(wanted))} with '
        f'{max(demand.cpus for demand in wanted)} CPUs that no server is '
        f'pinned to ({have})',
        'openstack compute compare '
        f'{candidate.server.host} {destination.name}',
        unpinned_cpus={str(cell): left for cell, left in free.items()},
    )


def _by_cell(
    candidate: checks.Candidate,
    destination: model.Host,
    probe: hardware.HostProbe,
) -> Iterator[checks.Draft]:
    """Say what the cells have, against what is needed."""
    server, is_live = candidate.server, candidate.is_live
    wanted = cells.demands(server, is_live=is_live)
    coming = [
        cells.demands(other, is_live=is_live)
        for other in candidate.snapshot.servers_on(destination.name)
        if other.id != server.id and other.id not in probe.guests
    ]
    coming = [found for found in coming if found]
    bounds = cells.bounds(
        destination,
        probe,
        leaving=server.id,
        arriving=sum(demand.cpus for found in coming for demand in found),
        in_pairs=_in_pairs(candidate),
    )
    if cells.fits([*coming, wanted], bounds.surely):
        return
    beside = f' beside {len(coming)} that go there too' if coming else ''
    have = '; '.join(_has(supply, wanted[0]) for supply in bounds.most)
    evidence = _evidence(probe, bounds)
    if cells.fits([*coming, wanted], bounds.most) is False:
        what = f'no NUMA cell has {_needs(wanted[0])}'
        if len(set(wanted)) > 1 or len(wanted) > 1:
            each = ' and '.join(map(_needs, dict.fromkeys(wanted)))
            what = f'has no {len(wanted)} NUMA cells with {each} each'
        yield checks.error(f'{what}{beside} ({have})', _LOOK, **evidence)
        return
    yield checks.unknown(
        f'may have room in its NUMA cells for {_needs(wanted[0])}{beside}: at '
        f'most {have}; which of the CPUs are dedicated and which pages '
        'reserved is written in its nova.conf',
        _LOOK,
        **evidence,
    )


def _needs(demand: cells.Demand) -> str:
    parts = [f'{demand.cpus} free dedicated CPUs'] if demand.cpus else []
    memory = f'{demand.memory_mb} MB of'
    if demand.pages is None:
        parts.append(f'{memory} memory')
    else:
        parts.append(f'{memory} free {_size(demand.pages)}')
    return ' and '.join(parts)


def _size(pages: int | str) -> str:
    if isinstance(pages, str):
        return f'pages ({pages})'
    for unit, name in ((1024**2, 'GiB'), (1024, 'MiB')):
        if pages % unit == 0:
            return f'{pages // unit} {name} pages'
    return f'{pages} KiB pages'


def _has(supply: cells.Supply, demand: cells.Demand) -> str:
    """Say what a cell has of what is asked for."""
    parts = [f'{supply.cpus} CPUs'] if demand.cpus else []
    if demand.pages is None or supply.pages_mb is None:
        parts.append(f'{supply.memory_mb} MB')
    else:
        parts += [
            f'{amount} MB in {_size(size)}'
            for size, amount in supply.pages_mb.items()
            if demand.pages in (size, 'any', 'large', 'small')
        ]
    return f'cell {supply.id}: {", ".join(parts) or "nothing"}'


def _evidence(
    probe: hardware.HostProbe, bounds: cells.Bounds
) -> dict[str, Any]:
    """Give the numbers, and what the commands wrote."""
    surely = {supply.id: supply for supply in bounds.surely}
    return {
        'cells': [
            {
                'id': supply.id,
                'cpus_at_most': supply.cpus,
                'cpus_surely': surely[supply.id].cpus,
                'memory_mb': supply.memory_mb,
                'free_memory_mb': surely[supply.id].memory_mb,
                'pages_mb': {
                    str(size): amount
                    for size, amount in (supply.pages_mb or {}).items()
                },
            }
            for supply in bounds.most
        ],
        'outputs': {
            name: probe.outputs[name].strip().splitlines()
            for name in _EVIDENCE
            if name in probe.outputs
        },
    }


def _in_pairs(candidate: checks.Candidate) -> bool:
    return bool(candidate.wish('cpu_thread_policy') == 'require')
