# SPDX-License-Identifier: Apache-2.0
"""Two drains at once: of one host, by one user or two, and of neighbours."""

import json
import pathlib

from lab import api as apis
from tests.functional import base
from tests.functional import drains

_SERVERS = """
flavors: {slow: {vcpus: 1, ram: 1024, disk: 1}}
servers:
  - {count: 3, name: live, flavor: slow, host: compute-1}
  - {count: 2, name: stopped, flavor: slow, host: compute-1, status: SHUTOFF,
     cold: {seconds: 4}}
"""
_NEIGHBOURS = """
flavors:
  slow: {vcpus: 1, ram: 1024, disk: 1}
  large: {vcpus: 1, ram: 40000, disk: 1}
servers:
  - {count: 3, name: left, flavor: slow, host: compute-1}
  - {count: 3, name: right, flavor: slow, host: compute-2}
  - {name: full, flavor: large, host: compute-3}
"""
_ALL = ('live-1', 'live-2', 'live-3', 'stopped-1', 'stopped-2')


class TestTwo(drains.DrainTest):
    """Two commands that do not know of each other."""

    def together(self, *commands: str) -> list[base.Result]:
        """Run commands at once."""
        running = [self.openstack_start(command) for command in commands]
        return [one.wait(600) for one in running]

    def assert_moved_once(self) -> None:
        """Each server had one request to move, and one to confirm."""
        for name in _ALL:
            is_live = name.startswith('live')
            self.assert_moved(name, 'ACTIVE' if is_live else 'SHUTOFF')
            self.assert_asked(name, 1, is_live=is_live)
        self.assert_empty('compute-1')

    def test_of_one_host_at_the_same_moment(self) -> None:
        """Both end well, and Nova took each request once."""
        self.scenario(_SERVERS)
        self.lab_set('compute-1', 'link_mb_s=100')
        for result in self.together(
            'compute drain compute-1 -f json', 'compute drain compute-1'
        ):
            self.assertEqual(0, result.code, result.stderr)
            self.assertIn('compute-1 is empty', result.stderr)
        self.assert_moved_once()
        undone = self.openstack('compute undrain compute-1 --restore', 600)
        self.assertEqual(0, undone.code, undone.stderr)
        self.assertEqual(set(_ALL), set(self.servers_on('compute-1')))
        self.assertEqual('enabled', self.service('compute-1')['status'])

    def test_of_one_host_by_two_users(self) -> None:
        """The second says whose drain it joins, and both are in the mark."""
        self._promote('member')
        self.scenario(_SERVERS)
        self.lab_set('compute-1', 'link_mb_s=100')
        first = self.openstack_start('compute drain compute-1 --reason DIMM')
        self.wait_for_migrations(*_ALL)
        second = self.openstack(
            '--os-cloud lab-member compute drain compute-1', 600
        )
        result = first.wait(600)
        self.assertEqual(0, second.code, second.stderr)
        self.assertEqual(0, result.code, result.stderr)
        self.assertRegex(
            second.stderr,
            r'compute-1 is being drained by admin since \S+ \(DIMM\)',
        )
        self.assertIn(
            'drained by admin, member (',
            self.service('compute-1')['disabled_reason'],
        )
        self.assert_moved_once()
        undone = self.openstack('compute undrain compute-1 --restore', 600)
        self.assertEqual(0, undone.code, undone.stderr)
        self.assertEqual(set(_ALL), set(self.servers_on('compute-1')))

    def test_the_second_ends_what_a_dead_one_began(self) -> None:
        """The first is killed while the second waits for its migrations."""
        self.scenario(_SERVERS)
        self.lab_set('compute-1', 'link_mb_s=100')
        first = self.openstack_start('compute drain compute-1')
        self.wait_for_migrations('stopped-1', 'stopped-2', 'live-1')
        second = self.openstack_start('compute drain compute-1')
        self.wait_for(
            lambda: 'going on with that' in second.output()[1],
            120,
            'the second does not join',
        )
        first.process.kill()
        result = second.wait(600)
        self.assertEqual(0, result.code, result.stderr)
        self.assert_moved_once()

    def test_of_neighbours_that_would_choose_each_other(self) -> None:
        """Neither host gets a server of the other to keep."""
        self.scenario(_NEIGHBOURS)
        for host in ('compute-1', 'compute-2'):
            self.lab_set(host, 'link_mb_s=100')
        plans = [
            json.loads(
                self.drain(
                    f'{one} --to {other} --to compute-3 --dry-run -f json'
                ).stdout
            )
            for one, other in (
                ('compute-1', 'compute-2'),
                ('compute-2', 'compute-1'),
            )
        ]
        self.assertEqual({'compute-2'}, {row['To'] for row in plans[0]})
        self.assertEqual({'compute-1'}, {row['To'] for row in plans[1]})
        for result in self.together(
            'compute drain compute-1 --to compute-2 --to compute-3',
            'compute drain compute-2 --to compute-1 --to compute-3',
        ):
            self.assertEqual(0, result.code, result.stderr)
        for host in ('compute-1', 'compute-2'):
            self.assert_empty(host)
            self.assertEqual('disabled', self.service(host)['status'])
        for number in (1, 2, 3):
            for name in (f'left-{number}', f'right-{number}'):
                self.assert_well(name)
                self.assertEqual(
                    'compute-3', self.server(name)['OS-EXT-SRV-ATTR:host']
                )

    def test_enabling_the_host_ends_its_drain(self) -> None:
        """Whoever undrains it meanwhile does not fight with the drain."""
        self.scenario(_SERVERS)
        self.lab_set('compute-1', 'link_mb_s=60')
        running = self.openstack_start('compute drain compute-1 --parallel 1')
        self.wait_for_migrations(*_ALL)
        undone = self.openstack('compute undrain compute-1')
        self.assertEqual(0, undone.code, undone.stderr)
        result = running.wait(600)
        self.assertEqual(4, result.code, result.stderr)
        self.assertIn('Somebody has enabled compute-1', result.stderr)
        self.assertNotEqual({}, self.servers_on('compute-1'))
        self.assertEqual('enabled', self.service('compute-1')['status'])

    def _promote(self, name: str) -> None:
        """Make a user of the project demo an administrator for a while."""
        api = apis.Api(pathlib.Path(self.clouds))
        ids = {
            kind: api.send('identity', 'GET', f'/{kind}s?name={called}')[
                f'{kind}s'
            ][0]['id']
            for kind, called in (
                ('project', 'demo'),
                ('user', name),
                ('role', 'admin'),
            )
        }
        path = '/projects/{project}/users/{user}/roles/{role}'.format(**ids)
        api.send('identity', 'PUT', path)
        self.addCleanup(api.send, 'identity', 'DELETE', path)
