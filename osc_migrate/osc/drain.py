# SPDX-License-Identifier: Apache-2.0
"""``openstack compute drain HOST``."""

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
    from osc_migrate import drain as drain_module
    from osc_migrate import planner


class DrainHost(command.Lister):
    """Empty a compute host: disable it, move all of its servers, verify

    Running the same command again resumes a drain that was interrupted.
    Exit code: 0 the host is empty, 1 failure, 2 usage, 3 something is left,
    4 interrupted.
    """

    exit_code = access.EMPTY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            'host',
            metavar='<host>',
            help='Exact name of the host, as in openstack compute service '
            'list',
        )
        _add_conduct(parser)
        _add_host(parser)
        options.add_choice(parser)
        options.add_limits(parser)
        options.add_escalation(parser)
        self._usage = parser
        examples.add(parser, 'drain')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        if parsed_args.evacuate and not parsed_args.fenced:
            self._usage.error(
                '--evacuate starts servers a second time unless the host is '
                'off: switch it off, then say --fenced'
            )
        return super().run(parsed_args) or self.exit_code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], list[rows.Row]]:
        from osc_migrate import drain

        manager = self.app.client_manager
        cloud = access.cloud(manager)
        emptying = drain.Drain(
            cloud, parsed_args.host, options.draining(parsed_args)
        )
        plan = emptying.plan()
        self._show(plan)
        if not self._may_begin(parsed_args, plan):
            return rows.COLUMNS, rows.planned(plan)
        if not parsed_args.no_disable:
            self._close(emptying, parsed_args, access.user_name(manager))
        result = self._run(emptying, plan, parsed_args, cloud)
        self._conclude(result)
        return rows.COLUMNS, [
            *rows.ended(result.tasks),
            *rows.staying(result.stranded),
        ]

    def _may_begin(
        self, parsed_args: argparse.Namespace, plan: 'planner.Plan'
    ) -> bool:
        """Whether the plan is to be carried out; else set the exit code."""
        lasting = [
            server
            for server, findings in plan.stranded.items()
            if not all(finding.is_transient for finding in findings)
        ]
        if parsed_args.dry_run:
            self.exit_code = access.LEFT if lasting else access.EMPTY
            return False
        if lasting and not parsed_args.partial:
            self.exit_code = access.LEFT
            self._say(
                'Nothing was changed. To move what can be moved: openstack '
                f'compute drain {parsed_args.host} --partial; to ask Nova '
                'all the same: --ignore-check ID'
            )
            return False
        if not self._is_agreed(parsed_args, plan):
            self.exit_code = access.UNFINISHED
            return False
        return True

    def _close(
        self,
        emptying: 'drain_module.Drain',
        parsed_args: argparse.Namespace,
        user: str,
    ) -> None:
        """Disable the host, or say whose drain this one joins."""
        known = emptying.token
        token = emptying.close(user=user, reason=parsed_args.reason)
        if known is None:
            self._say(f'{parsed_args.host} is disabled: {token}')
        else:
            self._say(
                f'{parsed_args.host} is being drained by {token.user} since '
                f'{token.since}: going on with that'
            )

    def _run(
        self,
        emptying: 'drain_module.Drain',
        plan: 'planner.Plan',
        parsed_args: argparse.Namespace,
        cloud: Any,
    ) -> 'drain_module.Result':
        """Carry out the plan, and show how it goes."""
        from osc_migrate import executor
        from osc_migrate import past

        with contextlib.ExitStack() as stack:
            runner = executor.Executor(
                cloud,
                limits=options.limits(parsed_args),
                policy=options.policy(parsed_args),
                reporters=_reporters(parsed_args, stack),
                choose=emptying.choose,
                explain=lambda task: past.explained(cloud, task),
                since=emptying.token.since if emptying.token else '',
            )
            stack.enter_context(interrupts.stopping(runner, parsed_args.host))
            return emptying.run(plan, runner)

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def _show(self, plan: 'planner.Plan') -> None:
        """Say what cannot move, grouped, and what the caller cannot see."""
        from osc_migrate import report

        for gap in plan.report.gaps:
            self._say(f'Unknown: {gap.subject}: {gap.reason} ({gap.remedy})')
        for line in report.stranded(plan.stranded):
            self._say(line)

    def _is_agreed(
        self, parsed_args: argparse.Namespace, plan: 'planner.Plan'
    ) -> bool:
        """Ask on a terminal, unless told not to."""
        if parsed_args.yes or not sys.stdin.isatty():
            return True
        print(
            f'Disable {parsed_args.host} and move {len(plan.moves)} servers? '
            '[y/N] ',
            end='',
            file=sys.stderr,
            flush=True,
        )
        return sys.stdin.readline().strip().lower() in ('y', 'yes')

    def _conclude(self, result: 'drain_module.Result') -> None:
        """Say how it ended, and choose the exit code."""
        from osc_migrate import report

        self._say(f'{result.host}: {report.summary(result.tasks)}')
        for left in result.leftovers:
            text = f'Left: {left.kind} {left.name or left.id}: {left.message}'
            self._say(f'{text}\n    -> {left.remedy}' if left.remedy else text)
        if result.is_interrupted:
            self._say(
                f'Interrupted. To go on: openstack compute drain {result.host}'
            )
            self.exit_code = access.UNFINISHED
        elif not result.is_empty:
            self.exit_code = access.LEFT
        elif not result.leftovers:
            self._say(
                f'{result.host} is empty: no server, no migration, no '
                'allocation'
            )


def _reporters(
    parsed_args: argparse.Namespace, stack: contextlib.ExitStack
) -> list[Any]:
    """Choose how the moves are shown, and where they are written down."""
    from osc_migrate import live_table
    from osc_migrate import report

    reporters: list[Any] = [report.Lines(sys.stderr)]
    if sys.stderr.isatty() and not parsed_args.plain:
        table = live_table.LiveTable(f'Draining {parsed_args.host}')
        reporters = [stack.enter_context(table)]
    if parsed_args.log:
        stream = stack.enter_context(access.appending(parsed_args.log))
        reporters.append(report.JsonLines(stream))
    return reporters


def _add_conduct(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='Show the plan and what stands in the way; change nothing',
    )
    parser.add_argument(
        '--yes', action='store_true', help='Do not ask for confirmation'
    )
    parser.add_argument(
        '--reason',
        metavar='<reason>',
        default='',
        help='Why the host is drained; kept in its disabled reason',
    )
    parser.add_argument(
        '--partial',
        action='store_true',
        help='Move what can be moved, even if something must stay',
    )
    parser.add_argument(
        '--log',
        metavar='<file>',
        help='Append every change there, as JSON lines',
    )
    parser.add_argument(
        '--plain',
        action='store_true',
        help='Say changes in lines instead of a live table',
    )


def _add_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--no-disable',
        action='store_true',
        help='Leave the host enabled: move chosen servers off it, to '
        'rebalance',
    )
    parser.add_argument(
        '--evacuate',
        action='store_true',
        help='Start the servers of a dead host elsewhere, from their '
        'images or volumes: what was only on its disks is lost. Needs '
        '--fenced',
    )
    parser.add_argument(
        '--fenced',
        action='store_true',
        help='I vouch that the host is off and stays off; its service '
        'is forced down',
    )
