# SPDX-License-Identifier: Apache-2.0
"""What libvirt says of one guest.

The definition that Nova asked for tells the CPU mode; the one of the running
guest all else, as libvirt has filled it in.
"""

from collections.abc import Iterator, Mapping
import dataclasses
from xml.etree import ElementTree

from osc_migrate import hardware
from osc_migrate.probe import xml


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What ``virsh numatune`` says."""

    mode: str | None
    nodeset: frozenset[int]


def vcpuinfo(text: str) -> dict[int, int]:
    """Read ``virsh vcpuinfo``: the CPU of each VCPU that runs.

    :raises ValueError: it is not that
    """
    found: dict[int, int] = {}
    current: int | None = None
    for line in text.splitlines():
        name, _, value = line.partition(':')
        if name == 'VCPU':
            current = xml.number(value)
        # N/A while the guest is off
        elif name == 'CPU' and value.strip() != 'N/A':
            if current is None:
                raise ValueError('a CPU of no VCPU')
            found[current] = xml.number(value)
    if current is None:
        raise ValueError('no VCPU')
    return found


def numatune(text: str) -> Tuning:
    """Read ``virsh numatune``.

    :raises ValueError: it is not that
    """
    found = {
        name.strip(): value.strip()
        for name, _, value in (
            line.partition(':') for line in text.splitlines()
        )
    }
    if 'numa_mode' not in found:
        raise ValueError('no numa_mode')
    return Tuning(
        mode=found['numa_mode'] or None,
        nodeset=xml.numbers(found.get('numa_nodeset', '')),
    )


def definition(text: str) -> ElementTree.Element:
    """Read ``virsh dumpxml``, and see that all we take from it is there.

    :raises SyntaxError, ValueError: it is not that
    """
    found = xml.root(text, 'domain')
    guest('', found, asked=None, places={}, tuning=None)
    return found


def guest(
    server_id: str,
    now: ElementTree.Element,
    *,
    asked: ElementTree.Element | None,
    places: Mapping[int, int],
    tuning: Tuning | None,
) -> hardware.GuestProbe:
    """Join what was asked of a guest."""
    memory, kind = now.find('memory'), now.find('os/type')
    cpu, wanted = now.find('cpu'), (asked if asked is not None else now)
    mode = wanted.find('cpu')
    strict = now.find('numatune/memory')
    pin, vcpu = now.find('cputune/emulatorpin'), now.find('vcpu')
    nodeset = xml.numbers(_get(strict, 'nodeset') or '')
    return hardware.GuestProbe(
        id=server_id,
        type=now.get('type'),
        machine_type=_get(kind, 'machine'),
        memory_mb=None if memory is None else xml.kibibytes(memory) // 1024,
        cells=tuple(_cells(now, nodeset)),
        nodeset=nodeset or (tuning.nodeset if tuning else frozenset()),
        memory_mode=_get(now.find('numatune/memnode'), 'mode')
        or _get(strict, 'mode')
        or (tuning.mode if tuning and tuning.nodeset else None),
        vcpu_pins=_pins(now),
        vcpu_cpus=places,
        emulator_pins=xml.numbers(_get(pin, 'cpuset') or ''),
        cpu_set=xml.numbers(_get(vcpu, 'cpuset') or ''),
        cpu_mode=_get(mode, 'mode'),
        cpu_model=(cpu.findtext('model') if cpu is not None else None) or None,
        cpu_features=frozenset(_features(cpu)),
    )


def _pins(now: ElementTree.Element) -> dict[int, frozenset[int]]:
    return {
        xml.number(pin.get('vcpu')): xml.numbers(pin.get('cpuset') or '')
        for pin in now.iterfind('cputune/vcpupin')
    }


def _features(cpu: ElementTree.Element | None) -> Iterator[str]:
    """Yield the features that the guest must have."""
    if cpu is None:
        return
    for feature in cpu.iterfind('feature'):
        if feature.get('policy', 'require') in ('require', 'force'):
            yield feature.get('name', '')


def _cells(
    now: ElementTree.Element, nodeset: frozenset[int]
) -> Iterator[hardware.GuestCell]:
    """Yield the cells of the guest, or all of it if it is kept to one."""
    placed = {
        xml.number(node.get('cellid')): xml.numbers(node.get('nodeset') or '')
        for node in now.iterfind('numatune/memnode')
    }
    for cell in now.iterfind('cpu/numa/cell'):
        own = xml.number(cell.get('id'))
        kib = ElementTree.Element('memory', unit=cell.get('unit') or 'KiB')
        kib.text = cell.get('memory')
        yield hardware.GuestCell(
            id=own,
            vcpus=xml.numbers(cell.get('cpus') or ''),
            memory_mb=xml.kibibytes(kib) // 1024,
            nodes=placed.get(own, nodeset),
            page_kib=_page(now, own),
        )


def _page(now: ElementTree.Element, cell_id: int) -> int | None:
    """Return the size of the huge pages of a cell of the guest."""
    for page in now.iterfind('memoryBacking/hugepages/page'):
        nodes = page.get('nodeset')
        if nodes is None or cell_id in xml.numbers(nodes):
            return xml.size(page)
    return None


def _get(element: ElementTree.Element | None, name: str) -> str | None:
    return element.get(name) if element is not None else None
