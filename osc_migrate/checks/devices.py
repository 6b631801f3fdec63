# SPDX-License-Identifier: Apache-2.0
"""Checks of devices that tie a guest to the hardware of its host."""

from collections.abc import Iterator

from osc_migrate import checks

# nova.network.model.VNIC_TYPES_DIRECT_PASSTHROUGH
_PASSTHROUGH = ('direct', 'direct-physical', 'vdpa', 'remote-managed')
_ACCELERATOR = ('accelerator-direct', 'accelerator-direct-physical')


@checks.server_check('pci-alias')
def pci_alias(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A PCI device of the flavor moves live only if it can be migrated.

    Nova refuses a live migration unless every PCI alias of the flavor asks
    for a live-migratable device; that is written in nova.conf and in no API
    (``_check_can_migrate_pci`` in ``nova/conductor/tasks/live_migrate.py``).
    """
    if not candidate.is_live:
        return
    specs = candidate.server.flavor.extra_specs or {}
    alias = specs.get('pci_passthrough:alias')
    if alias:
        yield checks.unknown(
            f'has PCI devices ({alias}); they move live only if their alias '
            'in nova.conf says live_migratable',
            'openstack server migration preflight {server} --method cold',
            alias=alias,
        )


@checks.server_check('port-sriov')
def sriov(candidate: checks.Candidate) -> Iterator[checks.Draft]:
    """A port on a physical device loses traffic while its server moves live.

    Nova unplugs the device before the live migration and plugs one in after
    it (``_detach_direct_passthrough_vifs`` in ``nova/virt/libvirt``); the
    guest must take part. Ports with an accelerator cannot move at all.
    """
    ports = candidate.server.ports or ()
    direct = [port for port in ports if port.vnic_type in _PASSTHROUGH]
    if direct and candidate.is_live:
        yield checks.warning(
            f'{len(direct)} SR-IOV ports are unplugged while it moves: no '
            'traffic on them until the guest has taken them back',
            ports=[port.id for port in direct],
        )
    accelerators = [port for port in ports if port.vnic_type in _ACCELERATOR]
    if accelerators:
        yield checks.error(
            'has ports with an accelerator, which Nova does not move',
            ports=[port.id for port in accelerators],
        )
