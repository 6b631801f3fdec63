# SPDX-License-Identifier: Apache-2.0
"""What a host itself says of its hardware and guests, when it is asked.

No API of OpenStack tells how much is free in one NUMA cell; a probe of the
host does. What a host did not answer is ``None``, empty or absent, and
``gaps`` says of each command why.
"""

from collections.abc import Iterator, Mapping
import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """The CPU of a host.

    ``features`` are as libvirt names what the host has beyond the model;
    ``flags`` are all, as the kernel names them.
    """

    arch: str | None
    vendor: str | None
    model: str | None
    features: frozenset[str]
    flags: frozenset[str]
    sockets: int | None
    cores: int | None
    threads: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """One CPU of a cell; ``siblings`` are the threads of its core."""

    id: int
    socket_id: int | None
    core_id: int | None
    siblings: frozenset[int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """How many memory pages of one size a cell has."""

    total: int | None
    free: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A NUMA cell of a host; ``pages`` is by size in KiB.

    ``free_memory_mb`` does not count what the kernel would give back of its
    caches.
    """

    id: int
    memory_mb: int
    free_memory_mb: int | None
    cpus: tuple[Cpu, ...]
    pages: Mapping[int, Pages]

    @property
    def cpu_ids(self) -> frozenset[int]:
        """The ids of its CPUs."""
        return frozenset(cpu.id for cpu in self.cpus)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GuestCell:
    """A NUMA cell of a guest, and the cells of the host that it lies in.

    ``page_kib`` is ``None`` for ordinary memory.
    """

    id: int
    vcpus: frozenset[int]
    memory_mb: int
    nodes: frozenset[int]
    page_kib: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GuestProbe:
    """A guest as libvirt has it, running or not.

    ``vcpu_pins`` and ``emulator_pins`` are the CPUs that it may use, empty
    where it may use all; ``vcpu_cpus`` says where each VCPU was just then.
    ``cpu_set`` is what all of its threads are kept to. ``type`` is ``kvm`` or,
    where its CPU is emulated, ``qemu``. ``cpu_mode`` is what
    Nova asked for (``host-model`` ...), ``cpu_features`` what the guest must
    have by name. ``memory_mode`` is ``strict`` and the like.
    """

    id: str
    type: str | None
    machine_type: str | None
    memory_mb: int | None
    cells: tuple[GuestCell, ...]
    nodeset: frozenset[int]
    memory_mode: str | None
    vcpu_pins: Mapping[int, frozenset[int]]
    vcpu_cpus: Mapping[int, int]
    emulator_pins: frozenset[int]
    cpu_set: frozenset[int]
    cpu_mode: str | None
    cpu_model: str | None
    cpu_features: frozenset[str]

    @property
    def dedicated_cpus(self) -> frozenset[int]:
        """CPUs of the host to which single VCPUs are pinned."""
        return frozenset().union(
            *(pins for pins in self.vcpu_pins.values() if len(pins) == 1)
        )

    @property
    def known_cpus(self) -> frozenset[int]:
        """CPUs of the host that are named for it, shared or its own."""
        return self.cpu_set.union(self.emulator_pins, *self.vcpu_pins.values())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HostProbe:
    """All that a host answered.

    ``guests`` is by server id. ``outputs`` keeps what each command wrote,
    ``gaps`` why a command gave nothing; ``ssh`` stands there if the host was
    not reached at all.
    """

    host: str
    libvirt_version: str | None
    hypervisor_version: str | None
    processor: Processor | None
    cells: tuple[Cell, ...]
    machine_types: frozenset[str]
    guests: Mapping[str, GuestProbe]
    outputs: Mapping[str, str]
    gaps: Mapping[str, str]

    @property
    def has_answered(self) -> bool:
        """Whether it was reached and any command told anything."""
        return bool(self.outputs)

    @property
    def why_not(self) -> str:
        """Say why something is not known: each reason once."""
        first: dict[str, str] = {}
        for name, why in self.gaps.items():
            first.setdefault(why, name)
        reasons = [f'{name}: {why}' for why, name in first.items()]
        return '; '.join(reasons[:3]) or 'the host said nothing of it'

    def others(self, server_id: str) -> Iterator[GuestProbe]:
        """Yield all guests but one."""
        return (
            guest for guest in self.guests.values() if guest.id != server_id
        )


def unreached(host: str, why: str) -> HostProbe:
    """Return the probe of a host that could not be asked."""
    return HostProbe(
        host=host,
        libvirt_version=None,
        hypervisor_version=None,
        processor=None,
        cells=(),
        machine_types=frozenset(),
        guests={},
        outputs={},
        gaps={'ssh': why},
    )


def version(text: str | None) -> tuple[int, ...]:
    """Read a dotted version, to compare it; empty if there is none."""
    numbers = []
    for part in (text or '').split('.'):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
