# SPDX-License-Identifier: Apache-2.0
"""Made-up values: any value that a type allows, and clouds that make sense.

:func:`values` follows the type hints, as the file format does. :func:`clouds`
makes small clouds in which hosts are nearly full and servers differ in all
that the planner must heed.
"""

from collections.abc import Mapping
import dataclasses
import enum
import types
import typing
from typing import Any

import hypothesis.strategies as st

from osc_migrate import model
from osc_migrate import resources
from osc_migrate import testing

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    str: st.text(max_size=8),
    int: st.integers(),
    bool: st.booleans(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Make any value of a type that a field of the model has."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if dataclasses.is_dataclass(hint):
        fields = typing.get_type_hints(hint)
        return st.builds(
            hint, **{name: values(kind) for name, kind in fields.items()}
        )
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(
            st.none() if part is types.NoneType else values(part)
            for part in arguments
        )
    if origin is Mapping or (
        isinstance(origin, type) and issubclass(origin, Mapping)
    ):
        return st.dictionaries(*map(values, arguments), max_size=2)
    if origin is frozenset:
        return st.frozensets(values(arguments[0]), max_size=3)
    return st.lists(values(arguments[0]), max_size=2).map(tuple)


# Clouds that make sense

ZONES = ('az1', 'az2')
TRAITS = ('CUSTOM_GOLD', 'CUSTOM_SLOW')
_SPECS = (
    {},
    {},
    {'hw:cpu_policy': 'dedicated'},
    {'trait:CUSTOM_GOLD': 'required'},
    {'trait:CUSTOM_SLOW': 'forbidden'},
    {'resources:VGPU': '1'},
    {'resources:VGPU': '2'},
)
_STATES = (
    ('ACTIVE', 'active', 1),
    ('ACTIVE', 'active', 1),
    ('PAUSED', 'paused', 3),
    ('ACTIVE', 'active', 1),
    ('SHUTOFF', 'stopped', 4),
    ('SHUTOFF', 'stopped', 4),
    ('ERROR', 'error', 1),
)
FLAVORS = st.builds(
    testing.flavor,
    vcpus=st.integers(1, 3),
    ram=st.sampled_from([512, 1024, 2048]),
    disk=st.sampled_from([0, 1, 10]),
    extra_specs=st.sampled_from(_SPECS),
)


@st.composite
def providers(draw: st.DrawFn, name: str) -> Any:
    """Make the tree of a host: little room, perhaps two virtual GPUs."""
    sizes = {
        'VCPU': st.sampled_from([0, 3, 8, 30]),
        'PCPU': st.sampled_from([0, 3, 8]),
        'MEMORY_MB': st.sampled_from([0, 1024, 3000, 5000, 9000]),
        'DISK_GB': st.sampled_from([0, 20, 40]),
    }
    offered = {'VCPU', 'MEMORY_MB', 'DISK_GB'}
    if draw(st.booleans()):
        offered.add('PCPU')
    root = testing.provider(
        name,
        resources={key: _room(draw, sizes[key]) for key in sorted(offered)},
        traits=draw(st.frozensets(st.sampled_from(TRAITS))),
    )
    children = [
        testing.provider(
            f'{name}-gpu-{number}',
            parent_id=root.id,
            resources={'VGPU': _room(draw, st.integers(0, 2))},
        )
        for number in range(draw(st.integers(0, 2)))
    ]
    return (root, *children)


def _room(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> model.Room:
    capacity = draw(sizes)
    used = draw(st.just(0) | st.integers(0, capacity + 1))
    unit = draw(st.sampled_from([None, None, capacity // 2]))
    return testing.room(capacity, used, max_unit=unit)


@st.composite
def hosts(draw: st.DrawFn, name: str) -> model.Host:
    """Make a host, most likely one that can be used."""
    hidden = draw(st.integers(0, 9)) == 0
    return testing.host(
        name,
        status=draw(st.sampled_from(['enabled'] * 9 + ['disabled'])),
        state=draw(st.sampled_from(['up'] * 9 + ['down'])),
        zone=draw(st.sampled_from(ZONES)),
        hypervisor_version=draw(st.sampled_from([8002002] * 4 + [7002000])),
        cpu_info=testing.cpu_info(
            vendor=draw(st.sampled_from(['Intel'] * 5 + ['AMD'])),
            features=draw(
                st.sampled_from([frozenset('ab'), frozenset('abc')])
            ),
        ),
        providers=None if hidden else draw(providers(name)),
    )


@st.composite
def servers(draw: st.DrawFn, name: str, places: list[str]) -> model.Server:
    """Make a server on one of some hosts."""
    status, vm_state, power_state = draw(st.sampled_from(_STATES))
    host = draw(st.sampled_from(places))
    return testing.server(
        name,
        host=host,
        status=status,
        vm_state=vm_state,
        power_state=power_state,
        flavor=draw(FLAVORS),
        image=draw(st.sampled_from(['', 'image'])),
        pinned_availability_zone=draw(st.sampled_from(['', '', '', *ZONES])),
        allocations=draw(
            st.none() | st.just({testing.identifier(host): {'VCPU': 1}})
        ),
    )


_POLICIES = ('anti-affinity', 'affinity', 'soft-affinity')


@st.composite
def clouds(draw: st.DrawFn) -> model.Snapshot:
    """Make a cloud of up to five hosts and eight servers."""
    count = draw(st.sampled_from([3, 2, 4, 5, 1]))
    names = [f'compute-{number}' for number in range(1, count + 1)]
    places = ['compute-1', 'compute-1', *names]
    nodes = [draw(hosts(name)) for name in names]
    running = [
        draw(servers(f'server-{number}', places))
        for number in range(draw(st.sampled_from([3, 6, 1, 8, 0])))
    ]
    found = []
    for number in range(draw(st.integers(0, 2))):
        members = draw(
            st.lists(st.sampled_from(running), unique=True)
            if running
            else st.just([])
        )
        found.append(
            testing.group(
                f'group-{number}',
                policy=draw(st.sampled_from(_POLICIES)),
                max_server_per_host=draw(st.integers(1, 2)),
                members={member.id: member.host for member in members},
            )
        )
    return testing.snapshot(
        [
            dataclasses.replace(
                server,
                groups=tuple(g.id for g in found if server.id in g.members),
            )
            for server in running
        ],
        nodes,
        found,
        aggregates=_zones(draw, nodes),
    )


def _zones(
    draw: st.DrawFn, nodes: list[model.Host]
) -> tuple[model.Aggregate, ...] | None:
    """Make the aggregates of the zones, or leave some out."""
    known = draw(st.sampled_from([ZONES, ZONES[:1], (), None]))
    if known is None:
        return None
    return tuple(
        model.Aggregate(
            name=f'rack-{zone}',
            uuid=None,
            hosts=frozenset(n.name for n in nodes if n.zone == zone),
            metadata={'availability_zone': zone},
        )
        for zone in known
    )


# Servers and hosts on which the whole catalogue has something to say

_PORTS = (
    (),
    None,
    (testing.port(id='a'),),
    (testing.port(id='b', physical_network='physnet2'),),
    (testing.port(id='c', vif_type='bridge'),),
    (testing.port(id='d', vnic_type='direct', vif_type='hw_veb'),),
    (testing.port(id='e', vnic_type='accelerator-direct'),),
    (testing.port(id='f', bindings={'compute-1': 'A', 'compute-2': 'I'}),),
    (testing.port(id='g', bindings={'compute-1': 'A', 'compute-3': 'I'}),),
)
_ODD_SPECS = (
    None,
    {'pci_passthrough:alias': 'gpu:1'},
    {'accel:device_profile': 'fpga'},
    {'hw:numa_nodes': '3'},
    {'hw:mem_page_size': 'large', 'hw:cpu_realtime': 'yes'},
    {'hw:tpm_version': '2.0', 'hw:mem_encryption': 'true'},
    {'aggregate_instance_extra_specs:ssd': 'true'},
    {'resources:CUSTOM_A100': '1'},
    {'capabilities:x': 'y'},
)
_CELL = model.NumaCell(
    vcpus=frozenset(range(9)), memory_mb=1, host_node=None, cpu_pinning=None
)
_ODD: dict[str, st.SearchStrategy[Any]] = {
    'ports': st.sampled_from(_PORTS),
    'flavor': st.builds(
        testing.flavor, extra_specs=st.sampled_from(_ODD_SPECS)
    ),
    'image_properties': st.sampled_from(
        [None, {'hw_firmware_type': 'uefi'}, {'hw_numa_nodes': 2}]
    ),
    'topology': st.sampled_from(
        [None, model.Topology(cells=(_CELL, _CELL), pagesize_kb=4)]
    ),
    'allocations': st.sampled_from(
        [None, {}, {testing.identifier('gpu-1'): {'CUSTOM_PCI': 1}}]
    ),
    'volumes': st.sampled_from(
        [
            (),
            (testing.volume(status=None, encrypted=True),),
            (testing.volume(status='error', multiattach=True),),
        ]
    ),
    'shares': st.sampled_from([None, (), ('share',)]),
    'scheduler_hints': st.sampled_from([None, {}, {'query': '[]'}]),
    'project_id': st.sampled_from(['one', 'two']),
    'vm_state': st.sampled_from(['resized', 'shelved', 'building', None]),
    'task_state': st.sampled_from([None, 'rebooting']),
    'power_state': st.sampled_from([None, 1, 4]),
    'locked': st.booleans(),
    'config_drive': st.booleans(),
    'host': st.sampled_from(['compute-1', 'compute-2', 'gone', None]),
    'host_status': st.sampled_from([None, 'UP', 'DOWN']),
    'groups': st.sampled_from([None, ()]),
    'pinned_availability_zone': st.sampled_from([None, '', 'az1']),
    'launched_at': st.none(),
    'user_id': st.none(),
}


@st.composite
def oddities(draw: st.DrawFn, server: model.Server) -> model.Server:
    """Change a server in something that a check may look at."""
    names = draw(st.lists(st.sampled_from(sorted(_ODD)), max_size=3))
    odd = dataclasses.replace(
        server, **{name: draw(_ODD[name]) for name in names}
    )
    return dataclasses.replace(
        odd,
        request=resources.request(
            odd.flavor,
            image_properties=odd.image_properties or {},
            image_traits=(),
            is_volume_backed=odd.image == '',
            ports=odd.ports or (),
        ),
    )


@st.composite
def odd_hosts(draw: st.DrawFn, host: model.Host) -> model.Host:
    """Change a host in what some checks look at."""
    kinds = ('Open vSwitch agent', 'NIC Switch agent', 'Linux bridge agent')
    agent = st.builds(
        model.Agent,
        agent_type=st.sampled_from(kinds),
        alive=st.booleans(),
        admin_state_up=st.just(True),
        physical_networks=st.sampled_from(
            [frozenset(), frozenset({'physnet1'})]
        ),
    )
    device = testing.provider(
        'gpu-1',
        parent_id='root',
        resources={'CUSTOM_PCI': _ONE, 'CUSTOM_A100': _ONE},
        traits=draw(st.frozensets(st.sampled_from(_DEVICE_TRAITS))),
    )
    tree = host.providers
    if tree:
        traits = st.frozensets(st.sampled_from(_HOST_TRAITS))
        root = dataclasses.replace(
            tree[0], traits=tree[0].traits | draw(traits)
        )
        tree = (root, *tree[1:], *([device] if draw(st.booleans()) else []))
    return dataclasses.replace(
        host,
        providers=tree,
        agents=draw(st.none() | st.lists(agent, max_size=2).map(tuple)),
        hypervisor_type=draw(st.sampled_from(['QEMU'] * 3 + ['VMware', None])),
        cpu_info=draw(st.sampled_from([host.cpu_info] * 3 + [None])),
    )


_ONE = testing.room(1)
_DEVICE_TRAITS = ('COMPUTE_MANAGED_PCI_DEVICE', 'HW_PCI_ONE_TIME_USE')
_HOST_TRAITS = (
    'OWNER_NOVA',
    'COMPUTE_MEM_BACKING_FILE',
    'COMPUTE_STORAGE_VIRTIO_FS',
    'COMPUTE_STATUS_DISABLED',
)


@st.composite
def odd_clouds(draw: st.DrawFn) -> model.Snapshot:
    """Make a cloud of which every check may say something."""
    cloud = draw(clouds())
    records = st.builds(
        testing.migration,
        st.integers(1, 9),
        server_id=st.sampled_from([*cloud.servers, 'another']),
        status=st.sampled_from(['running', 'error', 'finished', 'completed']),
        dest_compute=st.sampled_from([*cloud.hosts, None]),
        updated_at=st.sampled_from([None, '2025-01-01T00:00:00.000000']),
    )
    kept = model.Aggregate(
        name='kept',
        uuid=None,
        hosts=frozenset(['compute-2']),
        metadata={'filter_tenant_id': 'one', 'trait:CUSTOM_GOLD': 'required'},
    )
    return dataclasses.replace(
        cloud,
        servers={
            name: draw(oddities(server))
            for name, server in cloud.servers.items()
        },
        hosts={
            name: draw(odd_hosts(host)) for name, host in cloud.hosts.items()
        },
        aggregates=(*(cloud.aggregates or ()), kept),
        migrations=draw(st.none() | st.lists(records, max_size=2).map(tuple)),
        roles=draw(
            st.sampled_from(
                [frozenset(names) for names in (['admin'], ['member'], [])]
            )
        ),
        user_id=draw(st.none() | st.just(testing.identifier('user'))),
    )
