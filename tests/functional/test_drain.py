# SPDX-License-Identifier: Apache-2.0
"""``openstack compute drain`` and ``undrain`` against a real Nova."""

import json
import pathlib
import re
import signal
import tempfile

from keystoneauth1 import session as sessions

import osc_migrate
from tests.functional import drains

_MIXED = """
flavors:
  small: {vcpus: 1, ram: 256, disk: 1}
server_groups:
  web: {policy: anti-affinity}
servers:
  - {name: running, flavor: small, host: compute-1, dirty_mb_s: 20}
  - {name: paused, flavor: small, host: compute-1, status: PAUSED}
  - {name: stopped, flavor: small, host: compute-1, status: SHUTOFF}
  - {name: locked, flavor: small, host: compute-1, locked: true}
  - {name: volume, flavor: small, host: compute-1, volume_backed: true}
  - {name: web-1, flavor: small, host: compute-1, group: web}
  - {name: web-2, flavor: small, host: compute-2, group: web}
"""
_FEW = """
flavors: {small: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {count: 3, name: few, flavor: small, host: compute-1}
"""
_SLOW = """
flavors: {slow: {vcpus: 1, ram: 1024, disk: 1}}
servers:
  - {count: 3, name: slow, flavor: slow, host: compute-1}
"""


class TestDrain(drains.DrainTest):
    """Whole drains of compute-1."""

    def test_empties_a_host(self) -> None:
        """Every kind of server that can move is moved once; proof follows."""
        self.scenario(_MIXED)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        log = pathlib.Path(folder.name, 'log')
        result = self.drain(
            f'compute-1 --reason maintenance -f json --log {log}'
        )
        self.assertEqual(0, result.code, result.stderr)
        for name in ('running', 'locked', 'volume', 'web-1'):
            self.assert_moved(name)
        self.assert_moved('paused', 'PAUSED')
        self.assert_moved('stopped', 'SHUTOFF')
        self.assertNotEqual(
            'compute-2', self.server('web-1')['OS-EXT-SRV-ATTR:host']
        )
        self.assert_empty('compute-1')
        rows = {row['Name']: row for row in json.loads(result.stdout)}
        self.assertEqual({'moved'}, {row['Result'] for row in rows.values()})
        self.assertEqual('cold', rows['stopped']['Method'])
        self.assertEqual('live', rows['paused']['Method'])
        self.assertNotIn([], [row['Request IDs'] for row in rows.values()])
        self.assertIn('compute-1 is empty', result.stderr)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual('disabled', lines[0]['event'])
        self.assertIn('req-', lines[0]['request_id'])
        self.assertEqual(
            ('end', 0), (lines[-1]['event'], lines[-1]['exit_code'])
        )
        changes = [one for one in lines if one['event'] == 'change']
        self.assertEqual(set(rows), {one['server'] for one in changes})
        service = self.service('compute-1')
        self.assertEqual('disabled', service['status'])
        self.assertRegex(
            service['disabled_reason'],
            r'^maintenance \[osc-migrate: drained by admin ',
        )

        undone = self.openstack('compute undrain compute-1')
        self.assertEqual(0, undone.code, undone.stderr)
        service = self.service('compute-1')
        self.assertEqual('enabled', service['status'])
        self.assertIsNone(service['disabled_reason'])

    def test_is_the_same_under_its_other_name(self) -> None:
        """``server migration drain`` drains, too; here to where Nova likes."""
        self.scenario(_FEW)
        result = self.openstack(
            'server migration drain compute-1 --scheduler', 300
        )
        self.assertEqual(0, result.code, result.stderr)
        self.assert_empty('compute-1')

    def test_dry_run_changes_nothing(self) -> None:
        """A dry run lists the plan and leaves host and servers alone."""
        self.scenario(_FEW)
        result = self.drain(
            'compute-1 --dry-run --parallel-per-source 1 -f json'
        )
        self.assertEqual(0, result.code, result.stderr)
        rows = json.loads(result.stdout)
        self.assertEqual({'planned'}, {row['Result'] for row in rows})
        self.assertEqual([1, 2, 3], [row['Round'] for row in rows])
        self.assertEqual(0, rows[0]['Start'])
        self.assertEqual(rows[1]['Start'], rows[0]['Duration'])
        self.assertIn('3 moves in 3 rounds, about 6 s', result.stderr)
        self.assertEqual('enabled', self.service('compute-1')['status'])
        for name in ('few-1', 'few-2', 'few-3'):
            self.assert_stays(name)
            self.assertEqual([], self.migrations(name))

    def test_refuses_to_leave_something_behind(self) -> None:
        """What cannot move is explained, and nothing is touched."""
        self.scenario(
            _FEW
            + '  - {name: broken, flavor: small, host: compute-1, '
            + 'status: ERROR}\n'
            + '  - {name: asleep, flavor: small, host: compute-1, '
            + 'status: SUSPENDED}\n'
        )
        result = self.drain('compute-1')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn('SUSPENDED', result.stderr)
        self.assertIn(
            f'openstack server resume {self.identity("asleep")}',
            result.stderr,
        )
        self.assertIn('override: --partial', result.stderr)
        self.assertEqual('enabled', self.service('compute-1')['status'])
        self.assertEqual([], self.migrations('few-1'))

        result = self.drain('compute-1 --partial')
        self.assertEqual(3, result.code, result.stderr)
        for name in ('few-1', 'few-2', 'few-3'):
            self.assert_moved(name)
        self.assert_stays('broken', 'ERROR')
        self.assert_stays('asleep', 'SUSPENDED')
        self.assertRegex(result.stderr, 'Left: server (broken|asleep)')
        self.assertNotIn('is empty', result.stderr)

    def test_asks_and_takes_no_for_an_answer(self) -> None:
        """On a terminal; what cannot be done is one sentence, before that."""
        self.scenario(_FEW)
        running, answer = self.asking('compute drain compute-1')
        self.assertIn('Disable compute-1 and move 3', running.output()[1])
        answer('n')
        result = running.wait(60)
        self.assertEqual(4, result.code, result.stderr)
        self.assertIn('Nothing was changed', result.stderr)
        for options, said in (
            ('--log /nowhere/log', '/nowhere/log'),
            ('--exclude nobody', "'nobody'"),
        ):
            result = self.drain(f'compute-1 {options}')
            self.assertEqual(1, result.code)
            self.assertIn(said, result.stderr)
            self.assertNotIn('Traceback', result.stderr)
        self.assertEqual('enabled', self.service('compute-1')['status'])

    def test_unknown_host(self) -> None:
        """Only an exact name is a host; the answer is one clear sentence."""
        for name in ('compute', 'compute-', 'nowhere', 'compute-1*'):
            result = self.drain(name)
            self.assertEqual(1, result.code)
            self.assertIn(f"named '{name}'", result.stderr)
            self.assertNotIn('Traceback', result.stderr)

    def test_server_too_large_for_all(self) -> None:
        """Room is looked up in Placement and said in numbers."""
        self.scenario(
            'flavors: {huge: {vcpus: 1, ram: 60000, disk: 1}}\n'
            'servers:\n'
            '  - {name: huge, flavor: huge, host: compute-1}\n'
            '  - {name: fill-2, flavor: huge, host: compute-2}\n'
            '  - {name: fill-3, flavor: huge, host: compute-3}\n'
            '  - {name: fill-4, flavor: huge, host: compute-4}\n'
        )
        result = self.drain(
            'compute-1 --to compute-2 --to compute-3 --to compute-4'
        )
        self.assertEqual(3, result.code, result.stderr)
        self.assertRegex(result.stderr, r'needs 60000 MB.* is free')
        self.assertEqual([], self.migrations('huge'))

    def test_interrupt_waits_for_what_runs(self) -> None:
        """Ctrl-C starts nothing more, ends what runs, and exits with 4."""
        self.scenario(_SLOW)
        self.lab_set('compute-1', 'link_mb_s=200')
        running = self.openstack_start('compute drain compute-1 --parallel 1')
        self.wait_for(
            lambda: sum(
                len(self.migrations(name)) for name in ('slow-1', 'slow-2')
            ),
            90,
            'no migration was begun',
        )
        running.process.send_signal(signal.SIGINT)
        result = running.wait(120)
        self.assertEqual(4, result.code, result.stderr)
        self.assertIn('To go on: openstack compute drain', result.stderr)
        moved = 3 - len(self.servers_on('compute-1'))
        self.assertEqual(1, moved)
        for server in self.servers_on('compute-1').values():
            self.assertIsNone(server['OS-EXT-STS:task_state'])

    def test_second_interrupt_leaves_at_once(self) -> None:
        """The first may be SIGTERM; Nova goes on, and so does the command."""
        self.scenario(_SLOW)
        self.lab_set('compute-1', 'link_mb_s=100')
        running = self.openstack_start('compute drain compute-1 --yes')
        self.wait_for_migrations('slow-1', 'slow-2')
        running.process.send_signal(signal.SIGTERM)
        self.wait_for(
            lambda: 'Interrupt again to leave' in running.output()[1],
            60,
            'the first interrupt is not heard',
        )
        running.process.send_signal(signal.SIGINT)
        result = running.wait(60)
        self.assertEqual(4, result.code, result.stderr)
        self.assertIn(
            'To attach: openstack server migration watch --host compute-1; '
            'to go on: openstack compute drain compute-1 --yes\n',
            result.stderr,
        )
        self.lab_set('compute-1', 'link_mb_s=1000')
        result = self.drain('compute-1 --server slow-1 --server slow-2')
        self.assertEqual(0, result.code, result.stderr)
        for name in ('slow-1', 'slow-2'):
            self.assert_moved(name)

    def test_stranger_s_reason_is_kept(self) -> None:
        """A host that somebody else disabled is drained, never enabled."""
        self.scenario(_FEW)
        self.disable('compute-1', 'by hand: bad DIMM')
        result = self.drain('compute-1 --reason ours')
        self.assertEqual(0, result.code, result.stderr)
        self.assertIn('--reason is not kept', result.stderr)
        self.assertRegex(
            self.service('compute-1')['disabled_reason'],
            r'^by hand: bad DIMM \[osc-migrate: .* was disabled\]$',
        )
        undone = self.openstack('compute undrain compute-1')
        self.assertEqual(0, undone.code, undone.stderr)
        service = self.service('compute-1')
        self.assertEqual('disabled', service['status'])
        self.assertEqual('by hand: bad DIMM', service['disabled_reason'])
        refused = self.openstack('compute undrain compute-1')
        self.assertEqual(1, refused.code)
        self.assertIn('by somebody else', refused.stderr)

    def test_endless_migration_is_given_up(self) -> None:
        """A guest that never converges is left alive, and said so."""
        self.scenario(
            _FEW + '  - {name: endless, flavor: small, host: compute-1, '
            'dirty_mb_s: 4000}\n'
        )
        self.lab_set('compute-1', 'link_mb_s=300')
        result = self.drain('compute-1 --timeout-per-gib 10')
        self.assertEqual(3, result.code, result.stderr)
        self.assert_stays('endless')
        for name in ('few-1', 'few-2', 'few-3'):
            self.assert_moved(name)
        self.assertRegex(result.stderr, 'Left: server endless: .*aborted')

    def test_failures_are_told_and_repaired(self) -> None:
        """A live guest in ERROR is reset; what cannot be is told."""
        self.scenario(
            'flavors: {small: {vcpus: 1, ram: 256, disk: 1}}\n'
            'servers:\n'
            '  - {name: refused, flavor: small, host: compute-1, '
            'live: {fails_at: check-destination}}\n'
            '  - {name: broken-off, flavor: small, host: compute-1, '
            'live: {fails_at: running}}\n'
            '  - {name: late, flavor: small, host: compute-1, '
            'live: {fails_at: post-destination}}\n'
        )
        result = self.drain('compute-1 -f json')
        self.assertEqual(3, result.code, result.stderr)
        self.assert_stays('refused')
        self.assert_stays('broken-off')
        self.assertEqual('ERROR', self.server('late')['status'])
        rows = {row['Name']: row for row in json.loads(result.stdout)}
        for name in ('refused', 'broken-off', 'late'):
            self.assertEqual('failed', rows[name]['Result'])
        self.assertIn('ERROR on compute-', rows['late']['Reason'])
        # Nova gives back what a server had here only if all went well
        (left,) = [r for r in rows.values() if r['Result'] != 'failed']
        self.assertEqual('allocation left', left['Result'])
        self.assertEqual(self.identity('late'), left['Name'])
        self.assertEqual(3, len(self.migrations('refused')))

    def test_brings_servers_back(self) -> None:
        """--restore returns what the drain moved, unless moved since."""
        self.scenario(_FEW)
        result = self.drain('compute-1')
        self.assertEqual(0, result.code, result.stderr)
        here = self.server('few-1')['OS-EXT-SRV-ATTR:host']
        there = 'compute-3' if here != 'compute-3' else 'compute-4'
        self.openstack(
            f'server migrate --live-migration --host {there} --wait '
            + self.identity('few-1')
        )
        undone = self.openstack('compute undrain compute-1 --restore', 300)
        self.assertEqual(0, undone.code, undone.stderr)
        self.assertEqual({'few-2', 'few-3'}, set(self.servers_on('compute-1')))
        self.assertEqual(there, self.server('few-1')['OS-EXT-SRV-ATTR:host'])
        self.assertEqual('enabled', self.service('compute-1')['status'])

    def test_dead_host_is_evacuated(self) -> None:
        """Servers of a fenced host are started elsewhere.

        What Nova does not evacuate is said before anything is done.
        """
        self.scenario(
            _FEW + '  - {name: paused, flavor: small, host: compute-1, '
            'status: PAUSED}\n'
        )
        usage = self.drain('compute-1 --evacuate')
        self.assertEqual(2, usage.code)
        self.lab_host('kill', 'compute-1')
        result = self.drain('compute-1 --evacuate --fenced --yes')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn('paused: is PAUSED', result.stderr)
        self.assertFalse(self.service('compute-1')['forced_down'])
        result = self.drain('compute-1 --evacuate --fenced --yes --partial')
        self.assertEqual(3, result.code, result.stderr)
        self.assertEqual({'paused'}, set(self.servers_on('compute-1')))
        for name in ('few-1', 'few-2', 'few-3'):
            (record,) = self.migrations(name)
            self.assertEqual('done', record['status'])
        self.assertTrue(self.service('compute-1')['forced_down'])

    def test_chosen_servers_only(self) -> None:
        """Rebalancing moves named servers to where it is said."""
        self.scenario(_FEW)
        result = self.drain(
            'compute-1 --no-disable --server few-2 --to compute-4'
        )
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual({'few-1', 'few-3'}, set(self.servers_on('compute-1')))
        self.assertEqual(
            'compute-4', self.server('few-2')['OS-EXT-SRV-ATTR:host']
        )
        self.assertEqual('enabled', self.service('compute-1')['status'])


class TestLibrary(drains.DrainTest):
    """The same as a library."""

    def test_preflight_plan_and_run(self) -> None:
        """A session is all that another tool needs."""
        self.scenario(_FEW)
        session: sessions.Session = self.session
        cloud = osc_migrate.Cloud(session)
        snapshot = cloud.snapshot(host='compute-1')
        report = osc_migrate.preflight(snapshot, host='compute-1')
        self.assertEqual(['ok'] * 3, [str(s.verdict) for s in report.servers])
        plan = osc_migrate.plan(snapshot, host='compute-1')
        self.assertEqual({}, plan.stranded)
        seen: list[str] = []
        executor = osc_migrate.Executor(
            cloud,
            limits=osc_migrate.Limits(
                total=4, per_source=2, per_destination=2
            ),
            reporters=[lambda task: seen.append(str(task))],
        )
        result = executor.run(plan)
        self.assertEqual(['done'] * 3, [str(task.phase) for task in result])
        self.assertTrue(any(re.search('few-1 live .*: done', s) for s in seen))
        self.assert_empty('compute-1')
