# SPDX-License-Identifier: Apache-2.0
"""Options of a drain that contradict each other are never half obeyed."""

import argparse

from oslotest import base

from osc_migrate.osc import drain
from osc_migrate.osc import misuse


class MisuseTest(base.BaseTestCase):
    def said(self, options: str) -> str:
        """Say what is wrong with the options of a drain of compute-1."""
        parser: argparse.ArgumentParser
        parser = drain.DrainHost(None, None).get_parser('drain')
        return misuse.of_drain(
            parser.parse_args(['compute-1', *options.split()])
        )

    def test_contradictions(self) -> None:
        """Each is one sentence with the options that it is about."""
        for options, said in (
            ('--scheduler --to compute-2', '--scheduler.*--to'),
            ('--to compute-2 --to compute-1', '--to names compute-1'),
            ('--fenced', '--fenced.*--evacuate'),
            ('--evacuate', '--evacuate.*--fenced'),
            ('--evacuate --fenced --no-disable', '--no-disable'),
            ('--evacuate --fenced --method live', '--method'),
            ('--evacuate --fenced --allow-cold', '--allow-cold'),
            ('--reason disks --no-disable', '--reason.*--no-disable'),
            ('--reserve', 'exactly one --to'),
            ('--reserve --to compute-2 --to compute-3', 'exactly one --to'),
            ('--reserve --to compute-2 --no-disable', '--no-disable'),
        ):
            self.assertRegex(self.said(options), said)

    def test_what_goes_together(self) -> None:
        """Nothing is said."""
        for options in (
            '',
            '--to compute-2 --allow-cold --method cold --no-disable',
            '--evacuate --fenced --to compute-2',
            '--reserve --to compute-2',
            '--scheduler --no-disable',
        ):
            self.assertEqual('', self.said(options))
