# SPDX-License-Identifier: Apache-2.0
"""``openstack compute undrain --restore`` that dies half-way."""

import datetime
import re

from tests.functional import base
from tests.functional import drains

_SERVERS = """
flavors: {slow: {vcpus: 1, ram: 1024, disk: 1}}
servers:
  - {count: 3, name: live, flavor: slow, host: compute-1}
  - {count: 2, name: stopped, flavor: slow, host: compute-1, status: SHUTOFF,
     cold: {seconds: 4}}
"""
_LIVE = ('live-1', 'live-2', 'live-3')
_STOPPED = ('stopped-1', 'stopped-2')
_ALL = (*_LIVE, *_STOPPED)


class TestRestore(drains.DrainTest):
    """Whole drains of compute-1, and what brings all of it back."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario(_SERVERS)
        result = self.drain('compute-1')
        self.assertEqual(0, result.code, result.stderr)

    def assert_all_are_back(self, result: base.Result) -> None:
        """Each server had one request to go and one to come."""
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual(set(_ALL), set(self.servers_on('compute-1')))
        self.assertEqual('enabled', self.service('compute-1')['status'])
        for name in _ALL:
            is_live = name in _LIVE
            server = self.server(name)
            self.assertEqual(
                ('ACTIVE' if is_live else 'SHUTOFF', None),
                (server['status'], server['OS-EXT-STS:task_state']),
                name,
            )
            self.assertEqual({'compute-1'}, self.places(server['id']), name)
            self.assert_asked(name, 2, is_live=is_live)

    def killed(self, *names: str) -> str:
        """Kill an undrain when some server comes; return how to resume it."""
        for number in (2, 3, 4):
            self.lab_set(f'compute-{number}', 'link_mb_s=100')
        running = self.openstack_start('compute undrain compute-1 --restore')
        self.wait_for(
            lambda: any(len(self.migrations(name)) > 1 for name in names),
            120,
            'nothing comes back',
        )
        running.process.kill()
        _, said = running.output()
        self.assertEqual('enabled', self.service('compute-1')['status'], said)
        found = re.search('should it be interrupted: openstack (.*)', said)
        assert found is not None, said
        return found[1]

    def test_killed_while_servers_come(self) -> None:
        """What it printed follows those, and brings back the rest."""
        resume = self.killed(*_LIVE)
        self.assert_all_are_back(self.openstack(resume, 600))

    def test_killed_before_it_could_confirm(self) -> None:
        """What waits at home for a confirmation gets it."""
        resume = self.killed(*_STOPPED)
        self.wait_for(
            lambda: any(
                self.server(name)['status'] == 'VERIFY_RESIZE'
                for name in _STOPPED
            ),
            120,
            'nothing waits to be confirmed',
        )
        self.assert_all_are_back(self.openstack(resume, 600))

    def test_since(self) -> None:
        """Only what the drain moved since then; only a time is one."""
        restore = 'compute undrain compute-1 --restore --since'
        for wrong in (
            f'{restore} yesterday',
            'compute undrain x --since 2026',
        ):
            result = self.openstack(wrong)
            self.assertEqual(2, result.code, result.stderr)
            self.assertIn('--since', result.stderr)
        self.openstack('compute undrain compute-1')
        now = datetime.datetime.now(datetime.UTC)
        hour = datetime.timedelta(hours=1)
        later, before = (
            f"'{moment.replace(tzinfo=None)}'"
            for moment in (now + hour, now - hour)
        )
        result = self.openstack(f'{restore} {later}')
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual({}, self.servers_on('compute-1'))
        self.assert_all_are_back(self.openstack(f'{restore} {before}', 600))
