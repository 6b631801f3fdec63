# SPDX-License-Identifier: Apache-2.0
"""The drain of a host that has one of everything, and of what is left then.

Twenty-five servers; whatever becomes of each is looked up in Nova and in
Placement, in the listing and in the log.
"""

import json
import pathlib
import tempfile
from typing import Any

from lab import topology
from tests.functional import base
from tests.functional import drains

_SCENARIO = """
flavors:
  small: {vcpus: 1, ram: 256, disk: 1}
  tiny: {vcpus: 1, ram: 128, disk: 1}
server_groups:
  web: {policy: anti-affinity}
servers:
  - {name: live, count: 8, flavor: small, host: compute-1}
  - {name: paused, count: 2, flavor: small, host: compute-1, status: PAUSED}
  - {name: stopped, count: 2, flavor: small, host: compute-1, status: SHUTOFF}
  - {name: volume, count: 2, flavor: small, host: compute-1,
     volume_backed: true}
  - {name: web-1, flavor: small, host: compute-1, group: web}
  - {name: web-2, flavor: small, host: compute-2, group: web}
  - {name: locked, flavor: small, host: compute-1, locked: true}
  - {name: endless, flavor: small, host: compute-1, dirty_mb_s: 4000}
  - {name: refused, flavor: small, host: compute-1,
     live: {fails_at: check-destination}}
  - {name: broken-off, flavor: small, host: compute-1,
     live: {fails_at: running}}
  - {name: late, flavor: small, host: compute-1,
     live: {fails_at: post-destination}}
  - {name: broken, flavor: small, host: compute-1, status: ERROR}
  - {name: busy, flavor: small, host: compute-1}
  - {name: doomed, flavor: tiny, host: compute-1}
  - {name: resized, flavor: small, host: compute-1, came_from: compute-2,
     status: VERIFY_RESIZE}
  - {name: away, flavor: small, host: compute-3, came_from: compute-1,
     status: VERIFY_RESIZE}
"""
_LIVE = (
    *(f'live-{number}' for number in range(1, 9)),
    'volume-1',
    'volume-2',
    'web-1',
    'locked',
    'busy',
    'created',
)
_STAYING = {
    'endless': 'ACTIVE',
    'refused': 'ACTIVE',
    'broken-off': 'ACTIVE',
    'broken': 'ERROR',
    'resized': 'VERIFY_RESIZE',
}


class TestMixed(drains.DrainTest):
    """One host, all kinds of servers."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = pathlib.Path(folder.name, 'log')

    def test_mixed_host(self) -> None:
        """What can move is moved, once; the rest is as it was, and said.

        Then what was in the way is put right, and the same command empties
        the host.
        """
        self.scenario(_SCENARIO)
        # a faster link could send all of a small guest within its pause
        self.lab_set('compute-1', 'link_mb_s=300')
        topology.set_task(self.identity('busy'), 'image_uploading')
        running, answer = self.asking(
            'compute drain compute-1 --partial --timeout-per-gib 10 '
            f'--parallel-per-source 4 --log {self.log} -f json'
        )
        # a server that is being built when the host is closed
        self.lab_host('freeze', 'compute-1')
        self._create('created')
        answer('y')
        self.wait_for(
            lambda: self.service('compute-1')['status'] == 'disabled',
            60,
            'the host is not disabled',
        )
        self.lab_host('thaw', 'compute-1')
        self.wait_for_migrations('live-1', 'live-2', 'broken-off', 'late')
        doomed = self.identity('doomed')
        self.nova('DELETE', f'/servers/{doomed}')
        self.wait_for(
            lambda: 'web-1' not in self.servers_on('compute-1'),
            300,
            'the servers do not move',
        )
        topology.set_task(self.identity('busy'), None)
        result = running.wait(900)
        self.assertEqual(3, result.code, result.stderr)
        self.assertEqual(
            404, self.nova('GET', f'/servers/{doomed}').status_code
        )
        self._check_servers()
        self._check_placement(json.loads(result.stdout))
        self._check_listing(result)
        self._check_log()
        self._check_rest()

    def _create(self, name: str) -> None:
        """Have a server built on compute-1, up to its place there."""
        like = self.server('live-1')
        flavors = self.nova('GET', '/flavors').json()['flavors']
        (flavor,) = [f['id'] for f in flavors if f['name'] == 'small']
        answer = self.nova(
            'POST',
            '/servers',
            {
                'server': {
                    'name': name,
                    'flavorRef': flavor,
                    'imageRef': like['image']['id'],
                    'networks': 'none',
                    'host': 'compute-1',
                }
            },
        )
        self.assertEqual(202, answer.status_code, answer.text)
        self.ids[name] = answer.json()['server']['id']
        self.wait_for(
            lambda: self.places(self.ids[name]), 60, f'no place for {name}'
        )

    def _check_servers(self) -> None:
        """Every server is where, and as, it must be in Nova."""
        for name in _LIVE:
            self.assert_moved(name)
        for name in ('paused-1', 'paused-2'):
            self.assert_moved(name, 'PAUSED')
        for name in ('stopped-1', 'stopped-2'):
            self.assert_moved(name, 'SHUTOFF')
            self.assertEqual(1, self.actions(name).count('migrate'))
            self.assertEqual(1, self.actions(name).count('confirmResize'))
        for name, status in _STAYING.items():
            self.assert_stays(name, status)
        self.assertNotEqual(
            'compute-2', self.server('web-1')['OS-EXT-SRV-ATTR:host']
        )
        late = self.server('late')
        self.assertEqual('ERROR', late['status'])
        self.assertNotEqual('compute-1', late['OS-EXT-SRV-ATTR:host'])
        away = self.server('away')
        self.assertEqual(
            ('VERIFY_RESIZE', 'compute-3'),
            (away['status'], away['OS-EXT-SRV-ATTR:host']),
        )
        self.assertEqual([], self.migrations('broken'))
        for name in ('resized', 'away'):
            (record,) = self.migrations(name)
            self.assertEqual('finished', record['status'])
        tried = self.migrations('refused')
        self.assertEqual(['error'] * 3, [one['status'] for one in tried])
        self.assertEqual(2, len(self.migrations('endless')))
        self.assertEqual(3, len(self.migrations('broken-off')))

    def _check_placement(self, listed: list[dict[str, Any]]) -> None:
        """Placement has what Nova has there, and what is left is listed."""
        for name in (*_STAYING, *_LIVE):
            here = self.server(name)
            self.assertIn(
                here['OS-EXT-SRV-ATTR:host'], self.places(here['id']), name
            )
        held = self.allocations_on('compute-1')
        stay = {self.identity(name) for name in _STAYING}
        self.assertLessEqual(stay, held)
        (away,) = self.migrations('away')
        self.assertIn(away['uuid'], held)
        self.assertLessEqual(held, {row['ID'] for row in listed})

    def _check_listing(self, result: base.Result) -> None:
        """Each server has its row, with a reason and a next step if left."""
        listed = json.loads(result.stdout)
        rows = {row['Name']: row for row in listed}
        for name in _LIVE:
            self.assertEqual('moved', rows[name]['Result'], rows[name])
            self.assertEqual('live', rows[name]['Method'])
            self.assertNotEqual([], rows[name]['Request IDs'])
        for name in ('stopped-1', 'stopped-2'):
            self.assertEqual('moved', rows[name]['Result'])
            self.assertEqual('cold', rows[name]['Method'])
        failed = {n for n, row in rows.items() if row['Result'] == 'failed'}
        self.assertEqual({'endless', 'refused', 'broken-off', 'late'}, failed)
        for name in (*failed, 'broken', 'resized'):
            self.assertIn('openstack ', rows[name]['Next Step'], rows[name])
        for name in failed:
            self.assertIn('req-', rows[name]['Request IDs'][0])
        self.assertIn('check-destination', rows['refused']['Reason'])
        self.assertIn('ERROR on compute-', rows['late']['Reason'])
        self.assertIn('aborted', rows['endless']['Reason'])
        for name in ('broken', 'resized'):
            self.assertEqual('stays', rows[name]['Result'])
        self.assertIn('not ours', rows['broken']['Reason'])
        self.assertEqual(
            'skipped', rows.get('doomed', {'Result': 'skipped'})['Result']
        )
        (away,) = [r for r in listed if r['Result'] == 'migration left']
        self.assertEqual(self.identity('away'), away['Name'])
        self.assertIn('migration confirm', away['Next Step'])
        for name in (*_STAYING, self.identity('away')):
            self.assertRegex(result.stderr, rf'Left: \w+ {name}: ')
        self.assertIn('Failed: server late: ', result.stderr)

    def _check_log(self) -> None:
        """The log has the host, every move, what is left and the end."""
        lines = [
            json.loads(line) for line in self.log.read_text().splitlines()
        ]
        events = [line['event'] for line in lines]
        self.assertEqual('end', events[-1])
        self.assertEqual(3, lines[-1]['exit_code'])
        (disabled,) = [one for one in lines if one['event'] == 'disabled']
        self.assertIn('req-', disabled['request_id'])
        left = {o['name'] for o in lines if o['event'] == 'leftover'}
        self.assertLessEqual({*_STAYING, self.identity('away')}, left)
        changes = [one for one in lines if one['event'] == 'change']
        self.assertLessEqual(set(_LIVE), {one['server'] for one in changes})
        last = {one['server']: one for one in changes}
        first, second, third = [
            one['destination']
            for one in changes
            if (one['server'], one['phase']) == ('refused', 'asked')
        ]
        self.assertNotEqual(first, second)
        self.assertIsNone(third, 'Nova may choose in the end')
        for name in ('refused', 'broken-off'):
            self.assertGreaterEqual(len(set(last[name]['request_ids'])), 3)
        self.assertEqual(
            sorted(o['at'] for o in lines), [o['at'] for o in lines]
        )

    def _check_rest(self) -> None:
        """What was in the way is put right: all servers leave."""
        for name in ('refused', 'broken-off'):
            self.lab_set(name, 'live.fails_at=null')
        self.lab_set('endless', 'dirty_mb_s=20')
        for name in ('resized', 'away'):
            self._act(name, {'confirmResize': None})
        for name in ('broken', 'late'):
            self._act(name, {'os-resetState': {'state': 'active'}})
        for name in ('resized', 'away', 'broken', 'late'):
            self.wait_for(
                lambda name=name: self.server(name)['status'] == 'ACTIVE',
                60,
                f'{name} is not put right',
            )
        result = self.drain('compute-1 -f json', 600)
        listed = json.loads(result.stdout)
        moved = {r['Name'] for r in listed if r['Result'] == 'moved'}
        self.assertEqual(set(_STAYING), moved)
        # Nova has not given back what the broken one had here
        (left,) = [r for r in listed if r['Result'] != 'moved']
        self.assertEqual('allocation left', left['Result'])
        self.assertEqual(self.identity('late'), left['Name'])
        self.assertEqual({}, self.servers_on('compute-1'))
        for name in _STAYING:
            self.assert_well(name)
        self.assertEqual({left['ID']}, self.allocations_on('compute-1'))
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn('going on with that', result.stderr)

    def _act(self, name: str, body: dict[str, Any]) -> None:
        path = f'/servers/{self.identity(name)}/action'
        answer = self.nova('POST', path, body)
        self.assertIn(answer.status_code, (202, 204), answer.text)
