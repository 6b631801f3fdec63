# SPDX-License-Identifier: Apache-2.0
"""Whether a whole set fits, and how that is said."""

from oslotest import base

from osc_migrate import fit
from osc_migrate import model
from osc_migrate import planner
from osc_migrate import testing
from tests.unit.test_planner import cloud
from tests.unit.test_planner import server


class SentenceTest(base.BaseTestCase):
    def said(self, snapshot: model.Snapshot) -> str:
        plan = planner.plan(snapshot, 'compute-1', allow_cold=True)
        self.fit = fit.judge(plan)
        return fit.sentence(self.fit)

    def test_all_fit(self):
        servers = [
            server('a'),
            server('b'),
            server('c', status='SHUTOFF', vm_state='stopped', power_state=4),
            server('d', status='SUSPENDED', vm_state='suspended'),
        ]
        self.assertEqual(
            '4 servers: 2 live, 1 cold, 1 blocked; all fit',
            self.said(cloud(servers, 4096)),
        )
        self.assertTrue(self.fit.is_complete)

    def test_nothing_can_move(self):
        one = server('a', status='SUSPENDED', vm_state='suspended')
        self.assertEqual('1 server: 1 blocked', self.said(cloud([one], 4096)))

    def test_no_host_is_known(self):
        """Nova chooses among those that the caller may not see."""
        snapshot = testing.snapshot([server('a')], hosts=[])
        plan = planner.plan(snapshot)
        found = fit.judge(plan)
        self.assertIsNone(found.is_complete)
        self.assertIn('whether they fit is unknown', fit.sentence(found))

    def test_nobody_was_asked_about(self):
        self.assertEqual('0 servers', self.said(cloud([], 4096)))

    def test_each_fits_but_not_all(self):
        """The first that does not is named, with the nearest miss."""
        servers = [server('a', 8192), server('b', 8192)]
        self.assertEqual(
            '2 servers: 2 live; b does not fit: needs 8192 MB; largest free '
            'on any candidate is 6144 MB on compute-3',
            self.said(cloud(servers, 8192, 6144)),
        )
        self.assertEqual('b', self.fit.first.name)


class DurationTest(base.BaseTestCase):
    def test_memory_goes_live_and_local_disks_go_cold(self):
        """At a gigabit a second, and no faster than that."""
        flavor = testing.flavor(ram=1024, disk=10, ephemeral=2)
        one = testing.server(flavor=flavor)
        seconds = {
            way: round(fit.expected_seconds(one, way), 1)
            for way in (model.MigrationType.LIVE, model.MigrationType.COLD)
        }
        self.assertEqual({'live': 8.6, 'cold': 103.3}, seconds)
        from_volume = testing.server(flavor=flavor, image='')
        self.assertEqual(
            17.2,
            round(
                fit.expected_seconds(from_volume, model.MigrationType.COLD), 1
            ),
        )
