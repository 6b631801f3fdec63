# SPDX-License-Identifier: Apache-2.0
"""The configuration files of all services.

What is set differs from a service's default for a reason that stands beside
it; all other options keep their defaults, because the lab is to behave as a
cloud that nobody tuned.
"""

from collections.abc import Mapping
import json
import sys
from typing import Any
import uuid

from lab import folder as folders
from lab import scenario as scenarios

PASSWORD = 'rehearsal'
REGION = 'RegionOne'
SERVICES = ('keystone', 'placement', 'glance', 'neutron', 'cinder', 'nova')
PORTS = (*SERVICES, 'broker')
UNLIMITED = (
    *('instances', 'cores', 'ram'),
    *('server_groups', 'server_group_members'),
)

Options = Mapping[str, Any]
Ports = Mapping[str, int]


def write(
    folder: folders.Folder, scenario: scenarios.Scenario, ports: Ports
) -> None:
    """Write the configuration of every service into ``etc``."""
    for name, sections in (
        ('keystone', _keystone(folder)),
        ('placement', _placement(folder, ports)),
        ('glance-api', _glance(folder, ports)),
        ('neutron', _neutron(folder, scenario, ports)),
        ('cinder', _cinder(folder, ports)),
        ('nova', _nova(folder, scenario, ports)),
    ):
        _write_file(folder, name, sections)
    for host, shape in scenario.hosts.items():
        _write_host(folder, host, shape)
    _write_clouds(folder, ports)


def environment(folder: folders.Folder) -> dict[str, str]:
    """Return what the services find their configuration by."""
    etc = str(folder / 'etc')
    return {
        'OS_KEYSTONE_CONFIG_FILES': f'{etc}/keystone.conf',
        'OS_PLACEMENT_CONFIG_DIR': etc,
        'OS_GLANCE_CONFIG_DIR': etc,
        'OS_NEUTRON_CONFIG_DIR': etc,
        'OS_NEUTRON_CONFIG_FILES': 'neutron.conf',
        'OS_NOVA_CONFIG_FILES': f'{_paste("nova")};{etc}/nova.conf',
        'OS_NOVA_DISABLE_EVENTLET_PATCHING': '1',
        'OS_CINDER_DISABLE_EVENTLET_PATCHING': '1',
    }


def url(ports: Ports, service: str, path: str = '') -> str:
    """Return the address of a service."""
    return f'http://127.0.0.1:{ports[service]}{path}'


def database(folder: folders.Folder, name: str) -> dict[str, Any]:
    """Return how a service finds its database."""
    path = folder / 'db' / f'{name}.sqlite'
    return {'connection': f'sqlite:///{path}', 'sqlite_synchronous': False}


def _write_file(
    folder: folders.Folder, name: str, sections: Mapping[str, Options]
) -> None:
    lines = []
    for section, options in sections.items():
        lines.append(f'[{section}]')
        for key, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                text = json.dumps(one) if isinstance(one, dict) else one
                lines.append(f'{key} = {text}')
    text = '\n'.join(lines) + '\n'
    (folder / 'etc' / f'{name}.conf').write_text(text)


def _paste(service: str, name: str = 'api-paste.ini') -> str:
    return f'{sys.prefix}/etc/{service}/{name}'


def _credentials(ports: Ports, user: str) -> Options:
    return {
        'auth_type': 'password',
        'auth_url': url(ports, 'keystone', '/v3'),
        'username': user,
        'password': PASSWORD,
        'project_name': 'service',
        'user_domain_name': 'Default',
        'project_domain_name': 'Default',
        'region_name': REGION,
    }


def _token_check(ports: Ports, user: str) -> Options:
    return {
        **_credentials(ports, user),
        'www_authenticate_uri': url(ports, 'keystone', '/v3'),
        'service_token_roles': 'service',
        'service_token_roles_required': True,
        'interface': 'internal',
    }


def _keystone(folder: folders.Folder) -> Mapping[str, Options]:
    return {
        'DEFAULT': {'use_stderr': True},
        'database': database(folder, 'keystone'),
        'fernet_tokens': {'key_repository': folder / 'db' / 'fernet'},
        'credential': {'key_repository': folder / 'db' / 'credential'},
        # A token must outlive the longest rehearsal.
        'token': {'expiration': 86400},
        # The passwords are no secret, and hashing them takes half a second.
        'identity': {'password_hash_rounds': 4},
        'cache': {'enabled': True, 'backend': 'oslo_cache.dict'},
    }


def _placement(folder: folders.Folder, ports: Ports) -> Mapping[str, Options]:
    return {
        'DEFAULT': {'use_stderr': True},
        'placement_database': database(folder, 'placement'),
        'keystone_authtoken': _token_check(ports, 'placement'),
    }


def _glance(folder: folders.Folder, ports: Ports) -> Mapping[str, Options]:
    files = folder / 'files'
    store = 'filesystem_store_datadir'
    return {
        'DEFAULT': {
            'use_stderr': True,
            'enabled_backends': 'files:file',
            'node_staging_uri': f'file://{files}/staging',
        },
        'database': database(folder, 'glance'),
        'glance_store': {'default_backend': 'files'},
        'files': {store: files / 'images'},
        'os_glance_staging_store': {store: files / 'staging'},
        'os_glance_tasks_store': {store: files / 'tasks'},
        'paste_deploy': {
            'flavor': 'keystone',
            'config_file': _paste('glance', 'glance-api-paste.ini'),
        },
        'keystone_authtoken': _token_check(ports, 'glance'),
    }


def _neutron(
    folder: folders.Folder, scenario: scenarios.Scenario, ports: Ports
) -> Mapping[str, Options]:
    networks = sorted(
        {n for h in scenario.hosts.values() for n in h.physical_networks}
    )
    unlimited = ('port', 'network', 'subnet', 'security_group')
    return {
        'DEFAULT': {
            'use_stderr': True,
            'core_plugin': 'ml2',
            'service_plugins': '',
            # There are no agents to talk to: they are rows in the database,
            # which must look alive for as long as the lab lives.
            'transport_url': 'fake://',
            'agent_down_time': 2000000,
            'state_path': folder / 'state',
            'api_paste_config': _paste('neutron'),
            'dhcp_agent_notification': False,
        },
        'database': database(folder, 'neutron'),
        'oslo_concurrency': {'lock_path': folder / 'state'},
        'nova': _credentials(ports, 'neutron'),
        'quotas': {f'quota_{what}': -1 for what in unlimited},
        'ml2': {
            'mechanism_drivers': 'openvswitch,sriovnicswitch',
            'type_drivers': 'flat,vlan,local',
            'tenant_network_types': 'local',
            'extension_drivers': 'port_security',
        },
        'ml2_type_vlan': {
            'network_vlan_ranges': ','.join(f'{n}:100:3000' for n in networks)
        },
        'keystone_authtoken': _token_check(ports, 'neutron'),
    }


def _cinder(folder: folders.Folder, ports: Ports) -> Mapping[str, Options]:
    return {
        'DEFAULT': {
            'use_stderr': True,
            # Its three services live in one process.
            'transport_url': 'fake://',
            'host': 'lab',
            'enabled_backends': 'simulated',
            'state_path': folder / 'state',
            'api_paste_config': _paste('cinder'),
            'resource_query_filters_file': _paste(
                'cinder', 'resource_filters.json'
            ),
            'glance_api_servers': url(ports, 'glance'),
            'quota_volumes': -1,
            'quota_gigabytes': -1,
            # Nothing to wait for: the capacity never changes.
            'periodic_fuzzy_delay': 0,
        },
        'database': database(folder, 'cinder'),
        'simulated': {
            'volume_driver': 'lab.volume_driver.SimulatedDriver',
            'volume_backend_name': 'simulated',
        },
        'keystone_authtoken': _token_check(ports, 'cinder'),
        'nova': _credentials(ports, 'cinder'),
        'service_user': {
            **_credentials(ports, 'cinder'),
            'send_service_user_token': True,
        },
        'coordination': {'backend_url': f'file://{folder / "state"}'},
        'oslo_concurrency': {'lock_path': folder / 'state'},
    }


def _nova(
    folder: folders.Folder, scenario: scenarios.Scenario, ports: Ports
) -> Mapping[str, Options]:
    return {
        'DEFAULT': _nova_defaults(folder, scenario, ports),
        'api_database': database(folder, 'nova_api'),
        'database': database(folder, 'nova'),
        **_nova_clients(ports),
        'oslo_concurrency': {'lock_path': folder / 'state'},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'quota': dict.fromkeys(UNLIMITED, -1),
        'vnc': {'enabled': False},
        'scheduler': {'workers': 1},
        'conductor': {'workers': 1},
        'filter_scheduler': {
            'enabled_filters': (
                'ComputeFilter,ComputeCapabilitiesFilter,'
                'ImagePropertiesFilter,ServerGroupAntiAffinityFilter,'
                'ServerGroupAffinityFilter,NUMATopologyFilter,'
                'PciPassthroughFilter,AggregateInstanceExtraSpecsFilter'
            ),
            'pci_in_placement': scenario.nova.pci_in_placement,
        },
        'compute': {
            # No agent will ever say that a port is plugged.
            'live_migration_wait_for_vif_plug': False,
            # Hosts that fail on purpose must stay enabled.
            'consecutive_build_service_disable_threshold': 0,
        },
        'libvirt': _nova_libvirt(scenario.nova),
        'pci': {
            'alias': scenarios.pci_aliases(scenario),
            'report_in_placement': scenario.nova.pci_in_placement,
        },
    }


def _nova_clients(ports: Ports) -> Mapping[str, Options]:
    # cheroot closes what was idle for an hour, just when it is used again.
    client = {**_credentials(ports, 'nova'), 'connect_retries': 3}
    return {
        'keystone_authtoken': _token_check(ports, 'nova'),
        'service_user': {**client, 'send_service_user_token': True},
        'keystone': client,
        'placement': client,
        'glance': client,
        'neutron': client,
        'cinder': {
            **client,
            'os_region_name': REGION,
            'catalog_info': 'block-storage::publicURL',
        },
    }


def _nova_defaults(
    folder: folders.Folder, scenario: scenarios.Scenario, ports: Ports
) -> Options:
    nova = scenario.nova
    return {
        'use_stderr': True,
        'transport_url': f'lab://127.0.0.1:{ports["broker"]}/',
        'state_path': folder / 'state',
        'my_ip': '127.0.0.1',
        'host': 'control',
        'compute_driver': 'lab.LabDriver',
        # often enough for nobody to be taken for dead
        'report_interval': max(1, nova.service_down_time // 4),
        'service_down_time': nova.service_down_time,
        'max_concurrent_live_migrations': nova.max_concurrent_live_migrations,
        'resize_confirm_window': nova.resize_confirm_window,
        # Or hosts take up to a minute to appear.
        'periodic_fuzzy_delay': 0,
        # Nothing that is worth minutes of waiting runs on these hosts.
        'graceful_shutdown_timeout': 15,
        'manager_shutdown_timeout': 4,
    }


def _nova_libvirt(nova: scenarios.Nova) -> Options:
    return {
        'live_migration_monitor_interval': nova.monitor_interval,
        'live_migration_permit_post_copy': nova.permit_post_copy,
        'live_migration_downtime': nova.live_migration_downtime_ms,
        'live_migration_completion_timeout': (
            nova.live_migration_completion_timeout
        ),
    }


def _write_host(
    folder: folders.Folder, host: str, shape: scenarios.Host
) -> None:
    state = folder / 'state' / host
    sections = {
        'DEFAULT': {'host': host, 'state_path': state},
        'pci': {'device_spec': [_device_spec(d) for d in shape.pci]},
    }
    _write_file(folder, host, sections)
    state.mkdir(exist_ok=True)
    # A compute service that starts a second time insists on this file.
    (state / 'compute_id').write_text(node_identity(host))


def node_identity(host: str) -> str:
    """Return the UUID of a host's hypervisor, the same in every lab."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f'lab-{host}'))


def _device_spec(device: scenarios.PciDevice) -> Options:
    spec = {
        'vendor_id': device.vendor_id,
        'product_id': device.product_id,
        'address': device.address,
    }
    if device.physical_network:
        spec['physical_network'] = device.physical_network
    if device.live_migratable:
        spec.update(managed='no', live_migratable='yes')
    return spec


def _write_clouds(folder: folders.Folder, ports: Ports) -> None:
    clouds = {}
    for name, user, project in (
        ('lab', 'admin', 'admin'),
        ('lab-member', 'member', 'demo'),
        ('lab-manager', 'manager', 'demo'),
        ('lab-reader', 'reader', 'demo'),
    ):
        clouds[name] = {
            'auth': {
                'auth_url': url(ports, 'keystone', '/v3'),
                'username': user,
                'password': PASSWORD,
                'project_name': project,
                'user_domain_name': 'Default',
                'project_domain_name': 'Default',
            },
            'region_name': REGION,
            'identity_api_version': '3',
        }
    # JSON is YAML.
    folder.write(folder.clouds.name, {'clouds': clouds})
