# SPDX-License-Identifier: Apache-2.0
"""What a simulated hypervisor reports of itself, as libvirt's driver would.

Every function takes the host's shape: the keys of a scenario's host.
"""

import json
from typing import Any
import uuid

from nova import objects
from nova.objects import fields
import os_resource_classes
import os_traits

MEMORY_PAGES_KB = {'hugepages_2m': 2048, 'hugepages_1g': 1048576}


def node_uuid(name: str) -> str:
    """Return the UUID that a node keeps over restarts of its nova-compute."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f'lab-{name}'))


def compute_node(
    name: str, shape: dict[str, Any], used_disk_gb: float
) -> dict[str, Any]:
    """Return what ``get_available_resource`` of a driver returns."""
    return {
        'uuid': node_uuid(name),
        'hypervisor_hostname': name,
        'hypervisor_type': shape['hypervisor_type'],
        'hypervisor_version': shape['hypervisor_version'],
        'supported_instances': [
            (shape['cpu']['arch'], fields.HVType.KVM, fields.VMMode.HVM)
        ],
        'vcpus': shape['vcpus'] - len(shape['dedicated_cpus']),
        'memory_mb': shape['memory_mb'],
        'local_gb': shape['disk_gb'],
        'vcpus_used': 0,
        'memory_mb_used': 0,
        'local_gb_used': 0,
        'disk_available_least': int(shape['disk_gb'] - used_disk_gb),
        'cpu_info': json.dumps(cpu_info(shape)),
        'numa_topology': _numa_topology(shape),
        'pci_passthrough_devices': json.dumps(_pci_devices(shape)),
    }


def cpu_info(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the processors as ``os-hypervisors`` shows them."""
    cells = max(1, shape['numa_cells'])
    threads = shape['cpu_threads']
    cores = shape['vcpus'] // cells // threads
    topology = {
        'cells': cells,
        'sockets': 1,
        'cores': cores,
        'threads': threads,
    }
    return {**shape['cpu'], 'topology': topology}


def inventory(
    shape: dict[str, Any], ratios: dict[str, float], reserved: dict[str, int]
) -> dict[str, dict[str, Any]]:
    """Return the inventory of the host's own resource provider."""
    dedicated = len(shape['dedicated_cpus'])
    totals = {
        os_resource_classes.VCPU: shape['vcpus'] - dedicated,
        os_resource_classes.PCPU: dedicated,
        os_resource_classes.MEMORY_MB: shape['memory_mb'],
        os_resource_classes.DISK_GB: shape['disk_gb'],
    }
    if os_traits.HW_CPU_X86_AMD_SEV in shape['traits']:
        totals[os_resource_classes.MEM_ENCRYPTION_CONTEXT] = 15
    return {
        name: _inventory(total, ratios.get(name, 1.0), reserved.get(name, 0))
        for name, total in totals.items()
        if total
    }


def vgpu_inventory(shape: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the inventory of the provider of virtual GPUs."""
    return {os_resource_classes.VGPU: _inventory(shape['vgpu'], 1.0, 0)}


def _inventory(total: int, ratio: float, reserved: int) -> dict[str, Any]:
    return {
        'total': total,
        'reserved': reserved,
        'min_unit': 1,
        'max_unit': total,
        'step_size': 1,
        'allocation_ratio': ratio,
    }


def traits(shape: dict[str, Any]) -> set[str]:
    """Return the host's traits; Nova adds those of the capabilities."""
    arch = shape['cpu']['arch'].upper()
    possible = {
        f'HW_CPU_X86_{feature.upper()}' for feature in shape['cpu']['features']
    }
    possible |= {f'COMPUTE_ARCH_{arch}', f'HW_ARCH_{arch}'}
    buses = {'VIRTIO', 'SCSI', 'SATA', 'USB'}
    possible |= {f'COMPUTE_STORAGE_BUS_{bus}' for bus in buses}
    possible |= {'COMPUTE_NET_VIF_MODEL_VIRTIO'}
    return possible & set(os_traits.get_traits()) | set(shape['traits'])


def _pci_devices(shape: dict[str, Any]) -> list[dict[str, Any]]:
    result = []
    for device in shape['pci']:
        address = device['address']
        described = {
            key: device[key]
            for key in (
                'address',
                'vendor_id',
                'product_id',
                'dev_type',
                'parent_addr',
                'numa_node',
            )
        }
        described['status'] = 'available'
        described['dev_id'] = 'pci_' + address.translate(
            str.maketrans(':.', '__')
        )
        described['label'] = 'label_{vendor_id}_{product_id}'.format(**device)
        if device['dev_type'] in ('type-VF', 'vdpa'):
            described['parent_ifname'] = f'ens{address[5:7]}'
        result.append(described)
    return result


def _numa_topology(shape: dict[str, Any]) -> str | None:
    count = shape['numa_cells']
    if not count:
        return None
    cells = [_numa_cell(number, shape) for number in range(count)]
    topology: str = objects.NUMATopology(cells=cells)._to_json()
    return topology


def _numa_cell(number: int, shape: dict[str, Any]) -> objects.NUMACell:
    count = shape['numa_cells']
    size = shape['vcpus'] // count
    cpus = range(number * size, (number + 1) * size)
    dedicated = set(cpus) & set(shape['dedicated_cpus'])
    memory_mb = shape['memory_mb'] // count
    threads = shape['cpu_threads']
    return objects.NUMACell(
        id=number,
        socket=number,
        cpuset=set(cpus) - dedicated,
        pcpuset=dedicated,
        memory=memory_mb,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=set(),
        siblings=[
            set(cpus[first : first + threads])
            for first in range(0, size, threads)
        ],
        mempages=_memory_pages(shape, memory_mb),
        network_metadata=objects.NetworkMetadata(
            physnets=set(), tunneled=False
        ),
    )


def _memory_pages(
    shape: dict[str, Any], memory_mb: int
) -> list[objects.NUMAPagesTopology]:
    small_kb = memory_mb * 1024
    large = []
    for key, size_kb in MEMORY_PAGES_KB.items():
        total = shape[key] // shape['numa_cells']
        small_kb -= total * size_kb
        if total:
            large.append(_pages(size_kb, total))
    return [_pages(4, small_kb // 4), *large]


def _pages(size_kb: int, total: int) -> objects.NUMAPagesTopology:
    return objects.NUMAPagesTopology(
        size_kb=size_kb, total=total, used=0, reserved=0
    )
