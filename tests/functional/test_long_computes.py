# SPDX-License-Identifier: Apache-2.0
"""A nova-compute dies, or stands still, in the midst of a drain.

What has become of each server then is for Nova to say; what counts is that
the drain goes on when it can, says what it waits for, and that the same
command ends it.
"""

import json
import signal
import time

from tests.functional import base
from tests.functional import drains

_SERVERS = """
flavors: {slow: {vcpus: 1, ram: 1024, disk: 1}}
servers:
  - {count: 3, name: live, flavor: slow, host: compute-1}
  - {name: stopped, flavor: slow, host: compute-1, status: SHUTOFF,
     cold: {seconds: 8}}
"""
_NAMES = ('live-1', 'live-2', 'live-3', 'stopped')
_DRAIN = 'compute drain compute-1 --to compute-2 --to compute-3 -f json'


class TestComputes(drains.DrainTest):
    """Killed and frozen, the source and the destination."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario(_SERVERS)
        # some 20 s for each of two at a time
        self.lab_set('compute-1', 'link_mb_s=100')

    def begun(self) -> tuple[base.Running, str]:
        """Start a drain; return it and the destination of a running copy."""
        running = self.openstack_start(_DRAIN)
        destination = self.wait_for(self._copied_to, 120, 'nothing is copied')
        return running, str(destination)

    def _copied_to(self) -> str | None:
        for name in _NAMES[:3]:
            path = f'/servers/{self.identity(name)}/migrations'
            for one in self.nova('GET', path).json()['migrations']:
                if one['status'] == 'running' and one['memory_total_bytes']:
                    return str(one['dest_compute'])
        return None

    def ended(self, running: base.Running, *codes: int) -> base.Result:
        """Wait for the end of a drain, which must be one of these."""
        result = running.wait(900)
        self.assertIn(result.code, codes, result.stderr)
        self.assertNotIn('Traceback', result.stderr)
        return result

    def assert_drained(self) -> None:
        """All servers are in good order elsewhere."""
        self.assertEqual({}, self.servers_on('compute-1'))
        for name in _NAMES:
            is_live = name.startswith('live')
            self.assert_well(name, 'ACTIVE' if is_live else 'SHUTOFF')

    def wait_until_down(self, host: str) -> None:
        """Wait until Nova misses the heartbeats of a host."""
        self.wait_for(
            lambda: self.service(host)['state'] == 'down', 60, f'{host} is up'
        )

    def test_source_is_killed_and_started(self) -> None:
        """The drain waits, begins anew what was lost, and ends well."""
        running, _ = self.begun()
        self.lab_host('kill', 'compute-1')
        self.wait_until_down('compute-1')
        self.lab_host('start', 'compute-1')
        self.ended(running, 0, 3)
        self.assert_drained()

    def test_source_stays_down(self) -> None:
        """Interrupted twice, it leaves; the same command ends it later."""
        running, _ = self.begun()
        self.lab_host('kill', 'compute-1')
        self.wait_for(
            lambda: 'compute-1 is down, last' in running.output()[1],
            120,
            'nobody says that the host is down',
        )
        for _ in range(2):
            running.process.send_signal(signal.SIGINT)
            self.wait_for(
                lambda: 'Nothing more is started' in running.output()[1],
                60,
                'the interrupt is not heard',
            )
        result = self.ended(running, 4)
        self.assertIn('To attach: openstack server migration', result.stderr)
        self.assertIn('to go on: openstack compute drain', result.stderr)
        refused = self.openstack(_DRAIN)
        self.assertEqual(3, refused.code, refused.stderr)
        self.assertIn('nova-compute on compute-1', refused.stderr)
        self.assertIn('--evacuate --fenced', refused.stderr)
        self.lab_host('start', 'compute-1')
        result = self.openstack(_DRAIN, 900)
        self.assertIn(result.code, (0, 3), result.stderr)
        self.assert_drained()

    def test_source_stands_still(self) -> None:
        """For 20 s: nothing is asked twice, nothing fails."""
        running, _ = self.begun()
        self.lab_host('freeze', 'compute-1')
        self.wait_until_down('compute-1')
        self.pause(10)
        self.lab_host('thaw', 'compute-1')
        self.ended(running, 0)
        self.assert_drained()
        for name in _NAMES:
            self.assert_moved(name, self.server(name)['status'])
        self.assert_empty('compute-1')

    def test_destination_is_killed(self) -> None:
        """What was going there is told; the rest goes elsewhere.

        Once the host is back and its servers are put right, nothing is left.
        """
        running, destination = self.begun()
        self.lab_host('kill', destination)
        result = self.ended(running, 0, 3)
        rows = {row['Name']: row for row in json.loads(result.stdout)}
        left = {n for n, row in rows.items() if row['Result'] != 'moved'}
        lost = left & set(_NAMES)
        for name in set(_NAMES) - lost:
            self.assert_well(name, self.server(name)['status'])
        for name in left:
            self.assertNotEqual('', rows[name]['Next Step'], rows[name])
            self.assertNotEqual('', rows[name]['Reason'])
        self.assertEqual(3 if left else 0, result.code)
        self.lab_host('start', destination)
        for name in lost:
            self._reset(name)
        again = self.openstack(_DRAIN, 900)
        self.assertIn(again.code, (0, 3), again.stderr)
        self.assertEqual({}, self.servers_on('compute-1'))
        for name in _NAMES:
            self.assertIn(self.server(name)['status'], ('ACTIVE', 'SHUTOFF'))

    def test_destination_stands_still(self) -> None:
        """For 20 s: all arrive in good order, there or elsewhere."""
        running, destination = self.begun()
        self.lab_host('freeze', destination)
        self.wait_until_down(destination)
        self.pause(10)
        self.lab_host('thaw', destination)
        self.ended(running, 0)
        self.assert_drained()
        self.assert_empty('compute-1')

    def pause(self, seconds: float) -> None:
        """Let a host stand still for longer than it takes to notice."""
        time.sleep(seconds)

    def _reset(self, name: str) -> None:
        path = f'/servers/{self.identity(name)}/action'
        body = {'os-resetState': {'state': 'active'}}
        self.assertEqual(202, self.nova('POST', path, body).status_code)
