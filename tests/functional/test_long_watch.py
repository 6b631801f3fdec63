# SPDX-License-Identifier: Apache-2.0
"""Watches of what takes long to be seen, or of many migrations at once."""

from collections.abc import Iterator
import datetime
import os
import pathlib
import re
import signal
from typing import Any

from tests.functional import watching

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


class TestFollow(watching.WatchTest):
    """Watches in a pipe."""

    def test_acts_on_what_never_ends(self) -> None:
        """What never ends is recognised; what is only slow is left alone."""
        self.scenario(_ENDLESS)
        self.links('compute-1', 'compute-2', speed=100)
        self.links('compute-4', speed=25)
        self.migrate('endless', 'forced', 'slow')
        abort = self.start('endless slow --on-stall abort -f json')
        force = self.start('forced --on-stall force-complete --max-pause 60')
        result = force.wait(240)
        self.assertEqual(0, result.code, result)
        self.assertIn('completed by force, pause', result.stderr)
        self.assertEqual(
            'compute-3', self.server('forced')['OS-EXT-SRV-ATTR:host']
        )
        result = abort.wait(240)
        self.assertEqual(3, result.code, result)
        said = self.objects(result.stdout)
        self._check_judgement([o for o in said if o['server'] == 'endless'])
        self.assertNotIn(
            'not-converging',
            {o.get('verdict') for o in said if o['server'] == 'slow'},
        )
        ended = {o['server']: o for o in said if o['event'] == 'summary'}
        self.assertEqual('completed', ended['slow']['result'])
        self.assertEqual('error', ended['endless']['result'])
        self.assertRegex(ended['endless']['reason'], r'aborted .*\(req-')
        self.assertIn('server set --state active', ended['endless']['remedy'])
        # nothing is repaired that was not ordered
        self.assertEqual('ERROR', self.server('endless')['status'])

    def _check_judgement(self, said: list[dict[str, Any]]) -> None:
        """It is known soon that one never ends, but not before it can be."""
        words = [one.get('verdict') for one in said]
        first = words.index('not-converging')
        self.assertNotIn('converging', words[:first])
        figures = {one.get('memory_remaining') for one in said[: first + 1]}
        self.assertGreater(len(figures - {None}), 3)
        self.assertLess(said[first]['seconds_in_phase'], 90)
        self.assertIn('aborting', {one.get('phase') for one in said[first:]})

    def test_frozen_host_is_no_progress(self) -> None:
        """Figures that stand still are not shown; leaving says so."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=1)
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
        result = running.wait(30)
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
        self.links('compute-4', speed=1)
        self.migrate('slow')
        running = self.start('--host compute-3')
        self.wait_for_text(running, 'slow: ')
        self.migrate('bad', 'broken')
        self.migrate_cold('cold')
        for name in ('bad', 'broken', 'cold'):
            self.wait_for_text(running, f'{name}: ', 90)
        self.links('compute-4', speed=100)
        result = running.wait(120)
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

    def test_explains_orphans(self) -> None:
        """What a killed nova-compute leaves is told and not touched."""
        self.scenario(_SLOW)
        self.links('compute-1', speed=1)
        self.migrate('slow-1', 'slow-2')
        for name in ('slow-1', 'slow-2'):
            self.wait_for_status(name, 'running')
        self.migrate('slow-3')
        self.wait_for_status('slow-3', 'queued')
        self.lab_host('kill', 'compute-1')
        self.lab_host('start', 'compute-1')
        self.wait_for(
            lambda: self.server('slow-3')['OS-EXT-STS:task_state'] is None,
            60,
            'it is not started anew',
        )
        before = self.migrations('slow-3')
        result = self.start('slow-3').wait(180)
        self.assertEqual(3, result.code, result)
        self.assertRegex(result.stdout, 'slow-3 +live .* orphaned ')
        self.assertIn('nothing is done to them here', result.stdout)
        self.assertEqual(before, self.migrations('slow-3'))


class TestRequests(watching.WatchTest):
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
        objects = self.objects(result.stdout)
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
