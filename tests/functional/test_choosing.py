# SPDX-License-Identifier: Apache-2.0
"""Drains of some servers of a host, against a real Nova."""

import json
import pathlib
import re
import signal

from tests.functional import base
from tests.functional import drains

_FEW = """
flavors: {small: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {count: 2, name: few, flavor: small, host: compute-1}
  - {name: stopped, flavor: small, host: compute-1, status: SHUTOFF}
"""


class TestChoosing(drains.DrainTest):
    """Drains of compute-1 that do not empty it."""

    def test_killed_without_a_mark(self) -> None:
        """The same command goes on, and confirms what it began."""
        result = self.killed('--no-disable --server stopped --to compute-4')
        self.assertEqual(0, result.code, result.stderr)
        self.assert_moved('stopped', 'SHUTOFF')
        self.assertEqual({'few-1', 'few-2'}, set(self.servers_on('compute-1')))

    def test_killed_without_a_name(self) -> None:
        """What may be its own, or not, is left and said."""
        result = self.killed('--no-disable --exclude few-1 --exclude few-2')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn(
            'openstack server migration confirm ' + self.identity('stopped'),
            result.stderr,
        )
        self.assertEqual('VERIFY_RESIZE', self.server('stopped')['status'])

    def killed(self, options: str) -> base.Result:
        """Drain, kill that in a cold migration, and drain again."""
        self.scenario(_FEW)
        running = self.openstack_start(f'compute drain compute-1 {options}')
        self.wait_for_migrations('stopped')
        running.process.send_signal(signal.SIGKILL)
        running.wait(30)
        self.wait_for(
            lambda: self.server('stopped')['status'] == 'VERIFY_RESIZE',
            90,
            'it is not to be confirmed',
        )
        return self.drain(f'compute-1 {options}')

    def test_interrupted_at_once(self) -> None:
        """Whatever was done by then is said, and what to do."""
        self.scenario(_FEW)
        for word, said in (
            ('', 'Nothing was changed'),
            ('is disabled', 'again: openstack compute undrain compute-1\n'),
        ):
            running = self.openstack_start('compute drain compute-1')
            if word:
                self.wait_for(
                    lambda running=running: 'disabled' in running.output()[1],
                    60,
                    'it is not disabled',
                )
            else:
                self.wait_until_it_listens(running.process.pid)
            running.process.send_signal(signal.SIGTERM)
            result = running.wait(60)
            self.assertEqual(4, result.code, result.stderr)
            self.assertIn(said, result.stderr)

    def wait_until_it_listens(self, pid: int) -> None:
        """Wait until a process has a handler for SIGTERM."""
        bit = 1 << (signal.SIGTERM - 1)

        def is_listening() -> bool:
            text = pathlib.Path(f'/proc/{pid}/status').read_text('utf-8')
            (line,) = re.findall(r'SigCgt:\s*(\w+)', text)
            return bool(int(line, 16) & bit)

        self.wait_for(is_listening, 60, 'it does not listen')

    def test_says_the_whole_command(self) -> None:
        """What is to be pasted has all that was typed."""
        self.scenario(
            _FEW + '  - {name: asleep, flavor: small, host: compute-1, '
            'status: SUSPENDED}\n'
        )
        options = '--no-disable --server asleep --server few-1'
        result = self.drain(f'compute-1 {options}')
        self.assertEqual(3, result.code, result.stderr)
        self.assertIn(
            'To move what can be moved: openstack compute drain compute-1 '
            f'{options} --partial\n',
            result.stderr,
        )
        # not even one that would not be taken
        result = self.drain('compute-1 --no-disable --limit 1')
        self.assertEqual(0, result.code, result.stderr)
        self.assertEqual(3, len(self.servers_on('compute-1')))

    def test_what_matches_nothing(self) -> None:
        """That is a mistake, and the host is left as it is."""
        self.scenario(_FEW)
        for options, said in (
            ('--flavor nonsense', 'No server of compute-1 matches flavor non'),
            ('--project service', 'No server of compute-1 matches project '),
            ('--project nonsense', "'nonsense'"),
        ):
            result = self.drain(f'compute-1 {options}')
            self.assertEqual(1, result.code, result.stderr)
            self.assertIn(said, result.stderr)
        self.assertEqual('enabled', self.service('compute-1')['status'])

    def test_contradictions(self) -> None:
        """What does not go together is not half obeyed."""
        for options in ('--scheduler --to compute-2', '--to compute-1'):
            result = self.drain(f'compute-1 {options}')
            self.assertEqual(2, result.code, result.stderr)
            self.assertIn('--to', result.stderr.splitlines()[-1])

    def test_project_by_its_name(self) -> None:
        """As in other commands."""
        self.scenario(_FEW)
        project = self.server('few-1')['tenant_id']
        names = {one['ID']: one['Name'] for one in self.projects()}
        for name in (project, names[project]):
            result = self.drain(f'compute-1 --dry-run --project {name}')
            self.assertEqual(0, result.code, result.stderr)
            self.assertIn('3 moves', result.stderr)

    def test_what_is_marked_and_in_which_order(self) -> None:
        """Tags and properties choose, and the order is the one asked for."""
        self.scenario(
            'flavors:\n'
            '  small: {vcpus: 1, ram: 256, disk: 1}\n'
            '  large: {vcpus: 1, ram: 512, disk: 1}\n'
            'servers:\n'
            '  - {name: b, flavor: large, host: compute-1, tags: [gold]}\n'
            '  - {name: a, flavor: small, host: compute-1, tags: [gold], '
            'metadata: {role: db}}\n'
            '  - {name: c, flavor: large, host: compute-1}\n'
        )
        for options, names, rounds in (
            ('--tag gold', ['b', 'a'], [1, 1]),
            ('--tag gold --order smallest', ['a', 'b'], [1, 1]),
            ('--order name', ['a', 'b', 'c'], [1, 1, 2]),
            ('--property role=db', ['a'], [1]),
            (
                '--tag gold --to compute-2 --parallel-per-destination 1',
                ['b', 'a'],
                [1, 2],
            ),
        ):
            result = self.drain(f'compute-1 --dry-run -f json {options}')
            self.assertEqual(0, result.code, result.stderr)
            rows = json.loads(result.stdout)
            self.assertEqual(names, [row['Name'] for row in rows], options)
            self.assertEqual(rounds, [row['Round'] for row in rows], options)

    def test_state_is_left_if_it_shall_be(self) -> None:
        """What Nova left in ERROR stays so, and what to do is said."""
        self.scenario(
            'flavors: {small: {vcpus: 1, ram: 256, disk: 1}}\n'
            'servers:\n'
            '  - {name: broken-off, flavor: small, host: compute-1, '
            'live: {fails_at: running}}\n'
        )
        result = self.drain('compute-1 --no-reset-state')
        self.assertEqual(3, result.code, result.stderr)
        self.assert_stays('broken-off', 'ERROR')
        self.assertIn('openstack server set --state active', result.stderr)

    def projects(self) -> list[dict[str, str]]:
        """Return the projects of the cloud."""
        return list(self.openstack_json('project list'))
