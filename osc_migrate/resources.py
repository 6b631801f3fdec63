# SPDX-License-Identifier: Apache-2.0
"""What a server asks of Placement, worked out as Nova's scheduler does it.

Nova keeps no copy of the request; it derives it anew for each move from the
flavor, the image and the ports (``nova/scheduler/utils.py``,
``ResourceRequest.from_request_spec`` and ``nova/scheduler/request_filter.py``
of Nova 34). So does this module, from the same attributes.
"""

from collections.abc import Iterable, Mapping
import dataclasses
import math
import re
from typing import Any
from urllib import parse

from osc_migrate import inventory
from osc_migrate import model

_EXTRA_SPEC = re.compile(
    r'^(?P<kind>resources|trait)(?P<suffix>[a-zA-Z0-9_-]{1,64})?'
    r':(?P<name>[A-Z0-9_]+)$'
)
# what needs no quoting, which is slow
_PLAIN = re.compile(r'^[\w:,!.-]*$', re.ASCII)
# nova.scheduler.request_filter.compute_status_filter
NOT_DISABLED = '!COMPUTE_STATUS_DISABLED'
# nova.virt.hardware.MemEncryptionConfig, by hw:mem_encryption_model
_ENCRYPTION_TRAITS = {
    'amd-sev': 'HW_CPU_X86_AMD_SEV',
    'amd-sev-es': 'HW_CPU_X86_AMD_SEV_ES',
    'amd-sev-snp': 'HW_CPU_X86_AMD_SEV_SNP',
    'intel-tdx': 'HW_CPU_X86_INTEL_TDX',
}


@dataclasses.dataclass(slots=True)
class _Group:
    """A request group in the making."""

    resources: dict[str, int] = dataclasses.field(default_factory=dict)
    required: set[str] = dataclasses.field(default_factory=set)
    forbidden: set[str] = dataclasses.field(default_factory=set)

    def frozen(self) -> inventory.RequestGroup:
        """Return it without the resources that an extra spec set to 0."""
        return inventory.RequestGroup(
            resources={name: n for name, n in self.resources.items() if n},
            required_traits=frozenset(self.required),
            forbidden_traits=frozenset(self.forbidden),
        )


def request(
    flavor: model.Flavor,
    *,
    image_properties: Mapping[str, Any],
    image_traits: Iterable[str],
    is_volume_backed: bool,
    ports: Iterable[model.Port],
) -> inventory.ResourceRequest:
    """Work out the resource request of a server.

    What is not known (extra specs of a caller who may not see them, image
    properties below microversion 2.98) is taken as absent.
    """
    wish = Wish(flavor, image_properties)
    groups = {'': _Group()}
    _add_extra_specs(groups, wish.specs)
    from_flavor = len(groups) - 1
    plain = groups['']
    plain.required.update(image_traits)
    _add_cpus(plain, wish)
    same_subtree = _add_ports(groups, ports)
    _add_sizes(groups, flavor, is_volume_backed)
    _add_features(plain, wish)
    asked = {suffix: group.frozen() for suffix, group in groups.items()}
    asked = {
        suffix: group
        for suffix, group in asked.items()
        if not suffix or group.resources or group.required_traits
    }
    policy = wish.specs.get('group_policy')
    if policy not in ('none', 'isolate'):
        # the default of nova.scheduler.utils.resources_from_request_spec
        is_ports = len(asked) > 2 and from_flavor <= 1
        policy = 'none' if is_ports else None
    return inventory.ResourceRequest(
        groups=asked,
        group_policy=policy,
        root_required=frozenset(_root_required(wish, ports)),
        same_subtree=same_subtree,
    )


def query(asked: inventory.ResourceRequest) -> str:
    """Write a request as a query of ``GET /allocation_candidates``.

    Equal requests give equal strings: the string is also the key of
    ``Snapshot.candidates``.
    """
    pairs: list[tuple[str, str]] = []
    for suffix, group in sorted(asked.groups.items()):
        amounts = sorted(group.resources.items())
        if amounts:
            text = ','.join(f'{name}:{amount}' for name, amount in amounts)
            pairs.append((f'resources{suffix}', text))
        traits = sorted(group.required_traits)
        traits += sorted(f'!{name}' for name in group.forbidden_traits)
        if traits:
            pairs.append((f'required{suffix}', ','.join(traits)))
    if asked.root_required:
        pairs.append(('root_required', ','.join(sorted(asked.root_required))))
    for suffixes in asked.same_subtree:
        pairs.append(('same_subtree', ','.join(suffixes)))
    if asked.group_policy:
        pairs.append(('group_policy', asked.group_policy))
    if all(_PLAIN.match(value) for _, value in pairs):
        return '&'.join(f'{name}={value}' for name, value in pairs)
    return parse.urlencode(pairs, safe=':,!')


def is_true(value: Any) -> bool:
    """Read a boolean extra spec as oslo.utils does."""
    return str(value).strip().lower() in ('1', 't', 'true', 'on', 'y', 'yes')


class Wish:
    """What flavor and image ask for together, as nova.virt.hardware reads it.

    Where the two contradict each other, Nova has refused the server long
    ago; the flavor is believed.
    """

    __slots__ = ('_properties', 'specs', 'vcpus')

    def __init__(
        self, flavor: model.Flavor, image_properties: Mapping[str, Any]
    ) -> None:
        self.specs: Mapping[str, str] = flavor.extra_specs or {}
        self._properties = image_properties
        self.vcpus = flavor.vcpus

    def __call__(self, key: str, prefix: str = 'hw') -> Any:
        """Return the extra spec ``hw:key``, else the property ``hw_key``."""
        return self.specs.get(f'{prefix}:{key}') or self._properties.get(
            f'{prefix}_{key}'
        )

    @property
    def cpu_policy(self) -> str:
        """Return ``shared``, ``dedicated`` or ``mixed``."""
        if 'PCPU' in _amounts(self.specs):
            return 'dedicated'
        return str(self('cpu_policy') or 'shared')

    @property
    def pinned(self) -> int:
        """Return how many of the CPUs of the guest are dedicated to it."""
        if self.cpu_policy == 'dedicated':
            return self.vcpus
        if self.cpu_policy != 'mixed':
            return 0
        mask = self.specs.get('hw:cpu_dedicated_mask')
        # the image's mask is believed before the flavor's, unlike all else
        mask = mask or self._properties.get('hw_cpu_realtime_mask')
        mask = mask or self.specs.get('hw:cpu_realtime_mask')
        return _mask_size(str(mask or ''), self.vcpus)

    @property
    def is_encrypted(self) -> bool:
        """Whether the guest's memory is encrypted."""
        return is_true(self('mem_encryption'))

    @property
    def encryption_model(self) -> str:
        """Return what encrypts the memory, if anything does."""
        return str(self('mem_encryption_model') or 'amd-sev')

    @property
    def tpm_secret_security(self) -> str | None:
        """Return who keeps the secret of the vTPM; ``None`` if it has none."""
        if not self('tpm_version'):
            return None
        return str(self.specs.get('hw:tpm_secret_security') or 'user')

    @property
    def numa_cells(self) -> int:
        """Return the number of cells of the guest; 0 without a topology.

        As ``numa_get_constraints`` in ``nova/virt/hardware.py``.
        """
        nodes = str(self('numa_nodes') or '')
        if nodes.isdigit() and int(nodes):
            return int(nodes)
        has_topology = (
            self.specs.get('hw:mem_page_size')
            or self.specs.get('hw:pmem')
            or self.cpu_policy != 'shared'
        )
        return 1 if has_topology else 0


def _amounts(specs: Mapping[str, str]) -> set[str]:
    """Return the resource classes that extra specs name."""
    matches = map(_EXTRA_SPEC.match, specs)
    return {m['name'] for m in matches if m and m['kind'] == 'resources'}


def _add_extra_specs(
    groups: dict[str, _Group], specs: Mapping[str, str]
) -> None:
    for key, value in specs.items():
        match = _EXTRA_SPEC.match(key)
        if match is None:
            continue
        group = groups.setdefault(match['suffix'] or '', _Group())
        if match['kind'] == 'resources':
            # Nova logs and skips what is no amount
            if str(value).strip().isdigit():
                group.resources[match['name']] = int(value)
        elif value == 'required':
            group.required.add(match['name'])
        elif value == 'forbidden':
            group.forbidden.add(match['name'])


def _add_cpus(plain: _Group, wish: Wish) -> None:
    """Turn the CPU and the CPU thread policy into amounts and traits."""
    policy = wish('cpu_policy')
    if policy in ('dedicated', 'mixed'):
        pinned = wish.pinned
        if policy == 'mixed':
            plain.resources['VCPU'] = wish.vcpus - pinned
        if wish.specs.get('hw:emulator_threads_policy') == 'isolate':
            pinned += 1
        plain.resources['PCPU'] = pinned
    threads = wish('cpu_thread_policy')
    if threads == 'require':
        plain.required.add('HW_CPU_HYPERTHREADING')
    elif threads == 'isolate':
        plain.forbidden.add('HW_CPU_HYPERTHREADING')


def _add_sizes(
    groups: Mapping[str, _Group], flavor: model.Flavor, is_volume_backed: bool
) -> None:
    """Add what the flavor says unless an extra spec or a port says it."""
    named = {name for group in groups.values() for name in group.resources}
    plain = groups['']
    if not named & {'VCPU', 'PCPU'}:
        plain.resources['VCPU'] = flavor.vcpus
    if 'MEMORY_MB' not in named:
        plain.resources['MEMORY_MB'] = flavor.ram
    if 'DISK_GB' not in named:
        disk = flavor.ephemeral + math.ceil(flavor.swap / 1024)
        plain.resources['DISK_GB'] = disk + (
            0 if is_volume_backed else flavor.disk
        )


def _mask_size(mask: str, vcpus: int) -> int:
    """Count the CPUs of a mask such as ``0-3,^2``."""
    if mask.strip().startswith('^'):
        mask = f'0-{vcpus - 1},{mask}'
    chosen: set[int] = set()
    excluded: set[int] = set()
    for part in filter(None, map(str.strip, mask.split(','))):
        into = excluded if part.startswith('^') else chosen
        low, _, high = part.lstrip('^').partition('-')
        if low.isdigit() and (high or low).isdigit():
            into.update(range(int(low), int(high or low) + 1))
    return len(chosen - excluded)


def _add_features(plain: _Group, wish: Wish) -> None:
    """Add what encryption, memory devices, vTPM and firmware ask for."""
    if wish.is_encrypted:
        plain.resources['MEM_ENCRYPTION_CONTEXT'] = 1
        trait = _ENCRYPTION_TRAITS.get(wish.encryption_model)
        plain.required.update(filter(None, [trait]))
    for label in str(wish.specs.get('hw:pmem') or '').split(','):
        if label.strip():
            name = re.sub('[^0-9A-Z_]', '_', label.strip().upper())
            name = f'CUSTOM_PMEM_NAMESPACE_{name}'
            plain.resources[name] = plain.resources.get(name, 0) + 1
    version = wish('tpm_version')
    if version:
        number = '2_0' if str(version) == '2.0' else '1_2'
        kind = 'CRB' if wish('tpm_model') == 'tpm-crb' else 'TIS'
        plain.required.add(f'COMPUTE_SECURITY_TPM_{number}')
        plain.required.add(f'COMPUTE_SECURITY_TPM_{kind}')
    if wish('pci_numa_affinity_policy') == 'socket':
        plain.required.add('COMPUTE_SOCKET_PCI_NUMA_AFFINITY')
    if wish('secure_boot', prefix='os') == 'required':
        plain.required.add('COMPUTE_SECURITY_UEFI_SECURE_BOOT')
    addresses = wish('maxphysaddr_mode')
    if addresses == 'passthrough':
        plain.required.add('COMPUTE_ADDRESS_SPACE_PASSTHROUGH')
    elif addresses == 'emulate':
        plain.required.add('COMPUTE_ADDRESS_SPACE_EMULATED')
    if is_true(wish('firmware_stateless')) and wish('firmware_type') == 'uefi':
        plain.required.add('COMPUTE_SECURITY_STATELESS_FIRMWARE')


def _root_required(wish: Wish, ports: Iterable[model.Port]) -> set[str]:
    """Return what Nova's request filters ask of the root provider."""
    required = {NOT_DISABLED}
    if wish.specs.get('accel:device_profile'):
        required.add('COMPUTE_ACCELERATORS')
    if is_true(wish('virtio_packed_ring')):
        required.add('COMPUTE_NET_VIRTIO_PACKED')
    if any(port.vnic_type == 'remote-managed' for port in ports):
        required.add('COMPUTE_REMOTE_MANAGED_PORTS')
    if is_true(wish('ephemeral_encryption')):
        required.add('COMPUTE_EPHEMERAL_ENCRYPTION')
        kind = wish('ephemeral_encryption_format')
        if kind:
            required.add(f'COMPUTE_EPHEMERAL_ENCRYPTION_{kind.upper()}')
    if wish('sound_model') == 'virtio':
        required.add('COMPUTE_SOUND_MODEL_VIRTIO')
    security = wish.tpm_secret_security
    if security:
        name = security.upper()
        required.add(f'COMPUTE_SECURITY_TPM_SECRET_SECURITY_{name}')
    return required


def _add_ports(
    groups: dict[str, _Group], ports: Iterable[model.Port]
) -> tuple[tuple[str, ...], ...]:
    """Add a group for each request of a port (minimum bandwidth ...).

    Return the suffixes that must lie in one branch of the tree.
    """
    together: list[tuple[str, ...]] = []
    for port in ports:
        asked = port.resource_request or {}
        if 'same_subtree' in asked:
            together.append(tuple(sorted(asked['same_subtree'])))
        if 'request_groups' in asked:
            found = asked['request_groups'] or []
        else:
            found = [asked] if asked else []
        for group in found:
            groups[str(group.get('id') or port.id)] = _Group(
                resources=dict(group.get('resources', {})),
                required=set(group.get('required', ())),
            )
    return tuple(together)
