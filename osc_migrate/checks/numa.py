# SPDX-License-Identifier: Apache-2.0
"""Checks of guests whose CPUs and memory lie in cells of their host.

Dedicated CPUs, huge pages, persistent memory and ``hw:numa_nodes`` give a
guest a topology. The destination fits it cell by cell when the server comes;
Placement counts whole hosts only, so whether it fits is known for certain
only where it does not.
"""

from collections.abc import Hashable, Iterator
import math

from osc_migrate import checks
from osc_migrate import resources
from osc_migrate.cells import counted

_LIST = 'openstack --os-compute-api-version 2.87 hypervisor show {destination}'


def _shape(candidate: checks.Candidate) -> Hashable:
    cells = _cells(candidate)
    if not cells:
        return None
    return tuple(cells)


@checks.destination_check('numa-cells', alike=_shape)
def cells(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Each cell of the guest needs a cell of the host, large enough.

    Two cells of a guest never share one of the host
    (``numa_fit_instance_to_host`` in ``nova/virt/hardware.py``).

    What to do: take a host with as many cells, each large enough.
    """
    wanted = _cells(candidate)
    if not wanted:
        return
    destination = candidate.destination
    assert destination is not None
    topology = destination.cpu_info and destination.cpu_info.topology
    probe = candidate.snapshot.probes.get(destination.name)
    if (not topology or 'cells' not in topology) and probe and probe.cells:
        largest = max(len(cell.cpus) for cell in probe.cells)
        topology = {'cells': len(probe.cells), 'cores': largest}
    if not topology or 'cells' not in topology:
        yield checks.unknown(
            f'how many NUMA cells it has is unknown, {len(wanted)} are needed',
            _LIST,
        )
        return
    if len(wanted) > (number := topology['cells']):
        yield checks.error(
            f'has {counted(number)}, {len(wanted)} are needed',
            _LIST,
            cells=number,
            needed=len(wanted),
        )
    size = math.prod(topology.get(k, 1) for k in ('cores', 'threads'))
    size *= topology.get('sockets', 1)
    if max(wanted) > size:
        yield checks.error(
            f'has {size} CPUs in a NUMA cell, {max(wanted)} are needed in one',
            _LIST,
            cpus=size,
            needed=max(wanted),
        )


@checks.server_check('numa-fit')
def fit(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """CPUs and memory pages of the guest must be free in cells of the host.

    The destination claims them when the server comes (``MoveClaim`` in
    ``nova/compute/claims.py``), live or cold; if they are not free there,
    Nova takes another host or gives up. A guest that moves live must also
    get pages of the size that it has now. How many CPUs and pages are free
    in each cell is in no API, and with DPDK the virtual switch takes huge
    pages too.

    What to do: ask the hosts with ``--probe ssh`` (see numa-room), or try:
    Nova claims before it touches the guest, and refuses if it does not fit.
    """
    wanted = _cells(candidate)
    if not wanted or candidate.snapshot.probes:
        return
    server, wish = candidate.server, candidate.wish
    needs = [f'{counted(len(wanted))} of up to {max(wanted)} CPUs']
    pinned = wish.pinned
    if pinned:
        needs.append(f'{pinned} dedicated CPUs')
    emulator = wish.specs.get('hw:emulator_threads_policy')
    if emulator:
        needs.append(f'emulator threads ({emulator})')
    pages = wish.specs.get('hw:mem_page_size')
    known = server.topology and server.topology.pagesize_kb
    if pages:
        size = f'{known} KiB' if known else pages
        needs.append(f'{server.flavor.ram} MB of memory pages ({size})')
    yield checks.unknown(
        f'needs {", ".join(needs)}; what is free in the cells of which host '
        'is in no API',
        'ask the hosts themselves: openstack server migration preflight '
        '{server} --probe ssh; or on the destination: numactl --hardware; '
        'virsh freepages --all',
        cells=len(wanted),
        pinned=pinned,
        page_size=pages,
        pagesize_kb=known,
    )


@checks.server_check('cpu-realtime')
def realtime(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A realtime guest misses its deadlines while it moves live.

    Nova moves it and works out its CPUs anew for the destination
    (``_get_live_migrate_numa_info`` in ``nova/virt/libvirt/driver.py``), but
    while its memory is copied, and in the pause at the end, nothing keeps
    the promised latency.

    What to do: agree on a time with its owner, or move it cold.
    """
    if candidate.is_live and resources.is_true(
        candidate.wish.specs.get('hw:cpu_realtime')
    ):
        yield checks.warning(
            'has realtime CPUs, whose latency is not kept while it moves'
        )


def _cells(candidate: checks.Candidate) -> list[int]:
    """Return the number of CPUs of each cell of the guest."""
    server = candidate.server
    if server.topology is not None and server.topology.cells:
        return [len(cell.vcpus) for cell in server.topology.cells]
    specs, properties = server.flavor.extra_specs, server.image_properties
    if not specs and not properties:
        return []
    count = candidate.wish.numa_cells
    # uneven cells are larger than that, never smaller
    return [math.ceil(server.flavor.vcpus / count)] * count if count else []
