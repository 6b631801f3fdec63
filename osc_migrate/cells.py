# SPDX-License-Identifier: Apache-2.0
"""Whether guests fit the NUMA cells of a host, as far as that is known.

As ``numa_fit_instance_to_host`` in ``nova/virt/hardware.py`` does it: each
cell of a guest goes to a cell of the host of its own, with the dedicated CPUs
and memory pages that it asks for. Which CPUs a host dedicates is written in
its nova.conf only, so room has two bounds: what there is at most, and what
there surely is.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import math

from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import resources

# pairs to try before it is given up as undecided
_PATIENCE = 20000
_UNITS = {'K': 1, 'M': 1024, 'G': 1024**2, 'T': 1024**3}


def counted(number: int) -> str:
    """Return ``1 NUMA cell``, ``2 NUMA cells``."""
    return f'{number} NUMA cell{"" if number == 1 else "s"}'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one cell of a guest asks of one cell of a host.

    ``cpus`` are dedicated ones. ``pages`` is a size in KiB, ``any``,
    ``large`` or ``small``, or ``None`` for memory that is not counted in
    pages.
    """

    cpus: int
    memory_mb: int
    pages: int | str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """What one cell of a host has left.

    ``memory_mb`` is for ordinary memory, ``pages_mb`` by the size of page in
    KiB; ``None`` if the host did not tell its pages.
    """

    id: int
    cpus: int
    memory_mb: int
    pages_mb: Mapping[int, int] | None


def demands(server: model.Server, *, is_live: bool) -> tuple[Demand, ...]:
    """Return what the cells of a server ask for; empty without a topology.

    A server that moves live keeps the size of its pages.
    """
    wish = resources.Wish(server.flavor, server.image_properties or {})
    pages = _pages(server, wish, is_live=is_live)
    topology = server.topology
    if topology is not None and topology.cells:
        found = [
            (_dedicated(cell, wish), cell.memory_mb) for cell in topology.cells
        ]
    elif count := wish.numa_cells:
        # uneven cells are larger than that, never smaller
        cpus = math.ceil(wish.pinned / count)
        found = [(cpus, server.flavor.ram // count)] * count
    else:
        return ()
    if wish.specs.get('hw:emulator_threads_policy') == 'isolate':
        found[0] = (found[0][0] + 1, found[0][1])
    return tuple(
        Demand(cpus=cpus, memory_mb=memory, pages=pages)
        for cpus, memory in found
    )


def _dedicated(cell: model.NumaCell, wish: resources.Wish) -> int:
    if cell.cpu_pinning:
        return len(cell.cpu_pinning)
    return len(cell.vcpus) if wish.cpu_policy == 'dedicated' else 0


def _pages(
    server: model.Server, wish: resources.Wish, *, is_live: bool
) -> int | str | None:
    asked = str(wish('mem_page_size') or '').strip().lower()
    known = server.topology and server.topology.pagesize_kb
    if not asked:
        return None
    if known and is_live:
        return known
    if asked in ('large', 'small'):
        return asked
    return _kibibytes(asked) or 'any'


def _kibibytes(text: str) -> int | None:
    """Read a size such as ``2048``, ``2MB`` or ``1GiB``."""
    digits = text.rstrip('ibkmgt')
    unit = text[len(digits) :].upper()[:1]
    if not digits.isdecimal():
        return None
    return int(digits) * _UNITS.get(unit, 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the cells of a host have left, at most and surely."""

    most: tuple[Supply, ...]
    surely: tuple[Supply, ...]


def bounds(
    host: model.Host,
    probe: hardware.HostProbe,
    *,
    leaving: str = '',
    arriving: int = 0,
    in_pairs: bool = False,
) -> Bounds:
    """Return what is left in the cells of a host.

    :param leaving: id of a server that does not count
    :param arriving: dedicated CPUs that Placement counts as used already
        and the probe does not
    :param in_pairs: only CPUs count whose core has another one free
    """
    offered = host.room('PCPU')
    has_own = offered is None or offered.capacity > 0
    taken: set[int] = set()
    for guest in probe.others(leaving):
        # on a host that dedicates CPUs, what others share is not among them
        taken |= guest.known_cpus if has_own else guest.dedicated_cpus
    free = {cell.id: _free_cpus(cell, taken, in_pairs) for cell in probe.cells}
    total = sum(free.values())
    most, surely = [], []
    for cell in probe.cells:
        least = 0
        if offered is not None and has_own:
            # what the other cells cannot hold must be here
            elsewhere = total - free[cell.id]
            least = max(0, offered.free + arriving - elsewhere)
        elif not has_own:
            least = free[cell.id]
        claimed = _claimed(cell, probe, leaving)
        most.append(_supply(cell, free[cell.id], claimed, is_sure=False))
        surely.append(
            _supply(cell, min(least, free[cell.id]), claimed, is_sure=True)
        )
    return Bounds(most=tuple(most), surely=tuple(surely))


def _free_cpus(cell: hardware.Cell, taken: set[int], in_pairs: bool) -> int:
    free = cell.cpu_ids - taken
    return sum(
        not in_pairs or len(cpu.siblings & free) > 1
        for cpu in cell.cpus
        if cpu.id in free
    )


def _claimed(
    cell: hardware.Cell, probe: hardware.HostProbe, leaving: str
) -> dict[int, int]:
    """Return the MiB that guests hold here, running or not, by page size."""
    claimed: dict[int, int] = {}
    for guest in probe.others(leaving):
        for part in guest.cells:
            if part.page_kib is not None and part.nodes == {cell.id}:
                held = claimed.get(part.page_kib, 0)
                claimed[part.page_kib] = held + part.memory_mb
    return claimed


def _supply(
    cell: hardware.Cell,
    cpus: int,
    claimed: Mapping[int, int],
    *,
    is_sure: bool,
) -> Supply:
    """Count pages as Nova does, and as QEMU will find them.

    Nova counts what its guests hold, QEMU takes what is free; ordinary pages
    that are not free may be once the kernel gives back its caches.
    """
    ordinary = _ordinary(cell.pages)
    pages: dict[int, int] = {}
    for size, seen in cell.pages.items():
        known = []
        if seen.total is not None:
            known.append(seen.total * size // 1024 - claimed.get(size, 0))
        if seen.free is not None and (is_sure or size != ordinary):
            known.append(seen.free * size // 1024)
        is_open = is_sure and (seen.free is None or seen.total is None)
        pages[size] = 0 if is_open else max(0, min(known, default=0))
    memory = (cell.free_memory_mb or 0) if is_sure else cell.memory_mb
    return Supply(
        id=cell.id,
        cpus=cpus,
        memory_mb=memory,
        pages_mb=pages if cell.pages else None,
    )


def _ordinary(sizes: Iterable[int]) -> int:
    """Return the size of pages that are not huge, in KiB: 4, 16 or 64."""
    return min((size for size in sizes if size < 1024), default=0)


def fits(
    guests: Iterable[Sequence[Demand]], supplies: Sequence[Supply]
) -> bool | None:
    """Whether all guests fit together; ``None`` if that takes too long."""
    wanted = sorted(
        guests, key=lambda cells: -max((d.memory_mb for d in cells), default=0)
    )
    room = [
        _Left(supply.cpus, supply.memory_mb, dict(supply.pages_mb or {}))
        for supply in supplies
    ]
    if any(supply.pages_mb is None for supply in supplies) and any(
        demand.pages is not None for cells in wanted for demand in cells
    ):
        return None
    try:
        return _Search(room).place(wanted, 0, 0, frozenset())
    except _TooLong:
        return None


class _TooLong(Exception):
    """The search has used up its patience."""


@dataclasses.dataclass(slots=True)
class _Left:
    """What is left of a cell while guests are placed."""

    cpus: int
    memory_mb: int
    pages_mb: dict[int, int]


class _Search:
    """Try the cells for each guest in turn."""

    def __init__(self, room: list[_Left]) -> None:
        self.room = room
        self.tries = 0

    def place(
        self,
        guests: Sequence[Sequence[Demand]],
        guest: int,
        cell: int,
        used: frozenset[int],
    ) -> bool:
        """Place a cell of a guest, then all that come after it."""
        if guest == len(guests):
            return True
        if cell == len(guests[guest]):
            return self.place(guests, guest + 1, 0, frozenset())
        demand = guests[guest][cell]
        for number, left in enumerate(self.room):
            if number in used or left.cpus < demand.cpus:
                continue
            for size in _sizes(demand, left):
                self.tries += 1
                if self.tries > _PATIENCE:
                    raise _TooLong
                _take(left, demand, size, 1)
                if self.place(guests, guest, cell + 1, used | {number}):
                    return True
                _take(left, demand, size, -1)
        return False


def _sizes(demand: Demand, left: _Left) -> list[int | None]:
    """Return the sizes of page from which the demand can be met here."""
    memory = demand.memory_mb
    if demand.pages is None:
        return [None] if memory <= left.memory_mb else []
    ordinary = _ordinary(left.pages_mb)
    return [
        size
        for size, free in sorted(left.pages_mb.items(), reverse=True)
        if memory <= free
        and memory * 1024 % size == 0
        and (
            demand.pages in ('any', size)
            or demand.pages == ('small' if size == ordinary else 'large')
        )
    ]


def _take(left: _Left, demand: Demand, size: int | None, sign: int) -> None:
    left.cpus -= sign * demand.cpus
    if size is None:
        # Nova overcommits it, up to the size of the cell for each guest
        return
    left.pages_mb[size] -= sign * demand.memory_mb
