# SPDX-License-Identifier: Apache-2.0
"""``openstack compute undrain HOST``."""

import argparse
import sys

from osc_lib.command import command

from osc_migrate.osc import access


class UndrainHost(command.Command):
    """Enable a compute host again that a drain has disabled

    A host that somebody else had disabled stays disabled, with their reason.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            'host', metavar='<host>', help='Exact name of the host'
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='Say what would be done; change nothing',
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        from osc_migrate import drain

        cloud = access.cloud(self.app.client_manager)
        done = drain.reopen(
            cloud, parsed_args.host, is_rehearsal=parsed_args.dry_run
        )
        print(done, file=sys.stderr)
