# SPDX-License-Identifier: Apache-2.0
"""The command line of a watch, and the values of its options."""

import argparse
import contextlib
import datetime
import io
from unittest import mock

from oslotest import base

from osc_migrate.osc import access
from osc_migrate.osc import invocation
from osc_migrate.osc import options
from osc_migrate.osc import watch


class WatchLineTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.command = watch.WatchMigrations(mock.Mock(), None)
        self.parser = self.command.get_parser('watch')

    def refused(self, line: str) -> str:
        """Return the sentence with which a line ends in code 2."""
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            error = self.assertRaises(SystemExit, self.run_line, line)
        self.assertEqual(2, error.code)
        return stderr.getvalue().splitlines()[-1].partition('error: ')[2]

    def parsed(self, line: str) -> argparse.Namespace:
        return self.parser.parse_args(line.split())

    def run_line(self, line: str) -> int:
        return self.command.take_action(self.parsed(line))

    def test_the_past_is_not_followed(self) -> None:
        """What only makes sense while following is refused."""
        for option, value in (
            ('--follow', ''),
            ('--timeout', '5'),
            ('--on-stall', 'abort'),
            ('--max-pause', '5'),
            ('--timeout-per-gib', '5'),
        ):
            self.assertEqual(
                f'{option} does not go with --past, which follows nothing',
                self.refused(f'web --past {option} {value}'),
            )
        for option in ('--since 2026-01-31', '--topology'):
            self.assertIn('with --past only', self.refused(f'web {option}'))
        self.assertIn('name servers', self.refused('--past'))
        good = self.parsed(
            'web --past --topology --on-stall wait -f json --plain'
        )
        self.assertEqual('', invocation.misuse(good, self.parser))

    def test_again(self) -> None:
        """The command repeats all that was given, but the time."""
        for line in (
            'web',
            'web mail --host compute-1 --host compute-2',
            '--all --follow --on-stall abort --max-pause 2.5 '
            '--timeout-per-gib 1000000 --format json --plain',
        ):
            given = self.parsed(f'{line} --timeout 9')
            self.assertEqual(
                f'openstack server migration watch {line}',
                invocation.again(given, self.parser),
            )

    def test_values(self) -> None:
        """What is none is said with what it should be."""
        for line, said in (
            ('--since yesterday', "'yesterday' is no ISO 8601 time, as 20"),
            ('--since 0001-01-01T00:00:00+14:00', "+14:00' is no ISO 8601"),
            ('--timeout soon', "'soon' is no number of seconds above zero"),
            ('--timeout 0', "'0' is no number of seconds above zero"),
            ('--max-pause nan', "'nan' is no number of seconds above zero"),
        ):
            self.assertIn(said, self.refused(f'web --past {line}'))
        for text in ('many', '0', '-1', '1.5'):
            error = self.assertRaises(
                argparse.ArgumentTypeError, options.positive, text
            )
            said = f'{text!r} is no whole number above zero'
            self.assertEqual(said, str(error))
        self.assertEqual(3, options.positive('3'))
        line = 'web --past --since 2026-01-31T12:00+02:00'
        self.assertEqual(
            datetime.datetime(2026, 1, 31, 10, tzinfo=datetime.UTC),
            self.parsed(line).since,
        )

    def watched(self, line: str, **attributes: object) -> tuple[int, str]:
        """Run a line on a cloud; return the code and what is said."""
        cloud = mock.Mock(**attributes)
        cloud.migrations.return_value = []
        stderr = io.StringIO()
        with (
            mock.patch.object(access, 'cloud', return_value=cloud),
            contextlib.redirect_stderr(stderr),
        ):
            return self.run_line(line), stderr.getvalue()

    def test_an_interrupt_is_told(self) -> None:
        """Also before anything is followed."""
        for line in ('web', 'web --past'):
            code, said = self.watched(
                line, **{'find.side_effect': KeyboardInterrupt}
            )
            self.assertEqual(4, code)
            self.assertIn('Interrupted before all was read', said)

    def test_what_may_be_seen(self) -> None:
        """Who sees what one project began is told that it is not all."""
        for is_confined in (False, True):
            code, said = self.watched('--all --past', is_confined=is_confined)
            self.assertEqual(0, code)
            self.assertEqual(is_confined, 'role admin' in said)
