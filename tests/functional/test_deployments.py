# SPDX-License-Identifier: Apache-2.0
"""Clouds whose Nova is configured otherwise than the one most tests share."""

import os
import signal
from unittest import mock

from tests.functional import drains
from tests.functional import labs
from tests.functional import own
from tests.functional import watching

_LAB = """
nova:
  max_concurrent_live_migrations: 1
  monitor_interval: 1
  resize_confirm_window: 1
hosts: {compute-1: {}, compute-2: {}, compute-3: {}}
"""
_LIVE = """
flavors: {little: {vcpus: 1, ram: 128, disk: 1}}
servers:
  - {name: live, count: 3, flavor: little, host: compute-1, dirty_mb_s: 1}
"""
_COLD = """
servers:
  - {name: stopped, host: compute-1, status: SHUTOFF, cold: {seconds: 4}}
"""


class DeploymentTest(watching.WatchTest, drains.DrainTest):
    """One live migration at a time; cold ones are confirmed by Nova."""

    @classmethod
    def setUpClass(cls) -> None:
        lab = own.Lab(_LAB)
        cls.addClassCleanup(lab.remove)
        code, output = lab.up()
        if code:
            raise AssertionError(output)
        # before its own, so that the tests after these have one as well
        labs.claim()
        patch = mock.patch.dict(
            os.environ,
            LAB_RUN=str(lab.run),
            OS_CLIENT_CONFIG_FILE=str(lab.run / 'clouds.yaml'),
        )
        patch.start()
        cls.addClassCleanup(patch.stop)
        super().setUpClass()

    def test_queue(self) -> None:
        """What waits for its turn is queued, and its time is told apart."""
        self.scenario(_LIVE)
        self.links('compute-1', speed=8)
        self.migrate('live-1', 'live-2', 'live-3')
        running = self.start('--host compute-1 -f json')
        result = running.wait(120)
        self.assertEqual(0, result.code, result)
        said = self.objects(result.stdout)
        for name in self.ids:
            phases = [o.get('phase') for o in said if o['server'] == name]
            if 'queued' in phases:
                self.assertLess(
                    phases.index('queued'), phases.index('running'), phases
                )
        ended = sorted(
            (one for one in said if one['event'] == 'summary'),
            key=lambda one: one['queued_seconds'] or 0,
        )
        self.assertEqual(['completed'] * 3, [one['result'] for one in ended])
        # each copies 128 MiB at 8 MiB/s, which takes 16 s or more, and what
        # only waits is looked at every ten seconds
        for turn, one in enumerate(ended):
            self.assertGreaterEqual(
                one['queued_seconds'] or 0, 14 * turn, ended
            )
            self.assertGreater(one['running_seconds'], 4)
            self.assertLess(one['running_seconds'], 35)

    def test_confirmed_by_itself(self) -> None:
        """A cold move that Nova has confirmed meanwhile is a good one."""
        self.scenario(_COLD)
        running = self.openstack_start('compute drain compute-1 --yes')
        self.wait_for_migrations('stopped')
        running.process.send_signal(signal.SIGSTOP)
        try:
            self.wait_for_status('stopped', 'confirmed', timeout=150)
        finally:
            running.process.send_signal(signal.SIGCONT)
        result = running.wait(60)
        self.assertEqual(0, result.code, result)
        self.assert_asked('stopped', 1, is_live=False)
        self.assertEqual('SHUTOFF', self.server('stopped')['status'])
        self.assertEqual(set(), self.allocations_on('compute-1'))
