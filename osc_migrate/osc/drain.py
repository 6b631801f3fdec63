# SPDX-License-Identifier: Apache-2.0
"""``openstack compute drain HOST``."""

import argparse
from collections.abc import Iterable, Sequence
import contextlib
import sys
import typing
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import interrupts

if typing.TYPE_CHECKING:
    from osc_migrate import drain as drain_module
    from osc_migrate import planner

_COLUMNS = ('ID', 'Name', 'Method', 'From', 'To', 'Result', 'Reason')


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
            '--to',
            metavar='<host>',
            action='append',
            default=[],
            help='Move only to this host (repeat for several)',
        )
        parser.add_argument(
            '--method',
            choices=('auto', 'live', 'cold'),
            default='auto',
            help='How to move (default: auto)',
        )
        parser.add_argument(
            '--allow-cold',
            action='store_true',
            help='Power off a running server that cannot move live',
        )
        parser.add_argument(
            '--parallel',
            metavar='<number>',
            type=int,
            default=8,
            help='Migrations at once (default: 8)',
        )
        parser.add_argument(
            '--parallel-per-source',
            metavar='<number>',
            type=int,
            default=2,
            help='Migrations at once from one host (default: 2)',
        )
        parser.add_argument(
            '--parallel-per-destination',
            metavar='<number>',
            type=int,
            default=2,
            help='Migrations at once to one host (default: 2)',
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        return super().run(parsed_args) or self.exit_code

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        from osc_migrate import drain
        from osc_migrate import executor
        from osc_migrate import report
        from osc_migrate import task

        manager = self.app.client_manager
        cloud = access.cloud(manager)
        limits = executor.Limits(
            total=parsed_args.parallel,
            per_source=parsed_args.parallel_per_source,
            per_destination=parsed_args.parallel_per_destination,
        )
        policy = task.Policy(allow_cold=parsed_args.allow_cold)
        snapshot = cloud.snapshot(host=parsed_args.host)
        planning = _Planning(cloud, parsed_args)
        plan = planning.plan(snapshot)
        host = snapshot.hosts[parsed_args.host]
        self._show(plan)
        lasting = [
            server
            for server, findings in plan.stranded.items()
            if not all(finding.is_transient for finding in findings)
        ]
        if parsed_args.dry_run:
            self.exit_code = access.LEFT if lasting else access.EMPTY
            return _COLUMNS, _planned(plan)
        if lasting and not parsed_args.partial:
            self._say(
                'Nothing was changed. To move what can be moved: '
                f'openstack compute drain {host.name} --partial'
            )
            self.exit_code = access.LEFT
            return _COLUMNS, _planned(plan)
        if not self._is_agreed(parsed_args, plan):
            self.exit_code = access.UNFINISHED
            return _COLUMNS, []
        token = drain.close(
            cloud,
            host,
            user=access.user_name(manager),
            reason=parsed_args.reason,
        )
        self._say(f'{host.name} is disabled: {token}')
        with contextlib.ExitStack() as stack:
            reporter: Any = report.Lines(sys.stderr)
            if sys.stderr.isatty():
                table = report.LiveTable(f'Draining {host.name}')
                reporter = stack.enter_context(table)
            runner = executor.Executor(
                cloud,
                limits=limits,
                policy=policy,
                reporters=[reporter],
                choose=planning.choose,
            )
            stack.enter_context(interrupts.stopping(runner, host.name))
            result = drain.empty(
                cloud,
                host.name,
                plan,
                runner,
                planning.replan,
                since=token.since,
                user_id=snapshot.user_id,
            )
        self._conclude(result)
        return _COLUMNS, _ended(result)

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
            self._say(
                f'Left: {left.kind} {left.name or left.id}: {left.message}\n'
                f'    -> {left.remedy}'
            )
        if result.is_interrupted:
            self._say(
                f'Interrupted. To go on: openstack compute drain {result.host}'
            )
            self.exit_code = access.UNFINISHED
        elif result.leftovers:
            self.exit_code = access.LEFT
        else:
            self._say(
                f'{result.host} is empty: no server, no migration, no '
                'allocation'
            )


class _Planning:
    """Plans with the options of the command line."""

    def __init__(self, cloud: Any, parsed_args: argparse.Namespace) -> None:
        self._cloud = cloud
        self._arguments = parsed_args

    def plan(self, snapshot: Any, **changes: Any) -> 'planner.Plan':
        from osc_migrate import planner

        how = {
            'method': self._arguments.method,
            'to': self._arguments.to,
            'allow_cold': self._arguments.allow_cold,
        }
        return planner.plan(
            snapshot, self._arguments.host, **{**how, **changes}
        )

    def replan(self, done: Iterable[str]) -> 'planner.Plan':
        """Plan for the servers of the host that were not dealt with."""
        import dataclasses

        snapshot = self._cloud.snapshot(host=self._arguments.host)
        servers = dict(snapshot.servers)
        for server_id in done:
            servers.pop(server_id, None)
        return self.plan(dataclasses.replace(snapshot, servers=servers))

    def choose(self, task: Any) -> str | None:
        """Choose another destination; after two refusals Nova does."""
        if len(task.refused) >= 2:
            return None
        snapshot = self._cloud.snapshot(servers=[task.server_id])
        hosts = set(self._arguments.to or snapshot.hosts) - task.refused
        hosts.discard(task.move.source)
        plan = self.plan(
            snapshot,
            method=str(task.move.migration_type),
            to=hosts,
        )
        return next((m.destination for m in plan.moves), None)


def _planned(plan: 'planner.Plan') -> list[Sequence[Any]]:
    servers = {s.server.id: s.server for s in plan.report.servers}
    rows: list[Sequence[Any]] = [
        (
            move.server_id,
            servers[move.server_id].name,
            str(move.migration_type),
            move.source,
            move.destination,
            'planned',
            '',
        )
        for move in plan.moves
    ]
    rows += [
        (
            server.id,
            server.name,
            'none',
            server.host,
            None,
            'stays',
            ', '.join(sorted({finding.check for finding in findings})),
        )
        for server, findings in plan.stranded.items()
    ]
    return rows


def _ended(result: 'drain_module.Result') -> list[Sequence[Any]]:
    rows: list[Sequence[Any]] = [
        (
            task.server_id,
            task.name,
            str(task.move.migration_type),
            task.move.source,
            task.destination,
            'moved' if task.phase == 'done' else str(task.phase),
            task.reason,
        )
        for task in result.tasks
    ]
    rows += [
        (
            server.id,
            server.name,
            'none',
            server.host,
            None,
            'stays',
            ', '.join(sorted({finding.check for finding in findings})),
        )
        for server, findings in result.stranded.items()
    ]
    return rows
