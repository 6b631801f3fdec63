# SPDX-License-Identifier: Apache-2.0
"""What a server asks of Placement, worked out as Nova's scheduler does it.

Nova keeps no copy of the request; it derives it anew for each move from the
flavor, the image and the ports (``nova/scheduler/utils.py``,
``ResourceRequest.from_request_spec`` and ``nova/scheduler/request_filter.py``
of Nova 34). So does this module, from the same attributes.
"""

from collections.abc import Iterable, Mapping
import math
import re
from typing import Any
from urllib import parse

from osc_migrate import model

_EXTRA_SPEC = re.compile(
    r'^(?P<kind>resources|trait)(?P<suffix>[a-zA-Z0-9_-]{0,64})'
    r':(?P<name>[A-Z0-9_]+)$'
)
# nova.scheduler.request_filter.compute_status_filter
NOT_DISABLED = '!COMPUTE_STATUS_DISABLED'


def request(
    flavor: model.Flavor,
    *,
    image_properties: Mapping[str, Any],
    image_traits: Iterable[str],
    is_volume_backed: bool,
    ports: Iterable[model.Port],
) -> model.ResourceRequest:
    """Work out the resource request of a server.

    What is not known (extra specs of a caller who may not see them, image
    properties below microversion 2.98) is taken as absent.
    """
    specs = dict(flavor.extra_specs or {})
    resources = _from_flavor(flavor, specs, image_properties, is_volume_backed)
    required = set(image_traits)
    forbidden: set[str] = set()
    _add_cpu_threads(specs, image_properties, required, forbidden)
    root_required = _add_security(specs, image_properties, resources, required)
    groups: dict[str, dict[str, Any]] = {'': {'resources': resources}}
    for key, value in specs.items():
        match = _EXTRA_SPEC.match(key)
        if match is None:
            continue
        group = groups.setdefault(match['suffix'], {})
        if match['kind'] == 'resources':
            group.setdefault('resources', {})[match['name']] = int(value)
        else:
            group.setdefault(value, set()).add(match['name'])
    plain = groups['']
    plain['required'] = required | plain.get('required', set())
    plain['forbidden'] = forbidden | plain.get('forbidden', set())
    _add_ports(groups, ports)
    policy = specs.get('group_policy')
    if policy is None and len(groups) > 2:
        policy = 'none'
    return model.ResourceRequest(
        groups={
            suffix: model.RequestGroup(
                resources={
                    name: amount
                    for name, amount in group.get('resources', {}).items()
                    if amount
                },
                required_traits=frozenset(group.get('required', ())),
                forbidden_traits=frozenset(group.get('forbidden', ())),
            )
            for suffix, group in groups.items()
        },
        group_policy=policy,
        root_required=frozenset(root_required),
    )


def query(asked: model.ResourceRequest) -> str:
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
    if asked.group_policy:
        pairs.append(('group_policy', asked.group_policy))
    return parse.urlencode(pairs, safe=':,!')


def cpu_policy(
    specs: Mapping[str, str], image_properties: Mapping[str, Any]
) -> str:
    """Return ``shared``, ``dedicated`` or ``mixed``; the flavor wins."""
    return str(
        specs.get('hw:cpu_policy')
        or image_properties.get('hw_cpu_policy')
        or 'shared'
    )


def is_true(value: Any) -> bool:
    """Read a boolean extra spec as oslo.utils does."""
    return str(value).lower() in ('1', 't', 'true', 'on', 'y', 'yes')


def _from_flavor(
    flavor: model.Flavor,
    specs: Mapping[str, str],
    image_properties: Mapping[str, Any],
    is_volume_backed: bool,
) -> dict[str, int]:
    """Return VCPU or PCPU, MEMORY_MB and DISK_GB."""
    policy = cpu_policy(specs, image_properties)
    dedicated = {'dedicated': flavor.vcpus, 'shared': 0}.get(
        policy, _mask_size(specs.get('hw:cpu_dedicated_mask', ''))
    )
    shared = flavor.vcpus - dedicated
    if dedicated and specs.get('hw:emulator_threads_policy') == 'isolate':
        dedicated += 1
    disk = flavor.ephemeral + math.ceil(flavor.swap / 1024)
    if not is_volume_backed:
        disk += flavor.disk
    return {
        'VCPU': shared,
        'PCPU': dedicated,
        'MEMORY_MB': flavor.ram,
        'DISK_GB': disk,
    }


def _mask_size(mask: str) -> int:
    """Count the CPUs of a mask such as ``0-3,^2``."""
    chosen: set[int] = set()
    excluded: set[int] = set()
    for part in filter(None, mask.split(',')):
        into = excluded if part.startswith('^') else chosen
        low, _, high = part.lstrip('^').partition('-')
        into.update(range(int(low), int(high or low) + 1))
    return len(chosen - excluded)


def _add_cpu_threads(
    specs: Mapping[str, str],
    image_properties: Mapping[str, Any],
    required: set[str],
    forbidden: set[str],
) -> None:
    """Turn the CPU thread policy into traits."""
    policy = specs.get('hw:cpu_thread_policy') or image_properties.get(
        'hw_cpu_thread_policy'
    )
    if policy == 'require':
        required.add('HW_CPU_HYPERTHREADING')
    elif policy == 'isolate':
        forbidden.add('HW_CPU_HYPERTHREADING')


def _add_security(
    specs: Mapping[str, str],
    image_properties: Mapping[str, Any],
    resources: dict[str, int],
    required: set[str],
) -> set[str]:
    """Add what vTPM and encrypted memory ask for; return root traits."""
    root_required = {NOT_DISABLED}
    version = specs.get('hw:tpm_version') or image_properties.get(
        'hw_tpm_version'
    )
    if version:
        model_name = (
            specs.get('hw:tpm_model')
            or image_properties.get('hw_tpm_model')
            or 'tpm-tis'
        )
        secret = specs.get('hw:tpm_secret_security', 'user').upper()
        number = str(version).replace('.', '_')
        required.add(f'COMPUTE_SECURITY_TPM_{number}')
        required.add(f'COMPUTE_SECURITY_TPM_{model_name[4:].upper()}')
        root_required.add(f'COMPUTE_SECURITY_TPM_SECRET_SECURITY_{secret}')
    if is_true(specs.get('hw:mem_encryption')) or is_true(
        image_properties.get('hw_mem_encryption')
    ):
        resources['MEM_ENCRYPTION_CONTEXT'] = 1
    for name in filter(None, specs.get('hw:pmem', '').split(',')):
        resource_class = f'CUSTOM_PMEM_NAMESPACE_{name.upper()}'
        resources[resource_class] = resources.get(resource_class, 0) + 1
    return root_required


def _add_ports(
    groups: dict[str, dict[str, Any]], ports: Iterable[model.Port]
) -> None:
    """Add a group for each request of a port (minimum bandwidth ...)."""
    for port in ports:
        asked = port.resource_request or {}
        found = asked.get('request_groups') or ([asked] if asked else [])
        for number, group in enumerate(found):
            suffix = str(group.get('id') or f'{port.id}-{number}')
            groups[suffix] = {
                'resources': dict(group.get('resources', {})),
                'required': set(group.get('required', ())),
            }
