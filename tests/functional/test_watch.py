# SPDX-License-Identifier: Apache-2.0
"""``openstack server migration watch`` against a real Nova.

What takes minutes is in ``test_long_watch``.
"""

import re
import shlex
import signal

from tests.functional import base
from tests.functional import terminals
from tests.functional import watching

_SLOW = """
flavors: {small: {vcpus: 1, ram: 128, disk: 1}}
servers:
  - {name: slow, count: 3, flavor: small, host: compute-1, dirty_mb_s: 1}
"""
_QUICK = """
flavors: {small: {vcpus: 1, ram: 128, disk: 1}}
servers:
  - {name: quick, flavor: small, host: compute-1}
"""
_ENDLESS = """
flavors: {medium: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {name: endless, flavor: medium, host: compute-1, dirty_mb_s: 900}
  - {name: forced, flavor: medium, host: compute-2, dirty_mb_s: 900}
"""


class TestFollow(watching.WatchTest):
    """Watches in a pipe."""

    def test_attaches_to_what_others_began(self) -> None:
        """Lines, JSON and summary show a queue and how it goes on."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=1)
        self.openstack(
            'server migrate --live-migration --host compute-3 slow-1'
        )
        self.migrate('slow-2', 'slow-3')
        self.wait_for(
            lambda: (
                sorted(
                    record['status']
                    for name in self.ids
                    for record in self.migrations(name)
                )
                == ['queued', 'running', 'running']
            ),
            60,
            'not two copy while one waits',
        )
        lines = self.start('--host compute-3')
        objects = self.start('slow-1 slow-2 slow-3 -f json')
        for running, queued in (
            (lines, ': queued, live from compute-1'),
            (objects, '"phase": "queued"'),
        ):
            self.wait_for_text(running, queued)
        self.links('compute-1', speed=30)
        result = lines.wait(120)
        self.assertEqual(0, result.code, result)
        for name in ('slow-1', 'slow-2', 'slow-3'):
            self.assertRegex(
                result.stderr, rf'{name}: running, live from compute-1 to'
            )
            self.assertRegex(result.stdout, rf'{name} .* completed ')
        said = [line[9:] for line in result.stderr.splitlines()]
        self.assertEqual(len(set(said)), len(said), 'something is repeated')
        self.assertTrue(result.stdout.endswith('3 completed\n'))
        self._check_objects(objects.wait(60))

    def _check_objects(self, result: base.Result) -> None:
        self.assertEqual(0, result.code, result)
        objects = self.objects(result.stdout)
        summary = {
            one['server']: one for one in objects if one['event'] == 'summary'
        }
        self.assertEqual({'slow-1', 'slow-2', 'slow-3'}, set(summary))
        queue = {
            one['server'] for one in objects if one.get('phase') == 'queued'
        }
        self.assertEqual(1, len(queue), 'two copy at a time, one waits')
        copied = [one for one in objects if one.get('memory_remaining')]
        for name, one in summary.items():
            waited = one['queued_seconds'] or 0
            self.assertEqual(name in queue, waited > 3, one)
        for name in {one['server'] for one in copied}:
            self.assertGreater(summary[name]['copied_bytes'], 100 * 2**20)
        self.assertNotEqual([], copied)

    def test_loses_nothing_between_two_looks(self) -> None:
        """Migrations that begin and end in a second are shown, all of them."""
        self.scenario(_QUICK)
        running = self.start('--all --follow')
        self.wait_for_text(running, 'waiting for what begins')
        for number, target in enumerate(
            ('compute-3', 'compute-2', 'compute-3'), 1
        ):
            self.migrate('quick', to=target)
            self.wait_for_ends('quick', number)
        self.wait_for(
            lambda: running.output()[1].count('quick: completed') == 3,
            60,
            f'not three ends: {running.output()}',
        )
        running.process.send_signal(signal.SIGINT)
        result = running.wait(30)
        self.assertEqual(4, result.code, result)
        rows = re.findall('quick +live .*completed', result.stdout)
        self.assertEqual(3, len(rows), result)

    def test_gives_a_migration_its_time(self) -> None:
        """What takes longer than it may is aborted, as it was ordered."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=2)
        self.migrate('slow-1')
        result = self.openstack(
            # at least for two GiB, so for ten seconds
            'server migration watch slow-1 --timeout-per-gib 5 '
            '--on-stall abort -f json'
        )
        self.assertEqual(3, result.code, result)
        (ended,) = (
            one
            for one in self.objects(result.stdout)
            if one['event'] == 'summary'
        )
        self.assertEqual('error', ended['result'], ended)
        self.assertGreater(ended['running_seconds'], 8)
        self.assertLess(ended['running_seconds'], 40)  # of about 70
        self.assertIn('more than 10 s', ended['reason'])

    def test_manager(self) -> None:
        """Who manages a project sees what it began, but no hosts."""
        self.scenario(_QUICK.replace('name: quick', 'name: q, project: demo'))
        self.assertEqual(
            0,
            self.openstack(
                '--os-cloud lab-manager server migrate --live-migration q'
            ).code,
        )
        watch = '--os-cloud lab-manager server migration watch'
        result = self.openstack(f'{watch} q')
        self.assertEqual(0, result.code, result)
        self.wait_for_ends('q', 1)
        for chosen in ('q', '--all'):
            result = self.openstack(f'{watch} {chosen} --past')
            self.assertEqual(0, result.code, result)
            self.assertRegex(result.stdout, 'q +live .* completed', result)
            self.assertIn('that your project began', result.stderr)
        result = self.openstack(f'{watch} --host compute-1')
        self.assertEqual(1, result.code, result)
        self.assertIn('ask somebody with the role admin', result.stderr)


class TestTerminal(watching.WatchTest):
    """A watch on a terminal, with keys."""

    def open(self, options: str, columns: int = 100) -> terminals.Terminal:
        """Start a watch on a terminal of its own."""
        words = shlex.split(f'server migration watch {options}')
        terminal = terminals.Terminal(words, columns)
        self.addCleanup(terminal.close)
        return terminal

    def wait_for_screen(
        self, terminal: terminals.Terminal, pattern: str
    ) -> None:
        """Wait until something is drawn."""
        self.wait_for(
            lambda: re.search(pattern, terminal.read()),
            60,
            f'{pattern!r} is not drawn',
        )

    def test_abort_and_force_by_key(self) -> None:
        """Each key asks with the consequence first; only y does it."""
        self.scenario(_ENDLESS)
        self.links('compute-1', 'compute-2', speed=100)
        self.migrate('endless', 'forced')
        terminal = self.open('endless forced')
        for name in ('endless', 'forced'):
            self.wait_for_screen(
                terminal, rf'{name} +live +running[^\n]*\n[^\n]*MiB/s'
            )
        first = re.findall(r'>1 (endless|forced) ', terminal.read())[-1]
        terminal.resize(180)
        terminal.press('1' if first == 'forced' else 'j')
        self.wait_for_screen(terminal, 'Memory left')  # there is room now
        terminal.press('f')
        self.wait_for_screen(
            terminal, r'forced by force\? Its guest stands still for about \d'
        )
        terminal.press('n')
        self.wait_for_screen(terminal, 'not done')
        terminal.forget()
        terminal.press('fy')
        self.wait_for_screen(terminal, 'force-complete of forced: accepted')
        self.wait_for_status('forced', 'completed')
        terminal.forget()
        self.wait_for_screen(terminal, '>1 endless')
        terminal.press('a')
        self.wait_for_screen(terminal, r'Abort the migration of endless\?')
        terminal.press('y')
        self.wait_for_screen(terminal, 'abort of endless: accepted')
        self.wait_for_screen(terminal, r'1 completed, 1 error|1 error, 1 com')
        self.wait_for(
            lambda: terminal.process.poll() is not None, 60, 'it goes on'
        )
        self.assertEqual(3, terminal.process.returncode)
        self.assertTrue(terminal.is_restored())

    def test_leaves_migrations_alone(self) -> None:
        """Who leaves, by key or in time, leaves the migration alone."""
        self.scenario(_QUICK)
        self.links('compute-1', speed=1)
        self.migrate('quick')
        terminal = self.open('--all', columns=80)
        self.wait_for_screen(terminal, r'quick +live +(preparing|running)')
        terminal.press('q')
        self.wait_for_screen(terminal, 'To attach again: ')
        self.assertEqual(4, terminal.process.wait(30))
        self.assertTrue(terminal.is_restored())
        self.wait_for_status('quick', 'running')
        result = self.openstack('server migration watch quick --timeout 8')
        self.assertEqual(4, result.code, result)
        self.assertRegex(
            result.stdout, 'quick +live +compute-1 -> compute-3 +under way '
        )
        self.assertIn(
            'attach again: openstack server migration watch quick\n',
            result.stderr,
        )
