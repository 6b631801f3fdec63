# SPDX-License-Identifier: Apache-2.0
"""``openstack compute undrain HOST``."""

import argparse
from collections.abc import Sequence
import contextlib
import sys
import typing
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import examples
from osc_migrate.osc import interrupts
from osc_migrate.osc import options
from osc_migrate.osc import rows

if typing.TYPE_CHECKING:
    from osc_migrate import planner
    from osc_migrate import restore


class UndrainHost(command.Lister):
    """Enable a compute host again that a drain has disabled

    A host that somebody else had disabled stays disabled, with their reason.
    With --restore, the servers that the drain moved come back, but for those
    that somebody moved since. Exit code: 0 done, 1 failure, 2 usage, 3 some
    servers did not come back, 4 interrupted.
    """

    exit_code = access.EMPTY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            'host', metavar='<host>', help='Exact name of the host'
        )
        parser.add_argument(
            '--restore',
            action='store_true',
            help='Bring back the servers that the drain moved',
        )
        parser.add_argument(
            '--since',
            metavar='<time>',
            help='When the drain began, to resume an interrupted --restore: '
            'the host is then enabled and remembers nothing',
        )
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='Say what would be done; change nothing',
        )
        options.add_limits(parser)
        options.add_escalation(parser)
        examples.add(parser, 'undrain')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        return super().run(parsed_args) or self.exit_code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], list[rows.Row]]:
        from osc_migrate import restore

        cloud = access.cloud(self.app.client_manager)
        service, token = restore.mark(cloud, parsed_args.host)
        since = parsed_args.since or (token.since if token else '')
        listed: list[rows.Row] = []
        plan = None
        if parsed_args.restore and since:
            users = {str(cloud.user_id), token.user_id if token else ''}
            origin = restore.Origin(
                host=service, since=since, user_ids=frozenset(users)
            )
            server_ids, stays = restore.find(cloud, origin)
            listed = _staying(stays, service.name)
            plan = restore.plan(cloud, server_ids, service.name)
            self._say(
                'To resume this, should it be interrupted: openstack compute '
                f'undrain {service.name} --restore --since {since}'
            )
        elif parsed_args.restore:
            self._say(f'{service.name} carries no mark of a drain')
        if parsed_args.dry_run:
            return rows.COLUMNS, listed + (rows.planned(plan) if plan else [])
        if token is None:
            self._say(f'{service.name} is enabled already')
        else:
            self._say(restore.reopen(cloud, service, token))
        if plan is not None:
            listed += self._bring_back(cloud, plan, parsed_args)
        return rows.COLUMNS, listed

    def _bring_back(
        self, cloud: Any, plan: 'planner.Plan', parsed_args: argparse.Namespace
    ) -> list[rows.Row]:
        """Move the servers, and show how it goes."""
        from osc_migrate import executor
        from osc_migrate import report

        with contextlib.ExitStack() as stack:
            runner = executor.Executor(
                cloud,
                limits=options.limits(parsed_args),
                policy=options.policy(parsed_args),
                reporters=[report.Lines(sys.stderr)],
                # nowhere else: Nova may need a moment to see it enabled
                choose=lambda task: parsed_args.host,
            )
            stack.enter_context(interrupts.stopping(runner, parsed_args.host))
            tasks = runner.run(plan)
        self._say(f'{parsed_args.host}: {report.summary(tasks)}')
        for line in report.stranded(plan.stranded):
            self._say(line)
        if runner.is_stopping:
            self.exit_code = access.UNFINISHED
        elif plan.stranded or any(
            task.phase not in ('done', 'skipped') for task in tasks
        ):
            self.exit_code = access.LEFT
        return rows.ended(tasks) + rows.staying(plan.stranded)

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _staying(stays: list['restore.Stay'], host: str) -> list[rows.Row]:
    return [
        (stay.server_id, stay.name, 'none', None, host, 'stays', stay.reason)
        for stay in stays
    ]
