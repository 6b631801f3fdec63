# SPDX-License-Identifier: Apache-2.0
"""The hosts beyond their hypervisors: agents, aggregates, services.

Everything here makes the cloud what the scenario says of its hosts
(``hosts.json``), whatever it was before; so it serves a new cloud as well as
one that tests have left.
"""

from collections.abc import Mapping
import concurrent.futures
import contextlib
import datetime
import json
import os
import pathlib
import sqlite3
from typing import Any
import uuid

from lab import api as apis

Shapes = Mapping[str, dict[str, Any]]
LONG_AGO = datetime.datetime(2020, 1, 1)
BINARIES = {
    'Open vSwitch agent': 'neutron-openvswitch-agent',
    'NIC Switch agent': 'neutron-sriov-nic-agent',
}


def write_agents(shapes: Shapes) -> None:
    """Let Neutron have heard of the agents, or no longer.

    ML2's own drivers bind ports when they find these rows; nothing else of
    an agent is needed.
    """
    rows = [row for name in shapes for row in _agents(name, shapes[name])]
    with database('neutron') as connection:
        connection.execute('DELETE FROM agents')
        connection.executemany(
            'INSERT INTO agents (id, agent_type, "binary", topic, host, '
            'admin_state_up, created_at, started_at, heartbeat_timestamp, '
            'configurations, load) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
            rows,
        )
    connection.close()


def _agents(host: str, shape: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    if shape['agent'] == 'absent':
        return []
    now = datetime.datetime.now(datetime.UTC)
    heard = LONG_AGO if shape['agent'] == 'dead' else now
    time = f'{heard:%F %T}'
    networks = shape['physical_networks']
    configurations = {
        'Open vSwitch agent': {
            'bridge_mappings': {name: f'br-{name}' for name in networks},
            'tunnel_types': [],
            'datapath_type': 'system',
            'ovs_hybrid_plug': False,
        },
        'NIC Switch agent': {
            'device_mappings': {name: [f'{name}-0'] for name in networks},
        },
    }
    return [
        (
            *(_uuid(host, kind), kind, BINARIES[kind], 'N/A', host),
            *(1, time, time, time, json.dumps(configuration), 0),
        )
        for kind, configuration in configurations.items()
    ]


def _uuid(host: str, kind: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f'lab-{host}-{kind}'))


def database(name: str) -> sqlite3.Connection:
    """Open a service's database."""
    path = pathlib.Path(os.environ['LAB_RUN'], 'db', f'{name}.sqlite')
    return sqlite3.connect(path, timeout=60)


def set_task(server_id: str, doing: str | None) -> None:
    """Let a server be busy; no API keeps one so for as long as wished."""
    with database('nova') as connection:
        connection.execute(
            'UPDATE instances SET task_state = ? WHERE uuid = ?',
            (doing, server_id),
        )
    connection.close()


def set_aggregates(api: apis.Api, shapes: Shapes) -> None:
    """Have the scenario's zones and aggregates, and no others."""
    wanted: dict[str, set[str]] = {}
    for host, shape in shapes.items():
        own = [shape['zone']] if shape['zone'] else []
        for name in (*own, *shape['aggregates']):
            wanted.setdefault(name, set()).add(host)
    zones = {shape['zone'] for shape in shapes.values()}
    found = api.compute('GET', '/os-aggregates')['aggregates']
    for aggregate in found:
        zone = aggregate['name'] if aggregate['name'] in zones else None
        if (
            wanted.get(aggregate['name']) == set(aggregate['hosts'])
            and aggregate['availability_zone'] == zone
        ):
            del wanted[aggregate['name']]
        else:
            _delete_aggregate(api, aggregate)
    for name, hosts in wanted.items():
        zone = name if name in zones else None
        _create_aggregate(api, name, zone, hosts)


def _create_aggregate(
    api: apis.Api, name: str, zone: str | None, hosts: set[str]
) -> None:
    body = {'aggregate': {'name': name, 'availability_zone': zone}}
    made = api.compute('POST', '/os-aggregates', body)['aggregate']
    for host in sorted(hosts):
        api.compute(
            'POST',
            f'/os-aggregates/{made["id"]}/action',
            {'add_host': {'host': host}},
        )


def _delete_aggregate(api: apis.Api, aggregate: dict[str, Any]) -> None:
    path = f'/os-aggregates/{aggregate["id"]}'
    for host in aggregate['hosts']:
        body = {'remove_host': {'host': host}}
        api.compute('POST', f'{path}/action', body)
    api.compute('DELETE', path)


def set_services(api: apis.Api, shapes: Shapes) -> None:
    """Disable the hosts that the scenario disables; enable all others."""
    for service in services(api):
        reason = shapes[service['host']]['disabled']
        path = f'/os-services/{service["id"]}'
        if service['forced_down']:
            api.compute('PUT', path, {'forced_down': False})
        body = {'status': 'disabled', 'disabled_reason': reason}
        if reason is None:
            body = {'status': 'enabled'}
        if (service['status'], service['disabled_reason']) != (
            body['status'],
            reason,
        ):
            api.compute('PUT', path, body)


def services(api: apis.Api) -> list[dict[str, Any]]:
    """Return Nova's nova-compute services."""
    answer = api.compute('GET', '/os-services?binary=nova-compute')
    found: list[dict[str, Any]] = answer['services']
    return found


def start_hosts() -> None:
    """Have every nova-compute run."""
    from lab import control  # which itself populates

    verbs = {'frozen': 'thaw', 'dead': 'start'}
    shapes = json.loads(_hosts_file().read_text('utf-8'))
    todo = [
        (verbs[state], name)
        for name, state, _ in control.status()
        if name in shapes and state in verbs
    ]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda verb_name: control.host(*verb_name), todo))


def _hosts_file() -> pathlib.Path:
    return pathlib.Path(os.environ['LAB_RUN'], 'hosts.json')


def stop_hosts(api: apis.Api, shapes: Shapes) -> None:
    """Stop the nova-computes that the scenario has down, till Nova sees it."""
    from lab import control  # which itself populates

    down = {host for host, shape in shapes.items() if shape['down']}
    for host in sorted(down):
        control.host('stop', host)
    apis.wait_for(
        lambda: all(
            service['state'] == 'down'
            for service in services(api)
            if service['host'] in down
        ),
        60,
        f'Nova does not see that these are down: {", ".join(down)}',
    )


def wait_until_up(api: apis.Api) -> None:
    """Wait until every nova-compute is up in Nova.

    One that was forced down stays so until it has found out which of its
    servers were evacuated; before, Nova refuses to take the mark off.
    """

    def are_up() -> bool:
        known = services(api)
        for service in known:
            if service['forced_down']:
                path = f'/os-services/{service["id"]}'
                with contextlib.suppress(apis.ApiError):
                    api.compute('PUT', path, {'forced_down': False})
        return all(service['state'] == 'up' for service in known)

    apis.wait_for(are_up, 60, 'Not every nova-compute comes up')
