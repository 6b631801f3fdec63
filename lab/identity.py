# SPDX-License-Identifier: Apache-2.0
"""Users, projects, roles and the catalog, through Keystone's own API.

The API is called inside this process, so nothing need be served. The
addresses in the catalog name the service instead of a port; each boot puts
its ports in (see :mod:`lab.database`).
"""

import json
from typing import Any

from lab import settings

# service: type, path
CATALOG = (
    ('keystone', 'identity', '/v3'),
    ('nova', 'compute', '/v2.1'),
    ('placement', 'placement', ''),
    ('glance', 'image', ''),
    ('neutron', 'network', ''),
    ('cinder', 'block-storage', '/v3'),
    # What openstackclient of today still looks for.
    ('cinder', 'volumev3', '/v3'),
)
MEMBERS = ('member', 'manager', 'reader')  # users of demo, named as the role


class _Keystone:
    """The API of the Keystone in this process, used by the administrator."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.headers = {'Content-Type': 'application/json'}
        domain = {'name': 'Default'}
        user = {
            'name': 'admin',
            'password': settings.PASSWORD,
            'domain': domain,
        }
        identity = {'methods': ['password'], 'password': {'user': user}}
        scope = {'project': {'name': 'admin', 'domain': domain}}
        body = {'auth': {'identity': identity, 'scope': scope}}
        answer = self.send('POST', '/auth/tokens', body)
        self.headers['X-Auth-Token'] = answer.headers['X-Subject-Token']

    def send(self, method: str, path: str, body: Any = None) -> Any:
        import webob

        request = webob.Request.blank(
            f'/v3{path}', method=method, headers=self.headers
        )
        if body is not None:
            request.body = json.dumps(body).encode()
        answer = request.get_response(self.application)
        if answer.status_int >= 300:
            raise RuntimeError(f'{method} {path}: {answer.text}')
        return answer

    def create(self, kind: str, **attributes: Any) -> str:
        body = {kind: attributes}
        answer = self.send('POST', f'/{kind}s', body).json[kind]
        return str(answer['id'])


def create() -> None:
    """Create what a cloud has before its first user comes."""
    from keystone.wsgi import api

    keystone = _Keystone(api.application)
    roles = {
        role['name']: role['id']
        for role in keystone.send('GET', '/roles').json['roles']
    }

    def user(name: str, project: str, *names: str) -> None:
        identity = keystone.create(
            'user',
            name=name,
            password=settings.PASSWORD,
            domain_id='default',
        )
        for role in names:
            path = f'/projects/{project}/users/{identity}/roles'
            keystone.send('PUT', f'{path}/{roles[role]}')

    service = keystone.create('project', name='service', domain_id='default')
    for name in settings.SERVICES:
        user(name, service, 'admin', 'service')
    demo = keystone.create('project', name='demo', domain_id='default')
    for name in MEMBERS:
        user(name, demo, name)
    _create_catalog(keystone)


def _create_catalog(keystone: _Keystone) -> None:
    keystone.create('region', id=settings.REGION)
    for name, kind, path in CATALOG:
        service = keystone.create('service', name=name, type=kind)
        for interface in ('public', 'internal', 'admin'):
            keystone.create(
                'endpoint',
                service_id=service,
                interface=interface,
                region_id=settings.REGION,
                url=placeholder(name) + path,
            )


def placeholder(service: str) -> str:
    """Return what stands for the address of a service in the catalog."""
    return f'http://{service}.lab'
