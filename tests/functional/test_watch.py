# SPDX-License-Identifier: Apache-2.0
"""``openstack server migration watch`` against a real Nova."""

from collections.abc import Iterator
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shlex
import signal
import time

from tests.functional import base
from tests.functional import terminals

_REQUEST = re.compile(
    r'^(\S+ \S+) .* "(\w+) (\S+)" status: \d+ .* time: ([\d.]+)$'
)
_SLOW = """
flavors: {medium: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {name: slow, count: 3, flavor: medium, host: compute-1, dirty_mb_s: 1}
"""
_ENDLESS = """
flavors: {medium: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {name: endless, flavor: medium, host: compute-1, dirty_mb_s: 900}
  - {name: forced, flavor: medium, host: compute-2, dirty_mb_s: 900}
  - {name: slow, flavor: medium, host: compute-4, dirty_mb_s: 18}
"""
_MIXED = """
flavors: {medium: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {name: cold, flavor: medium, host: compute-1}
  - {name: bad, flavor: medium, host: compute-2, live: {fails_at: pre}}
  - {name: broken, flavor: medium, host: compute-2, live: {fails_at: running}}
  - {name: slow, flavor: medium, host: compute-4, dirty_mb_s: 1}
"""
_MANY = """
flavors: {tiny: {vcpus: 1, ram: 128, disk: 0}}
servers:
  - {name: a, count: 20, flavor: tiny, host: compute-1}
  - {name: b, count: 20, flavor: tiny, host: compute-2}
  - {name: c, count: 20, flavor: tiny, host: compute-4}
"""


class WatchTest(base.FunctionalTest):
    """A test that begins migrations and watches them."""

    def migrate(self, *names: str, to: str = 'compute-3') -> None:
        """Begin live migrations as another operator would."""

        def begin(name: str) -> None:
            body = {'host': to, 'block_migration': 'auto'}
            path = f'/servers/{self.ids[name]}/action'
            answer = self.nova('POST', path, {'os-migrateLive': body})
            self.assertEqual(202, answer.status_code, answer.text)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(begin, names))

    def links(self, *hosts: str, speed: int) -> None:
        """Give hosts links of so many MiB per second."""
        for host in hosts:
            self.lab_set(host, f'link_mb_s={speed}')

    def wait_for_status(self, name: str, *statuses: str) -> None:
        """Wait until the newest migration is in one of some states."""
        self.wait_for(
            lambda: any(
                record['status'] in statuses
                for record in self.migrations(name)[:1]
            ),
            90,
            f'{name} is not {statuses}',
        )

    def wait_for_ends(self, name: str, count: int) -> None:
        """Wait until a server has so many migrations behind it."""
        self.wait_for(
            lambda: (
                [one['status'] for one in self.migrations(name)]
                == ['completed'] * count
            ),
            60,
            f'{name} has not ended its migration {count}',
        )

    def start(self, options: str) -> base.Running:
        """Start a watch in a pipe."""
        return self.openstack_start(f'server migration watch {options}')

    def wait_for_text(
        self, running: base.Running, text: str, timeout: float = 60
    ) -> None:
        """Wait until a watch has said something."""
        until = time.monotonic() + timeout
        while text not in ''.join(running.output()):
            if time.monotonic() > until or running.process.poll() is not None:
                self.fail(f'{text!r} is not in {running.output()}')
            time.sleep(0.3)


class TestFollow(WatchTest):
    """Watches in a pipe."""

    def test_attaches_to_what_others_began(self) -> None:
        """Lines, JSON and summary show a queue and how it goes on."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=50)
        self.openstack(
            'server migrate --live-migration --host compute-3 slow-1'
        )
        self.migrate('slow-2', 'slow-3')
        lines = self.start('--host compute-3')
        objects = self.start('slow-1 slow-2 slow-3 -f json')
        result = lines.wait(120)
        self.assertEqual(0, result.code, result)
        for name in ('slow-1', 'slow-2', 'slow-3'):
            self.assertRegex(
                result.stderr, rf'{name}: running, live from compute-1 to'
            )
            self.assertRegex(result.stdout, rf'{name} .* completed ')
        self.assertIn(': queued, live from compute-1', result.stderr)
        said = [line[9:] for line in result.stderr.splitlines()]
        self.assertEqual(len(set(said)), len(said), 'something is repeated')
        self.assertTrue(result.stdout.endswith('3 completed\n'))
        self._check_objects(objects.wait(60))

    def _check_objects(self, result: base.Result) -> None:
        self.assertEqual(0, result.code, result)
        objects = [json.loads(line) for line in result.stdout.splitlines()]
        summary = {
            one['server']: one for one in objects if one['event'] == 'summary'
        }
        self.assertEqual({'slow-1', 'slow-2', 'slow-3'}, set(summary))
        queue = [one for one in objects if one.get('phase') == 'queued']
        self.assertNotEqual([], queue)
        waited = summary[queue[0]['server']]
        self.assertGreater(waited['queued_seconds'], 3)
        self.assertGreater(waited['copied_bytes'], 250 * 2**20)
        self.assertAlmostEqual(45e6, waited['mean_rate'], delta=30e6)

    def test_acts_on_what_never_ends(self) -> None:
        """What never ends is recognised; what is only slow is left alone."""
        self.scenario(_ENDLESS)
        self.links('compute-1', 'compute-2', speed=100)
        self.links('compute-4', speed=25)
        self.migrate('endless', 'forced', 'slow')
        abort = self.start('endless slow --on-stall abort')
        force = self.start('forced --on-stall force-complete --max-pause 60')
        result = force.wait(120)
        self.assertEqual(0, result.code, result)
        self.assertIn('completed by force, pause', result.stderr)
        self.assertEqual(
            'compute-3', self.server('forced')['OS-EXT-SRV-ATTR:host']
        )
        result = abort.wait(120)
        self.assertEqual(3, result.code, result)
        self.assertRegex(result.stderr, 'endless: aborting, .*pass')
        began, judged = (
            datetime.datetime.strptime(
                re.search(f'(?m)^(\\S+) endless: {word}', result.stderr)[1],
                '%H:%M:%S',
            )
            for word in ('running', 'aborting')
        )
        self.assertLess((judged - began).seconds, 90)
        self.assertRegex(result.stdout, 'endless: error: .*aborted.*req-')
        self.assertIn('server set --state active', result.stdout)
        self.assertRegex(result.stdout, 'slow .* completed ')
        # nothing is repaired that was not ordered
        self.assertEqual('ERROR', self.server('endless')['status'])

    def test_loses_nothing_between_two_looks(self) -> None:
        """Migrations that begin and end in a second are shown, all of them."""
        self.scenario(_SLOW)
        running = self.start('--all --follow')
        self.wait_for_text(running, 'waiting for what begins')
        for number, target in enumerate(
            ('compute-3', 'compute-2', 'compute-3'), 1
        ):
            self.migrate('slow-1', to=target)
            self.wait_for_ends('slow-1', number)
        time.sleep(11)  # it looks every ten seconds when nothing happens
        running.process.send_signal(signal.SIGINT)
        result = running.wait(20)
        self.assertEqual(4, result.code, result)
        rows = re.findall('slow-1 +live .*completed', result.stdout)
        self.assertEqual(3, len(rows), result)

    def test_frozen_host_is_no_progress(self) -> None:
        """Figures that stand still are not shown; leaving says so."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=3)
        self.migrate('slow-1')
        self.wait_for_status('slow-1', 'running')
        running = self.start('--host compute-1 --plain')
        self.wait_for_text(running, 'slow-1: running')
        self.lab_host('freeze', 'compute-1')
        try:
            self.wait_for_text(
                running, 'no sign of life of compute-1 since', 90
            )
        finally:
            self.lab_host('thaw', 'compute-1')
        self.wait_for_text(running, 'not known yet, ')
        running.process.send_signal(signal.SIGINT)
        result = running.wait(20)
        self.assertEqual(4, result.code, result)
        self.assertIn(
            'To attach again: openstack server migration watch --host '
            'compute-1',
            result.stderr,
        )
        self.assertIn('slow-1: under way, live from', result.stdout)
        self.assertEqual('running', self.migrations('slow-1')[0]['status'])

    def test_tells_how_others_ended(self) -> None:
        """What waits to be confirmed is an end; what failed is explained."""
        self.scenario(_MIXED)
        since = datetime.datetime.now(datetime.UTC).strftime('%FT%T')
        self.links('compute-4', speed=12)
        self.migrate('slow')
        running = self.start('--host compute-3')
        self.wait_for_text(running, 'slow: ')
        self.migrate('bad', 'broken')
        path = f'/servers/{self.ids["cold"]}/action'
        self.nova('POST', path, {'migrate': {'host': 'compute-3'}})
        result = running.wait(90)
        self.assertEqual(3, result.code, result)
        past = self.openstack(
            f'server migration watch --past --host compute-3 --since {since}'
        )
        self.assertEqual(3, past.code, past)
        for text in (result.stdout, past.stdout):
            self.assertRegex(text, 'bad .* failed ')
            self.assertRegex(
                text, 'bad: failed: .*compute_pre_live_migration on compute-3'
            )
            self.assertRegex(text, 'broken: error: .*no API .* req-[-0-9a-f]+')
            self.assertRegex(text, 'cold .* to confirm ')
            self.assertRegex(text, 'slow .* completed ')
            self.assertIn('openstack server migration confirm', text)
        self.assertEqual('VERIFY_RESIZE', self.server('cold')['status'])
        self.assertEqual('ERROR', self.server('broken')['status'])


class TestRequests(WatchTest):
    """What a watch costs Nova."""

    def test_many_cost_no_more_than_few(self) -> None:
        """60 migrations at once cost no more requests than 6."""
        ids = self.scenario(_MANY)
        self.links('compute-1', 'compute-2', 'compute-4', speed=1)
        few = [name for name in ids if name[-2:] in ('-1', '-2')]
        self.migrate(*few)
        for name in few:
            self.wait_for_status(name, 'running')
        least = self._requests(6)
        self.migrate(*(ids.keys() - few))
        self.wait_for(lambda: self._count() == 60, 60, 'not 60 migrations')
        most = self._requests(60)
        self.assertLessEqual(len(most), len(least) + 3)
        for times in (least, most):
            # as far as a loaded machine is exact
            for first, last in zip(times, times[10:], strict=False):
                self.assertGreater(last - first, 4.8)

    def _count(self) -> int:
        """Return how many migrations are under way."""
        found = self.nova('GET', '/os-migrations').json()['migrations']
        under_way = ('accepted', 'queued', 'preparing', 'running')
        return sum(one['status'] in under_way for one in found)

    def _requests(self, count: int) -> list[float]:
        """Watch for a while; return when Nova got requests."""
        log = pathlib.Path(os.environ['LAB_RUN'], 'log', 'api.log')
        before = log.stat().st_size
        result = self.openstack(
            'server migration watch --all --timeout 12 -f json'
        )
        self.assertEqual(4, result.code, result)
        objects = [json.loads(line) for line in result.stdout.splitlines()]
        summary = [one for one in objects if one['event'] == 'summary']
        self.assertEqual(count, len(summary))
        return list(_received(log.read_bytes()[before:].decode()))


def _received(text: str) -> Iterator[float]:
    """Yield when requests for servers, migrations and services came."""
    for line in text.splitlines():
        match = _REQUEST.match(line)
        if match and match[3] != '/v2.1/':
            logged = datetime.datetime.fromisoformat(match[1])
            yield logged.timestamp() - float(match[4])


class TestTerminal(WatchTest):
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
        self.wait_for_screen(terminal, r'running .*(?s:.*)MiB/s')
        drawn = terminal.read()
        first, second = re.findall(r'[> ][12] (endless|forced) ', drawn)[-2:]
        self.assertRegex(drawn, f'>1 {first}')
        terminal.resize(180)
        terminal.press('j' if second == 'forced' else '1')
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
            lambda: terminal.process.poll() is not None, 30, 'it goes on'
        )
        self.assertEqual(3, terminal.process.returncode)
        self.assertTrue(terminal.is_restored())

    def test_quits_by_key(self) -> None:
        """The key q leaves the migration alone and the terminal in order."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=3)
        self.migrate('slow-1')
        terminal = self.open('--all', columns=80)
        self.wait_for_screen(terminal, r'slow-1 +(preparing|running)')
        terminal.press('q')
        self.wait_for_screen(terminal, 'To attach again: ')
        self.assertEqual(4, terminal.process.wait(20))
        self.assertTrue(terminal.is_restored())
        self.assertNotIn(self.migrations('slow-1')[0]['status'], ('error',))
