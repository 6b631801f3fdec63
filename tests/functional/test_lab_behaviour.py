# SPDX-License-Identifier: Apache-2.0
"""What the lab promises, as a client of Nova sees it.

All other functional tests lean on this: a lab that moved servers in another
way than a cloud does would make them worthless.
"""

import itertools
from typing import Any

from lab import links
from tests.functional import migrating

MIB = 1024 * 1024


def rate(samples: list[dict[str, Any]]) -> float:
    """Return how fast memory was sent, in MiB per second."""
    first, last = samples[0], samples[-1]
    seconds = _seconds(last['updated_at']) - _seconds(first['updated_at'])
    sent = last['memory_processed_bytes'] - first['memory_processed_bytes']
    return float(sent / MIB / seconds)


def _seconds(stamp: str) -> float:
    hours, minutes, seconds = stamp.partition('T')[2].split(':')
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


ENDLESS = """
servers:
  - {name: endless, host: compute-1, dirty_mb_s: 400}
"""


class CopyTest(migrating.MigratingTest):
    """The physics of live migrations."""

    def slow_down(self, *hosts: str) -> None:
        for host in hosts:
            self.lab_set(host, 'link_mb_s=200')

    def test_copies(self) -> None:
        """Five guests, each copied in a way of its own."""
        self.slow_down('compute-1', 'compute-2', 'compute-4', 'compute-7')
        self.scenario("""
            servers:
              - {name: endless, host: compute-2, dirty_mb_s: 400}
              - {name: still, host: compute-4, status: PAUSED,
                 dirty_mb_s: 400}
              - {name: local, host: compute-7}
              - {name: busy, host: compute-1, dirty_mb_s: 120}
              - {name: late, host: compute-5, live: {setup_seconds: 3}}
        """)
        names = ('endless', 'late', 'still', 'local', 'busy')
        for name in names:
            self.migrate_live(name, 'compute-3')
        figures = dict(zip(names, self.samples(12, *names), strict=True))
        for name in names:
            with self.subTest(name):
                getattr(self, f'check_{name}')(
                    [f for f in figures[name] if f['memory_total_bytes']]
                    if name != 'late'
                    else figures[name]
                )

    def check_busy(self, figures: list[dict[str, Any]]) -> None:
        """It dirties slower than is sent: it ends, after some passes."""
        self.assertEqual(
            {512 * MIB}, {f['memory_total_bytes'] for f in figures}
        )
        self.assertGreater(figures[-1]['memory_processed_bytes'], 512 * MIB)
        self.assertEqual({0}, {f['disk_total_bytes'] for f in figures})
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-3'), self.wait_for_end('busy')
        )

    def check_late(self, figures: list[dict[str, Any]]) -> None:
        """The first figures are zeros: not known yet, as with libvirt."""
        keys = (
            'memory_total_bytes',
            'memory_processed_bytes',
            'memory_remaining_bytes',
            'disk_total_bytes',
        )
        self.assertEqual([0, 0, 0, 0], [figures[0][key] for key in keys])
        self.assertEqual('completed', self.wait_for_end('late')[0])

    def check_still(self, figures: list[dict[str, Any]]) -> None:
        """A paused guest dirties nothing, and stays paused."""
        self.assertEqual(
            ('completed', 'PAUSED', 'compute-3'), self.wait_for_end('still')
        )
        self.assertEqual(3, self.server('still')['OS-EXT-STS:power_state'])

    def check_local(self, figures: list[dict[str, Any]]) -> None:
        """Without shared storage the disks go along, and are counted."""
        self.assertEqual(
            {1024 * MIB}, {f['disk_total_bytes'] for f in figures}
        )
        left = [f['disk_remaining_bytes'] for f in figures]
        self.assertEqual(sorted(left, reverse=True), left)
        self.assertGreater(left[0], left[-1])
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-3'), self.wait_for_end('local')
        )

    def check_endless(self, figures: list[dict[str, Any]]) -> None:
        """It dirties faster than is sent: saw teeth, until it is calmed."""
        left = [f['memory_remaining_bytes'] for f in figures]
        rises = sum(b > a for a, b in itertools.pairwise(left))
        self.assertGreaterEqual(rises, 2, left)
        sent = figures[-1]['memory_processed_bytes']
        self.assertGreater(sent, 2 * 512 * MIB)
        self.assertEqual('running', self.migrations('endless')[0]['status'])
        self.lab_set('endless', 'dirty_mb_s=10')
        self.assertEqual('completed', self.wait_for_end('endless')[0])

    def test_links_are_shared(self) -> None:
        """Two migrations over one link take twice as long, either end."""
        self.slow_down('compute-1', 'compute-4')
        self.scenario("""
            flavors: {large: {ram: 8192}}
            servers:
              - {name: first, flavor: large, host: compute-1}
              - {name: second, flavor: large, host: compute-1}
              - {name: into, flavor: large, host: compute-3}
        """)
        self.migrate_live('first', 'compute-2')
        self.wait_for_figures('first')
        alone = rate(*self.samples(4, 'first'))
        self.migrate_live('second', 'compute-4')
        self.wait_for_figures('second')
        shared = rate(*self.samples(4, 'first'))
        self.assertAlmostEqual(200, alone, delta=40)
        self.assertAlmostEqual(100, shared, delta=25)
        # The other end of the second's way is shared, too; the first then
        # gets what the second cannot use.
        self.lab_set('compute-4', 'link_mb_s=60')
        self.migrate_live('into', 'compute-4')
        self.wait_for_figures('into')
        self.assertAlmostEqual(30, rate(*self.samples(4, 'into')), delta=10)
        self.assertAlmostEqual(170, rate(*self.samples(3, 'first')), delta=35)


class OrderTest(migrating.MigratingTest):
    """Abort and force-complete."""

    def start(self, text: str = ENDLESS) -> None:
        self.lab_set('compute-1', 'link_mb_s=200')
        self.scenario(text)
        self.migrate_live('endless', 'compute-2')
        self.wait_for_figures('endless')

    def test_abort_leaves_error(self) -> None:
        """The default: what Nova with libvirt does since 2025.2."""
        self.start()
        self.abort('endless')
        self.assertEqual(
            ('error', 'ERROR', 'compute-1'), self.wait_for_end('endless')
        )
        self.assertEqual(1, self.server('endless')['OS-EXT-STS:power_state'])
        self.act('endless', 'os-resetState', {'state': 'active'})
        self.lab_set('endless', 'dirty_mb_s=0')
        self.migrate_live('endless', 'compute-2')
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-2'), self.wait_for_end('endless')
        )

    def test_without_error(self) -> None:
        """What aborts and failures left before 2025.2."""
        self.start(
            'nova: {abort_leaves_error: false}\n'
            f'{ENDLESS}  - {{name: falls, host: compute-3, '
            'live: {fails_at: running}}'
        )
        self.migrate_live('falls', 'compute-2')
        self.abort('endless')
        self.assertEqual(
            ('cancelled', 'ACTIVE', 'compute-1'), self.wait_for_end('endless')
        )
        self.assertEqual(
            ('failed', 'ACTIVE', 'compute-3'), self.wait_for_end('falls')
        )

    def test_force_and_delete(self) -> None:
        """Both end a migration that would never end by itself.

        Without post-copy the guest stands until the rest is sent.
        """
        self.start(
            f'{ENDLESS}  - {{name: unloved, host: compute-1, dirty_mb_s: 400}}'
        )
        self.migrate_live('unloved', 'compute-3')
        self.wait_for_figures('unloved')
        self.force('endless')
        path = f'/servers/{self.identity("unloved")}'
        self.nova('DELETE', path)
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-2'), self.wait_for_end('endless')
        )
        self.wait_for(
            lambda: self.nova('GET', path).status_code == 404,
            60,
            'the server is not deleted',
        )
        # Nova shows no migrations of a server that is gone; the links do.
        self.wait_for(lambda: not links.running(), 30, 'its migration goes on')

    def test_post_copy(self) -> None:
        """With post-copy the guest changes over, then the rest is pulled."""
        self.start(
            'nova: {permit_post_copy: true}\n'
            'flavors: {large: {ram: 4096}}\n'
            'servers: [{name: endless, host: compute-1, dirty_mb_s: 400}]'
        )
        self.force('endless')
        self.wait_for(
            lambda: (
                self.migrations('endless')[0]['status']
                == 'running (post-copy)'
            ),
            30,
            'no post-copy',
        )
        self.assertIsNone(self.sample('endless'))  # Nova hides it
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-2'), self.wait_for_end('endless')
        )

    def test_timeout(self) -> None:
        """Nova gives up after so many seconds for each GiB."""
        self.start(
            f'nova: {{live_migration_completion_timeout: 3}}\n{ENDLESS}'
        )
        self.assertEqual(
            ('error', 'ERROR', 'compute-1'), self.wait_for_end('endless')
        )

    def test_queue(self) -> None:
        """Beyond max_concurrent_live_migrations they wait; abort works."""
        self.lab_set('compute-1', 'link_mb_s=50')
        self.scenario("""
            servers: [{name: many, count: 3, host: compute-1}]
        """)
        for number in (1, 2):
            self.migrate_live(f'many-{number}')
            self.wait_for_figures(f'many-{number}')
        self.migrate_live('many-3')
        self.wait_for_status('many-3', 'queued', timeout=30)
        self.abort('many-3')
        self.assertEqual('cancelled', self.wait_for_end('many-3')[0])
