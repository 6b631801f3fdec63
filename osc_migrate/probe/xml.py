# SPDX-License-Identifier: Apache-2.0
"""Libvirt's XML of a host, and the numbers that stand in it.

defusedxml reads it: what a host sends may not expand entities or reach for
files. Errors are ``SyntaxError`` (no XML) or ``ValueError``.
"""

from collections.abc import Iterator, Mapping
import dataclasses
import typing
from xml.etree import ElementTree

from defusedxml import ElementTree as defused

from osc_migrate import hardware

# more CPUs or nodes than any kernel counts
_MOST = 65536
_KIB = {
    'b': 1 / 1024,
    'bytes': 1 / 1024,
    'KB': 1000 / 1024,
    'k': 1,
    'KiB': 1,
    'MB': 1000**2 / 1024,
    'M': 1024,
    'MiB': 1024,
    'GB': 1000**3 / 1024,
    'G': 1024**2,
    'GiB': 1024**2,
    'TB': 1000**4 / 1024,
    'T': 1024**3,
    'TiB': 1024**3,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What ``virsh capabilities`` says."""

    arch: str | None
    vendor: str | None
    model: str | None
    features: frozenset[str]
    cells: tuple[hardware.Cell, ...]
    machine_types: frozenset[str]


def root(text: str, tag: str) -> ElementTree.Element:
    """Read a document whose root has this tag.

    :raises SyntaxError, ValueError: it is not that
    """
    found = typing.cast(
        ElementTree.Element,
        defused.fromstring(text.strip(), forbid_dtd=True),
    )
    if found.tag != tag:
        raise ValueError(f'no {tag}')
    return found


def capabilities(text: str) -> Capabilities:
    """Read ``virsh capabilities``.

    :raises SyntaxError, ValueError: it is not that
    """
    top = root(text, 'capabilities')
    cpu = top.find('host/cpu')
    found = top.findall('host/topology/cells/cell')
    return Capabilities(
        arch=_text(cpu, 'arch'),
        vendor=_text(cpu, 'vendor'),
        model=_text(cpu, 'model'),
        features=frozenset(
            feature.get('name', '')
            for feature in (cpu.findall('feature') if cpu is not None else ())
        ),
        cells=tuple(_cell(element) for element in found),
        machine_types=frozenset(_machines(top)),
    )


def _machines(top: ElementTree.Element) -> Iterator[str]:
    """Yield the machine types of the guests, aliases too."""
    for element in top.iterfind('guest/arch//machine'):
        yield (element.text or '').strip()
        if element.get('canonical'):
            yield element.get('canonical', '')


def _cell(element: ElementTree.Element) -> hardware.Cell:
    memory = element.find('memory')
    kib = kibibytes(memory) if memory is not None else 0
    return hardware.Cell(
        id=number(element.get('id')),
        memory_mb=kib // 1024,
        free_memory_mb=None,
        cpus=tuple(_cpu(cpu) for cpu in element.iterfind('cpus/cpu')),
        pages={
            size(pages): hardware.Pages(total=number(pages.text), free=None)
            for pages in element.iterfind('pages')
        },
    )


def _cpu(element: ElementTree.Element) -> hardware.Cpu:
    own = number(element.get('id'))
    socket, core = element.get('socket_id'), element.get('core_id')
    siblings = element.get('siblings')
    return hardware.Cpu(
        id=own,
        socket_id=None if socket is None else number(socket),
        core_id=None if core is None else number(core),
        siblings=numbers(siblings) if siblings else frozenset({own}),
    )


def plain_cell(
    cell_id: int, cpus: frozenset[int], memory_mb: int
) -> hardware.Cell:
    """Make a cell of what the kernel alone tells."""
    return hardware.Cell(
        id=cell_id,
        memory_mb=memory_mb,
        free_memory_mb=None,
        cpus=tuple(
            hardware.Cpu(
                id=cpu,
                socket_id=None,
                core_id=None,
                siblings=frozenset({cpu}),
            )
            for cpu in sorted(cpus)
        ),
        pages={},
    )


def with_free(
    cell: hardware.Cell, memory_mb: int | None, pages: Mapping[int, int]
) -> hardware.Cell:
    """Add to a cell what is free there."""
    return dataclasses.replace(
        cell,
        free_memory_mb=memory_mb,
        pages={
            size_kib: hardware.Pages(
                total=cell.pages[size_kib].total
                if size_kib in cell.pages
                else None,
                free=pages.get(size_kib),
            )
            for size_kib in sorted({*cell.pages, *pages})
        },
    )


def number(text: str | None) -> int:
    """Read a whole number that is not below zero.

    :raises ValueError: it is none
    """
    digits = (text or '').strip()
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f'{digits[:20]!r} is no number')
    return int(digits)


def leading_number(text: str) -> int:
    """Read the number that a text such as ``7258 MB`` begins with.

    :raises ValueError: it begins with none
    """
    return number(next(iter(text.split()), ''))


def numbers(text: str) -> frozenset[int]:
    """Read a set of numbers such as ``0-3,^2`` or ``0 1 2``.

    :raises ValueError: it is none, or larger than any machine
    """
    chosen: set[int] = set()
    excluded: set[int] = set()
    for part in text.replace(',', ' ').split():
        low, dash, high = part.removeprefix('^').partition('-')
        first, last = number(low), number(high if dash else low)
        if last >= _MOST or first > last:
            raise ValueError(f'{part[:20]!r} is no range')
        into = excluded if part.startswith('^') else chosen
        into.update(range(first, last + 1))
    return frozenset(chosen - excluded)


def size(element: ElementTree.Element) -> int:
    """Read the size of a page in KiB.

    :raises ValueError: there is none
    """
    return _kibibytes(element.get('size'), element.get('unit'))


def kibibytes(element: ElementTree.Element) -> int:
    """Read the text of an element as an amount of memory, in KiB.

    :raises ValueError: it is none
    """
    return _kibibytes(element.text, element.get('unit'))


def _kibibytes(text: str | None, unit: str | None) -> int:
    factor = _KIB.get(unit or 'KiB')
    if factor is None:
        raise ValueError(f'{unit!r} is no unit')
    if isinstance(factor, int):
        return number(text) * factor
    return round(min(number(text), 2**62) * factor)


def _text(element: ElementTree.Element | None, tag: str) -> str | None:
    """Return the text of a child, if there is any."""
    found = element.findtext(tag) if element is not None else None
    return (found or '').strip() or None
