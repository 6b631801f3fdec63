# SPDX-License-Identifier: Apache-2.0
"""Checks of hypervisor and processor: can the guest run there as it does now.

Nova tells of both up to microversion 2.87 of os-hypervisors, not after. What
it does not tell is what libvirt makes of it: ``cpu_mode`` and ``cpu_models``
of nova.conf decide what a guest sees of its host's processor. A probe of the
hosts does.
"""

from collections.abc import Hashable, Iterator

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import hardware
from osc_migrate import model

_SHOWN = 8
# nova.virt.libvirt.driver._compare_cpu compares these hosts with themselves
_UNCOMPARED = ('aarch64',)
_FILE_BACKED = 'COMPUTE_MEM_BACKING_FILE'


def _host(candidate: checks.Candidate) -> Hashable:
    return candidate.server.host


def _host_and_way(candidate: checks.Candidate) -> Hashable:
    return candidate.server.host, candidate.is_live


def _host_of_live(candidate: checks.Candidate) -> Hashable:
    return candidate.server.host if candidate.is_live else None


def _guest_of_live(candidate: checks.Candidate) -> Hashable:
    if not candidate.is_live:
        return None
    guest = candidate.guest
    return candidate.server.host, guest and (
        guest.type,
        guest.cpu_mode,
        guest.cpu_model,
        guest.cpu_features,
    )


@checks.destination_check('hypervisor-type', alike=_host_and_way)
def hypervisor_type(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must run the same type of hypervisor as the source.

    Nova refuses a live migration to another type
    (``_check_compatible_with_source_hypervisor`` in
    ``nova/conductor/tasks/live_migrate.py``). It does not look at it for a
    cold one, where only ``img_hv_type`` of the image can forbid it; whether
    the disks and devices of the guest suit another hypervisor nobody checks.

    What to do: take a host with the same type of hypervisor.
    """
    source, destination = candidate.source, candidate.destination
    assert destination is not None
    if source is None:
        return
    ours, theirs = source.hypervisor_type, destination.hypervisor_type
    if ours == theirs and ours is not None:
        return
    if ours is None or theirs is None:
        yield checks.unknown(
            'its hypervisor or that of the source is unknown: only '
            'administrators see os-hypervisors',
            exceptions.ASK_ADMIN,
        )
        return
    say = checks.error if candidate.is_live else checks.unknown
    yield say(
        f'runs the hypervisor {theirs}, the source runs {ours}',
        'openstack hypervisor list --long',
        source=ours,
        destination=theirs,
    )


@checks.destination_check('hypervisor-version', alike=_host_of_live)
def hypervisor_version(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A guest moves live only to a hypervisor that is not older.

    Nova compares the versions (of QEMU, with libvirt) and refuses an older
    destination, unless ``[workarounds]skip_hypervisor_version_check_on_lm`` is
    set (``_check_compatible_with_source_hypervisor`` in
    ``nova/conductor/tasks/live_migrate.py``).

    What to do: drain the hosts in the order from old to new, or say
    ``--ignore-check hypervisor-version`` if the option is set.
    """
    if not candidate.is_live:
        return
    source, destination = candidate.source, candidate.destination
    assert destination is not None
    if source is None:
        return
    ours, theirs = source.hypervisor_version, destination.hypervisor_version
    if ours is None or theirs is None or ours <= theirs:
        return
    yield checks.error(
        f'has the older hypervisor {source.hypervisor_type} '
        f'{_dotted(theirs)}, the source has {_dotted(ours)}',
        'upgrade {destination}, or choose another destination: openstack '
        'hypervisor list --long',
        source=ours,
        destination=theirs,
    )


@checks.destination_check('cpu-architecture', alike=_host)
def architecture(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have the same processor architecture.

    The guest cannot run on another one. For a live migration libvirt says
    so (``_compare_cpu`` in ``nova/virt/libvirt/driver.py``). For a cold one
    Nova does not look unless the image names its ``hw_architecture``: it
    would move the server and fail, or leave it broken, so this check forbids
    a cold migration and an evacuation too, although Nova would try.

    What to do: take a host of the same architecture.
    """
    source, destination = candidate.source, candidate.destination
    assert destination is not None
    if source is None:
        return
    ours, theirs = _infos(candidate)
    if ours is None or theirs is None:
        # hypervisor-type speaks when nothing at all is known of the node
        if destination.hypervisor_type and source.hypervisor_type:
            yield checks.unknown(
                'its processor or that of the source is unknown',
                'openstack --os-compute-api-version 2.87 hypervisor show '
                '{destination}',
            )
        return
    if ours.arch != theirs.arch:
        yield checks.error(
            f'has {theirs.arch} processors, the source has {ours.arch}',
            'openstack resource provider trait list '
            f'{destination.hypervisor_id}',
            source=ours.arch,
            destination=theirs.arch,
        )


@checks.destination_check('cpu-vendor', alike=_host_of_live)
def vendor(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A guest moves live only between processors of the same vendor.

    libvirt's comparison refuses another vendor (``_compare_cpu`` in
    ``nova/virt/libvirt/driver.py``), and a guest that has been started on
    Intel does not survive on AMD. On 64-bit ARM Nova compares nothing, so
    there it is unknown. With plain emulation (``virt_type = qemu``) it does
    not matter.

    What to do: take a host of the same vendor, or move it cold; with plain
    emulation say ``--ignore-check cpu-vendor``.
    """
    ours, theirs = _processors(candidate)
    if ours is None or theirs is None or ours.vendor == theirs.vendor:
        return
    say = checks.unknown if ours.arch in _UNCOMPARED else checks.error
    yield say(
        f'has processors of {theirs.vendor}, the source has {ours.vendor}',
        'choose a destination with processors of the same vendor, or move '
        'cold: openstack server migrate {server}',
        source=ours.vendor,
        destination=theirs.vendor,
    )


@checks.destination_check('cpu-features', alike=_guest_of_live)
def features(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A guest moves live only to a processor with the features it uses.

    With ``cpu_mode`` host-model or host-passthrough Nova compares the hosts,
    and refuses a destination that lacks a feature of the source; with
    ``custom`` it compares the guest's model, which may do without. That is in
    nova.conf of the source and in no API, so it is unknown, not an error
    (``check_can_live_migrate_destination`` in ``nova/virt/libvirt/driver.py``;
    ``[workarounds]skip_cpu_compare_on_dest`` leaves it to QEMU), unless
    ``--probe ssh`` has read the guest's definition.

    What to do: try it; where it does not fit, Nova refuses and the guest
    stays. ``cpu_mode = custom`` with a model that all hosts have ends it.
    """
    ours, theirs = _processors(candidate)
    if ours is None or theirs is None:
        return
    if ours.arch != theirs.arch or ours.vendor != theirs.vendor:
        return
    missing = sorted(map(_plain, ours.features - theirs.features))
    where = candidate.server.host
    if ours.arch in _UNCOMPARED and ours.model != theirs.model:
        yield checks.unknown(
            f'has the processor {theirs.model}, the source has {ours.model}; '
            'QEMU alone knows whether a guest can change between them',
            f'on {where}: grep cpu_ /etc/nova/nova.conf',
        )
    elif missing:
        yield from _lacking(candidate, theirs, missing)
    elif ours.model != theirs.model:
        yield checks.info(
            f'has the processor {theirs.model}, the source has {ours.model}; '
            'no feature is missing',
            source=ours.model,
            destination=theirs.model,
        )


def _lacking(
    candidate: checks.Candidate, theirs: model.CpuInfo, missing: list[str]
) -> Iterator[checks.Draft]:
    """Say what lacking features mean to the guest, if it is known."""
    guest = candidate.guest
    if guest is None:
        yield checks.unknown(
            f'lacks the CPU features {_few(missing)}; Nova refuses unless the '
            'guest has a CPU model of its own (cpu_mode = custom)',
            f'on {candidate.server.host}: grep cpu_ /etc/nova/nova.conf',
            missing=missing,
        )
        return
    if guest.type == 'qemu':
        # an emulated CPU is that of no host: Nova does not compare it
        return
    own = [f for f in missing if f in set(map(_plain, guest.cpu_features))]
    elsewhere = (
        'choose a destination with this CPU, or move cold: openstack server '
        'migrate {server}'
    )
    evidence = {
        'missing': missing,
        'cpu_mode': guest.cpu_mode,
        'cpu_model': guest.cpu_model,
    }
    text = f'lacks the CPU features {_few(missing)}'
    if guest.cpu_mode != 'custom':
        text += f', and the guest has the CPU of its host ({guest.cpu_mode})'
        yield checks.error(text, elsewhere, **evidence)
    elif own:
        text = f'lacks {_few(own)}, which the CPU of the guest must have'
        yield checks.error(text, elsewhere, **evidence)
    elif guest.cpu_model != theirs.model:
        yield checks.unknown(
            f'{text}; libvirt there knows whether the model of the guest, '
            f'{guest.cpu_model}, needs one of them',
            'on {destination}: virsh domcapabilities',
            **evidence,
        )


@checks.destination_check('memory-backing', alike=_host_of_live)
def memory_backing(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """Memory that is backed by files on one host only is rewritten.

    ``file_backed_memory`` in nova.conf of one of the two hosts does not stop
    a live migration: Nova changes the guest's definition on the way
    (``_update_memory_backing_xml`` in ``nova/virt/libvirt/migration.py``).

    What to do: nothing, but do not wonder if its memory is slower or faster
    there.
    """
    source, destination = candidate.source, candidate.destination
    assert destination is not None
    if not candidate.is_live or source is None:
        return
    ours, theirs = source.traits, destination.traits
    if ours is None or theirs is None:
        return
    if (_FILE_BACKED in ours) is not (_FILE_BACKED in theirs):
        has = 'has' if _FILE_BACKED in theirs else 'does not have'
        yield checks.info(f'{has} file-backed memory, unlike the source')


def _processors(
    candidate: checks.Candidate,
) -> tuple[model.CpuInfo | None, model.CpuInfo | None]:
    """Return both processors if the guest moves live and both are known."""
    source, destination = candidate.source, candidate.destination
    assert destination is not None
    if not candidate.is_live or source is None:
        return None, None
    return _infos(candidate)


def _infos(
    candidate: checks.Candidate,
) -> tuple[model.CpuInfo | None, model.CpuInfo | None]:
    """Return both processors as Nova tells of them, else as probes do."""
    source, destination = candidate.source, candidate.destination
    assert source is not None and destination is not None
    ours, theirs = source.cpu_info, destination.cpu_info
    if ours is not None and theirs is not None:
        return ours, theirs
    seen = [
        probe.processor
        for host in (source, destination)
        if (probe := candidate.snapshot.probes.get(host.name)) is not None
    ]
    if len(seen) != 2 or seen[0] is None or seen[1] is None:
        return ours, theirs
    # the kernel's names of features on both sides, or none would be alike
    return _of_probe(seen[0]), _of_probe(seen[1])


def _of_probe(seen: hardware.Processor) -> model.CpuInfo:
    return model.CpuInfo(
        arch=seen.arch,
        vendor=seen.vendor,
        model=seen.model,
        features=frozenset(map(_plain, seen.flags)),
        topology={},
    )


def _plain(feature: str) -> str:
    """Write the name of a feature as the kernel does."""
    return feature.replace('.', '_').replace('-', '_')


def _few(names: list[str]) -> str:
    """List the first names, and how many more there are."""
    shown = ', '.join(names[:_SHOWN])
    more = len(names) - _SHOWN
    return f'{shown} and {more} more' if more > 0 else shown


def _dotted(version: int) -> str:
    """Write a version as Nova counts it: major, minor and patch by 1000."""
    return f'{version // 1000000}.{version // 1000 % 1000}.{version % 1000}'
