# SPDX-License-Identifier: Apache-2.0
"""What the lab promises, as a client of Nova sees it.

All other functional tests lean on this: a lab that moved servers in another
way than a cloud does would make them worthless.
"""

import itertools
import os
import pathlib
import time
from typing import Any

from tests.functional import base

MIB = 1024 * 1024
OVER = ('completed', 'failed', 'error', 'cancelled')


class LabTest(base.FunctionalTest):
    """Words for what the tests below do to servers."""

    def act(self, name: str, action: str, value: Any = None) -> int:
        """Ask for an action and return the HTTP status."""
        path = f'/servers/{self.identity(name)}/action'
        return self.nova('POST', path, {action: value}).status_code

    def migrate_live(self, name: str, host: str | None = None) -> None:
        """Start a live migration."""
        value = {'host': host, 'block_migration': 'auto'}
        self.assertEqual(202, self.act(name, 'os-migrateLive', value))

    def sample(self, name: str) -> dict[str, Any] | None:
        """Return the running live migration with its figures."""
        path = f'/servers/{self.identity(name)}/migrations'
        found = self.nova('GET', path).json()['migrations']
        return found[0] if found else None

    def samples(self, name: str, seconds: float) -> list[dict[str, Any]]:
        """Return the distinct figures that are shown in some seconds."""
        seen: dict[str, dict[str, Any]] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            sample = self.sample(name)
            if sample and sample['memory_total_bytes']:
                seen[sample['updated_at']] = sample
            time.sleep(0.2)
        return list(seen.values())

    def wait_for_figures(self, name: str) -> dict[str, Any]:
        """Wait until a live migration copies."""

        def look() -> dict[str, Any] | None:
            sample = self.sample(name)
            return sample if sample and sample['memory_total_bytes'] else None

        found: dict[str, Any] = self.wait_for(look, 60, 'nothing is copied')
        return found

    def wait_for_end(self, name: str) -> tuple[str, str, str]:
        """Return the end: migration's status, server's status and host."""

        def look() -> bool:
            is_idle = self.server(name)['OS-EXT-STS:task_state'] is None
            return is_idle and self.migrations(name)[0]['status'] in OVER

        self.wait_for(look, 90, f'{name} goes on migrating')
        if self.migrations(name)[0]['status'] == 'error':
            time.sleep(1)  # the server's ERROR comes a moment later
        server = self.server(name)
        return (
            self.migrations(name)[0]['status'],
            server['status'],
            server['OS-EXT-SRV-ATTR:host'],
        )

    def order(
        self, name: str, method: str, what: str, body: Any = None
    ) -> int:
        """Abort or force a running migration; return the HTTP status."""
        sample = self.sample(name)
        assert sample is not None
        path = f'/servers/{self.identity(name)}/migrations/{sample["id"]}'
        return self.nova(method, f'{path}{what}', body).status_code

    def abort(self, name: str) -> None:
        self.assertEqual(202, self.order(name, 'DELETE', ''))

    def force(self, name: str) -> None:
        body = {'force_complete': None}
        self.assertEqual(202, self.order(name, 'POST', '/action', body))


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


class CopyTest(LabTest):
    """The physics of live migrations."""

    def slow_down(self, *hosts: str) -> None:
        for host in hosts:
            self.lab_set(host, 'link_mb_s=200')

    def test_converges(self) -> None:
        """A guest that dirties slower than is sent ends, in passes."""
        self.slow_down('compute-1')
        self.scenario("""
            servers: [{name: slow, host: compute-1, dirty_mb_s: 120}]
        """)
        self.migrate_live('slow', 'compute-2')
        samples = self.samples('slow', 7)
        self.assertEqual(
            {512 * MIB}, {s['memory_total_bytes'] for s in samples}
        )
        self.assertGreater(samples[-1]['memory_processed_bytes'], 512 * MIB)
        self.assertEqual({0}, {s['disk_total_bytes'] for s in samples})
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-2'), self.wait_for_end('slow')
        )

    def test_first_figures_are_zeros(self) -> None:
        """Total 0 means that nothing is known yet, as with libvirt."""
        self.scenario("""
            servers:
              - name: late
                host: compute-1
                live: {setup_seconds: 3}
        """)
        self.migrate_live('late')
        figures = [
            'memory_total_bytes',
            'memory_processed_bytes',
            'memory_remaining_bytes',
            'disk_total_bytes',
        ]

        def look() -> bool:
            sample = self.sample('late')
            return sample is not None and sample['memory_total_bytes'] == 0

        self.wait_for(look, 60, 'no zeros')
        sample = self.sample('late')
        assert sample is not None
        self.assertEqual([0, 0, 0, 0], [sample[key] for key in figures])
        self.assertEqual('completed', self.wait_for_end('late')[0])

    def test_endless_then_calmed(self) -> None:
        """A guest that dirties faster than is sent goes in saw teeth."""
        self.slow_down('compute-1')
        self.scenario(ENDLESS)
        self.migrate_live('endless')
        self.wait_for_figures('endless')
        samples = self.samples('endless', 9)
        left = [sample['memory_remaining_bytes'] for sample in samples]
        rises = sum(b > a for a, b in itertools.pairwise(left))
        self.assertGreaterEqual(rises, 2, left)
        self.assertGreater(
            samples[-1]['memory_processed_bytes'], 2 * 512 * MIB
        )
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
        alone = rate(self.samples('first', 4))
        self.migrate_live('second', 'compute-4')
        self.wait_for_figures('second')
        shared = rate(self.samples('first', 4))
        self.assertAlmostEqual(200, alone, delta=40)
        self.assertAlmostEqual(100, shared, delta=25)
        # The other end of the second's way is shared, too; the first then
        # gets what the second cannot use.
        self.lab_set('compute-4', 'link_mb_s=60')
        self.migrate_live('into', 'compute-4')
        self.wait_for_figures('into')
        self.assertAlmostEqual(30, rate(self.samples('into', 4)), delta=10)
        self.assertAlmostEqual(170, rate(self.samples('first', 3)), delta=35)

    def test_local_disks_are_copied(self) -> None:
        """Without shared storage the disks go along, and are counted."""
        self.slow_down('compute-7')
        self.scenario("""
            servers: [{name: local, host: compute-7}]
        """)
        self.migrate_live('local', 'compute-1')
        samples = self.samples('local', 6)
        self.assertEqual(
            {1024 * MIB}, {s['disk_total_bytes'] for s in samples}
        )
        left = [sample['disk_remaining_bytes'] for sample in samples]
        self.assertEqual(sorted(left, reverse=True), left)
        self.assertGreater(left[0], left[-1])
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-1'), self.wait_for_end('local')
        )

    def test_paused_guest(self) -> None:
        """A paused guest dirties nothing, and stays paused."""
        self.slow_down('compute-1')
        self.scenario("""
            servers:
              - name: still
                host: compute-1
                status: PAUSED
                dirty_mb_s: 4000
        """)
        self.migrate_live('still', 'compute-2')
        self.assertEqual(
            ('completed', 'PAUSED', 'compute-2'), self.wait_for_end('still')
        )
        self.assertEqual(3, self.server('still')['OS-EXT-STS:power_state'])


class OrderTest(LabTest):
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

    def test_abort_leaves_active(self) -> None:
        """What it was before."""
        self.start(f'nova: {{abort_leaves_error: false}}\n{ENDLESS}')
        self.abort('endless')
        self.assertEqual(
            ('cancelled', 'ACTIVE', 'compute-1'), self.wait_for_end('endless')
        )

    def test_force_complete(self) -> None:
        """Without post-copy the guest stands until the rest is sent."""
        self.start()
        self.force('endless')
        self.assertEqual(
            ('completed', 'ACTIVE', 'compute-2'), self.wait_for_end('endless')
        )

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

    def test_delete(self) -> None:
        """Deleting a server ends its migration."""
        self.start()
        path = f'/servers/{self.identity("endless")}'
        self.nova('DELETE', path)
        self.wait_for(
            lambda: self.nova('GET', path).status_code == 404,
            30,
            'the server is not deleted',
        )
        # Nova shows no migrations of a server that is gone; the links do.
        links = pathlib.Path(os.environ['LAB_RUN'], 'links')
        self.wait_for(
            lambda: not list(links.iterdir()), 30, 'its migration goes on'
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
        self.wait_for(
            lambda: self.migrations('many-3')[0]['status'] == 'queued',
            30,
            'nothing is queued',
        )
        self.abort('many-3')
        self.assertEqual('cancelled', self.wait_for_end('many-3')[0])


class FailureTest(LabTest):
    """The scenario's fails_at."""

    def test_live(self) -> None:
        """Each stage of a live migration fails as Nova lets it fail."""
        ends = {
            'check-destination': ('error', 'ACTIVE', 'compute-1'),
            'check-source': ('error', 'ACTIVE', 'compute-1'),
            'pre': ('failed', 'ACTIVE', 'compute-1'),
            'running': ('error', 'ERROR', 'compute-1'),
            'post-source': ('error', 'ERROR', 'compute-2'),
            'post-destination': ('error', 'ERROR', 'compute-2'),
        }
        self.scenario(
            'servers:\n'
            + ''.join(
                f'- {{name: {s}, host: compute-1, live: {{fails_at: {s}}}}}\n'
                for s in ends
            )
        )
        for stage in ends:
            self.migrate_live(stage, 'compute-2')
        for stage, end in ends.items():
            with self.subTest(stage):
                self.assertEqual(end, self.wait_for_end(stage))

    def test_live_without_error(self) -> None:
        """A failed copy as it was before 2025.2."""
        self.scenario("""
            nova: {abort_leaves_error: false}
            servers:
              - {name: falls, host: compute-1, live: {fails_at: running}}
        """)
        self.migrate_live('falls', 'compute-2')
        self.assertEqual(
            ('failed', 'ACTIVE', 'compute-1'), self.wait_for_end('falls')
        )

    def test_host(self) -> None:
        """A host may fail what others migrate to it."""
        self.scenario("""
            servers: [{name: good, count: 2, host: compute-1}]
        """)
        self.lab_set('compute-2', 'live.fails_at=pre')
        self.migrate_live('good-1', 'compute-2')
        self.migrate_live('good-2', 'compute-3')
        self.assertEqual('failed', self.wait_for_end('good-1')[0])
        self.assertEqual('completed', self.wait_for_end('good-2')[0])

    def test_cold(self) -> None:
        """A cold migration takes its time; each stage of one fails."""
        stages = ('migrate-disk', 'finish', 'confirm', 'revert')
        self.scenario(
            'servers:\n- {name: takes, host: compute-2, cold: {seconds: 4}}\n'
            + ''.join(
                f'- {{name: {s}, host: compute-1, cold: {{fails_at: {s}}}}}\n'
                for s in stages
            )
        )
        began = time.monotonic()
        for name in ('takes', *stages):
            self.act(name, 'migrate', {'host': 'compute-3'})
        self._wait_for('takes', 'VERIFY_RESIZE')
        self.assertGreaterEqual(time.monotonic() - began, 4)
        self._wait_for('migrate-disk', 'ERROR')
        self._wait_for('finish', 'ERROR')
        for name, action in (
            ('confirm', 'confirmResize'),
            ('revert', 'revertResize'),
        ):
            self._wait_for(name, 'VERIFY_RESIZE')
            self.act(name, action)
            self._wait_for(name, 'ERROR')
        self.act('takes', 'confirmResize')
        self._wait_for('takes', 'ACTIVE')
        hosts = {name: self.host_of(name) for name in ('takes', *stages)}
        self.assertEqual(
            {
                'takes': 'compute-3',
                'migrate-disk': 'compute-1',
                'finish': 'compute-3',
                'confirm': 'compute-3',
                'revert': 'compute-1',
            },
            hosts,
        )

    def host_of(self, name: str) -> str:
        return str(self.server(name)['OS-EXT-SRV-ATTR:host'])

    def _wait_for(self, name: str, status: str) -> None:
        self.wait_for(
            lambda: self.server(name)['status'] == status,
            60,
            f'{name} is not {status}',
        )

    def test_restart(self) -> None:
        """Guests outlive their nova-compute; a copy under way is lost."""
        self.lab_set('compute-4', 'link_mb_s=50')
        self.scenario("""
            servers:
              - {name: moving, host: compute-4}
              - {name: paused, host: compute-4, status: PAUSED}
              - {name: stopped, host: compute-4, status: SHUTOFF}
        """)
        self.migrate_live('moving', 'compute-1')
        self.wait_for_figures('moving')
        self.lab_host('kill', 'compute-4')
        self.lab_host('start', 'compute-4')
        self.assertEqual(
            ('error', 'ACTIVE', 'compute-4'), self.wait_for_end('moving')
        )
        self.lab_set('compute-4', 'link_mb_s=1000')
        for name, status in (('moving', 'ACTIVE'), ('paused', 'PAUSED')):
            self.migrate_live(name, 'compute-1')
            self.assertEqual(
                ('completed', status, 'compute-1'), self.wait_for_end(name)
            )
        self.assertEqual('SHUTOFF', self.server('stopped')['status'])
        self.assertEqual(202, self.act('stopped', 'os-start'))
        self._wait_for('stopped', 'ACTIVE')
