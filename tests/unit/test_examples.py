# SPDX-License-Identifier: Apache-2.0
"""The examples of the documentation that need no cloud are what happens."""

import os

from oslotest import base

from osc_migrate import serial
from tests import example_cloud
from tests import examples

CLOUD = examples.FOLDER / 'cloud.json'


class OfflineTest(base.BaseTestCase):
    """A saved snapshot, asked without any cloud."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if examples.IS_WRITING:
            serial.save_snapshot(example_cloud.snapshot(), str(CLOUD))

    def test_the_cloud_is_the_one_that_is_saved(self):
        """The file that readers can load is made from its builders."""
        self.assertEqual(
            example_cloud.snapshot(),
            serial.load_snapshot(str(CLOUD)),
            'write cloud.json anew: run this test with DOC_UPDATE=1',
        )

    def test_reading_a_preflight(self):
        """Every view of one preflight, word for word."""
        known = {k: v for k, v in os.environ.items() if k[:3] != 'OS_'}
        for path in sorted(examples.FOLDER.glob('preflight*.txt')):
            with self.subTest(path.name):
                examples.check(
                    self,
                    path.name,
                    lambda command: examples.shell(command, known),
                )
