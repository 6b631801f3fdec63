# SPDX-License-Identifier: Apache-2.0
"""What is released works: built from a clean clone, installed from nothing.

The steps are those of doc/source/contributor/releasing.rst, but for pip,
which is lent to the new environments: Debian's ``venv`` has none to give.
"""

import json
import pathlib
import shlex
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from tests.functional import base

ROOT = pathlib.Path(__file__).parents[2]
PYTHON = shlex.quote(sys.executable)


class TestInstall(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_(self, command: str) -> str:
        """Run a command, which must succeed, and return its stdout."""
        done = subprocess.run(
            shlex.split(command),
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, done.returncode, f'{command}: {done.stderr}')
        return done.stdout

    def environment(self, name: str, packages: str) -> None:
        """Make an environment that has some packages, and what they need."""
        self.run_(f'{PYTHON} -m venv --without-pip {name}')
        self.run_(
            f'{PYTHON} -m pip --python {name} install --quiet '
            f'--constraint {shlex.quote(str(ROOT / "constraints.txt"))} '
            f'{packages}'
        )

    def test_from_a_clone_to_a_drain(self) -> None:
        """sdist, wheel of the sdist, wheel beside openstackclient alone."""
        self.run_(f'git clone --quiet {shlex.quote(str(ROOT))} clone')
        self.environment('building', 'build')
        self.run_('building/bin/python -m build --outdir dist clone')
        (sdist,) = self.folder.glob('dist/*.tar.gz')
        (wheel,) = self.folder.glob('dist/*.whl')
        with tarfile.open(sdist) as archive:
            packed = {name.partition('/')[2] for name in archive.getnames()}
        self.assertLessEqual({'setup.cfg', 'doc/source/conf.py'}, packed)
        with zipfile.ZipFile(wheel) as built:
            self.assertIn('osc_migrate/py.typed', built.namelist())

        self.environment('trial', str(wheel))
        where = 'import osc_migrate; print(osc_migrate.__file__)'
        self.assertIn(
            str(self.folder / 'trial'),
            self.run_(f'trial/bin/python -c "{where}"'),
        )
        openstack = 'trial/bin/openstack'
        for command in ('drain', 'undrain'):
            self.run_(f'{openstack} compute {command} compute-1')
        command = 'server migration preflight --host compute-1 -f json'
        self.assertEqual([], json.loads(self.run_(f'{openstack} {command}')))
