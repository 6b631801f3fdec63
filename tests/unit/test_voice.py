# SPDX-License-Identifier: Apache-2.0
"""The log of a command, in spite of the options of ``openstack``."""

import io
import logging
import pathlib

import fixtures
from openstackclient import shell
from oslotest import base

from osc_migrate import report
from osc_migrate.osc import voice


class LogTest(base.BaseTestCase):
    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir()).path
        self.path = str(pathlib.Path(folder, 'log'))

    def test_it_is_found_though_openstack_takes_it(self):
        """Neither of two ways to write it is lost."""
        for words in (['--log', self.path], [f'--log={self.path}']):
            typed = ['compute', 'drain', 'compute-1', *words, '--yes']
            taken, rest = shell.OpenStackShell().parser.parse_known_args(typed)
            # when this fails, openstack leaves it to us: no harm
            self.assertEqual(self.path, taken.log_file)
            self.assertNotIn(self.path, ' '.join(rest))
            self.assertEqual(self.path, voice.taken(typed))

    def test_what_is_not_asked_for_is_not_taken(self):
        """A file for the messages of openstack is no log of ours."""
        for words in ([], ['--log-file', self.path], ['--log']):
            self.assertFalse(voice.taken(['compute', 'drain', *words]))

    def test_messages_of_openstack_are_kept_out_of_it(self):
        """Other files stay as they are."""
        root = logging.getLogger()
        handlers = [
            logging.FileHandler(path) for path in (self.path, f'{self.path}2')
        ]
        for handler in handlers:
            root.addHandler(handler)
            self.addCleanup(root.removeHandler, handler)
            self.addCleanup(handler.close)
        voice.taken(['--log', self.path])
        self.assertNotIn(handlers[0], root.handlers)
        self.assertIn(handlers[1], root.handlers)


class Gone(io.StringIO):
    """A stream that nobody reads any more."""

    tries = 0

    def write(self, text):
        self.tries += 1
        raise BrokenPipeError


class SilenceTest(base.BaseTestCase):
    def test_nobody_need_hear_it(self):
        """A terminal or a pipe that is gone stops nothing."""
        gone = Gone()
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', gone))
        voice.Voice().say('a sentence')
        report.Lines(gone).note('a line')
        self.assertEqual(2, gone.tries)
