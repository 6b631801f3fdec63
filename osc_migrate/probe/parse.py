# SPDX-License-Identifier: Apache-2.0
"""From what a host's commands wrote to values.

Whatever was cut off or garbled ends in a gap of that one command, never in
an exception: half an answer of a host is better than none.
"""

from collections.abc import Callable, Iterator, Mapping
import re
from typing import TypeVar

from osc_migrate import hardware
from osc_migrate.probe import commands
from osc_migrate.probe import domain
from osc_migrate.probe import xml

T = TypeVar('T')
_NODE = re.compile(
    r'^node (\d+) (cpus|size|free):[ \t]*([^\n]*)$', re.ASCII | re.M
)
_FREE = re.compile(r'^(\d+)KiB:\s*(\d+)\s*$', re.ASCII)
_VERSION = re.compile(r'^Using library: libvirt ([\d.]+)\s*$', re.ASCII | re.M)
_RUNNING = re.compile(
    r'^Running hypervisor: (\S+) ([\d.]+)\s*$', re.ASCII | re.M
)
_UNNAMED = 'it wrote nothing that can be read'


class _Answers:
    """The answers of one host, read one command at a time."""

    def __init__(self, found: Mapping[str, tuple[int, str]]) -> None:
        self.found = found
        self.gaps: dict[str, str] = {}

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Read one answer, or note why there is none."""
        if name not in self.found:
            self.gaps[name] = 'no answer came in time'
            return None
        code, text = self.found[name]
        if code:
            self.gaps[name] = _reason(code, text)
            return None
        try:
            return parse(text)
        except (SyntaxError, ValueError, LookupError) as error:
            self.gaps[name] = f'{_UNNAMED} ({_first(str(error))})'
            return None


def host_probe(
    host: str, found: Mapping[str, tuple[int, str]]
) -> hardware.HostProbe:
    """Read all answers of a host: exit code and text by command."""
    answers = _Answers(found)
    flags = answers.read('lscpu', lscpu)
    nodes = answers.read('numactl --hardware', numactl) or {}
    versions = answers.read('virsh version', virsh_version)
    info = answers.read('virsh nodeinfo', nodeinfo)
    told = answers.read('virsh capabilities', capabilities)
    free = answers.read('virsh freepages --all', freepages) or {}
    ids = answers.read(commands.LIST, guest_ids) or []
    guests = {
        server_id: guest
        for server_id in ids
        if (guest := _guest(answers, server_id)) is not None
    }
    return hardware.HostProbe(
        host=host,
        libvirt_version=versions[0] if versions else None,
        hypervisor_version=versions[1] if versions else None,
        processor=_processor(told, flags, info),
        cells=_cells(told.cells if told else (), nodes, free),
        machine_types=told.machine_types if told else frozenset(),
        guests=guests,
        outputs={n: text for n, (code, text) in found.items() if not code},
        gaps=answers.gaps,
    )


def lscpu(text: str) -> dict[str, str]:
    """Read ``lscpu``: what stands before and after each colon."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(':')
        if colon:
            found.setdefault(name.strip(), value.strip())
    if 'Architecture' not in found:
        raise ValueError('no Architecture')
    return found


def nodeinfo(text: str) -> dict[str, str]:
    """Read ``virsh nodeinfo`` likewise."""
    found = {
        name.strip(): value.strip()
        for name, colon, value in (
            line.partition(':') for line in text.splitlines()
        )
        if colon
    }
    if 'CPU(s)' not in found:
        raise ValueError('no CPU(s)')
    return found


def numactl(text: str) -> dict[int, dict[str, str]]:
    """Read ``numactl --hardware``: cpus, size and free of each node."""
    found: dict[int, dict[str, str]] = {}
    for number, name, value in _NODE.findall(text):
        found.setdefault(int(number), {})[name] = value.strip()
    if not found:
        raise ValueError('no nodes')
    for node in found.values():
        xml.numbers(node.get('cpus', ''))
        xml.leading_number(node['size'])
        xml.leading_number(node.get('free', '0'))
    return found


def freepages(text: str) -> dict[int, dict[int, int]]:
    """Read ``virsh freepages --all``: by cell, how many of each size."""
    found: dict[int, dict[int, int]] = {}
    cell: dict[int, int] | None = None
    for line in text.splitlines():
        if line.startswith('Node '):
            number = line.removeprefix('Node ').strip().rstrip(':')
            cell = found.setdefault(xml.number(number), {})
        elif match := _FREE.match(line):
            if cell is None:
                raise ValueError('pages of no node')
            cell[int(match[1])] = int(match[2])
    return found


def virsh_version(text: str) -> tuple[str, str | None]:
    """Read ``virsh version``: of the library, and of the hypervisor."""
    library, running = _VERSION.search(text), _RUNNING.search(text)
    if library is None:
        raise ValueError('no library')
    return library[1], running[2] if running else None


def guest_ids(text: str) -> list[str]:
    """Read ``virsh list --all --uuid``."""
    words = text.split()
    if not all(map(commands.UUID.fullmatch, words)):
        raise ValueError('what is no UUID')
    return words


capabilities = xml.capabilities


def _guest(answers: _Answers, server_id: str) -> hardware.GuestProbe | None:
    """Read what was asked of one guest; its definition is what counts."""
    names = dict(
        zip(
            ('vcpuinfo', 'numatune', 'now', 'inactive'),
            (f'{name} {server_id}' for name in commands.GUEST),
            strict=True,
        )
    )
    places = answers.read(names['vcpuinfo'], domain.vcpuinfo) or {}
    tuning = answers.read(names['numatune'], domain.numatune)
    asked = answers.read(names['inactive'], domain.definition)
    now = answers.read(names['now'], domain.definition)
    if now is None:
        return None
    return domain.guest(
        server_id, now, asked=asked, places=places, tuning=tuning
    )


def _processor(
    told: xml.Capabilities | None,
    flags: Mapping[str, str] | None,
    info: Mapping[str, str] | None,
) -> hardware.Processor | None:
    """Join what libvirt and the kernel say of the CPU."""
    if told is None and flags is None and info is None:
        return None
    seen, counted = flags or {}, info or {}
    return hardware.Processor(
        arch=(told and told.arch) or seen.get('Architecture'),
        vendor=(told and told.vendor) or seen.get('Vendor ID'),
        model=(told and told.model) or seen.get('Model name'),
        features=told.features if told else frozenset(),
        flags=frozenset(seen.get('Flags', seen.get('Features', '')).split()),
        sockets=_count(counted.get('CPU socket(s)')),
        cores=_count(counted.get('Core(s) per socket')),
        threads=_count(counted.get('Thread(s) per core')),
    )


def _cells(
    told: tuple[hardware.Cell, ...],
    nodes: Mapping[int, Mapping[str, str]],
    free: Mapping[int, Mapping[int, int]],
) -> tuple[hardware.Cell, ...]:
    """Join libvirt's cells with what is free; else take the kernel's."""
    known = {cell.id: cell for cell in told} or {
        number: xml.plain_cell(
            number,
            xml.numbers(node.get('cpus', '')),
            xml.leading_number(node['size']),
        )
        for number, node in nodes.items()
    }
    return tuple(
        xml.with_free(
            cell,
            _count(nodes.get(number, {}).get('free')),
            free.get(number, {}),
        )
        for number, cell in sorted(known.items())
    )


def _count(text: str | None) -> int | None:
    """Read the number that a text begins with, if it does."""
    try:
        return xml.leading_number(text or '')
    except ValueError:
        return None


def _reason(code: int, text: str) -> str:
    """Say why a command failed: its last words, or what its code means."""
    if code in (124, 137):
        return f'it did not end within {commands.COMMAND_TIMEOUT} s'
    lines = list(_lines(text))
    return lines[-1] if lines else f'it ended with the code {code}'


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if found := _first(line.strip().removeprefix('error: ')):
            yield found


def _first(text: str) -> str:
    """Keep a message to what fits a line."""
    return ''.join(c for c in text[:200] if c.isprintable()).strip()
