# SPDX-License-Identifier: Apache-2.0
"""Record what a real Nova and its neighbours answer, for the unit tests.

The tests of ``osc_migrate.cloud`` must not invent bodies. Run it in the lab,
once as it is and once with ``max_microversion: "2.90"`` in the scenario::

    python -m lab run tests/data/bodies.yaml -- python tests/data/record.py
"""

import json
import os
import pathlib
import re
import time
from typing import Any
from urllib import parse

from keystoneauth1 import session as sessions
import requests

from lab import api as apis
from osc_migrate import cloud

BODIES = pathlib.Path(__file__).parent / 'bodies'
KEPT_HEADERS = ('x-openstack-request-id', 'x-compute-request-id')
PLACES = {
    'compute': 'http://nova.test',
    'identity': 'http://keystone.test',
    'network': 'http://neutron.test',
    'placement': 'http://placement.test',
    'block-storage': 'http://cinder.test',
    'image': 'http://glance.test',
}


class Recorder:
    """Asks, and keeps each answer as ``bodies/NAME.json``."""

    def __init__(self, clouds: str) -> None:
        self._sessions = {
            who: apis.Api(clouds, who).session for who in ('lab', 'lab-member')
        }
        self.session = self._sessions['lab']
        self._addresses = {}
        for kind in PLACES:
            url = parse.urlsplit(self.session.get_endpoint(service_type=kind))
            self._addresses[kind] = f'{url.scheme}://{url.netloc}'

    def door(self, service: str, path: str) -> Any:
        """Return what a service answers above its endpoint."""
        return self.session.get(self._addresses[service] + path)

    def keep_door(self, name: str, service: str, path: str) -> None:
        """Keep what a service answers above its endpoint."""
        self.write(name, 'GET', path, self.door(service, path))

    def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        microversion: str | None = None,
        who: str = 'lab',
    ) -> Any:
        """Return the answer, whatever it is."""
        return self._sessions[who].request(
            path,
            method,
            json=body,
            endpoint_filter={'service_type': service},
            microversion=microversion,
            raise_exc=False,
        )

    def keep(
        self, name: str, service: str, method: str, path: str, **how: Any
    ) -> Any:
        """Ask, keep the answer, and return its body."""
        answer = self.ask(service, method, path, **how)
        return self.write(name, method, path, answer)

    def write(self, name: str, method: str, path: str, answer: Any) -> Any:
        """Keep an answer under a name, with the addresses made neutral."""
        document = {
            'request': f'{method} {path}',
            'status': answer.status_code,
            'headers': {
                key: value
                for key, value in answer.headers.items()
                if key.lower() in KEPT_HEADERS
            },
            'body': answer.json() if answer.content else None,
        }
        self.put(name, document)
        return document['body']

    def put(self, name: str, document: Any) -> None:
        """Write a file, with the addresses made neutral."""
        text = json.dumps(document, indent=1, sort_keys=True)
        for kind, address in self._addresses.items():
            text = text.replace(address, PLACES[kind])
        (BODIES / f'{name}.json').write_text(text + '\n', 'utf-8')


def main() -> None:
    """Bring the servers into their states, then record."""
    BODIES.mkdir(exist_ok=True)
    recorder = Recorder(os.environ['OS_CLIENT_CONFIG_FILE'])
    newest = recorder.door('compute', '/v2.1/').json()['version']['version']
    if newest == '2.90':
        record_old(recorder)
        return
    ids = {
        server['name']: server['id']
        for server in recorder.ask(
            'compute', 'GET', '/servers?all_tenants=1'
        ).json()['servers']
    }
    record_doors(recorder)
    prepare(recorder, ids)
    record_compute(recorder, ids)
    record_neighbours(recorder, ids)
    record_traffic(recorder, 'traffic')
    record_answers(recorder, ids)


def record_traffic(recorder: Recorder, name: str) -> None:
    """Record all that is read for a snapshot, as ``bodies/NAME.json``."""
    heard: list[dict[str, Any]] = []

    def hear(answer: requests.Response, **_: Any) -> None:
        heard.append(
            {
                'request': f'{answer.request.method} {answer.request.url}',
                'microversion': answer.request.headers.get(
                    'OpenStack-API-Version', ''
                ),
                'status': answer.status_code,
                'body': answer.json() if answer.content else None,
            }
        )

    wire = requests.Session()
    wire.hooks['response'].append(hear)
    auth = recorder.session.auth
    auth.invalidate()
    cloud.Cloud(sessions.Session(auth, session=wire)).snapshot('compute-1')
    heard.sort(key=lambda one: (one['request'], one['microversion']))
    recorder.put(name, heard)


def record_doors(recorder: Recorder) -> None:
    """Record where a client begins: versions, a token, the catalog."""
    for service, path in (
        ('compute', '/v2.1/'),
        ('network', '/'),
        ('placement', '/'),
    ):
        recorder.keep_door(f'door-{service}', service, path)
    session = recorder.session
    auth = session.auth
    answer = session.get(auth.auth_url, authenticated=False)
    recorder.write('door-identity', 'GET', '/v3', answer)
    body = {
        'auth': {
            'identity': {
                'methods': ['password'],
                'password': {
                    'user': {
                        'name': 'admin',
                        'domain': {'name': 'Default'},
                        'password': 'rehearsal',
                    }
                },
            },
            'scope': {
                'project': {'name': 'admin', 'domain': {'name': 'Default'}}
            },
        }
    }
    url = f'{auth.auth_url}/auth/tokens'
    answer = session.post(url, json=body, authenticated=False, log=False)
    recorder.write('token', 'POST', '/v3/auth/tokens', answer)


def prepare(recorder: Recorder, ids: dict[str, str]) -> None:
    """Begin migrations of many ends."""
    for name, action, host in (
        ('failing', 'os-migrateLive', 'compute-2'),
        ('moved', 'os-migrateLive', 'compute-2'),
        ('colder', 'migrate', 'compute-2'),
    ):
        move(recorder, ids[name], action, host)
        wait(recorder, ids[name])
    for name in ('moving', 'waiting'):
        move(recorder, ids[name], 'os-migrateLive', 'compute-2')
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        path = f'/servers/{ids["moving"]}/migrations'
        found = recorder.ask(
            'compute', 'GET', path, microversion='2.80'
        ).json()['migrations']
        if found and found[0]['memory_remaining_bytes']:
            return
        time.sleep(0.3)
    raise SystemExit('The migration that is to be recorded does not run.')


def move(recorder: Recorder, server: str, action: str, host: str) -> None:
    """Ask for a migration, and see that it is accepted."""
    wish = {'host': host}
    if action == 'os-migrateLive':
        wish['block_migration'] = 'auto'
    answer = recorder.ask(
        'compute',
        'POST',
        f'/servers/{server}/action',
        {action: wish},
        microversion='2.96',
    )
    if answer.status_code >= 400:
        raise SystemExit(answer.text)


def wait(recorder: Recorder, server: str) -> None:
    """Wait until nothing is done to a server."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = recorder.ask('compute', 'GET', f'/servers/{server}').json()
        if found['server']['OS-EXT-STS:task_state'] is None:
            return
        time.sleep(0.3)
    raise SystemExit(f'{server} is busy for a minute.')


def record_compute(recorder: Recorder, ids: dict[str, str]) -> None:
    """Record what Nova shows."""
    for name, path, version in (
        ('migrations-running', f'/servers/{ids["moving"]}/migrations', '2.80'),
        ('server-migrating', f'/servers/{ids["moving"]}', '2.100'),
        ('server-queued', f'/servers/{ids["waiting"]}', '2.100'),
        ('migrations', '/os-migrations?limit=1000', '2.80'),
        ('migrations-none', f'/servers/{ids["plain"]}/migrations', '2.80'),
        ('server-active', f'/servers/{ids["plain"]}', '2.100'),
        ('server-unconfirmed', f'/servers/{ids["colder"]}', '2.100'),
        ('server-failed', f'/servers/{ids["failing"]}', '2.100'),
        ('server-error', f'/servers/{ids["broken"]}', '2.100'),
        ('server-paused', f'/servers/{ids["paused"]}', '2.100'),
        ('server-gone', f'/servers/{ids["plain"][::-1]}', '2.100'),
        (
            'servers',
            '/servers/detail?all_tenants=1&limit=1000&host=compute-1',
            '2.100',
        ),
        ('services', '/os-services?binary=nova-compute', '2.53'),
        ('hypervisors', '/os-hypervisors/detail?limit=1000', '2.87'),
        ('aggregates', '/os-aggregates', '2.41'),
        ('groups', '/os-server-groups?all_projects=True&limit=1000', '2.64'),
    ):
        recorder.keep(name, 'compute', 'GET', path, microversion=version)


def record_neighbours(recorder: Recorder, ids: dict[str, str]) -> None:
    """Record what Placement and Neutron show."""
    path = '/v2.0/ports?binding%3Ahost_id=compute-1'
    ports = recorder.keep('ports', 'network', 'GET', path)['ports']
    path = f'/v2.0/ports/{ports[0]["id"]}/bindings'
    recorder.keep('bindings', 'network', 'GET', path)
    path = (
        '/v2.0/networks?fields=id&fields=provider%3Anetwork_type&'
        'fields=provider%3Aphysical_network'
    )
    recorder.keep('networks', 'network', 'GET', path)
    recorder.keep('agents', 'network', 'GET', '/v2.0/agents')
    for name, path in (
        ('candidates', '/allocation_candidates?resources=MEMORY_MB:1'),
        (
            'candidates-none',
            '/allocation_candidates?resources=MEMORY_MB:999999999',
        ),
    ):
        recorder.keep(name, 'placement', 'GET', path, microversion='1.36')
    hypervisors = json.loads((BODIES / 'hypervisors.json').read_text())
    for hypervisor in hypervisors['body']['hypervisors']:
        if hypervisor['service']['host'] == 'compute-1':
            path = f'/resource_providers/{hypervisor["id"]}/allocations'
            recorder.keep(
                'allocations', 'placement', 'GET', path, microversion='1.36'
            )
    for name, path in (
        ('network-forbidden', '/v2.0/agents'),
        ('placement-forbidden', '/allocation_candidates?resources=VCPU:1'),
    ):
        recorder.keep(
            name,
            name.partition('-')[0],
            'GET',
            path,
            who='lab-member',
            microversion='1.36' if name[0] == 'p' else None,
        )


def record_answers(recorder: Recorder, ids: dict[str, str]) -> None:
    """Record how Nova answers requests, most of them with a no."""
    live = {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}
    nowhere = {'os-migrateLive': {'host': 'none', 'block_migration': 'auto'}}
    unknown = re.sub('[0-9a-f]', 'f', ids['plain'])
    for name, server, body, version, who in (
        ('busy', ids['moving'], live, '2.68', 'lab'),
        ('gone', unknown, live, '2.68', 'lab'),
        ('forbidden', ids['owned'], live, '2.68', 'lab-member'),
        ('no-such-host', ids['plain'], nowhere, '2.68', 'lab'),
        ('stopped', ids['stopped'], live, '2.68', 'lab'),
        ('not-resized', ids['plain'], {'confirmResize': None}, '2.53', 'lab'),
        ('accepted', ids['plain'], live, '2.68', 'lab'),
    ):
        recorder.keep(
            f'answer-{name}',
            'compute',
            'POST',
            f'/servers/{server}/action',
            body=body,
            microversion=version,
            who=who,
        )
    path = f'/os-migrations?instance_uuid={ids["moved"]}'
    ended = recorder.ask('compute', 'GET', path, microversion='2.80').json()
    for name, number in (
        ('no-migration', 99999),
        ('ended', ended['migrations'][0]['id']),
    ):
        path = f'/servers/{ids["moved"]}/migrations/{number}'
        recorder.keep(
            f'answer-{name}', 'compute', 'DELETE', path, microversion='2.65'
        )
    services = json.loads((BODIES / 'services.json').read_text())
    service = services['body']['services'][0]['id']
    for name, body in (
        ('disabled', {'status': 'disabled', 'disabled_reason': 'memory'}),
        ('enabled', {'status': 'enabled'}),
        ('too-long', {'status': 'disabled', 'disabled_reason': 'x' * 300}),
    ):
        recorder.keep(
            f'answer-{name}',
            'compute',
            'PUT',
            f'/os-services/{service}',
            body=body,
            microversion='2.53',
        )


def record_old(recorder: Recorder) -> None:
    """Record what a Nova shows that speaks 2.90 at most."""
    recorder.keep_door('old-door-compute', 'compute', '/v2.1/')
    path = '/servers/detail?all_tenants=1&limit=1000&host=compute-1'
    for name, version in (
        ('old-servers', '2.90'),
        ('old-not-acceptable', '2.100'),
    ):
        recorder.keep(name, 'compute', 'GET', path, microversion=version)
    record_traffic(recorder, 'traffic-old')


if __name__ == '__main__':
    main()
