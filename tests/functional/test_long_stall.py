# SPDX-License-Identifier: Apache-2.0
"""Drains of servers whose live migration never ends by itself."""

from tests.functional import drains

_ENDLESS = """
flavors: {medium: {vcpus: 1, ram: 256, disk: 1}}
servers:
  - {name: endless, flavor: medium, host: compute-1, dirty_mb_s: 900}
  - {name: other, flavor: medium, host: compute-1}
"""


class TestStall(drains.DrainTest):
    """What is done is what was allowed, and it is told."""

    def setUp(self) -> None:
        super().setUp()
        self.scenario(_ENDLESS)
        self.lab_set('compute-1', 'link_mb_s=100')

    def test_is_forced_when_the_pause_is_allowed(self) -> None:
        """256 MiB over 100 MiB/s is a pause of less than ten seconds."""
        result = self.openstack(
            'compute drain compute-1 --yes --on-stall force-complete '
            '--max-pause 10',
            timeout=300,
        )
        self.assertEqual(0, result.code, result)
        self.assertRegex(
            result.stderr, r'endless: .*completed by force, pause \d+\.\d s'
        )
        self.assertEqual({}, self.servers_on('compute-1'))
        self.assertEqual('ACTIVE', self.server('endless')['status'])
        self.assertEqual(
            ['completed'],
            [one['status'] for one in self.migrations('endless')],
        )
        actions = self.actions('endless')
        self.assertEqual(1, actions.count('live_migration_force_complete'))

    def test_goes_cold_when_it_may(self) -> None:
        """After the last abort it is powered off and moved."""
        result = self.openstack(
            'compute drain compute-1 --yes --allow-cold --on-stall abort',
            timeout=500,
        )
        self.assertEqual(0, result.code, result)
        self.assertEqual({}, self.servers_on('compute-1'))
        self.assertEqual('ACTIVE', self.server('endless')['status'])
        newest = self.migrations('endless')[0]
        self.assertEqual('migration', newest['migration_type'])
        self.assertEqual('confirmed', newest['status'])
        self.assertEqual(set(), self.allocations_on('compute-1'))
