# SPDX-License-Identifier: Apache-2.0
"""Whether a plan leaves what is meant."""

from oslotest import base

from osc_migrate import emptying
from osc_migrate import planner
from osc_migrate import testing


class LeavingTest(base.BaseTestCase):
    def test_as_many_as_can(self) -> None:
        """What would not be taken stands in nobody's way."""
        can = testing.server('can')
        busy = testing.server('busy', task_state='pausing')
        broken = testing.server('broken', status='ERROR', vm_state='error')
        for servers, limit, expected in (
            ((can, broken), None, True),
            ((can, broken), 1, False),
            ((can, broken), 2, True),
            ((can, broken, busy), 2, False),
            ((can, busy), 9, False),
            ((), None, False),
        ):
            hosts = [testing.host(f'compute-{n}') for n in (1, 2)]
            plan = planner.plan(testing.snapshot(servers, hosts), 'compute-1')
            self.assertEqual(expected, emptying.is_leaving(plan, limit))
