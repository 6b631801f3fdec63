# SPDX-License-Identifier: Apache-2.0
"""What a move changed for a guest that is bound to cells of its host. Pure.

Nova moves such a guest only where it fits, but "fits" leaves room for worse:
smaller pages, cells that others have pinned CPUs in, a host that is filled
beyond what it has. It shows later, as slowness, so it is compared at once.
Which CPUs share a core is in no API; only a look at the hosts tells.
"""

from collections.abc import Iterable, Iterator, Mapping
import dataclasses
import enum
from typing import Any

from osc_migrate import model

Value = int | str | None


class Verdict(enum.StrEnum):
    """What a change means for the guest, the worst last."""

    SAME = 'same'
    BETTER = 'better'
    UNKNOWN = 'unknown'
    WORSE = 'worse'


_SEVERITY = list(Verdict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing before and after; ``None`` is unknown, or none of it."""

    what: str
    before: Value
    after: Value
    verdict: Verdict


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server's topology on a host, and what else has pinned CPUs there.

    ``topology`` is ``None`` if it is unknown. ``others`` are the topologies
    of other servers of the host by name. ``siblings`` maps a CPU of the host
    to those of its core, ``is_strict`` says that the guest has memory of its
    own cells only; ``None`` if nobody looked at the host.
    """

    host: str | None
    topology: model.Topology | None
    others: Mapping[str, model.Topology]
    siblings: Mapping[int, frozenset[int]] | None
    is_strict: bool | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a move changed for one server."""

    server_id: str
    name: str
    source: str | None
    destination: str | None
    shape: str
    changes: tuple[Change, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all changes."""
        return max(
            (change.verdict for change in self.changes),
            key=_SEVERITY.index,
            default=Verdict.SAME,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How full a host is of a resource class, before and after.

    ``total`` is what the host has, without any overcommit. ``before`` is
    ``None`` where that is unknown.
    """

    host: str
    resource_class: str
    before: int | None
    after: int
    total: int

    @property
    def verdict(self) -> Verdict:
        """Worse is a host that is overcommitted, and was less so."""
        if self.after <= self.total or self.after == self.before:
            return Verdict.SAME
        return Verdict.UNKNOWN if self.before is None else Verdict.WORSE


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the moves of a drain changed."""

    comparisons: tuple[Comparison, ...]
    loads: tuple[Load, ...]

    @property
    def is_worse(self) -> bool:
        """Whether anything got worse."""
        seen = {one.verdict for one in self.comparisons}
        seen.update(load.verdict for load in self.loads)
        return Verdict.WORSE in seen


def compare(
    server_id: str, name: str, *, before: Place, after: Place
) -> Comparison:
    """Compare a server's topology on two hosts."""
    return Comparison(
        server_id=server_id,
        name=name,
        source=before.host,
        destination=after.host,
        shape=shape(after.topology or before.topology),
        changes=tuple(_changes(before, after)),
    )


def shape(topology: model.Topology | None) -> str:
    """Say in words what a guest has: ``2 NUMA cells on host cells 0, 1``."""
    if topology is None:
        return 'unknown'
    cells = topology.cells
    if not cells:
        return 'no NUMA topology'
    said = [f'{len(cells)} NUMA cell{"s" if len(cells) > 1 else ""}']
    nodes = sorted({c.host_node for c in cells if c.host_node is not None})
    if nodes:
        said[0] += f' on {", ".join(map(str, nodes))} of the host'
    pins = sorted(cpu for cell in cells for cpu in _pins(cell))
    if pins:
        said.append(f'dedicated CPUs {", ".join(map(str, pins))}')
    if topology.pagesize_kb:
        said.append(f'pages of {topology.pagesize_kb} KiB')
    return ', '.join(said)


def _pins(cell: model.NumaCell) -> Iterable[int]:
    return (cell.cpu_pinning or {}).values()


def _changes(before: Place, after: Place) -> Iterator[Change]:
    old, new = before.topology, after.topology
    if old is None or new is None:
        yield Change(
            what='topology',
            before=shape(old),
            after=shape(new),
            verdict=Verdict.UNKNOWN,
        )
        return
    for what, read, sign in _FACTS:
        values = read(before), read(after)
        if values != (None, None):
            yield Change(
                what=what,
                before=values[0],
                after=values[1],
                verdict=_judged(*values, sign),
            )


def _judged(before: Value, after: Value, sign: int) -> Verdict:
    """Judge a change; with the sign 0 any is for the worse."""
    if before == after:
        return Verdict.SAME
    if before is None or after is None:
        return Verdict.UNKNOWN
    if isinstance(before, int) and isinstance(after, int) and sign:
        is_better = (after - before) * sign > 0
        return Verdict.BETTER if is_better else Verdict.WORSE
    return Verdict.WORSE


def _cells(place: Place) -> tuple[model.NumaCell, ...]:
    return place.topology.cells if place.topology else ()


def _cell_count(place: Place) -> int:
    return len(_cells(place))


def _memory(place: Place) -> str:
    """Join what each cell of the guest has, in MiB."""
    return ' + '.join(str(cell.memory_mb) for cell in _cells(place))


def _page_size(place: Place) -> int | None:
    return place.topology.pagesize_kb if place.topology else None


def _dedicated(place: Place) -> int:
    return sum(len(cell.cpu_pinning or {}) for cell in _cells(place))


def _host_cells(place: Place) -> int | None:
    """Count the cells of the host; those of the guest may share one."""
    nodes = {cell.host_node for cell in _cells(place)}
    return None if None in nodes or not nodes else len(nodes)


def _pinned_beside(place: Place) -> int | None:
    """Count the other servers with dedicated CPUs in the same cells."""
    if not _dedicated(place):
        return None
    nodes = {cell.host_node for cell in _cells(place)}
    return sum(
        any(
            cell.cpu_pinning and cell.host_node in nodes
            for cell in other.cells
        )
        for other in place.others.values()
    )


def _shared_cores(place: Place) -> int | None:
    """Count the CPUs whose core another server has pinned CPUs of."""
    if place.siblings is None or not _dedicated(place):
        return None
    taken = {
        cpu
        for other in place.others.values()
        for cell in other.cells
        for cpu in _pins(cell)
    }
    return sum(
        bool(place.siblings.get(cpu, frozenset()) & taken)
        for cell in _cells(place)
        for cpu in _pins(cell)
    )


def _strictness(place: Place) -> int | None:
    return None if place.is_strict is None else int(place.is_strict)


# what is compared, and whether more of it is better (1) or worse (-1)
_FACTS = (
    ('NUMA cells', _cell_count, 1),
    ('memory of the cells in MiB', _memory, 0),
    ('page size in KiB', _page_size, 1),
    ('dedicated CPUs', _dedicated, 1),
    ('host cells', _host_cells, 1),
    ('servers pinned in the same cells', _pinned_beside, -1),
    ('CPUs on cores shared with others', _shared_cores, -1),
    ('memory from its own cells only', _strictness, 1),
)


def lines(proof: Proof) -> list[str]:
    """Say what the moves changed; nothing if there is nothing to say."""
    said = [
        f'  {one.name}: {one.verdict} ({_differences(one) or one.shape})'
        for one in proof.comparisons
    ]
    by_host: dict[str, list[str]] = {}
    for load in proof.loads:
        by_host.setdefault(load.host, []).append(_filled(load))
    said += [f'  {host}: {", ".join(one)}' for host, one in by_host.items()]
    return ['What the move changed:', *said] if said else []


def _differences(one: Comparison) -> str:
    return ', '.join(
        f'{change.what}: {_told(change.before)} -> {_told(change.after)}'
        for change in one.changes
        if change.verdict is not Verdict.SAME
    )


def _told(value: Value) -> str:
    return 'unknown' if value is None else str(value)


def _filled(load: Load) -> str:
    text = (
        f'{load.resource_class} {_told(load.before)} -> {load.after} used of '
        f'{load.total}'
    )
    if load.after > load.total:
        text += f' (overcommitted {load.after / load.total:.2f} times)'
    return text


def document(one: Comparison | Load) -> dict[str, Any]:
    """Make what a program is shown."""
    if isinstance(one, Load):
        return {**dataclasses.asdict(one), 'verdict': str(one.verdict)}
    return {
        'server_id': one.server_id,
        'server': one.name,
        'source': one.source,
        'destination': one.destination,
        'verdict': str(one.verdict),
        'changes': [
            {**dataclasses.asdict(change), 'verdict': str(change.verdict)}
            for change in one.changes
        ],
    }
