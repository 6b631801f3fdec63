# SPDX-License-Identifier: Apache-2.0
"""The conditions in which preflight is compared with Nova.

Each names one destination, and for each way of moving the check that
decides: ``''`` where nothing stands in the way (warnings may be there),
``'?id'`` where the check cannot know, ``'-'`` where there is no destination.
"""

from collections.abc import Iterator
import dataclasses
from typing import Any

WAYS = ('live', 'cold')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A server, a destination, and what preflight is to say of them.

    ``server`` has the keys of a scenario's server. A condition in which the
    server may move live has a second server to be moved cold, unless it is
    ``alone``: what Nova must then refuse.
    """

    name: str
    to: str = 'compute-2'
    live: str = ''
    cold: str = ''
    server: dict[str, Any] = dataclasses.field(default_factory=dict)
    alone: bool = False

    def name_of(self, way: str) -> str:
        """Return the name of the server that is asked about."""
        has_twin = not self.alone and self.live[:1] in ('', '?')
        return f'{self.name}-{way}' if has_twin else self.name

    def expected(self, way: str) -> str:
        """Return the check that decides."""
        return self.live if way == 'live' else self.cold

    def servers(self) -> Iterator[dict[str, Any]]:
        """Yield the servers as a scenario has them."""
        for name in sorted({self.name_of(way) for way in WAYS}):
            server = {'host': 'compute-1', **self.server, 'name': name}
            if server.get('group') == 'own':
                server['group'] = f'own-{name}'
            yield server


def _both(name: str, check: str, **rest: Any) -> Condition:
    """Make a condition that one check decides for both ways."""
    return Condition(name=name, live=check, cold=check, **rest)


def _from(host: str, **rest: Any) -> dict[str, Any]:
    return {'host': host, **rest}


def _choosy(flavor: str, **rest: Any) -> dict[str, Any]:
    return {'host': 'compute-5', 'flavor': flavor, **rest}


STATES = (
    Condition(name='active'),
    Condition(name='paused', server={'status': 'PAUSED'}, cold='server-state'),
    Condition(
        name='stopped', server={'status': 'SHUTOFF'}, live='server-state'
    ),
    *(
        _both(status.lower(), check, server={'status': status})
        for status, check in (
            ('SUSPENDED', 'server-state'),
            ('RESCUE', 'server-state'),
            ('SHELVED_OFFLOADED', 'server-state'),
            ('ERROR', 'server-error'),
            ('VERIFY_RESIZE', 'server-resize'),
        )
    ),
    Condition(name='locked', server={'locked': True}),
    _both(
        'busy',
        'server-task',
        server=_from('compute-8', live={'setup_seconds': 900}),
    ),
    Condition(name='unallocated'),
)

HOSTS = (
    _both('to-itself', '-', to='compute-1', alone=True),
    _both('to-disabled', 'destination-service', to='compute-3'),
    _both('to-down', 'destination-service', to='compute-4'),
    _both('from-down', 'server-source-down', server=_from('compute-4')),
    Condition(
        name='stopped-from-down',
        server=_from('compute-4', status='SHUTOFF'),
        live='server-state',
        cold='server-source-down',
    ),
    Condition(name='from-disabled', server=_from('compute-3')),
    _both('to-arm', 'cpu-architecture', to='compute-9'),
    Condition(name='to-older', to='compute-10', live='hypervisor-version'),
    Condition(name='to-amd', server=_from('compute-10'), live='cpu-vendor'),
    Condition(
        name='to-lxc',
        to='compute-11',
        live='hypervisor-type',
        cold='?hypervisor-type',
    ),
    Condition(name='fewer-features', to='compute-8', live='?cpu-features'),
    Condition(name='more-features', server=_from('compute-8')),
)

ROOM = (
    *(
        _both(
            f'no-{what}',
            'destination-room',
            to='compute-7',
            server={'flavor': what},
        )
        for what in ('memory', 'vcpus', 'disk')
    ),
    _both(
        'above-max-unit',
        'destination-room',
        to='compute-7',
        server={'flavor': 'wide'},
    ),
    Condition(name='trait-there', to='compute-6', server=_choosy('fast')),
    _both('trait-missing', 'destination-traits', server=_choosy('fast')),
    _both(
        'trait-of-image-missing',
        'destination-traits',
        server=_from('compute-5', image='fast'),
    ),
    _both(
        'trait-forbidden',
        'destination-traits',
        to='compute-5',
        server={'flavor': 'slow'},
    ),
    _both(
        'pinned-zone',
        'destination-zone',
        server=_from('compute-7', zone='az2'),
    ),
    Condition(
        name='pinned-default-zone', to='compute-7', server={'zone': 'nova'}
    ),
    _both(
        'anti-affinity-full',
        'group-anti-affinity',
        server={'group': 'apart'},
    ),
    Condition(name='anti-affinity-alone', server={'group': 'own'}),
    _both('affinity', 'group-affinity', server={'group': 'together'}),
    Condition(name='soft-affinity', server={'group': 'soft-together'}),
    Condition(name='soft-anti-affinity', server={'group': 'soft-apart'}),
    Condition(
        name='capabilities',
        server={'flavor': 'capable'},
        live='?flavor-capabilities',
        cold='?flavor-capabilities',
    ),
)

CHOOSY = (
    _both('numa', '?numa-fit', to='compute-6', server=_choosy('numa')),
    _both('numa-too-few', 'numa-cells', server=_choosy('numa')),
    _both('pinned', '?numa-fit', to='compute-6', server=_choosy('pinned')),
    _both('pinned-to-plain', '?destination-room', server=_choosy('pinned')),
    _both('huge', '?numa-fit', to='compute-6', server=_choosy('huge')),
    _both('huge-to-plain', '?numa-fit', server=_choosy('huge')),
    *(
        Condition(
            name=name,
            to='compute-6',
            server=_choosy(flavor),
            live='?pci-alias',
            cold='?pci-device',
        )
        for name, flavor in (('pci', 'gpu'), ('pci-movable', 'vf'))
    ),
    Condition(
        name='vgpu',
        to='compute-6',
        server=_choosy('vgpu'),
        live='?vgpu-migration',
    ),
    Condition(
        name='vtpm-host',
        to='compute-6',
        server=_choosy('tpm-host'),
        live='?vtpm-secret',
    ),
    Condition(
        name='vtpm-user',
        to='compute-6',
        server=_choosy('tpm-user'),
        live='vtpm-secret',
    ),
    _both('vtpm-to-plain', 'destination-traits', server=_choosy('tpm-host')),
    _both(
        'sriov',
        '?port-device',
        to='compute-6',
        server=_choosy(
            'huge', ports=[{'network': 'wire', 'vnic_type': 'direct'}]
        ),
    ),
)

DISKS = (
    Condition(name='port', server={'ports': [{'network': 'wire'}]}),
    _both(
        'dead-agent',
        'port-binding',
        to='compute-8',
        server={'ports': [{'network': 'wire'}]},
    ),
    _both(
        'physnet-missing',
        'port-binding',
        to='compute-10',
        server={'ports': [{'network': 'wire'}]},
    ),
    Condition(
        name='no-shared-storage',
        server=_from('compute-7', flavor='disks'),
    ),
    Condition(name='volume-backed', server={'volume_backed': True}),
    Condition(name='config-drive', server={'config_drive': True}),
    Condition(
        name='multiattach',
        server={'volumes': [{'name': 'shared', 'multiattach': True}]},
    ),
    _both(
        'volume-in-error',
        'volume-state',
        server={'volumes': [{'name': 'broken'}]},
    ),
    _both(
        'volume-in-backup',
        'volume-state',
        server={'volumes': [{'name': 'saved'}]},
    ),
)

ALL = (*STATES, *HOSTS, *ROOM, *CHOOSY, *DISKS)


def scenario() -> dict[str, Any]:
    """Return all the servers, and what they are made of."""
    servers = [server for each in ALL for server in each.servers()]
    owned = [s['group'] for s in servers if s.get('group', '')[:4] == 'own-']
    return {
        'flavors': _flavors(),
        'images': {
            'tiny': {},
            'fast': {'properties': {'trait:CUSTOM_FAST': 'required'}},
        },
        'networks': {'wire': {}},
        'server_groups': {
            'apart': {'policy': 'anti-affinity'},
            'together': {'policy': 'affinity'},
            'soft-together': {'policy': 'soft-affinity'},
            'soft-apart': {'policy': 'soft-anti-affinity'},
            **{name: {'policy': 'anti-affinity'} for name in owned},
        },
        'servers': [
            *(
                {'name': f'guest-{size}', 'host': 'compute-7', 'flavor': size}
                for size in ('guest-3', 'guest-4', 'guest-5')
            ),
            {'name': 'apart', 'host': 'compute-2', 'group': 'apart'},
            *servers,
        ],
    }


def _flavors() -> dict[str, Any]:
    """Return the flavors; the guests leave little room on compute-7."""
    specs = {
        'fast': {'trait:CUSTOM_FAST': 'required'},
        'slow': {'trait:CUSTOM_FAST': 'forbidden'},
        'capable': {'capabilities:hypervisor_type': 'QEMU'},
        'numa': {'hw:numa_nodes': '2'},
        'pinned': {'hw:cpu_policy': 'dedicated'},
        'huge': {'hw:mem_page_size': '2MB'},
        'gpu': {'pci_passthrough:alias': 'gpu:1'},
        'vf': {'pci_passthrough:alias': 'movable-vf:1'},
        'vgpu': {'resources:VGPU': '1'},
        'tpm-host': {
            'hw:tpm_version': '2.0',
            'hw:tpm_secret_security': 'host',
        },
        'tpm-user': {
            'hw:tpm_version': '2.0',
            'hw:tpm_secret_security': 'user',
        },
    }
    return {
        'small': {},
        'memory': {'ram': 4096},
        'vcpus': {'vcpus': 4},
        'disk': {'disk': 40},
        'wide': {'vcpus': 5},
        'disks': {'disk': 2, 'ephemeral': 1, 'swap': 512},
        'guest-3': {'vcpus': 3, 'ram': 1792, 'disk': 20},
        'guest-4': {'vcpus': 4, 'ram': 1792, 'disk': 20},
        'guest-5': {'vcpus': 4, 'ram': 1792, 'disk': 20},
        **{
            name: {
                'vcpus': 2 if name == 'numa' else 1,
                'extra_specs': extra_specs,
            }
            for name, extra_specs in specs.items()
        },
    }
