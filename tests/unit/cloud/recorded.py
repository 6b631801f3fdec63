# SPDX-License-Identifier: Apache-2.0
"""A cloud that answers what a real one answered; see tests/data/record.py."""

from collections.abc import Mapping
import json
import pathlib
from typing import Any
from urllib import parse

from keystoneauth1 import session as sessions
from keystoneauth1.identity import v3
from oslotest import base
import requests
from requests_mock.contrib import fixture

from osc_migrate.cloud import connection

BODIES = pathlib.Path(__file__).parents[2] / 'data' / 'bodies'
NOVA = 'http://nova.test/v2.1'
PLACEMENT = 'http://placement.test'
NEUTRON = 'http://neutron.test'
KEYSTONE = 'http://keystone.test/v3'
JSON = {'Content-Type': 'application/json'}
_DOORS = {
    'compute': f'{NOVA}/',
    'placement': f'{PLACEMENT}/',
    'network': f'{NEUTRON}/',
}


def document(name: str) -> Any:
    """Read what was recorded under a name."""
    return json.loads((BODIES / f'{name}.json').read_text('utf-8'))


def body(name: str) -> Any:
    """Read the body that was recorded under a name."""
    return document(name)['body']


def server(name: str) -> dict[str, Any]:
    """Read the body of a server."""
    known: dict[str, Any] = body(f'server-{name}')['server']
    return known


class RecordedTest(base.BaseTestCase):
    """A test that talks to recorded answers; ``self.wire`` has more."""

    def setUp(self) -> None:
        super().setUp()
        self.wire = self.useFixture(fixture.Fixture())
        token = body('token')
        # recorded long ago, valid for ever
        token['token']['expires_at'] = '2999-01-01T00:00:00.000000Z'
        self.wire.post(
            f'{KEYSTONE}/auth/tokens',
            status_code=201,
            json=token,
            headers={'X-Subject-Token': 'a-token'},
        )
        for service, url in _DOORS.items():
            self.wire.get(url, json=body(f'door-{service}'))

    def older(self) -> None:
        """Let Nova speak 2.90 at most."""
        self.wire.get(_DOORS['compute'], json=body('old-door-compute'))

    def session(self) -> sessions.Session:
        """Make a session of an administrator."""
        return sessions.Session(
            v3.Password(
                KEYSTONE,
                username='admin',
                password='a-password',
                project_name='admin',
                user_domain_name='Default',
                project_domain_name='Default',
            )
        )

    def link(self) -> connection.Connection:
        """Make a connection."""
        return connection.Connection(self.session())

    def answer(self, method: str, url: str, name: str, **changes: Any) -> None:
        """Answer a request as recorded, whatever its query."""
        known = document(name)
        self.wire.register_uri(
            method,
            url,
            **{
                'status_code': known['status'],
                'json': known['body'],
                'headers': {**known['headers'], **JSON},
                **changes,
            },
        )

    def replay(self, name: str) -> None:
        """Answer all requests of some traffic, and nothing else."""
        for one in document(name):
            method, url = one['request'].split(' ', 1)
            if method != 'GET':
                continue
            headers = {}
            if one['microversion']:
                headers['OpenStack-API-Version'] = one['microversion']
            self.wire.register_uri(
                method,
                url,
                complete_qs=True,
                request_headers=headers,
                status_code=one['status'],
                json=one['body'],
                headers=JSON,
            )

    def asked(self, prefix: str = NOVA) -> list[requests.PreparedRequest]:
        """Return the requests to a service, but those at its door."""
        return [
            request
            for request in self.wire.request_history
            if request.url.startswith(prefix)
            and request.url not in _DOORS.values()
        ]


def query(request: Any) -> Mapping[str, list[str]]:
    """Return the query of a request."""
    return parse.parse_qs(parse.urlsplit(request.url).query)
