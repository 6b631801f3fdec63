# SPDX-License-Identifier: Apache-2.0
"""The simulated hypervisor: live migration as libvirt's driver does it.

Nova loads it as ``compute_driver = lab.LabDriver``. Nova puts ``nova.virt.``
before every driver's name, so this module must stand in ``sys.modules`` as
``nova.virt.lab``.

A failed or aborted copy is rolled back and then raised again, which is what
Nova with libvirt does since 2025.2: the migration ends in ``error`` and the
server in ERROR, while its guest goes on running on the source.
"""

import collections
import json
from typing import Any

from nova import exception
from nova import objects
from nova.compute import power_state
import nova.conf

from lab import behaviour
from lab import copying
from lab import host
from lab import resources

CONF = nova.conf.CONF


class LabDriver(host.SimulatedHost):
    """One host of the rehearsal cloud."""

    def check_can_live_migrate_destination(
        self,
        context: Any,
        instance: Any,
        src_compute_info: Any,
        dst_compute_info: Any,
        block_migration: bool | None = False,
        disk_over_commit: bool | None = False,
    ) -> objects.LibvirtLiveMigrateData:
        self._fail('live', instance, 'check-destination')
        shape = behaviour.of_host(self._host)
        source = json.loads(src_compute_info['cpu_info'])
        _compare_cpu(source, resources.cpu_info(shape))
        data = objects.LibvirtLiveMigrateData(
            filename='unused',
            image_type=CONF.libvirt.images_type,
            graphics_listen_addr_vnc=CONF.vnc.server_listen,
            graphics_listen_addr_spice=CONF.spice.server_listen,
            serial_listen_addr=None,
            disk_available_mb=dst_compute_info['disk_available_least'] * 1024,
            dst_wants_file_backed_memory=False,
            # the destination's half of the answer; the source has the other
            is_shared_instance_path=shape['shared_storage'],
        )
        if block_migration is not None:
            data.block_migration = block_migration
        if disk_over_commit is not None:
            data.disk_over_commit = disk_over_commit
        if instance.numa_topology:
            data.dst_supports_numa_live_migration = True
        return data

    def check_can_live_migrate_source(
        self,
        context: Any,
        instance: Any,
        dest_check_data: Any,
        block_device_info: Any = None,
    ) -> objects.LibvirtLiveMigrateData:
        self._fail('live', instance, 'check-source')
        data = dest_check_data
        has_local_disks = self.instances[instance.uuid].disk_gb > 0
        data.is_shared_instance_path &= behaviour.of_host(self._host)[
            'shared_storage'
        ]
        data.is_shared_block_storage = (
            data.is_volume_backed and not has_local_disks
        )
        is_shared = data.is_on_shared_storage()
        if 'block_migration' not in data:
            data.block_migration = not is_shared
        if data.block_migration and is_shared:
            raise exception.InvalidLocalStorage(
                reason='Block migration can not be used with shared storage.',
                path=self._host,
            )
        if not data.block_migration and not is_shared:
            raise exception.InvalidSharedStorage(
                reason='Shared storage live-migration requires either shared '
                'storage or boot-from-volume with no local disks.',
                path=self._host,
            )
        if instance.numa_topology:
            data.src_supports_numa_live_migration = True
        return data

    def post_claim_migrate_data(
        self, context: Any, instance: Any, migrate_data: Any, claim: Any
    ) -> objects.LibvirtLiveMigrateData:
        info = objects.LibvirtLiveMigrateNUMAInfo()
        if claim.claimed_numa_topology is not None:
            cells = claim.claimed_numa_topology.cells
            info.cell_pins = {str(cell.id): {cell.id} for cell in cells}
            info.cpu_pins = {
                str(guest): {cpu}
                for cell in cells
                for guest, cpu in (cell.cpu_pinning or {}).items()
            }
        migrate_data.dst_numa_info = info
        return migrate_data

    def pre_live_migration(
        self,
        context: Any,
        instance: Any,
        block_device_info: Any,
        network_info: Any,
        disk_info: Any,
        migrate_data: Any,
    ) -> objects.LibvirtLiveMigrateData:
        self._fail('live', instance, 'pre')
        return migrate_data

    def live_migration(
        self,
        context: Any,
        instance: Any,
        dest: str,
        post_method: Any,
        recover_method: Any,
        block_migration: bool = False,
        migrate_data: Any = None,
    ) -> None:
        commands = self.active_migrations[instance.uuid] = collections.deque()
        guest = self.instances[instance.uuid]
        try:
            outcome = copying.run(
                instance,
                migrate_data.migration,
                commands,
                disk_gb=guest.disk_gb if migrate_data.block_migration else 0,
                is_paused=guest.state == power_state.PAUSED,
                has_guest=lambda: instance.uuid in self.instances,
            )
            if outcome == 'completed':
                post_method(
                    context, instance, dest, block_migration, migrate_data
                )
                return
            recover_method(
                context,
                instance,
                dest,
                migrate_data,
                migration_status=outcome,
            )
            if behaviour.of_host(self._host)['nova']['abort_leaves_error']:
                raise host.SimulatedFailure(stage=f'copy, {outcome}')
        finally:
            del self.active_migrations[instance.uuid]

    def live_migration_force_complete(self, instance: Any) -> None:
        self._command(instance, 'force-complete')

    def live_migration_abort(self, instance: Any) -> None:
        self._command(instance, 'abort')

    def _command(self, instance: Any, command: str) -> None:
        if instance.uuid not in self.active_migrations:
            raise exception.NoActiveMigrationForInstance(
                instance_id=instance.uuid
            )
        self.active_migrations[instance.uuid].append(command)

    def post_live_migration(
        self,
        context: Any,
        instance: Any,
        block_device_info: Any,
        migrate_data: Any = None,
    ) -> None:
        self.destroy(context, instance)
        self._fail('live', instance, 'post-source')

    def post_live_migration_at_destination(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_migration: bool = False,
        block_device_info: Any = None,
    ) -> None:
        is_paused = instance.vm_state == 'paused'
        state = power_state.PAUSED if is_paused else power_state.RUNNING
        self._define(instance, state, block_device_info)
        self._fail('live', instance, 'post-destination')


def _compare_cpu(source: dict[str, Any], own: dict[str, Any]) -> None:
    """Refuse what libvirt's comparison of the hosts' processors refuses."""
    missing = set(source['features']) - set(own['features'])
    same = all(source[key] == own[key] for key in ('arch', 'vendor'))
    if missing or not same:
        # worded by Nova; 0 is VIR_CPU_COMPARE_INCOMPATIBLE
        error = exception.InvalidCPUInfo(
            reason="CPU doesn't have compatibility.\n\n0\n\nRefer to "
            'http://libvirt.org/html/libvirt-libvirt-host.html'
            '#virCPUCompareResult'
        )
        raise exception.MigrationPreCheckError(reason=error)
