# SPDX-License-Identifier: Apache-2.0
"""What an installed ``openstack`` command sees of this package."""

import configparser
import importlib
import importlib.metadata
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import fixtures
from osc_lib.command import command
from oslotest import base
from packaging import requirements
from packaging import version

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = 'openstack.extension'

# Run "openstack complete", which loads every command, and list the modules.
# With an argument, the commands of the group it names are left out.
COMPLETE = """
import contextlib, json, os, sys
from cliff import commandmanager
from openstackclient import shell

add = commandmanager.CommandManager.add_command_group

def add_others(self, group=None):
    if group not in sys.argv[1:]:
        add(self, group)

commandmanager.CommandManager.add_command_group = add_others
with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
    code = shell.main(['complete'])
print(json.dumps({'code': code, 'modules': sorted(sys.modules)}))
"""


def declared() -> dict[str, dict[str, str]]:
    """Return the entry points of setup.cfg: target by name, by group."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    return {
        group: dict(
            re.split(r'\s*=\s*', line, maxsplit=1)
            for line in lines.strip().splitlines()
        )
        for group, lines in parser['entry_points'].items()
    }


def load(target: str) -> object:
    """Import what ``module:attribute`` names."""
    module, _, attribute = target.partition(':')
    return getattr(importlib.import_module(module), attribute)


def requirements_in(name: str) -> list[requirements.Requirement]:
    """Return the requirements of a file, without comments and options."""
    lines = (ROOT / name).read_text().splitlines()
    return [
        requirements.Requirement(line.partition(' #')[0])
        for line in lines
        if line and not line.startswith(('#', '-'))
    ]


class EntryPointTest(base.BaseTestCase):
    def test_commands_load(self):
        """Each command that setup.cfg names exists and explains itself."""
        for name, target in declared()[COMMANDS].items():
            with self.subTest(name):
                self.assertTrue(issubclass(load(target), command.Command))
                self.assertTrue(load(target).__doc__)

    def test_the_other_entry_points_load(self):
        """A name in setup.cfg that leads nowhere is found here."""
        for group, targets in declared().items():
            for name, target in targets.items():
                with self.subTest(f'{group} {name}'):
                    self.assertTrue(callable(load(target)))

    def test_no_command_of_another_is_taken(self):
        """Of two commands of one name the client silently takes one."""
        ours = {name.replace('_', ' ') for name in declared()[COMMANDS]}
        others = {
            point.name.replace('_', ' ')
            for distribution in importlib.metadata.distributions()
            if distribution.name != 'osc-migrate'
            for point in distribution.entry_points
            if point.group.startswith('openstack.')
        }
        self.assertIn('server migrate', others)
        self.assertEqual(set(), ours & others)

    def test_the_installed_package_is_this_one(self):
        """What pip installed has the entry points of this tree."""
        try:
            distribution = importlib.metadata.distribution('osc-migrate')
        except importlib.metadata.PackageNotFoundError:
            self.skipTest('osc-migrate is not installed here')
        self.assertEqual(
            {
                (group, *item)
                for group in declared()
                for item in declared()[group].items()
            },
            {
                (point.group, point.name, point.value)
                for point in distribution.entry_points
            },
        )
        metadata = distribution.metadata
        self.assertEqual('>=3.11', metadata['Requires-Python'])
        self.assertIn('osc-lib', ' '.join(metadata.get_all('Requires-Dist')))
        version.Version(distribution.version)


class BuildTest(base.BaseTestCase):
    """A wheel from the files of the checkout alone, without git."""

    def setUp(self):
        super().setUp()
        if not (ROOT / '.git').exists():
            self.skipTest('this is no checkout')
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        listed = subprocess.run(
            ['git', '-C', ROOT, 'ls-files', '-z'],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split('\0')
        self.source, self.dist = folder / 'source', folder / 'dist'
        for name in filter(None, listed):
            if (ROOT / name).exists():
                copy = self.source / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, copy)

    def build(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Build it, with the build tools that are installed here."""
        kept = {k: v for k, v in os.environ.items() if k != 'PBR_VERSION'}
        # a checkout around the folder is not to be asked for a version
        kept['GIT_CEILING_DIRECTORIES'] = str(self.source.parent)
        words = [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps']
        words += ['--no-build-isolation', '--no-index']
        return subprocess.run(
            [*words, '--wheel-dir', str(self.dist), str(self.source)],
            env={**kept, **environment},
            capture_output=True,
            text=True,
        )

    def test_wheel(self):
        """It has the types' marker, every module and the entry points."""
        done = self.build(PBR_VERSION='9.8.7')
        self.assertEqual(0, done.returncode, done.stderr)
        (wheel,) = self.dist.glob('*.whl')
        self.assertEqual('osc_migrate-9.8.7-py3-none-any.whl', wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        ours = {
            str(path.relative_to(self.source))
            for path in (self.source / 'osc_migrate').rglob('*')
            if path.is_file()
        }
        self.assertIn('osc_migrate/py.typed', ours)
        self.assertEqual(
            ours, {name for name in names if '.dist-info/' not in name}
        )
        self.assertIn('osc_migrate-9.8.7.dist-info/entry_points.txt', names)

    def test_a_version_must_be_said_without_git(self):
        """As CONTRIBUTING.rst says."""
        self.assertNotEqual(0, self.build().returncode)
        text = (ROOT / 'CONTRIBUTING.rst').read_text()
        self.assertIn('PBR_VERSION=1.0.0 pip install .', text)


class StartUpTest(base.BaseTestCase):
    def complete(self, *left_out: str) -> set[str]:
        """Return the modules that ``openstack complete`` imports."""
        done = subprocess.run(
            [sys.executable, '-c', COMPLETE, *left_out],
            capture_output=True,
            text=True,
            check=True,
        )
        answer = json.loads(done.stdout)
        self.assertEqual(0, answer['code'], done.stderr)
        return set(answer['modules'])

    def test_other_commands_do_not_pay_for_ours(self):
        """Loading our commands imports nothing but their own modules."""
        try:
            importlib.metadata.distribution('osc-migrate')
        except importlib.metadata.PackageNotFoundError:
            self.skipTest('osc-migrate is not installed here')
        added = self.complete() - self.complete(COMMANDS)
        self.assertIn('osc_migrate.osc.drain', added)
        self.assertEqual(
            set(),
            {
                name
                for name in added
                if not re.fullmatch(
                    r'osc_migrate(\.(exceptions|osc(\..+)?))?', name
                )
                and name.partition('.')[0] not in sys.stdlib_module_names
            },
        )


class VersionsTest(base.BaseTestCase):
    """The versions that several files name are the same ones."""

    def setUp(self):
        super().setUp()
        names = ('constraints.txt', 'lab/constraints.txt')
        self.pins = {
            requirement.name.lower(): str(requirement.specifier)[2:]
            for name in names
            for requirement in requirements_in(name)
        }

    def test_floors_are_below_the_pins(self):
        """Each requirement has a floor, and the tested version is above."""
        for name in ('requirements.txt', 'test-requirements.txt'):
            for requirement in requirements_in(name):
                with self.subTest(requirement.name):
                    self.assertRegex(str(requirement.specifier), r'^>=\d')
                    pin = self.pins[requirement.name.lower()]
                    self.assertTrue(requirement.specifier.contains(pin))

    def test_tox_is_the_same_everywhere(self):
        """tools/tox and the constraints name one version of tox."""
        text = (ROOT / 'tools' / 'tox').read_text()
        self.assertIn(f'\nTOX_VERSION={self.pins["tox"]}\n', text)

    def test_hooks_are_those_of_tox(self):
        """A commit hook and "tox -e pep8" use one version of a tool."""
        text = (ROOT / '.pre-commit-config.yaml').read_text()
        hooks = dict(re.findall(r'\[([\w-]+)==([\w.]+)\]', text))
        self.assertEqual({'doc8', 'hacking', 'ruff'}, set(hooks))
        for name, pin in hooks.items():
            with self.subTest(name):
                self.assertEqual(self.pins[name], pin)
