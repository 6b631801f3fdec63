# SPDX-License-Identifier: Apache-2.0
"""Builders of values for tests, ours and those of third-party checks.

Each returns an ordinary value with plain attributes; name the ones that the
test is about. Defaults are a healthy x86 cloud in which everything can move.
"""

from collections.abc import Iterable
import itertools
from typing import Any
import uuid

from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import resources

_NUMBERS = itertools.count(1)
_NAMESPACE = uuid.UUID('6a0f3d52-6b0f-4b5e-9c53-1f6f4a6b2f0e')


def identifier(name: str) -> str:
    """Return the same UUID for the same name."""
    return str(uuid.uuid5(_NAMESPACE, name))


_SERVER: dict[str, Any] = {
    'project_id': identifier('project'),
    'user_id': identifier('user'),
    'status': 'ACTIVE',
    'vm_state': 'active',
    'task_state': None,
    'power_state': 1,
    'host': 'compute-1',
    'hypervisor_hostname': 'compute-1',
    'host_status': 'UP',
    'locked': False,
    'locked_reason': None,
    'created': '2026-01-01T00:00:00Z',
    'launched_at': '2026-01-01T00:00:05.000000',
    'availability_zone': 'nova',
    'pinned_availability_zone': '',
    'image': identifier('image'),
    'image_properties': {},
    'image_traits': frozenset(),
    'config_drive': False,
    'scheduler_hints': {},
    'metadata': {},
    'tags': (),
    'fault': None,
    'root_device_name': '/dev/vda',
    'volumes': (),
    'ports': (),
    'shares': (),
    'topology': None,
    'allocations': None,
    'groups': (),
}


def flavor(**attributes: Any) -> model.Flavor:
    """Build a flavor: 1 VCPU, 512 MiB, 1 GiB disk."""
    values: dict[str, Any] = {
        'original_name': 'small',
        'vcpus': 1,
        'ram': 512,
        'disk': 1,
        'ephemeral': 0,
        'swap': 0,
        'extra_specs': {},
    }
    return model.Flavor(**{**values, **attributes})


def port(**attributes: Any) -> model.Port:
    """Build an ordinary port on a VLAN network."""
    values: dict[str, Any] = {
        'id': identifier(f'port-{next(_NUMBERS)}'),
        'network_id': identifier('network'),
        'network_type': 'vlan',
        'physical_network': 'physnet1',
        'vnic_type': 'normal',
        'vif_type': 'ovs',
        'host_id': 'compute-1',
        'device_profile': None,
        'resource_request': {},
        'bindings': None,
    }
    return model.Port(**{**values, **attributes})


def volume(**attributes: Any) -> model.Volume:
    """Build an attached volume."""
    values: dict[str, Any] = {
        'id': identifier(f'volume-{next(_NUMBERS)}'),
        'device': '/dev/vda',
        'status': 'in-use',
        'migration_status': None,
        'multiattach': False,
        'encrypted': False,
        'image_metadata': {},
    }
    return model.Volume(**{**values, **attributes})


def server(name: str = 'server', **attributes: Any) -> model.Server:
    """Build an ACTIVE server on compute-1; its request fits its flavor."""
    values = {
        **_SERVER,
        'id': identifier(name),
        'name': name,
        'flavor': flavor(),
        **attributes,
    }
    values.setdefault(
        'request',
        resources.request(
            values['flavor'],
            image_properties=values['image_properties'] or {},
            image_traits=values['image_traits'] or (),
            is_volume_backed=values['image'] == '',
            ports=values['ports'] or (),
        ),
    )
    return model.Server(**values)


def provider(
    name: str = 'compute-1', **attributes: Any
) -> model.ResourceProvider:
    """Build a root provider: 64 VCPU, 64 GiB, 1000 GB, nothing used."""
    values: dict[str, Any] = {
        'id': identifier(name),
        'parent_id': None,
        'resources': {
            'VCPU': room(64),
            'MEMORY_MB': room(65536),
            'DISK_GB': room(1000),
        },
        'traits': frozenset(),
    }
    return model.ResourceProvider(**{**values, **attributes})


def room(capacity: int, used: int = 0, **attributes: Any) -> model.Room:
    """Build the room of one resource class."""
    return model.Room(
        **{
            'capacity': capacity,
            'used': used,
            'max_unit': None,
            **attributes,
        }
    )


def cpu_info(**attributes: Any) -> model.CpuInfo:
    """Build the CPU of an ordinary host."""
    values: dict[str, Any] = {
        'arch': 'x86_64',
        'vendor': 'Intel',
        'model': 'Skylake-Server',
        'features': frozenset({'aes', 'avx', 'avx2'}),
        'topology': {'cells': 2, 'sockets': 1, 'cores': 4, 'threads': 2},
    }
    return model.CpuInfo(**{**values, **attributes})


def host(name: str = 'compute-1', **attributes: Any) -> model.Host:
    """Build an enabled host that is up."""
    values: dict[str, Any] = {
        'name': name,
        'service_id': identifier(f'service-{name}'),
        'status': 'enabled',
        'state': 'up',
        'disabled_reason': None,
        'forced_down': False,
        'zone': 'nova',
        'updated_at': '2026-01-01T00:00:00.000000',
        'hypervisor_id': identifier(name),
        'hypervisor_hostname': name,
        'hypervisor_type': 'QEMU',
        'hypervisor_version': 8002002,
        'cpu_info': cpu_info(),
        'running_vms': 0,
        'providers': (provider(name),),
        'agents': None,
    }
    return model.Host(**{**values, **attributes})


def processor(**attributes: Any) -> hardware.Processor:
    """Build the processor of a host that was probed."""
    values: dict[str, Any] = {
        'arch': 'x86_64',
        'vendor': 'Intel',
        'model': 'Skylake-Server-IBRS',
        'features': frozenset({'vmx'}),
        'flags': frozenset({'aes', 'avx', 'avx2'}),
        'sockets': 2,
        'cores': 4,
        'threads': 2,
    }
    return hardware.Processor(**{**values, **attributes})


def cell(number: int = 0, **attributes: Any) -> hardware.Cell:
    """Build a cell: 8 CPUs in 4 cores, 32 GiB, half of it in 1 GiB pages.

    CPUs are numbered on from cell to cell; two neighbours share a core.
    """
    cpus = range(8 * number, 8 * number + 8)
    values: dict[str, Any] = {
        'id': number,
        'memory_mb': 32768,
        'free_memory_mb': 12288,
        'cpus': tuple(
            hardware.Cpu(
                id=cpu,
                socket_id=number,
                core_id=cpu // 2,
                siblings=frozenset({cpu & ~1, cpu | 1}),
            )
            for cpu in cpus
        ),
        'pages': {
            4: hardware.Pages(total=3145728, free=3145728),
            2048: hardware.Pages(total=2048, free=2048),
            1048576: hardware.Pages(total=16, free=16),
        },
    }
    return hardware.Cell(**{**values, **attributes})


def guest_probe(
    name: str = 'server', **attributes: Any
) -> hardware.GuestProbe:
    """Build a guest without a topology, as libvirt has it."""
    values: dict[str, Any] = {
        'id': identifier(name),
        'type': 'kvm',
        'machine_type': 'pc-q35-8.2',
        'memory_mb': 512,
        'cells': (),
        'nodeset': frozenset(),
        'memory_mode': None,
        'vcpu_pins': {},
        'vcpu_cpus': {},
        'emulator_pins': frozenset(),
        'cpu_set': frozenset(),
        'cpu_mode': 'host-model',
        'cpu_model': 'Skylake-Server-IBRS',
        'cpu_features': frozenset(),
    }
    return hardware.GuestProbe(**{**values, **attributes})


def host_probe(
    name: str = 'compute-1',
    guests: Iterable[hardware.GuestProbe] = (),
    **attributes: Any,
) -> hardware.HostProbe:
    """Build what a host of two cells answered."""
    values: dict[str, Any] = {
        'host': name,
        'libvirt_version': '10.0.0',
        'hypervisor_version': '8.2.2',
        'processor': processor(),
        'cells': (cell(0), cell(1)),
        'machine_types': frozenset({'pc-q35-8.2', 'q35'}),
        'guests': {guest.id: guest for guest in guests},
        'outputs': {'virsh freepages --all': 'Node 0:', 'lscpu': ''},
        'gaps': {},
    }
    return hardware.HostProbe(**{**values, **attributes})


def group(name: str = 'group', **attributes: Any) -> model.ServerGroup:
    """Build an anti-affinity group without members."""
    values: dict[str, Any] = {
        'id': identifier(f'group-{name}'),
        'name': name,
        'policy': 'anti-affinity',
        'max_server_per_host': 1,
        'members': {},
    }
    return model.ServerGroup(**{**values, **attributes})


def migration(number: int = 1, **attributes: Any) -> model.Migration:
    """Build the record of a running live migration."""
    values: dict[str, Any] = {
        'id': number,
        'uuid': identifier(f'migration-{number}'),
        'server_id': identifier('server'),
        'status': 'running',
        'migration_type': 'live-migration',
        'source_compute': 'compute-1',
        'dest_compute': 'compute-2',
        'user_id': identifier('operator'),
        'created_at': '2026-01-01T00:00:00.000000',
        'updated_at': '2026-01-01T00:00:05.000000',
        'memory_total': None,
        'memory_processed': None,
        'memory_remaining': None,
        'disk_total': None,
        'disk_processed': None,
        'disk_remaining': None,
    }
    return model.Migration(**{**values, **attributes})


def snapshot(
    servers: Iterable[model.Server] = (),
    hosts: Iterable[model.Host] | None = None,
    groups: Iterable[model.ServerGroup] = (),
    **attributes: Any,
) -> model.Snapshot:
    """Build a snapshot of four hosts, seen by an administrator."""
    if hosts is None:
        hosts = [host(f'compute-{number}') for number in range(1, 5)]
    hosts = list(hosts)
    values: dict[str, Any] = {
        'taken_at': '2026-01-01T00:00:00+00:00',
        'user_id': identifier('operator'),
        'roles': frozenset({'admin'}),
        'compute_microversion': '2.104',
        'servers': {item.id: item for item in servers},
        'surveyed': frozenset(item.name for item in hosts),
        'hosts': {item.name: item for item in hosts},
        'groups': {item.id: item for item in groups},
        'aggregates': (),
        'migrations': (),
        'candidates': {},
        'probes': {},
        'gaps': (),
    }
    return model.Snapshot(**{**values, **attributes})
