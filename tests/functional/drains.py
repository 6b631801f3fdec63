# SPDX-License-Identifier: Apache-2.0
"""Words for tests of drains: what Nova and Placement say of a host."""

from collections.abc import Callable
import os
import pty
import shlex
from typing import Any

from tests.functional import base


class DrainTest(base.FunctionalTest):
    """A test that drains hosts and looks at what has become of them."""

    def service(self, host: str) -> dict[str, Any]:
        """Return the compute service of a host."""
        path = f'/os-services?binary=nova-compute&host={host}'
        (found,) = self.nova('GET', path, microversion='2.69').json()[
            'services'
        ]
        return dict(found)

    def servers_on(self, host: str) -> dict[str, dict[str, Any]]:
        """Return the servers of a host by name."""
        path = f'/servers/detail?all_tenants=1&host={host}'
        found = self.nova('GET', path).json()['servers']
        return {server['name']: server for server in found}

    def allocations_on(self, host: str) -> set[str]:
        """Return the consumers that hold something of a host."""
        (found,) = self.placement(
            'GET', f'/resource_providers?name={host}'
        ).json()['resource_providers']
        path = f'/resource_providers/{found["uuid"]}/allocations'
        return set(self.placement('GET', path).json()['allocations'])

    def places(self, server_id: str) -> set[str]:
        """Return the hosts on which Placement has a server."""
        found = self.placement('GET', f'/allocations/{server_id}').json()
        providers = self.placement('GET', '/resource_providers').json()
        names = {
            one['uuid']: one['name'] for one in providers['resource_providers']
        }
        return {names[uuid] for uuid in found['allocations']}

    def actions(self, name: str) -> list[str]:
        """Return what was asked of a server, the newest first."""
        path = f'/servers/{self.identity(name)}/os-instance-actions'
        found = self.nova('GET', path).json()['instanceActions']
        return [action['action'] for action in found]

    def assert_asked(self, name: str, times: int, *, is_live: bool) -> None:
        """Nova took so many requests to move, and confirmed each cold one."""
        actions = self.actions(name)
        self.assertEqual(
            (times, 0 if is_live else times),
            (
                actions.count('live-migration' if is_live else 'migrate'),
                actions.count('confirmResize'),
            ),
            name,
        )

    def disable(self, host: str, reason: str) -> None:
        """Disable a host as somebody else would."""
        path = f'/os-services/{self.service(host)["id"]}'
        body = {'status': 'disabled', 'disabled_reason': reason}
        answer = self.nova('PUT', path, body, microversion='2.69')
        self.assertEqual(200, answer.status_code)

    def wait_for_migrations(self, *names: str) -> None:
        """Wait until any of some servers is migrated."""
        self.wait_for(
            lambda: any(self.migrations(name) for name in names),
            120,
            'no migration was begun',
        )

    def asking(
        self, command: str
    ) -> tuple[base.Running, Callable[[str], object]]:
        """Start a command that asks; return it and what answers it."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        words = [str(base.OPENSTACK), *shlex.split(command)]
        running = base.Running(words, stdin=theirs)
        os.close(theirs)
        self.addCleanup(running.close)
        self.wait_for(
            lambda: '[y/N]' in running.output()[1], 120, 'nothing was asked'
        )
        return running, lambda answer: os.write(ours, f'{answer}\n'.encode())

    def drain(self, options: str, timeout: float = 300) -> base.Result:
        """Run ``openstack compute drain``."""
        return self.openstack(f'compute drain {options}', timeout)

    def assert_moved(self, name: str, status: str = 'ACTIVE') -> None:
        """A server is in good order on another host, moved exactly once."""
        self.assert_well(name, status)
        (record,) = self.migrations(name)
        self.assertEqual('compute-1', record['source_compute'], name)
        places = self.places(self.identity(name))
        self.assertEqual({record['dest_compute']}, places, name)

    def assert_well(self, name: str, status: str = 'ACTIVE') -> None:
        """A server is in good order where its last migration took it."""
        server = self.server(name)
        self.assertEqual(status, server['status'], name)
        self.assertIsNone(server['OS-EXT-STS:task_state'], name)
        self.assertNotEqual('compute-1', server['OS-EXT-SRV-ATTR:host'], name)
        record = self.migrations(name)[0]
        self.assertIn(record['status'], ('completed', 'confirmed'), name)
        self.assertEqual(
            record['dest_compute'], server['OS-EXT-SRV-ATTR:host']
        )
        # what a nova-compute that died had begun may be there as well
        self.assertIn(record['dest_compute'], self.places(server['id']), name)

    def assert_stays(self, name: str, status: str = 'ACTIVE') -> None:
        """A server is where it was, in the state that it had."""
        server = self.server(name)
        self.assertEqual(status, server['status'], name)
        self.assertIsNone(server['OS-EXT-STS:task_state'], name)
        self.assertEqual('compute-1', server['OS-EXT-SRV-ATTR:host'], name)

    def assert_empty(self, host: str) -> None:
        """Neither Nova nor Placement has anything on a host."""
        self.assertEqual({}, self.servers_on(host))
        self.assertEqual(set(), self.allocations_on(host))
