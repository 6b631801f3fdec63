# SPDX-License-Identifier: Apache-2.0
"""Migrations of the lab that fail, and hosts that die, as Nova shows them."""

import time

from tests.functional import migrating


class FailureTest(migrating.MigratingTest):
    """The scenario's fails_at."""

    def test_live(self) -> None:
        """Each stage of a live migration fails as Nova lets it fail.

        And a host may fail what others migrate to it.
        """
        ends = {
            'check-destination': ('error', 'ACTIVE', 'compute-1'),
            'check-source': ('error', 'ACTIVE', 'compute-1'),
            'pre': ('failed', 'ACTIVE', 'compute-1'),
            'running': ('error', 'ERROR', 'compute-1'),
            'post-source': ('error', 'ERROR', 'compute-2'),
            'post-destination': ('error', 'ERROR', 'compute-2'),
        }
        self.scenario(
            'servers:\n- {name: good, count: 2, host: compute-3}\n'
            + ''.join(
                f'- {{name: {s}, host: compute-1, live: {{fails_at: {s}}}}}\n'
                for s in ends
            )
        )
        for stage in ends:
            self.migrate_live(stage, 'compute-2')
        self.lab_set('compute-4', 'live.fails_at=pre')
        self.migrate_live('good-1', 'compute-4')
        self.migrate_live('good-2', 'compute-5')
        ends['good-1'] = ('failed', 'ACTIVE', 'compute-3')
        ends['good-2'] = ('completed', 'ACTIVE', 'compute-5')
        for name, end in ends.items():
            with self.subTest(name):
                self.assertEqual(end, self.wait_for_end(name))

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
