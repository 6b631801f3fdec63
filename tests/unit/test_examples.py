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

    def play(self, name: str) -> None:
        known = {k: v for k, v in os.environ.items() if k[:3] != 'OS_'}
        examples.check(
            self, name, lambda command: examples.shell(command, known)
        )

    def test_reading_a_preflight(self):
        """Every view of one preflight, word for word."""
        for path in sorted(examples.FOLDER.glob('preflight*.console')):
            with self.subTest(path.name):
                self.play(path.name)

    def test_the_tutorial_of_the_library(self):
        """The first program of the tutorial says what is printed there."""
        self.play('ask.console')
