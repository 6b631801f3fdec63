# SPDX-License-Identifier: Apache-2.0
"""The servers of a scenario: created in parallel, each brought to its state.

Only a few at a time: Nova's own retries do not save a server when dozens
are built at once, and what fails nevertheless is built once more.
"""

from collections.abc import Callable, Sequence
import concurrent.futures
import dataclasses
import threading
from typing import Any

from lab import api as apis
from lab import behaviour
from lab import catalogue
from lab import exceptions
from lab import scenario as scenarios

PARALLEL = 6
TRIES = 3
TIMEOUT = 180

# how a server that is ACTIVE gets into each other status
ACTIONS: dict[str, tuple[str, Any]] = {
    'PAUSED': ('pause', None),
    'SHUTOFF': ('os-stop', None),
    'SUSPENDED': ('suspend', None),
    'ERROR': ('os-resetState', {'state': 'error'}),
    'SHELVED_OFFLOADED': ('shelve', None),
    'RESCUE': ('rescue', None),
}


def create(
    users: dict[str, apis.Api],
    known: catalogue.Catalogue,
    scenario: scenarios.Scenario,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Create the scenario's servers and return their ids by name.

    :raises: :class:`lab.exceptions.LabError` when one cannot be made.
    """
    servers = scenarios.expand(scenario.servers)
    makers = {
        project: _Maker(user, known, scenario)
        for project, user in users.items()
    }
    volumes = _create_named_volumes(makers, servers)
    ids: dict[str, str] = {}
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        made = {
            pool.submit(makers[server.project].make, server, volumes): server
            for server in servers
        }
        for future in concurrent.futures.as_completed(made):
            ids[made[future].name] = future.result()
            if len(ids) % 25 == 0 or 10 < len(ids) == len(servers):
                say(f'{len(ids)} of {len(servers)} servers are ready')
    behaviour.change(
        {
            f'server:{ids[server.name]}': _behaviour(server)
            for server in servers
        }
    )
    return ids


def _behaviour(server: scenarios.Server) -> dict[str, Any]:
    values = dataclasses.asdict(server)
    return {key: values[key] for key in scenarios.BEHAVIOUR['server'][1]}


def _create_named_volumes(
    makers: dict[str, '_Maker'], servers: Sequence[scenarios.Server]
) -> dict[str, str]:
    ids: dict[str, str] = {}
    for server in servers:
        for volume in server.volumes:
            if volume.name and volume.name not in ids:
                maker = makers[server.project]
                ids[volume.name] = maker.create_volume(volume)
    return ids


class _Maker:
    """Makes the servers of one project."""

    def __init__(
        self,
        user: apis.Api,
        known: catalogue.Catalogue,
        scenario: scenarios.Scenario,
    ) -> None:
        self.user = user
        self.known = known
        self.scenario = scenario
        self.lock = threading.Lock()

    def make(self, server: scenarios.Server, volumes: dict[str, str]) -> str:
        """Create a server, bring it to its state and return its id."""
        identity = self._create(server)
        for volume in server.volumes:
            self._attach(
                identity,
                volumes[volume.name]
                if volume.name
                else self.create_volume(volume),
            )
        if server.status == 'VERIFY_RESIZE':
            self._migrate(server, identity)
        elif server.status != 'ACTIVE':
            self.user.act(identity, *ACTIONS[server.status])
            self._wait(identity, server.status)
        if server.locked:
            self.user.act(identity, 'lock')
        return identity

    def _create(self, server: scenarios.Server) -> str:
        body = self._body(server)
        for _ in range(TRIES):
            identity = self._post(server, body)
            found = self._wait(identity, 'ACTIVE', 'ERROR')
            if found['status'] == 'ACTIVE':
                return identity
            self.user.compute('DELETE', f'/servers/{identity}')
        fault = found['fault']['message']
        raise exceptions.LabError(f'{server.name} was not built: {fault}')

    def _post(self, server: scenarios.Server, body: dict[str, Any]) -> str:
        if server.ports:
            body['networks'] = [
                {'port': self._create_port(port)} for port in server.ports
            ]
        hints = {}
        if server.group:
            hints['group'] = self.known.groups[server.group]
        answer = self.user.compute(
            'POST',
            '/servers',
            {'server': body, 'os:scheduler_hints': hints},
        )
        return str(answer['server']['id'])

    def _body(self, server: scenarios.Server) -> dict[str, Any]:
        flavor = server.flavor or next(iter(self.scenario.flavors))
        image = self.known.images[
            server.image or next(iter(self.scenario.images))
        ]
        body: dict[str, Any] = {
            'name': server.name,
            'flavorRef': self.known.flavors[flavor],
            'networks': 'none',
            'config_drive': server.config_drive,
            'metadata': server.metadata,
            'tags': list(server.tags),
        }
        if server.volume_backed:
            body['block_device_mapping_v2'] = [_boot_volume(image)]
        else:
            body['imageRef'] = image
        if server.zone:
            body['availability_zone'] = server.zone
        host = server.host
        if server.status == 'VERIFY_RESIZE':
            host = server.came_from or self._another(host)
        if host:
            body['host'] = host
        return body

    def _another(self, host: str | None) -> str | None:
        """Return a host for a server to come from, before ``host``."""
        return next(h for h in behaviour.read('hosts.json') if h != host)

    def _create_port(self, port: scenarios.Port) -> str:
        body = {
            'network_id': self.known.networks[port.network],
            'binding:vnic_type': port.vnic_type,
        }
        answer = self.user.send(
            'network', 'POST', '/v2.0/ports', {'port': body}
        )
        return str(answer['port']['id'])

    def create_volume(self, volume: scenarios.Volume) -> str:
        """Create a volume and return its id when it is available."""
        body = {'name': volume.name or '', 'size': volume.size}
        if volume.multiattach:
            body['volume_type'] = self._multiattach_type()
        answer = self._volumes('POST', '/volumes', {'volume': body})
        identity = str(answer['volume']['id'])
        self._wait_for_volume(identity, 'available')
        return identity

    def _multiattach_type(self) -> str:
        name = 'multiattach'
        with self.lock:
            found = self._volumes('GET', '/types')['volume_types']
            if name not in [entry['name'] for entry in found]:
                specs = {'multiattach': '<is> True'}
                body = {'name': name, 'extra_specs': specs}
                self._volumes('POST', '/types', {'volume_type': body})
        return name

    def _volumes(self, method: str, path: str, body: Any = None) -> Any:
        return self.user.send('block-storage', method, path, body)

    def _attach(self, server: str, volume: str) -> None:
        with self.lock:  # a shared volume is attached to one at a time
            self.user.compute(
                'POST',
                f'/servers/{server}/os-volume_attachments',
                {'volumeAttachment': {'volumeId': volume}},
            )
            self._wait_for_volume(volume, 'in-use')

    def _wait_for_volume(self, volume: str, status: str) -> None:
        path = f'/volumes/{volume}'
        apis.wait_for(
            lambda: self._volumes('GET', path)['volume']['status'] == status,
            TIMEOUT,
            f'Volume {volume} does not get {status}',
        )

    def _migrate(self, server: scenarios.Server, identity: str) -> None:
        value = {'host': server.host} if server.host else None
        self.user.act(identity, 'migrate', value)
        self._wait(identity, 'VERIFY_RESIZE')

    def _wait(self, identity: str, *statuses: str) -> dict[str, Any]:
        """Wait for one of ``statuses``, with nothing going on."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            path = f'/servers/{identity}'
            seen.update(self.user.compute('GET', path)['server'])
            is_idle = seen['OS-EXT-STS:task_state'] is None
            return seen['status'] in statuses and is_idle

        try:
            apis.wait_for(look, TIMEOUT, f'{identity}: no {statuses[0]}')
        except exceptions.LabError as error:
            raise exceptions.LabError(
                f'{seen["name"]} is {seen["status"]}, not {statuses[0]}, '
                f'after {TIMEOUT} s.'
            ) from error
        return seen


def _boot_volume(image: str) -> dict[str, Any]:
    return {
        'boot_index': 0,
        'uuid': image,
        'source_type': 'image',
        'destination_type': 'volume',
        'volume_size': 1,
        'delete_on_termination': True,
    }
