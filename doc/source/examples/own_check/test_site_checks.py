# SPDX-License-Identifier: Apache-2.0
"""Both answers of each check."""

import unittest

import site_checks

from osc_migrate import testing
from osc_migrate import verdict


class PetTest(unittest.TestCase):
    def look(self, **metadata: str) -> verdict.ServerReport:
        snapshot = testing.snapshot([testing.server(metadata=metadata)])
        report = verdict.preflight(
            snapshot, method='live', checks=[site_checks.pet]
        )
        return report.servers[0]

    def test_a_pet_stays(self):
        found = self.look(pet='yes')
        self.assertEqual('blocked', found.verdict)
        self.assertIn('server-pet', found.reasons)

    def test_others_move(self):
        self.assertEqual('ok', self.look().verdict)
