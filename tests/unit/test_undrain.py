# SPDX-License-Identifier: Apache-2.0
"""The options of undrain, and the command that resumes it."""

import argparse
import contextlib
import io

from oslotest import base

from osc_migrate.osc import undrain


class UndrainTest(base.BaseTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.command = undrain.UndrainHost(None, None)
        self.parser = self.command.get_parser('openstack compute undrain')

    def parsed(self, *words: str) -> argparse.Namespace:
        """Parse what was typed."""
        return self.parser.parse_args(['compute-1', *words])

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
                parsed_args = self.parsed('--restore', '--since', text)
                self.assertEqual(
                    '2026-01-31T12:00:00Z', undrain._since(parsed_args, None)
                )

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
