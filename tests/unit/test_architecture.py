# SPDX-License-Identifier: Apache-2.0
"""The rules of the code that a machine can check, read from its syntax tree.

See doc/source/contributor/architecture.rst. Nothing is imported here, so one
broken module does not hide what is wrong with another.
"""

import ast
from collections.abc import Iterator
import configparser
import pathlib
import re

from oslotest import base

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = 'osc_migrate'

# The picture, from the bottom: a part imports only parts that stand before it.
ORDER = [
    'exceptions',
    'hardware',
    'inventory',
    'migration',
    'model',
    'moments',
    'account',
    'resources',
    'cells',
    'serial',
    'passes',
    'progress',
    'token',
    'topology',
    'checks',
    'scrutiny',
    'verdict',
    'compare',
    'selection',
    'planner',
    'fit',
    'task',
    'outcome',
    'limits',
    'schedule',
    'stall',
    'settle',
    'machine',
    'contract',
    'cloud',
    'probe',
    'pacing',
    'leftovers',
    'past',
    'life',
    'figures',
    'hosts',
    'executor',
    'handover',
    'proof',
    'reservation',
    'restore',
    'resumption',
    'emptying',
    'drain',
    'watch',
    'report',
    'summary',
    'live_table',
    'testing',
    'osc',
    '',  # osc_migrate itself, the public API
]
# The parts that decide. They are given values and return values.
PURE = set(ORDER[: ORDER.index('cloud')])
# Of a part that asks hosts, the modules that only read what they said.
PURE_PROBES = {'choice', 'commands', 'domain', 'parse', 'xml'}
# What a pure part may not import: clients, clocks, output, concurrency.
IMPURE_MODULES = {
    'asyncio',
    'cliff',
    'concurrent',
    'http',
    'logging',
    'openstack',
    'openstackclient',
    'osc_lib',
    'queue',
    'random',
    'requests',
    'rich',
    'signal',
    'socket',
    'subprocess',
    'threading',
    'time',
}
CLIENTS = {'keystoneauth1', 'novaclient'}
VAGUE_NAMES = {'common', 'engine', 'handler', 'helper', 'manager', 'utils'}


def part_of(path: pathlib.Path) -> str:
    """Return the part of the picture that the file belongs to."""
    name = path.relative_to(ROOT / PACKAGE).parts[0].removesuffix('.py')
    return '' if name == '__init__' else name


def is_pure(path: pathlib.Path) -> bool:
    """Whether the file decides or reads, and does nothing."""
    if part_of(path) == 'probe':
        return path.stem in PURE_PROBES
    return part_of(path) in PURE


def below(part: str) -> list[str]:
    """Return the parts that the part may import."""
    return ORDER[: ORDER.index(part)] if part in ORDER else ORDER


def modules_of(tree: ast.AST) -> Iterator[str]:
    """Yield each module that is imported, at the top or in a function.

    ``from osc_migrate import planner`` yields ``osc_migrate.planner``; where
    the name turns out to be a function, its first parts still tell enough.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f'{"." * node.level}{node.module or ""}.{alias.name}'


def names_of(tree: ast.AST) -> Iterator[str]:
    """Yield each name and attribute that is used, ``sys.stdout`` as such."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
            if isinstance(node.value, ast.Name):
                yield f'{node.value.id}.{node.attr}'


def sources(*folders: str) -> Iterator[tuple[pathlib.Path, str, ast.Module]]:
    """Yield the path, the text and the tree of each Python file."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob('*.py')):
            text = path.read_text()
            yield path, text, ast.parse(text)


class ArchitectureTest(base.BaseTestCase):
    def assertNothing(self, findings: list[str]) -> None:
        if findings:
            self.fail('\n' + '\n'.join(findings))

    def test_every_part_has_its_place(self):
        """A part that the picture does not show is added there first."""
        self.assertNothing(
            [
                f'{path}: {part_of(path)!r} is not in ORDER'
                for path, _, _ in sources(PACKAGE)
                if part_of(path) not in ORDER
            ]
        )

    def test_imports_follow_the_order_of_the_picture(self):
        """A part imports what stands below it, never what stands above."""
        findings = []
        for path, _, tree in sources(PACKAGE):
            part = part_of(path)
            for module in modules_of(tree):
                first, _, rest = module.partition('.')
                imported = rest.partition('.')[0]
                if first in ('', 'lab', 'tests'):
                    findings.append(f'{path}: {module}')
                elif first != PACKAGE or imported == part:
                    continue
                elif imported not in ORDER[:-1]:
                    findings.append(f'{path}: {module} is not a part')
                elif imported not in below(part):
                    findings.append(f'{path}: {module} is above {part}')
        self.assertNothing(findings)

    def test_pure_parts_import_neither_clients_nor_clocks(self):
        """What decides is given values; it looks at nothing by itself."""
        self.assertNothing(
            [
                f'{path}: {module}'
                for path, _, tree in sources(PACKAGE)
                if is_pure(path)
                for module in modules_of(tree)
                if module.partition('.')[0] in IMPURE_MODULES
            ]
        )

    def test_the_floor_of_coverage_is_for_the_pure_parts(self):
        """What decides is tested branch by branch: tox -e cover."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(ROOT / 'tox.ini')
        listed = re.search(
            r'^PURE = (.*)$', parser['testenv:cover']['set_env'], re.M
        )
        parts = {
            f'{PACKAGE}/{part}' + ('.py' if is_file else '/*')
            for part in PURE
            for is_file in [(ROOT / PACKAGE / f'{part}.py').exists()]
        }
        parts |= {f'{PACKAGE}/probe/{name}.py' for name in PURE_PROBES}
        self.assertEqual(sorted(parts), sorted(listed[1].split(',')))

    def test_only_cloud_imports_the_clients(self):
        """One part talks to OpenStack."""
        self.assertNothing(
            [
                f'{path}: {module}'
                for path, _, tree in sources(PACKAGE)
                if part_of(path) != 'cloud'
                for module in modules_of(tree)
                if module.partition('.')[0] in CLIENTS
            ]
        )

    def test_only_the_probe_starts_processes(self):
        """One module runs the operator's ssh."""
        self.assertNothing(
            [
                f'{path}: {module}'
                for path, _, tree in sources(PACKAGE)
                if path != ROOT / PACKAGE / 'probe' / 'ssh.py'
                for module in modules_of(tree)
                if module.partition('.')[0] in ('subprocess', 'pty')
            ]
        )

    def test_only_the_loops_sleep(self):
        """What waits can be given another clock; most of all executor."""
        loops = ('executor', 'reservation', 'watch')
        self.assertNothing(
            [
                str(path)
                for path, _, tree in sources(PACKAGE)
                if part_of(path) not in loops
                if {'sleep'} & set(names_of(tree))
            ]
        )

    def test_only_commands_and_reports_print(self):
        """A library that prints cannot be used by a program that prints."""
        self.assertNothing(
            [
                str(path)
                for path, _, tree in sources(PACKAGE)
                if part_of(path) not in ('osc', 'report', 'live_table')
                if {'print', 'sys.stdout', 'sys.stderr'} & set(names_of(tree))
            ]
        )

    def test_only_serial_reports_and_commands_touch_files(self):
        """Files are read and written where their format is known."""
        touching = {'open', 'read_text', 'write_text', 'read_bytes'}
        self.assertNothing(
            [
                str(path)
                for path, _, tree in sources(PACKAGE)
                if part_of(path) not in ('serial', 'report', 'osc')
                if touching & set(names_of(tree))
            ]
        )


class SizeTest(base.BaseTestCase):
    FOLDERS = (PACKAGE, 'lab', 'tests', 'tools', 'benchmarks')
    # tables of cases grow long without growing hard to read
    SIZED = (PACKAGE, 'lab', 'tools', 'benchmarks')

    def test_no_file_is_long(self):
        """A file has at most 400 lines."""
        long = {
            str(path): text.count('\n')
            for path, text, _ in sources(*self.SIZED)
            if text.count('\n') > 400
        }
        self.assertEqual({}, long)

    def test_no_function_is_long(self):
        """A function has at most 40 lines."""
        long = {
            f'{path}:{node.lineno} {node.name}': lines
            for path, _, tree in sources(*self.SIZED)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if (lines := node.end_lineno - node.lineno + 1) > 40
        }
        self.assertEqual({}, long)

    def test_every_file_names_its_license(self):
        """The first line of a file says under which licence it stands."""
        self.assertEqual(
            [],
            [
                str(path)
                for path, text, _ in sources(*self.FOLDERS)
                if not text.startswith('# SPDX-License-Identifier: Apache-2.0')
            ],
        )

    def test_no_module_or_class_has_a_vague_name(self):
        """A name says what a thing is about."""
        names = set()
        for path, _, tree in sources(*self.FOLDERS):
            names |= {(str(path), path.stem)}
            names |= {
                (str(path), node.name)
                for node in ast.walk(tree)
                if isinstance(node, ast.ClassDef)
            }
        vague = [
            f'{path}: {name}'
            for path, name in sorted(names)
            if name.lower().removesuffix('s') in VAGUE_NAMES
            or name.lower() in VAGUE_NAMES
        ]
        self.assertEqual([], vague)
