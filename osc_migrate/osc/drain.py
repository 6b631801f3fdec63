# SPDX-License-Identifier: Apache-2.0
"""``openstack compute drain HOST``."""

import argparse
from collections.abc import Callable
import contextlib
import sys
import typing
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import closing
from osc_migrate.osc import examples
from osc_migrate.osc import interrupts
from osc_migrate.osc import misuse
from osc_migrate.osc import options
from osc_migrate.osc import rows
from osc_migrate.osc import screen
from osc_migrate.osc import typed
from osc_migrate.osc import voice as voices

if typing.TYPE_CHECKING:
    from osc_migrate import drain as drain_module
    from osc_migrate import executor as executor_module
    from osc_migrate import planner
    from osc_migrate import task as tasks
    from osc_migrate import topology


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
        options.add_probe(parser)
        self._usage = parser
        examples.add(parser, 'drain')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        contradiction = misuse.of_drain(parsed_args)
        if contradiction:
            self._usage.error(contradiction)
        try:
            return super().run(parsed_args) or self.exit_code
        except KeyboardInterrupt:
            return access.UNFINISHED

    def take_action(self, parsed_args: argparse.Namespace) -> rows.Listing:
        with voices.opened(parsed_args.log, self.app.command_options) as voice:
            return self._drain(parsed_args, voice)

    def _drain(
        self, parsed_args: argparse.Namespace, voice: voices.Voice
    ) -> rows.Listing:
        from osc_migrate import drain

        manager = self.app.client_manager
        with interrupts.unchanged(voice.say):
            cloud = access.cloud(manager)
            projects = access.projects(manager, parsed_args.project)
            chosen = options.draining(parsed_args, projects)
            emptying = drain.Drain(cloud, parsed_args.host, chosen)
            plan = self._planned(emptying, parsed_args)
            closing.show(emptying, plan, voice)
            if not self._may_begin(parsed_args, emptying, plan, voice=voice):
                limits = options.limits(parsed_args)
                return rows.planned(plan, limits, parsed_args.formatter)
        result, proof = self._run(
            emptying, plan, parsed_args, cloud=cloud, voice=voice
        )
        closing.prove(proof, voice)
        self.exit_code = closing.conclude(
            result,
            voice,
            words=self.app.command_options,
            kept=emptying.reservation,
            is_closed=emptying.token is not None,
            is_worse=parsed_args.strict_topology and proof.is_worse,
        )
        listed = rows.ended(result.tasks) + rows.staying(result.stranded)
        listed += rows.left(result.leftovers, result.host, listed)
        formatter = parsed_args.formatter
        return rows.compared(rows.listing(listed, formatter), proof, formatter)

    def _planned(
        self, emptying: 'drain_module.Drain', parsed_args: argparse.Namespace
    ) -> 'planner.Plan':
        """Plan, with what hosts say of themselves if they shall be asked."""
        emptying.check()
        plan = emptying.plan()
        if parsed_args.probe:
            emptying.snapshot = options.probed(
                parsed_args, emptying.snapshot, lambda: plan.report
            )
            plan = emptying.plan()
        return plan

    def _may_begin(
        self,
        parsed_args: argparse.Namespace,
        emptying: 'drain_module.Drain',
        plan: 'planner.Plan',
        *,
        voice: voices.Voice,
    ) -> bool:
        """Whether the plan is to be carried out; else set the exit code."""
        from osc_migrate import emptying as emptying_module

        is_leaving = emptying_module.is_leaving(plan, parsed_args.limit)
        if parsed_args.dry_run:
            self.exit_code = access.LEFT if is_leaving else access.EMPTY
            voice.say(closing.outlook(plan, options.limits(parsed_args)))
            return False
        if is_leaving and not parsed_args.partial:
            self.exit_code = access.LEFT
            again = typed.again(self.app.command_options, '--partial')
            voice.say(
                f'Nothing was changed. To move what can be moved: {again}',
                'refused',
                exit_code=access.LEFT,
            )
            return False
        if not self._is_agreed(parsed_args, emptying, plan):
            self.exit_code = access.UNFINISHED
            voice.say('Nothing was changed.', 'refused', exit_code=4)
            return False
        return True

    def _run(
        self,
        emptying: 'drain_module.Drain',
        plan: 'planner.Plan',
        parsed_args: argparse.Namespace,
        *,
        cloud: Any,
        voice: voices.Voice,
    ) -> tuple['drain_module.Result', 'topology.Proof']:
        """Carry out the plan, show how it goes, compare what it changed."""
        kept = emptying.reservation
        with contextlib.ExitStack() as stack:
            early = stack.enter_context(interrupts.noted())
            if not parsed_args.no_disable:
                user = access.user_name(self.app.client_manager)
                closing.close(emptying, voice, user, reason=parsed_args.reason)
            reporters = _reporters(parsed_args, voice, stack)
            runner = _runner(
                emptying, parsed_args, cloud=cloud, reporters=reporters
            )
            stack.enter_context(
                interrupts.stopping(
                    runner,
                    voice.say,
                    host=parsed_args.host,
                    resume=typed.again(self.app.command_options),
                    early=early,
                )
            )
            if kept is not None:
                stack.callback(closing.release, kept, voice)
            result = emptying.run(plan, runner)
            ssh = options.probing(parsed_args)
            return result, runner.patiently(
                lambda: closing.compared(cloud, emptying, result, ssh=ssh)
            )

    def _is_agreed(
        self,
        parsed_args: argparse.Namespace,
        emptying: 'drain_module.Drain',
        plan: 'planner.Plan',
    ) -> bool:
        """Ask on a terminal, unless told not to."""
        if parsed_args.yes or not sys.stdin.isatty():
            return True
        host, number = parsed_args.host, len(plan.moves)
        servers = f'{number} server{"" if number == 1 else "s"}'
        question = f'Disable {host} and move {servers}?'
        if parsed_args.evacuate:
            question = f'Force {host} down and evacuate {servers}?'
        elif parsed_args.no_disable or emptying.token is not None:
            question = f'Move {servers} away from {host}?'
        print(f'{question} [y/N] ', end='', file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ('y', 'yes')


def _runner(
    emptying: 'drain_module.Drain',
    parsed_args: argparse.Namespace,
    *,
    cloud: Any,
    reporters: list[Any],
) -> 'executor_module.Executor':
    """Make what carries out the plans of a drain."""
    from osc_migrate import executor

    return executor.Executor(
        emptying.reservation or cloud,
        limits=options.limits(parsed_args),
        policy=options.policy(parsed_args),
        reporters=reporters,
        choose=emptying.choose,
        explain=_explaining(cloud, emptying),
        hosts=emptying.services,
        is_ours=emptying.is_ours,
        since=emptying.token.since if emptying.token else '',
    )


def _explaining(
    cloud: Any, emptying: 'drain_module.Drain'
) -> Callable[['tasks.Task'], 'tasks.Task']:
    """Make what adds to a failure why, as far as Nova tells."""
    from osc_migrate import past
    from osc_migrate import proof

    def explain(task: 'tasks.Task') -> 'tasks.Task':
        return proof.explained(past.explained(cloud, task), emptying.before)

    return explain


def _reporters(
    parsed_args: argparse.Namespace,
    voice: voices.Voice,
    stack: contextlib.ExitStack,
) -> list[Any]:
    """Choose how the moves are shown, and where they are written down."""
    from osc_migrate import live_table
    from osc_migrate import report

    reporters: list[Any] = [report.Lines(sys.stderr)]
    if screen.is_drawable() and not parsed_args.plain:
        table = live_table.LiveTable(f'Draining {parsed_args.host}')
        reporters = [stack.enter_context(table)]
    return [*reporters, *voice.logs]


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
    voices.add_log(parser)
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
        '--reserve',
        action='store_true',
        help='Keep the one host of --to for this drain: it must be empty, is '
        'disabled, is opened only while a request of this drain is being '
        'scheduled, and is what it was before in the end, after an '
        'interrupt, and when the same is run again after a crash',
    )
    parser.add_argument(
        '--strict-topology',
        action='store_true',
        help='End with 3 if a move changed something for the worse: the NUMA '
        'cells, pages or dedicated CPUs of a server, what is pinned beside '
        'it, or a destination that is overcommitted more than before',
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
