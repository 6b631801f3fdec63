# SPDX-License-Identifier: Apache-2.0
"""Tell when a lab that boots is ready.

Ready means that every nova-compute is up, mapped and in Placement, and that
the other services answer. What is asked is what any client could ask.
"""

from collections.abc import Callable
import datetime
import http.client
import json
import time
from typing import Any
import urllib.request

from lab import exceptions
from lab import folder as folders
from lab import processes
from lab import settings

CONTROL_TIMEOUT = 120  # seconds, of which a loaded machine needs 30
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _send(url: str, token: str | None = None, body: Any = None) -> Any:
    headers = {'Content-Type': 'application/json'}
    if token:
        headers['X-Auth-Token'] = token
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers)
    return _OPENER.open(request, timeout=CONTROL_TIMEOUT)


def token(folder: folders.Folder) -> str:
    """Return a token of the administrator."""
    auth = folder.read(folder.clouds.name)['clouds']['lab']['auth']
    domain = {'name': auth['user_domain_name']}
    user = {
        'name': auth['username'],
        'password': auth['password'],
        'domain': domain,
    }
    identity = {'methods': ['password'], 'password': {'user': user}}
    scope = {'project': {'name': auth['project_name'], 'domain': domain}}
    body = {'auth': {'identity': identity, 'scope': scope}}
    with _send(f'{auth["auth_url"]}/auth/tokens', body=body) as answer:
        return str(answer.headers['X-Subject-Token'])


class Cloud:
    """What the administrator sees of a lab."""

    def __init__(self, folder: folders.Folder) -> None:
        self.ports = folder.read('ports.json')
        self.token = token(folder)

    def get(self, service: str, path: str) -> Any:
        """Return the JSON that a service answers."""
        url = settings.url(self.ports, service, path)
        with _send(url, self.token) as answer:
            return json.load(answer)

    def hosts_up(self, since: float = 0.0) -> set[str]:
        """Return the hosts whose nova-compute is up, or reported lately.

        ``since`` is in seconds since 1970. A host that was forced down is
        never up, but reports all the same.
        """
        path = '/v2.1/os-services?binary=nova-compute'
        after = datetime.datetime.fromtimestamp(since, datetime.UTC)
        return {
            service['host']
            for service in self.get('nova', path)['services']
            if (since or service['state'] == 'up')
            # Nova tells UTC without saying so.
            and f'{service["updated_at"]}Z' > f'{after:%FT%T.%fZ}'
        }

    def hosts_ready(self) -> set[str]:
        """Return the hosts that are up, mapped and in Placement."""
        nodes = self.get('nova', '/v2.1/os-hypervisors')['hypervisors']
        providers = self.get('placement', '/resource_providers')
        return (
            self.hosts_up()
            & {node['hypervisor_hostname'] for node in nodes}
            & {p['name'] for p in providers['resource_providers']}
        )


def wait(
    folder: folders.Folder, hosts: set[str], say: Callable[[str], None]
) -> None:
    """Wait until the services answer and ``hosts`` are ready.

    :raises: :class:`lab.exceptions.LabError` when a process ended, or when
        it lasts too long.
    """
    cloud = None
    ready: set[str] = set()
    # A single core starts about five a second.
    deadline = time.monotonic() + CONTROL_TIMEOUT + 2 * len(hosts)
    while cloud is None or ready < hosts:
        _see_that_all_live(folder)
        if time.monotonic() > deadline:
            raise exceptions.LabError(
                f'Not ready: {", ".join(sorted(hosts - ready))}; '
                f'see the logs in {folder / "log"}.'
            )
        try:
            if cloud is None:
                cloud = Cloud(folder)
                say('keystone answers')
                for service, path in (
                    ('glance', '/v2/images'),
                    # The first request must not be for ports: it would
                    # fail until another one had been made.
                    ('neutron', '/v2.0/networks'),
                    ('cinder', '/v3/types'),
                ):
                    cloud.get(service, path)
                    say(f'{service} answers')
            before, ready = ready, cloud.hosts_ready() & hosts
            if ready != before:
                say(f'{len(ready)} of {len(hosts)} hosts are ready')
        except (OSError, http.client.HTTPException):
            pass  # URLError is an OSError, too
        time.sleep(0.3)


def _see_that_all_live(folder: folders.Folder) -> None:
    for process in processes.recorded(folder).values():
        if process.state == 'dead' and process.name != processes.DISCOVERY:
            log = folder.log(process.name)
            raise exceptions.LabError(f'{process.name} ended: see {log}.')
