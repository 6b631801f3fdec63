# SPDX-License-Identifier: Apache-2.0
"""The cloud in the examples that need none: compute-1 is to be emptied.

Saved as ``doc/source/examples/cloud.json``, so that a reader can ask it the
same and other questions.
"""

from typing import Any

from osc_migrate import model
from osc_migrate import testing

_COMPUTE = ('compute-1', 'compute-2', 'compute-3', 'compute-4')
_PINNED = {
    'hw:cpu_policy': 'dedicated',
    'hw:mem_page_size': '1GB',
    'hw:numa_nodes': '1',
}


def snapshot() -> model.Snapshot:
    """Build the cloud."""
    group = testing.group(
        'web',
        members={
            testing.identifier('web-1'): 'compute-1',
            testing.identifier('web-2'): 'compute-2',
        },
    )
    servers = [
        _server('archive', vm_state='stopped', status='SHUTOFF'),
        _server('database', flavor=_large('large')),
        _server(
            'gpu', flavor=_large('gpu', **{'pci_passthrough:alias': 't4:1'})
        ),
        _server(
            'report', vm_state='suspended', status='SUSPENDED', power_state=4
        ),
        _server('router', flavor=_large('dpdk', **_PINNED)),
        _server('web-1', groups=(group.id,), locked=True),
    ]
    return testing.snapshot(servers, _hosts(), [group])


def _server(name: str, **attributes: Any) -> model.Server:
    port = testing.port(id=testing.identifier(f'port of {name}'))
    return testing.server(name, ports=(port,), **attributes)


def _large(name: str, **extra_specs: str) -> model.Flavor:
    return testing.flavor(
        original_name=name, vcpus=4, ram=8192, disk=20, extra_specs=extra_specs
    )


def _hosts() -> list[model.Host]:
    agent = model.Agent(
        agent_type='Open vSwitch agent',
        alive=True,
        admin_state_up=True,
        physical_networks=frozenset({'physnet1'}),
    )
    older = testing.cpu_info(features=frozenset({'aes', 'avx'}))
    special: dict[str, dict[str, Any]] = {
        # little memory is left, and some CPUs can be pinned
        'compute-2': {'MEMORY_MB': testing.room(65536, 60000)},
        'compute-3': {'PCPU': testing.room(16, 4)},
    }
    hosts = []
    for name in _COMPUTE:
        provider = testing.provider(name)
        provider = testing.provider(
            name, resources={**provider.resources, **special.get(name, {})}
        )
        hosts.append(
            testing.host(
                name,
                providers=(provider,),
                agents=(agent,),
                cpu_info=older if name == 'compute-4' else testing.cpu_info(),
            )
        )
    return hosts
