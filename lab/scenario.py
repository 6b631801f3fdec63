# SPDX-License-Identifier: Apache-2.0
"""What a rehearsal cloud looks like: a YAML file, read and checked.

Everything in the file is optional. Each class below is one mapping of the
file and its fields are the allowed keys, with their types and defaults, so
this module is also the reference of the format. It needs nothing of Nova.

Sizes are MiB (``memory_mb``, ``ram``) and GiB (``disk_gb``, ``disk``),
speeds are MiB per second, times are seconds unless the key says otherwise.
"""

import collections.abc
from collections.abc import Mapping
import dataclasses
import json
import os
import pathlib
from typing import Any, Literal

import yaml

from lab import conversion


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nova:
    """Options of Nova, and how its simulated libvirt behaves."""

    max_concurrent_live_migrations: int = 1
    service_down_time: int = 10
    max_microversion: str | None = None
    resize_confirm_window: int = 0
    monitor_interval: int = 5  # seconds between two saved progress records
    permit_post_copy: bool = False
    pci_in_placement: bool = False
    abort_leaves_error: bool = True
    live_migration_downtime_ms: int = 300
    # seconds for each GiB of memory and copied disk, then abort; 0: never
    live_migration_completion_timeout: int = 800


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """The model of a host's processors."""

    arch: str = 'x86_64'
    vendor: str = 'Intel'
    model: str = 'Skylake-Server'
    features: tuple[str, ...] = ('aes', 'avx', 'avx2', 'vmx')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PciDevice:
    """A device that Nova may pass through; ``alias`` names it in flavors."""

    vendor_id: str
    product_id: str
    address: str
    dev_type: Literal['type-PCI', 'type-PF', 'type-VF', 'vdpa'] = 'type-PCI'
    parent_addr: str | None = None
    numa_node: int | None = 0
    physical_network: str | None = None
    alias: str | None = None
    live_migratable: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRatios:
    """How far a host is overcommitted."""

    cpu: float = 4.0
    ram: float = 1.0
    disk: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """How live migrations go."""

    fails_at: (
        Literal[
            'check-destination',
            'check-source',
            'pre',
            'running',
            'post-source',
            'post-destination',
        ]
        | None
    ) = None
    setup_seconds: float = 0.0  # before the first byte is copied


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cold:
    """How cold migrations go."""

    seconds: float = 1.0
    fails_at: Literal['migrate-disk', 'finish', 'confirm', 'revert'] | None = (
        None
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A simulated hypervisor with its nova-compute."""

    vcpus: int = 16
    memory_mb: int = 65536
    disk_gb: int = 1000
    link_mb_s: float = 1000.0
    zone: str | None = None
    aggregates: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    cpu: Cpu = Cpu()
    hypervisor_type: str = 'QEMU'
    hypervisor_version: int = 8002002
    numa_cells: int = 1
    cpu_threads: int = 1  # threads of one core
    dedicated_cpus: tuple[int, ...] = ()
    hugepages_2m: int = 0  # of the whole host, spread over its cells
    hugepages_1g: int = 0
    pci: tuple[PciDevice, ...] = ()
    vgpu: int = 0
    shared_storage: bool = True
    allocation_ratios: AllocationRatios = AllocationRatios()
    agent: Literal['alive', 'dead', 'absent'] = 'alive'
    physical_networks: tuple[str, ...] = ('physnet1',)
    disabled: str | None = None  # the reason, when the service is disabled
    down: bool = False
    live: Live = Live()  # also fails the migrations that others make here
    cold: Cold = Cold()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A flavor."""

    vcpus: int = 1
    ram: int = 512
    disk: int = 1
    ephemeral: int = 0
    swap: int = 0  # MiB
    extra_specs: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image without content worth speaking of."""

    properties: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerGroup:
    """A server group; ``max_server_per_host`` is for anti-affinity only."""

    policy: Literal[
        'affinity', 'anti-affinity', 'soft-affinity', 'soft-anti-affinity'
    ]
    max_server_per_host: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network with one subnet."""

    physical_network: str | None = 'physnet1'  # null: local to each host


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a server."""

    network: str
    vnic_type: Literal[
        'normal',
        'direct',
        'direct-physical',
        'macvtap',
        'vdpa',
        'accelerator-direct',
    ] = 'normal'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A data volume of a server; the same name is the same volume."""

    name: str | None = None
    size: int = 1
    multiattach: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server, or ``count`` equal ones that are called name-1, name-2 ..."""

    name: str
    count: int | None = None
    flavor: str | None = None  # the first flavor of the scenario
    image: str | None = None  # the first image of the scenario
    host: str | None = None
    came_from: str | None = None  # of VERIFY_RESIZE: where it was before
    zone: str | None = None  # asks for, and so pins, an availability zone
    group: str | None = None
    project: Literal['admin', 'demo'] = 'admin'
    tags: tuple[str, ...] = ()
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    config_drive: bool = False
    volume_backed: bool = False
    volumes: tuple[Volume, ...] = ()
    ports: tuple[Port, ...] = ()
    locked: bool = False
    status: Literal[
        'ACTIVE',
        'PAUSED',
        'SHUTOFF',
        'SUSPENDED',
        'ERROR',
        'SHELVED_OFFLOADED',
        'RESCUE',
        'VERIFY_RESIZE',
    ] = 'ACTIVE'
    dirty_mb_s: float = 20.0
    live: Live = Live()
    cold: Cold = Cold()


def _default_hosts() -> dict[str, Host]:
    return {f'compute-{number}': Host() for number in range(1, 5)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The whole file."""

    nova: Nova = Nova()
    hosts: dict[str, Host] = dataclasses.field(default_factory=_default_hosts)
    flavors: dict[str, Flavor] = dataclasses.field(
        default_factory=lambda: {'small': Flavor()}
    )
    images: dict[str, Image] = dataclasses.field(
        default_factory=lambda: {'tiny': Image()}
    )
    server_groups: dict[str, ServerGroup] = dataclasses.field(
        default_factory=dict
    )
    networks: dict[str, Network] = dataclasses.field(default_factory=dict)
    servers: tuple[Server, ...] = ()


def load(path: str | os.PathLike[str] | None) -> Scenario:
    """Read a scenario file; None is the default scenario.

    :raises: :class:`lab.conversion.ScenarioError`, naming the key.
    """
    if path is None:
        return Scenario()
    try:
        text = pathlib.Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise conversion.ScenarioError(
            f'Cannot read {path}: {error}.'
        ) from error
    try:
        return loads(text)
    except conversion.ScenarioError as error:
        raise conversion.ScenarioError(f'{path}: {error}') from error


def loads(text: str) -> Scenario:
    """Read a scenario from YAML text.

    :raises: :class:`lab.conversion.ScenarioError`, naming the key.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        message = f'This is not YAML: {error}.'
        raise conversion.ScenarioError(message) from error
    values = {} if document is None else document
    scenario: Scenario = conversion.convert(Scenario, values, '')
    return scenario


def check_references(scenario: Scenario) -> None:
    """See that the servers name only what the scenario has.

    Not part of :func:`load`: servers may be added to a running lab and then
    name what is there already.

    :raises: :class:`lab.conversion.ScenarioError`, naming the key.
    """
    for index, server in enumerate(scenario.servers):
        named: list[tuple[str, str | None, Mapping[str, Any]]] = [
            ('flavor', server.flavor, scenario.flavors),
            ('image', server.image, scenario.images),
            ('host', server.host, scenario.hosts),
            ('came_from', server.came_from, scenario.hosts),
            ('group', server.group, scenario.server_groups),
        ]
        named += [
            ('ports', p.network, scenario.networks) for p in server.ports
        ]
        for key, name, known in named:
            if name is not None and name not in known:
                raise conversion.ScenarioError(
                    f'servers[{index}].{key}: there is no {name!r}; '
                    f'known are {", ".join(known) or "none"}.'
                )


def expand(servers: collections.abc.Iterable[Server]) -> list[Server]:
    """Write servers with a ``count`` out: name-1, name-2 ..."""
    result = []
    for server in servers:
        if server.count is None:
            result.append(server)
        for number in range(1, (server.count or 0) + 1):
            result.append(
                dataclasses.replace(
                    server, name=f'{server.name}-{number}', count=None
                )
            )
    return result


def shapes(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Return what the simulated hypervisors must know, as JSON values.

    By host name: the keys of :class:`Host`, and :class:`Nova` as ``nova``.
    """
    nova = dataclasses.asdict(scenario.nova)
    described = {
        name: dataclasses.asdict(host) | {'nova': nova}
        for name, host in scenario.hosts.items()
    }
    result: dict[str, dict[str, Any]] = json.loads(json.dumps(described))
    return result


def pci_aliases(scenario: Scenario) -> list[dict[str, str]]:
    """Return ``[pci]alias`` of nova.conf; the API and all hosts need it."""
    aliases = {}
    for host in scenario.hosts.values():
        for device in host.pci:
            if device.alias is None:
                continue
            aliases[device.alias] = {
                'name': device.alias,
                'vendor_id': device.vendor_id,
                'product_id': device.product_id,
                'device_type': device.dev_type,
            } | ({'live_migratable': 'yes'} if device.live_migratable else {})
    return list(aliases.values())


# The keys that may change while the lab runs, by what they belong to.
BEHAVIOUR: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    'server': (Server, ('dirty_mb_s', 'live', 'cold')),
    'host': (Host, ('link_mb_s', 'live', 'cold')),
    'nova': (
        Nova,
        (
            'monitor_interval',
            'permit_post_copy',
            'abort_leaves_error',
            'live_migration_downtime_ms',
            'live_migration_completion_timeout',
        ),
    ),
}


def behaviour_key(kind: str, key: str, value: str) -> dict[str, Any]:
    """Check one ``key=value`` for behaviour.json and return it, nested.

    ``kind`` is server, host or nova; ``key`` is dotted as in
    ``live.fails_at``; ``value`` is the text that YAML would have.

    :raises: :class:`lab.conversion.ScenarioError`, naming the key.
    """
    owner, allowed = BEHAVIOUR[kind]
    names = key.split('.')
    if names[0] not in allowed:
        raise conversion.ScenarioError(
            f'{key}: this cannot change while the lab runs; '
            f'of a {kind} these can: {", ".join(allowed)}.'
        )
    return conversion.convert_dotted(owner, key, value)
