# SPDX-License-Identifier: Apache-2.0
"""The words of the command that reaches a host, and the script it gets.

What they do on a real host is in tests/functional/test_probe.py.
"""

import itertools
import shlex
import subprocess

from oslotest import base

from osc_migrate import exceptions
from osc_migrate import testing
from osc_migrate.probe import commands
from osc_migrate.probe import ssh

HOSTILE = (
    '-oProxyCommand=reboot',
    '--',
    'a b',
    'a;reboot',
    '$(reboot)',
    '`reboot`',
    "a'b",
    'a\nb',
    'root@a',
    '',
)


class WordsTest(base.BaseTestCase):
    def options(self, words: list[str]) -> dict[str, str]:
        """Return the values of the ``-o`` options that ssh meets first."""
        found: dict[str, str] = {}
        for flag, value in itertools.pairwise(words):
            if flag == '-o':
                name, _, setting = value.partition('=')
                found.setdefault(name, setting)
        return found

    def test_by_default(self):
        words = ssh.Ssh().words('compute-7')
        self.assertEqual(('ssh', 'compute-7'), (words[0], words[-1]))
        self.assertNotIn('-l', words)
        options = self.options(words)
        self.assertEqual('yes', options['BatchMode'])
        self.assertEqual('yes', options['StrictHostKeyChecking'])
        self.assertEqual('15', options['ConnectTimeout'])

    def test_address_and_user(self):
        words = ssh.Ssh(address='{host}.mgmt.example.org', user='ops').words(
            'compute-7'
        )
        self.assertEqual('compute-7.mgmt.example.org', words[-1])
        self.assertEqual('ops', words[words.index('-l') + 1])

    def test_a_jump_and_sudo(self):
        words = ssh.Ssh(command='ssh -J "jump host" {address} sudo -n').words(
            'compute-7'
        )
        self.assertEqual(
            ['-J', 'jump host', 'compute-7', 'sudo', '-n'], words[-5:]
        )

    def test_ours_stand_before_the_operators(self):
        """Of an option that is given twice, ssh takes the first."""
        words = ssh.Ssh(
            command='sudo -u ops /usr/bin/ssh -o StrictHostKeyChecking=no '
            '-o BatchMode=no {address}'
        ).words('compute-7')
        options = self.options(words)
        self.assertEqual('yes', options['StrictHostKeyChecking'])
        self.assertEqual('yes', options['BatchMode'])
        self.assertEqual('/usr/bin/ssh', words[3])

    def test_the_wait_for_a_connection_fits_the_time(self):
        for timeout, wait in ((60.0, '15'), (10.0, '5'), (0.1, '1')):
            words = ssh.Ssh(timeout=timeout).words('compute-7')
            self.assertEqual(wait, self.options(words)['ConnectTimeout'])

    def test_hostile_names_are_refused(self):
        for name in HOSTILE:
            for address in ('{host}', '{host}.example.org'):
                self.assertRaises(
                    exceptions.InvalidInput,
                    ssh.Ssh(address=address).words,
                    name,
                )

    def test_what_makes_no_sense_is_refused(self):
        for values in (
            {'address': '-{host}'},
            {'address': '{host};reboot'},
            {'address': ''},
            {'address': 'a b'},
            {'user': '-oProxyCommand=x'},
            {'user': ''},
            {'command': 'telnet {address}'},
            {'command': '{address} ssh'},
            {'command': 'ssh "'},
            {'command': ''},
        ):
            self.assertRaises(exceptions.InvalidInput, ssh.Ssh, **values)

    def test_one_address_for_all(self):
        self.assertEqual(
            '127.0.0.1', ssh.Ssh(address='127.0.0.1').words('a')[-1]
        )


class ScriptTest(base.BaseTestCase):
    def test_only_what_reads(self):
        """The verbs of virsh are a fixed list, and all are read-only."""
        script = commands.script('MARK')
        lines = [
            shlex.split(line.strip(), comments=False)
            for line in script.splitlines()
            if line.strip().startswith('run ')
        ]
        self.assertEqual(11, len(lines))
        for _, name, *words in lines:
            self.assertIn(words[0], ('lscpu', 'numactl', 'virsh'))
            if words[0] == 'virsh':
                self.assertEqual(['-r', '-c', commands.URI], words[1:4])
                self.assertIn(
                    words[4],
                    (
                        'capabilities',
                        'dumpxml',
                        'freepages',
                        'list',
                        'nodeinfo',
                        'numatune',
                        'vcpuinfo',
                        'version',
                    ),
                )
            self.assertTrue(name)

    def test_it_is_a_script(self):
        """The shell reads it, whatever the URI."""
        for uri in ('test:///default', "a'b", '$(reboot)', 'a b;c'):
            done = subprocess.run(
                ['sh', '-n'],
                input=commands.script('MARK', uri),
                text=True,
                capture_output=True,
            )
            self.assertEqual((0, ''), (done.returncode, done.stderr))
            self.assertIn(shlex.quote(uri), commands.script('MARK', uri))

    def test_noise_before_and_after(self):
        """A banner of the login shell is no answer."""
        text = (
            'Welcome!\n\nM begin lscpu\nArchitecture: x\n\nM end 0\n'
            'bye\n\nM begin cut\nhalf'
        )
        self.assertEqual(
            {'lscpu': (0, 'Architecture: x\n')}, commands.answers(text, 'M')
        )
        self.assertFalse(commands.is_whole(text, 'M'))
        self.assertTrue(commands.is_whole(f'{text}\nM done\n', 'M'))


class ProbesTest(base.BaseTestCase):
    def test_a_host_of_no_snapshot(self):
        self.assertRaises(
            exceptions.HostNotFound,
            ssh.with_probes,
            testing.snapshot(),
            ['nowhere'],
        )

    def test_no_host_is_no_login(self):
        snapshot = testing.snapshot()
        self.assertEqual(snapshot, ssh.with_probes(snapshot, []))

    def test_a_hostile_host_is_a_gap(self):
        snapshot = testing.snapshot(hosts=[testing.host('-oX')])
        found = ssh.with_probes(snapshot, ['-oX'])
        (gap,) = found.gaps
        self.assertIn("'-oX' is not asked", gap.reason)
        self.assertFalse(found.probes['-oX'].has_answered)
