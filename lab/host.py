# SPDX-License-Identifier: Apache-2.0
"""A simulated host as Nova's driver interface has it, but live migration.

What Nova itself decides (claims, states, allocations, port bindings) stays
Nova's; a guest is no more than its power state. Shape and behaviour of the
host come from :mod:`lab.behaviour`.
"""

import dataclasses
import os
import pathlib
import time
from typing import Any, ClassVar

from nova import exception
from nova.compute import power_state
import nova.conf
from nova.network import model as network_model
from nova.pci import utils as pci_utils
from nova.virt import driver
from nova.virt import fake
import os_resource_classes

from lab import behaviour
from lab import guests
from lab import resources

CONF = nova.conf.CONF

# Nova reads these of sysfs when it binds an SR-IOV port.
pci_utils.get_mac_by_pci_address = lambda address, pf_interface=False: (
    '52:54:00:1e:59:c6'
)
pci_utils.get_vf_num_by_pci_address = lambda address: int(
    address.rpartition('.')[2]
)


class SimulatedFailure(exception.NovaException):
    """A failure that the scenario asked for."""

    msg_fmt = 'The scenario lets this fail: %(stage)s'


class SimulatedHost(fake.FakeDriver):
    """A host, its guests and their cold migrations."""

    capabilities: ClassVar = dict(
        fake.FakeDriver.capabilities,
        supports_pcpus=True,
        supports_migrate_to_same_host=False,
        supports_bfv_rescue=True,
        supports_image_type_qcow2=True,
    )

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        shape = behaviour.of_host(CONF.host)
        dedicated = set(shape['dedicated_cpus'])
        if dedicated:
            shared = set(range(shape['vcpus'])) - dedicated
            _override('cpu_dedicated_set', _cpus(dedicated), 'compute')
            _override('cpu_shared_set', _cpus(shared), 'compute')
        for resource, ratio in shape['allocation_ratios'].items():
            _override(f'{resource}_allocation_ratio', ratio)

    def init_host(self, host: str) -> None:
        super().init_host(host)
        self.instances = guests.Guests(
            pathlib.Path(os.environ['LAB_RUN'], 'guests', f'{host}.json')
        )

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {resources.node_uuid(self._host): self._host}

    def get_host_uptime(self) -> str:
        return ' 12:00:00 up 10 days,  1:00,  0 users,  load average: 0, 0, 0'

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        used = sum(guest.disk_gb for guest in list(self.instances.values()))
        shape = behaviour.of_host(self._host)
        return resources.compute_node(nodename, shape, used)

    def update_provider_tree(
        self, provider_tree: Any, nodename: str, allocations: Any = None
    ) -> None:
        shape = behaviour.of_host(self._host)
        before = provider_tree.data(nodename).inventory
        reserved = {
            os_resource_classes.VCPU: CONF.reserved_host_cpus,
            os_resource_classes.MEMORY_MB: CONF.reserved_host_memory_mb,
            os_resource_classes.DISK_GB: (
                self._get_reserved_host_disk_gb_from_config()
            ),
        }
        provider_tree.update_inventory(
            nodename,
            resources.inventory(
                shape, self._get_allocation_ratios(before), reserved
            ),
        )
        provider_tree.add_traits(nodename, *resources.traits(shape))
        if shape['vgpu']:
            child = f'{nodename}_pci_0000_84_00_0'
            if not provider_tree.exists(child):
                provider_tree.new_child(child, nodename)
            provider_tree.update_inventory(
                child, resources.vgpu_inventory(shape)
            )

    # The life of a guest

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        for vif in network_info or ():
            vif.fixed_ips()  # waits for the network, and raises its errors
            self._interfaces[vif['id']] = vif
        state = power_state.RUNNING if power_on else power_state.SHUTDOWN
        self._define(instance, state, block_device_info)

    def _define(
        self, instance: Any, state: int, block_device_info: Any
    ) -> None:
        flavor = instance.flavor
        disk_gb = flavor.ephemeral_gb + flavor.swap / 1024
        volumes = driver.block_device_info_get_mapping(block_device_info)
        if not any(volume['boot_index'] == 0 for volume in volumes):
            disk_gb += flavor.root_gb
        self.instances[instance.uuid] = guests.Guest(
            instance.name, state, disk_gb
        )

    def destroy(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        if instance.uuid in self.instances:
            del self.instances[instance.uuid]

    def cleanup(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is left of a simulated guest."""

    def _set_state(self, instance: Any, state: int) -> None:
        guest = self.instances.get(instance.uuid)
        if guest is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.instances[instance.uuid] = dataclasses.replace(guest, state=state)

    def power_off(self, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._set_state(instance, power_state.SHUTDOWN)

    def power_on(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        self._set_state(instance, power_state.RUNNING)

    def rescue(self, context: Any, instance: Any, *args: Any) -> None:
        self._set_state(instance, power_state.RUNNING)

    def unrescue(self, context: Any, instance: Any) -> None:
        self._set_state(instance, power_state.RUNNING)

    def pause(self, instance: Any) -> None:
        self._set_state(instance, power_state.PAUSED)

    def unpause(self, instance: Any) -> None:
        self._set_state(instance, power_state.RUNNING)

    def suspend(self, context: Any, instance: Any) -> None:
        # libvirt's managed save: the guest is gone, its memory in a file
        self._set_state(instance, power_state.SHUTDOWN)

    def resume(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> None:
        self._set_state(instance, power_state.RUNNING)

    # Cold migration

    def _fail(self, kind: str, instance: Any, stage: str) -> None:
        """Fail when the scenario says so, of the server or of this host."""
        server = behaviour.of_server(instance.uuid, instance.display_name)
        host = behaviour.of_host(self._host)
        if stage in (server[kind]['fails_at'], host[kind]['fails_at']):
            if stage.startswith('check-'):
                raise exception.MigrationPreCheckError(reason=stage)
            raise SimulatedFailure(stage=stage)

    def migrate_disk_and_power_off(
        self, context: Any, instance: Any, *args: Any, **kwargs: Any
    ) -> str:
        server = behaviour.of_server(instance.uuid, instance.display_name)
        if instance.uuid in self.instances:
            self._set_state(instance, power_state.SHUTDOWN)
        time.sleep(server['cold']['seconds'])
        self._fail('cold', instance, 'migrate-disk')
        return '[]'

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: Any,
        network_info: Any,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._fail('cold', instance, 'finish')
        for vif in network_info:
            # as in nova/virt/libvirt/vif.py
            if vif['type'] == network_model.VIF_TYPE_BINDING_FAILED:
                raise exception.InternalError(
                    f'Unexpected vif_type={vif["type"]}'
                )
        super().finish_migration(
            *(context, migration, instance, disk_info, network_info),
            *args,
            **kwargs,
        )

    def confirm_migration(
        self, context: Any, migration: Any, instance: Any, network_info: Any
    ) -> None:
        self._fail('cold', instance, 'confirm')
        super().confirm_migration(context, migration, instance, network_info)

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        self._fail('cold', instance, 'revert')
        state = power_state.RUNNING if power_on else power_state.SHUTDOWN
        self._define(instance, state, block_device_info)


def _override(option: str, value: Any, group: str | None = None) -> None:
    CONF.set_override(option, value, group=group)


def _cpus(numbers: set[int]) -> str:
    return ','.join(str(number) for number in sorted(numbers))
