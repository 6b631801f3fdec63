# SPDX-License-Identifier: Apache-2.0
"""``openstack compute compare HOST_A HOST_B``."""

import argparse
from collections.abc import Sequence
import sys
from typing import Any

from cliff import columns
from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import examples
from osc_migrate.osc import options


class _Value(columns.FormattableColumn):  # type: ignore[type-arg]
    """A number, a text or a list; what is unknown is said to be."""

    def human_readable(self) -> str:
        if self._value is None:
            return 'unknown'
        if isinstance(self._value, list):
            return _listed(self._value)
        return str(self._value)


class CompareHosts(command.Lister):
    """Show two hosts side by side, with what differs marked

    Changes nothing. From the APIs, and with --probe ssh from the hosts
    themselves. What only says how full a host is does not count as a
    difference. Exit code: 0 the hosts are alike as far as is known, 3 they
    differ, 1 failure, 2 usage.
    """

    exit_code = access.EMPTY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        self._usage = parser
        for name in ('host_a', 'host_b'):
            parser.add_argument(
                name,
                metavar=f'<{name.replace("_", "-")}>',
                help='Exact name of a host, as in openstack compute service '
                'list',
            )
        parser.add_argument(
            '--differences',
            action='store_true',
            help='List only what differs or is unknown',
        )
        options.add_probe(parser)
        examples.add(parser, 'compare')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        if parsed_args.host_a == parsed_args.host_b:
            self._usage.error('name two different hosts')
        return super().run(parsed_args) or self.exit_code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
        from osc_migrate import compare

        ssh = options.probing(parsed_args)
        names = (parsed_args.host_a, parsed_args.host_b)
        snapshot = access.cloud(self.app.client_manager).snapshot(host=names)
        if ssh is not None:
            from osc_migrate import probe

            snapshot = probe.with_probes(snapshot, names, ssh)
        for gap in snapshot.gaps:
            text = f'Unknown: {gap.subject}: {gap.reason} ({gap.remedy})'
            print(text, file=sys.stderr, flush=True)
        rows = compare.compare(snapshot, *names)
        if compare.has_difference(rows):
            self.exit_code = access.LEFT
        return ('Attribute', *names, 'Differs'), [
            (row.attribute, *map(_Value, row.values), _mark(row))
            for row in rows
            if row.differs is not False or not parsed_args.differences
        ]


def _mark(row: Any) -> str:
    if row.differs is None:
        return 'unknown'
    if not row.differs:
        return ''
    return 'in use' if row.is_use else 'yes'


def _listed(values: list[Any]) -> str:
    """Write numbers as ranges, and names one after the other."""
    if not all(isinstance(value, int) for value in values):
        return ', '.join(map(str, values))
    ranges: list[list[int]] = []
    for number in values:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ','.join(
        str(first) if first == last else f'{first}-{last}'
        for first, last in ranges
    )
