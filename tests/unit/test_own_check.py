# SPDX-License-Identifier: Apache-2.0
"""The check of others in the documentation, installed as others would."""

import os
import pathlib
import shutil
import subprocess
import sys

import fixtures
from oslotest import base

from osc_migrate import serial
from osc_migrate import testing
from tests import examples

PROJECT = examples.FOLDER / 'own_check'


class OwnCheckTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        source, self.target = folder / 'source', folder / 'target'
        shutil.copytree(PROJECT, source)
        install = [sys.executable, '-m', 'pip', 'install', '--quiet']
        install += ['--no-deps', '--no-build-isolation', '--no-index']
        done = subprocess.run(
            [*install, '--target', str(self.target), str(source)],
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.environment = {
            **{k: v for k, v in os.environ.items() if k[:3] != 'OS_'},
            'PYTHONPATH': f'{self.target}{os.pathsep}{examples.ROOT}',
        }

    def test_its_own_test_passes(self):
        """The test that the documentation shows is a good one."""
        done = subprocess.run(
            [sys.executable, '-m', 'unittest', 'test_site_checks'],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn('Ran 2 tests', done.stderr)

    def test_the_command_asks_it(self):
        """A check of another package decides like one of ours."""
        servers = [
            testing.server('cat', metadata={'pet': 'yes'}),
            testing.server('cattle'),
        ]
        path = self.target / 'pets.json'
        serial.save_snapshot(testing.snapshot(servers), str(path))

        def run(command: str) -> tuple[int, str]:
            found = command.replace('pets.json', str(path))
            return examples.shell(found, self.environment)

        examples.check(self, 'own_check.console', run)
