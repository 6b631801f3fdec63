# SPDX-License-Identifier: Apache-2.0
"""``openstack server migration preflight``."""

import argparse
from collections.abc import Iterable, Sequence
import sys
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access

_COLUMNS = (
    'ID',
    'Name',
    'Status',
    'Method',
    'Destinations',
    'Verdict',
    'Reason',
)


class Preflight(command.Lister):
    """Say which servers can move, how, where to, and exactly why not

    Changes nothing. Exit code: 0 everything can move, 3 something is in the
    way, 1 failure, 2 usage.
    """

    exit_code = access.EMPTY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            'server',
            metavar='<server>',
            nargs='*',
            help='Server (name or ID), of any project',
        )
        parser.add_argument(
            '--host',
            metavar='<host>',
            action='append',
            default=[],
            help='All servers of this host (repeat for several)',
        )
        parser.add_argument(
            '--to',
            metavar='<host>',
            action='append',
            default=[],
            help='Consider only this destination (repeat for several)',
        )
        parser.add_argument(
            '--method',
            choices=('auto', 'live', 'cold', 'evacuate'),
            default='auto',
            help='How the servers shall move (default: auto)',
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        return super().run(parsed_args) or self.exit_code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        from osc_migrate import report
        from osc_migrate import verdict

        cloud = access.cloud(self.app.client_manager)
        snapshot = cloud.snapshot(
            host=parsed_args.host, servers=parsed_args.server
        )
        found = verdict.preflight(
            snapshot, method=parsed_args.method, to=parsed_args.to
        )
        names = {entry.server.id: entry.server.name for entry in found.servers}
        blocking = [
            finding
            for entry in found.servers
            if entry.verdict is verdict.Verdict.BLOCKED
            for finding in entry.all_findings()
            if finding.check in entry.reasons
        ]
        for gap in found.gaps:
            print(
                f'Unknown: {gap.subject}: {gap.reason} ({gap.remedy})',
                file=sys.stderr,
            )
        for line in report.grouped(blocking, names):
            print(line, file=sys.stderr)
        if not found.is_clear:
            self.exit_code = access.LEFT
        return _COLUMNS, [
            (
                entry.server.id,
                entry.server.name,
                entry.server.status,
                entry.method,
                len(entry.destinations),
                str(entry.verdict),
                ', '.join(entry.reasons),
            )
            for entry in found.servers
        ]
