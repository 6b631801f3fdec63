# SPDX-License-Identifier: Apache-2.0
"""Commands in the documentation are commands that there are."""

import argparse
from collections.abc import Iterator
import contextlib
import importlib.metadata
import io
import re
import shlex
import textwrap
from unittest import mock

from openstackclient import shell
from oslotest import base

from osc_migrate.osc import examples as epilogs
from tests import examples
from tests.unit import test_packaging

SOURCE = examples.ROOT / 'doc' / 'source'
# of a plug-in that is not installed with the tests
OTHERS = ('resource provider',)


def pages() -> Iterator[tuple[str, str]]:
    """Yield each page, and the help of each command, with its name."""
    paths = [*SOURCE.rglob('*.rst'), *examples.FOLDER.rglob('*.console')]
    for path in [*sorted(paths), *sorted(examples.ROOT.glob('*.rst'))]:
        yield str(path.relative_to(examples.ROOT)), path.read_text()
    for name, text in epilogs.EXAMPLES.items():
        yield f'the help of {name}', textwrap.indent(text, '   ')


def typed(text: str) -> Iterator[str]:
    """Yield the commands of literal blocks and of examples."""
    joined = re.sub(r' ?\\\n(> | *)', ' ', text)
    for line in re.findall(r'^(?:\$| +) ?(openstack .*)$', joined, re.M):
        yield re.split(r' (?:\|\||&&|\||#|>)(?: |$)', line)[0]


def mentioned(text: str) -> Iterator[str]:
    """Yield the commands that stand within sentences."""
    flat = re.sub(r'\s+', ' ', text)
    yield from re.findall(r'(?<!`)``(openstack [^`]*)``', flat)


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each of our commands."""
    found = {}
    for name, target in test_packaging.declared()[
        'openstack.extension'
    ].items():
        command = test_packaging.load(target)(mock.Mock(), None)
        words = name.replace('_', ' ')
        found[words] = command.get_parser(f'openstack {words}')
    return found


class CommandsTest(base.BaseTestCase):
    def test_ours_are_understood(self):
        """A command that can be pasted has options that there are."""
        known, seen, wrong = parsers(), 0, []
        for page, text in pages():
            for command in typed(text):
                for name, parser in known.items():
                    words = shlex.split(command)[1:]
                    if words[: name.count(' ') + 1] != name.split():
                        continue
                    seen += 1
                    said = self.parse(parser, words[name.count(' ') + 1 :])
                    wrong += [f'{page}: {command}: {said}'] if said else []
        self.assertEqual([], wrong)
        self.assertGreater(seen, 50)

    def parse(self, parser: argparse.ArgumentParser, words: list[str]) -> str:
        """Return what a parser says against words, if anything."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                parser.parse_args(words)
            except SystemExit:
                return said.getvalue().splitlines()[-1]
        return ''

    def test_openstack_leaves_our_options_to_us(self):
        """Its parser comes first, and takes beginnings of its options."""
        first = shell.OpenStackShell().parser
        lost = set()
        for name, parser in parsers().items():
            for action in parser._actions:
                for option in {*action.option_strings} - {'-h', '--help'}:
                    _, rest = first.parse_known_args([option, 'x'])
                    lost |= set() if option in rest else {f'{name} {option}'}
        # what the first parser takes of these is asked of it, see voice
        self.assertEqual({'--log'}, {one.split()[-1] for one in lost})

    def test_others_exist(self):
        """What is said of openstack itself is a command of it."""
        known = {
            point.name.replace('_', ' ')
            for distribution in importlib.metadata.distributions()
            for point in distribution.entry_points
            if point.group.startswith('openstack.')
        }
        known |= {'help', *OTHERS}
        wrong = []
        for page, text in pages():
            for command in (*typed(text), *mentioned(text)):
                words = re.sub(r' [-<$\'].*', '', command).split()[1:]
                beginnings = {
                    ' '.join(words[:length])
                    for length in range(1, len(words) + 1)
                }
                if words and not beginnings & known:
                    wrong.append(f'{page}: {command}')
        self.assertEqual([], wrong)

    def test_each_of_ours_has_its_page(self):
        """A new command is not forgotten in the reference."""
        described = {
            name
            for path in (SOURCE / 'reference' / 'commands').glob('*.rst')
            for name in re.findall(r':command: (.*)', path.read_text())
        }
        targets = test_packaging.declared()['openstack.extension']
        self.assertEqual(
            set(targets.values()),
            {targets[name.replace(' ', '_')] for name in described},
        )


class EvidenceTest(base.BaseTestCase):
    def test_tests_and_files_that_are_named_exist(self):
        """Who claims something shows where it is tested or measured."""
        text = (examples.ROOT / 'README.rst').read_text()
        tests = '\n'.join(
            f'{path.stem}\n{path.read_text()}'
            for path in (examples.ROOT / 'tests').rglob('test_*.py')
        )
        for name in re.findall(r'``(test_\w+)``', text):
            self.assertRegex(tests, rf'\b{name}\b')
        for name in re.findall(
            r'``((?:benchmarks|doc|tools)/[\w/.]+)``', text
        ):
            self.assertTrue(
                name.startswith('doc/build') or (examples.ROOT / name).exists()
            )
