# SPDX-License-Identifier: Apache-2.0
"""``openstack server migration preflight`` as its caller sees it."""

import os
import pathlib
import subprocess
import tempfile

from tests.functional import base

_PREFLIGHT = 'server migration preflight'
_KEYS = {
    'ID',
    'Name',
    'Status',
    'Method',
    'Destinations',
    'Verdict',
    'Reason',
}


class PreflightTest(base.FunctionalTest):
    """Codes, columns and sentences."""

    def assert_says(self, result: base.Result, *words: str) -> None:
        """A command fails with a sentence, not with a traceback."""
        self.assertEqual(1, result.code, result.stderr)
        self.assertNotIn('Traceback', result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def test_answers(self) -> None:
        """The exit code says whether something is in the way."""
        self.scenario("""
            servers:
              - {name: good, host: compute-1}
              - {name: bad, host: compute-1, status: SUSPENDED}
        """)
        (row,) = self.openstack_json(f'{_PREFLIGHT} good')
        self.assertEqual(_KEYS, row.keys())
        self.assertEqual(
            ('good', 'ACTIVE', 'live', 'ok'),
            (row['Name'], row['Status'], row['Method'], row['Verdict']),
        )
        self.assertEqual(self.identity('good'), row['ID'])
        result = self.openstack(f'{_PREFLIGHT} --host compute-1')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn('server-state', result.stdout)
        self.assertIn('2 servers: 1 live, 1 blocked', result.stderr)
        self.assertEqual(2, self.openstack(_PREFLIGHT).code)
        for server in ('good', 'bad'):
            self.assertEqual([], self.migrations(server))

    def test_bad_input(self) -> None:
        """What is not there is said in a sentence."""
        self.scenario('servers: [{name: one, count: 2, host: compute-1}]')
        ids = [self.identity('one-1'), self.identity('one-2')]
        for identity in ids:
            path = f'/servers/{identity}'
            self.nova('PUT', path, {'server': {'name': 'one'}})
        self.assert_says(self.openstack(f'{_PREFLIGHT} one'), *ids)
        self.assert_says(self.openstack(f'{_PREFLIGHT} nobody'), 'nobody')
        for host in ('nowhere', 'compute-', 'compute-*'):
            for options in (f'--host {host}', f'--to {host} {ids[0]}'):
                with self.subTest(options):
                    result = self.openstack(f'{_PREFLIGHT} {options}')
                    self.assert_says(result, host)

    def test_snapshot(self) -> None:
        """A saved snapshot gives the same answer without any cloud."""
        self.scenario('servers: [{name: good, host: compute-1}]')
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name, 'saved.json')
        online = self.openstack(
            f'{_PREFLIGHT} good -f json --save-snapshot {path}'
        )
        self.assertEqual(0, online.code, online.stderr)
        offline = self.offline(f'{_PREFLIGHT} --snapshot {path} -f json')
        self.assertEqual(0, offline.code, offline.stderr)
        self.assertEqual(online.stdout, offline.stdout)
        elsewhere = self.offline(
            f'{_PREFLIGHT} --snapshot {path} --host compute-2'
        )
        self.assert_says(elsewhere, 'does not tell which servers compute-2')
        path.write_text('{"format": "foreign"}', encoding='utf-8')
        refused = self.offline(f'{_PREFLIGHT} --snapshot {path}')
        self.assert_says(refused, str(path))

    def test_no_way_in(self) -> None:
        """A token that is no more, or a region without Nova, is said."""
        cloud = self.openstack_json('--os-cloud lab configuration show')
        word = self.openstack_json('token issue')
        self.openstack(f'token revoke {word["id"]}')
        common = (
            f'--os-auth-url {cloud["auth.auth_url"]} '
            '--os-project-name admin --os-project-domain-id default '
        )
        token = f'--os-auth-type v3token --os-token {word["id"]}'
        user = (
            '--os-auth-type password --os-username admin '
            '--os-user-domain-id default --os-password rehearsal '
            '--os-region-name nowhere'
        )
        commands = (
            f'{_PREFLIGHT} --host compute-1',
            'compute drain compute-1 --yes',
            'compute undrain compute-1',
            'server migration watch --all',
        )
        for command in commands:
            for options, said in ((token, 'token'), (user, 'catalog list')):
                with self.subTest(command, options=options):
                    result = self.offline(command, common + options)
                    self.assert_says(result, said)
                    self.assertEqual(1, len(result.stderr.splitlines()))

    def offline(self, command: str, beside: str = '') -> base.Result:
        """Run a command that knows of no cloud but what stands beside it."""
        kept = {k: v for k, v in os.environ.items() if k[:3] != 'OS_'}
        ended = subprocess.run(
            [base.OPENSTACK, *beside.split(), *command.split()],
            env=kept,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return base.Result(ended.returncode, ended.stdout, ended.stderr)

    def test_manager_of_hosts(self) -> None:
        """Who may not see hosts is told so in a sentence."""
        result = self.openstack(
            f'--os-cloud lab-manager {_PREFLIGHT} --host compute-1'
        )
        self.assert_says(result, '403', 'ask somebody with the role admin')

    def test_manager(self) -> None:
        """Who may not see the hosts is told so, and who would be."""
        self.scenario("""
            servers: [{name: ours, host: compute-1, project: demo}]
        """)
        command = f'--os-cloud lab-manager {_PREFLIGHT} ours'
        (row,) = self.openstack_json(command)
        self.assertEqual('unknown', row['Verdict'], row)
        strict = self.openstack(f'{command} --strict')
        self.assertEqual(3, strict.code, strict.stderr)
        findings = self.openstack_json(f'{command} --findings')
        unknown = [f for f in findings if f['Severity'] == 'unknown']
        self.assertTrue(
            any('role admin' in found['Remedy'] for found in unknown), findings
        )
        self.assertEqual(1, strict.stderr.count('compute services: '), strict)
        self.assertIn(
            '1 server: 1 live; whether they fit is unknown', strict.stderr
        )
        self.assertNotIn(
            'allocation-drift', {found['Check'] for found in findings}
        )

    def test_own_host(self) -> None:
        """Where a server is it cannot go, and that is said."""
        self.scenario('servers: [{name: good, host: compute-1}]')
        result = self.openstack(f'{_PREFLIGHT} good --to compute-1')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn(
            'is on compute-1, and may only go to compute-1', result.stderr
        )
        self.assertIn('destination-none', result.stdout)
