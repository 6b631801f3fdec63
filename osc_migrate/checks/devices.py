# SPDX-License-Identifier: Apache-2.0
"""Checks of devices that tie a guest to the hardware of its host.

What a PCI alias of a flavor stands for is written in nova.conf. The devices
themselves are in Placement only where ``[pci]report_in_placement`` is set;
elsewhere no API tells what a host has left.
"""

from collections.abc import Hashable, Iterator, Mapping

from osc_migrate import checks
from osc_migrate import hardware
from osc_migrate import model

_ALIAS = 'pci_passthrough:alias'
# traits of the providers of PCI devices; the last comes with 2026.2
_MANAGED = 'COMPUTE_MANAGED_PCI_DEVICE'
_MIGRATABLE = 'HW_PCI_LIVE_MIGRATABLE'
_ONE_TIME = 'HW_PCI_ONE_TIME_USE'
# the trait that nova-compute gives its providers since 2026.2
_OWNER = 'OWNER_NOVA'
# nova.virt.libvirt.driver.MIN_MDEV_LIVEMIG_QEMU_VERSION
_MDEV_QEMU = 8001000
# nova.virt.libvirt.driver.MIN_MDEV_LIVEMIG_LIBVIRT_VERSION
_MDEV_LIBVIRT = (8, 6)
_COLD = 'openstack server migrate {server}'


@checks.server_check('pci-alias')
def pci_alias(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A PCI device of the flavor moves live only if it can be migrated.

    Nova refuses a live migration unless every PCI alias of the flavor asks for
    a live-migratable device; that is written in nova.conf
    (``_check_can_migrate_pci`` in ``nova/conductor/tasks/live_migrate.py``).
    From 2026.2 on, a device that Placement manages and that can be migrated
    has the trait HW_PCI_LIVE_MIGRATABLE; such an alias gets no other device,
    so one without the trait does not move live.

    What to do: move it cold. Where nothing more than nova.conf can tell, to
    try is safe: Nova refuses before it touches the guest.
    """
    alias = (candidate.server.flavor.extra_specs or {}).get(_ALIAS)
    if not alias or not candidate.is_live:
        return
    devices = _devices(candidate)
    fixed = [d.id for d in devices if _MIGRATABLE not in d.traits]
    is_told = candidate.source is not None and _OWNER in (
        candidate.source.traits or ()
    )
    if fixed and is_told:
        yield checks.error(
            f'has PCI devices ({alias}) that Placement does not know as '
            'live-migratable',
            _COLD,
            alias=alias,
            providers=fixed,
        )
    else:
        yield checks.unknown(
            f'has PCI devices ({alias}); they move live only if their alias '
            'in nova.conf says live_migratable',
            f'in nova.conf of nova-api: grep alias; else move cold: {_COLD}',
            alias=alias,
        )


def _aliased(candidate: checks.Candidate) -> Hashable:
    alias = (candidate.server.flavor.extra_specs or {}).get(_ALIAS)
    return (alias, tuple(_held(candidate).items())) if alias else None


@checks.destination_check('pci-device', alike=_aliased)
def pci_device(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """The destination must have a free device for each PCI alias.

    It claims them when the server comes (``_test_pci`` in
    ``nova/compute/claims.py``), and Nova tries another host if they are too
    few. Unless they are in Placement, their number is in no API.

    What to do: count the free ones there, or name another host (``--to``).
    """
    alias = (candidate.server.flavor.extra_specs or {}).get(_ALIAS)
    if not alias:
        return
    destination = candidate.destination
    assert destination is not None
    offered = [p for p in destination.providers or () if _MANAGED in p.traits]
    needed = _held(candidate)
    if not needed or not offered:
        yield checks.unknown(
            f'whether it has free PCI devices for {alias} is in no API',
            'on {destination}: grep -E "device_spec|alias" '
            '/etc/nova/nova.conf',
            alias=alias,
        )
        return
    for resource_class, amount in needed.items():
        free = sum(
            provider.resources[resource_class].free
            for provider in offered
            if resource_class in provider.resources
        )
        if free < amount:
            yield checks.error(
                f'needs {amount} PCI devices of {resource_class}, {free} are '
                'free',
                'openstack resource provider list --in-tree '
                f'{destination.hypervisor_id}',
                resource_class=resource_class,
                needed=amount,
                free=free,
            )


@checks.server_check('pci-one-time-use')
def one_time_use(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A device for one use is spent when its server leaves it.

    Nova keeps such a device reserved after the move, until somebody has
    cleaned it and set ``reserved`` of its inventory to 0
    (``nova/compute/pci_placement_translator.py``).

    What to do: clean the device, then give it back (``openstack resource
    provider inventory set``).
    """
    spent = [d.id for d in _devices(candidate) if _ONE_TIME in d.traits]
    if spent:
        yield checks.warning(
            f'leaves {len(spent)} PCI devices for one-time use behind, '
            'reserved until they are cleaned',
            f'openstack resource provider inventory list {spent[0]}',
            providers=spent,
        )


@checks.server_check('accelerator-profile')
def accelerator(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A server with an accelerator of Cyborg cannot be moved.

    Nova refuses a live and a cold migration of a flavor with
    ``accel:device_profile``; an evacuation is possible (``block_accelerators``
    in ``nova/compute/api.py``).

    What to do: ask its owner to make it anew elsewhere.
    """
    specs = candidate.server.flavor.extra_specs or {}
    profile = specs.get('accel:device_profile')
    is_evacuation = candidate.migration_type is model.MigrationType.EVACUATE
    if profile and not is_evacuation:
        yield checks.error(
            f'has an accelerator ({profile}), which Nova does not move',
            'openstack server show {server} -c flavor',
            device_profile=profile,
        )


def _asked_live(candidate: checks.Candidate) -> Hashable:
    classes = _mediated(candidate) if candidate.is_live else ()
    return (candidate.server.host, *classes) if classes else None


@checks.destination_check('vgpu-migration', alike=_asked_live)
def vgpu(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A virtual GPU moves live only between recent hypervisors.

    Both hosts need libvirt 8.6 and QEMU 8.1, and the destination must offer
    the same type of mediated device (``check_source_migrate_data_at_dest``
    in ``nova/virt/libvirt/driver.py``). Of these only the version of QEMU is
    in an API; ``--probe ssh`` tells that of libvirt. A large
    ``live_migration_downtime`` is needed, and post-copy must be off. A cold
    migration gives the guest a new device.

    What to do: compare the versions (``virsh version``, or ``--probe ssh``)
    and ``enabled_mdev_types`` of both hosts, or move it cold.
    """
    if not candidate.is_live:
        return
    classes = _mediated(candidate)
    if not classes:
        return
    assert candidate.destination is not None
    old = _too_old(candidate, classes)
    if old is not None:
        yield old
        return
    probes = candidate.snapshot.probes
    hosts = (candidate.server.host or '', candidate.destination.name)
    known = [h for h in hosts if h in probes and probes[h].libvirt_version]
    needs = 'the same mdev type'
    if len(known) < 2:
        needs = f'libvirt 8.6 and {needs}'
    yield checks.unknown(
        f'whether it can take the virtual GPU ({", ".join(classes)}) live is '
        f'in no API: that needs {needs}',
        'on {destination}: virsh version; grep -E '
        '"enabled_mdev_types|live_migration_downtime" /etc/nova/nova.conf',
        classes=classes,
    )


def _too_old(
    candidate: checks.Candidate, classes: list[str]
) -> checks.Draft | None:
    """Say which of the two hosts has too old a hypervisor or libvirt."""
    for host in filter(None, (candidate.source, candidate.destination)):
        version = host.hypervisor_version
        if version is not None and version < _MDEV_QEMU:
            return checks.error(
                f'{host.name} has the hypervisor version {version}; virtual '
                f'GPUs move live from QEMU 8.1 ({_MDEV_QEMU}) on',
                _COLD,
                version=version,
                classes=classes,
            )
        probe = candidate.snapshot.probes.get(host.name)
        text = probe.libvirt_version if probe else None
        if text and hardware.version(text) < _MDEV_LIBVIRT:
            return checks.error(
                f'{host.name} has libvirt {text}; virtual GPUs move live from '
                'libvirt 8.6 on',
                _COLD,
                libvirt_version=text,
                classes=classes,
            )
    return None


def _devices(candidate: checks.Candidate) -> list[model.ResourceProvider]:
    """Return the providers of PCI devices that the server holds."""
    source, held = candidate.source, candidate.server.allocations
    if source is None or not held:
        return []
    return [
        provider
        for provider in source.providers or ()
        if provider.id in held and _MANAGED in provider.traits
    ]


def _held(candidate: checks.Candidate) -> Mapping[str, int]:
    """Return what the server holds of PCI devices, by resource class."""
    total: dict[str, int] = {}
    for provider in _devices(candidate):
        held = (candidate.server.allocations or {})[provider.id]
        for name, amount in held.items():
            total[name] = total.get(name, 0) + amount
    return total


def _mediated(candidate: checks.Candidate) -> list[str]:
    """Return the classes of virtual GPUs that the flavor asks for.

    A custom class counts if it is that of a provider below the source's
    root which is no PCI device.
    """
    classes = [
        name
        for group in candidate.server.request.groups.values()
        for name in group.resources
        if name == 'VGPU' or name.startswith('CUSTOM_')
    ]
    if not classes:
        return []
    source = candidate.source
    nested: set[str] = {'VGPU'}
    for provider in (source.providers or ())[1:] if source else ():
        if _MANAGED not in provider.traits:
            nested.update(provider.resources)
    return sorted(nested.intersection(classes))
