# SPDX-License-Identifier: Apache-2.0
"""Where a table is drawn, and where lines are written."""

import argparse
import io
from unittest import mock

import fixtures
from oslotest import base

from osc_migrate import live_table
from osc_migrate import report
from osc_migrate.osc import drain
from osc_migrate.osc import screen


class PlaceTest(base.BaseTestCase):
    def kinds(self, terminal: str, is_terminal: bool) -> set[type]:
        """Return what watch and drain show with, on such a stderr."""
        self.useFixture(fixtures.EnvironmentVariable('TERM', terminal))
        stream = io.StringIO()
        stream.isatty = lambda: is_terminal
        chosen = argparse.Namespace(
            format='table', plain=False, follow=False, host='compute-1'
        )
        with mock.patch('sys.stderr', stream):
            view = screen.Screen(chosen)
            stack, voice = mock.Mock(), mock.Mock(logs=[])
            stack.enter_context = lambda table: table
            (shown,) = drain._reporters(chosen, voice, stack)
            with view:
                return {type(shown), type(view._write)}

    def test_a_terminal_that_can_move_its_cursor(self):
        """It gets the table, all others get lines."""
        self.assertEqual(
            {live_table.LiveTable}, self.kinds('xterm', is_terminal=True)
        )
        for terminal, is_terminal in (('dumb', True), ('xterm', False)):
            self.assertEqual({report.Lines}, self.kinds(terminal, is_terminal))
