# SPDX-License-Identifier: Apache-2.0
"""The options of undrain, and the command that resumes it."""

import argparse
import contextlib
import io
import shlex

from oslotest import base

from osc_migrate import restore
from osc_migrate import testing
from osc_migrate import token
from osc_migrate.osc import undrain

MARK = token.Token(
    user='bob, carol',
    user_id='b0b, ca201',
    since='2026-01-31T12:00:00Z',
    reason='',
    was='enabled',
)


class UndrainTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.command = undrain.UndrainHost(None, None)
        self.parser = self.command.get_parser('openstack compute undrain')

    def parsed(self, *words: str) -> argparse.Namespace:
        """Parse what was typed."""
        return self.parser.parse_args(['compute-1', *words])

    def origin(
        self, *words: str, mark: token.Token | None = None
    ) -> restore.Origin:
        """Return whose drain is undone, by alice."""
        return undrain._origin(
            self.parsed(*words),
            testing.host('compute-1'),
            mark,
            user_id='a11ce',
        )

    def misuse(self, *words: str) -> str:
        """Return what is said of a wrong usage, which ends with 2."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            ended = self.assertRaises(
                SystemExit, lambda: self.command.run(self.parsed(*words))
            )
        self.assertEqual(2, ended.code)
        return said.getvalue()


class SinceTest(UndrainTest):
    def test_every_way_to_write_a_time(self) -> None:
        """It becomes what the mark of a drain would say."""
        for text in (
            '2026-01-31T12:00:00Z',
            '2026-01-31 12:00',
            '2026-01-31T12:00:00.5',
            '2026-01-31T13:00+01:00',
        ):
            with self.subTest(text):
                found = self.origin('--restore', '--since', text)
                self.assertEqual('2026-01-31T12:00:00Z', found.since)

    def test_what_is_no_time(self) -> None:
        """It is said so, with one that is."""
        for text in ('yesterday', '31.1.2026', '0001-01-01T00:00+01:00', ''):
            with self.subTest(text):
                self.assertIn(
                    f"'{text}' is no ISO 8601 time, as 2026-01-31T12:00",
                    self.misuse('--restore', '--since', text),
                )

    def test_without_restore(self) -> None:
        """It would be for nothing."""
        self.assertIn(
            '--since goes with --restore',
            self.misuse('--since', '2026-01-31T12:00'),
        )


class ResumeTest(UndrainTest):
    def test_the_command_knows_all_who_took_part(self) -> None:
        """Typed again, it finds what the first one found."""
        first = self.origin('--restore', mark=MARK)
        self.assertEqual({'a11ce', 'b0b', 'ca201'}, first.user_ids)
        command = undrain._command(first)
        self.assertEqual(
            'openstack compute undrain compute-1 --restore --since '
            '2026-01-31T12:00:00Z --user a11ce --user b0b --user ca201',
            command,
        )
        words = shlex.split(command)
        self.assertEqual(first, self.origin(*words[4:]))

    def test_without_what_the_command_says(self) -> None:
        """Then it is the caller, and whom the mark names."""
        time = ('--restore', '--since', '2026-01-31T12:00')
        self.assertEqual({'a11ce'}, self.origin(*time).user_ids)
        found = self.origin(*time, '--user', 'd0d', mark=MARK)
        self.assertEqual({'a11ce', 'b0b', 'ca201', 'd0d'}, found.user_ids)
        self.assertEqual('', self.origin('--restore').since)

    def test_users_of_no_drain(self) -> None:
        """Without its time, nobody's moves are meant."""
        self.assertIn(
            '--user goes with --since', self.misuse('--restore', '--user', 'b')
        )
