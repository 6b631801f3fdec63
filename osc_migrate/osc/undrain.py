# SPDX-License-Identifier: Apache-2.0
"""``openstack compute undrain HOST``."""

import argparse
import shlex
import sys
import typing
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import examples
from osc_migrate.osc import interrupts
from osc_migrate.osc import options
from osc_migrate.osc import rows
from osc_migrate.osc import voice as voices

if typing.TYPE_CHECKING:
    from osc_migrate import model
    from osc_migrate import planner
    from osc_migrate import restore
    from osc_migrate import token as token_module
    from osc_migrate.task import Task


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
        self._usage = parser
        parser.add_argument(
            'host', metavar='<host>', help='Exact name of the host'
        )
        _add_restore(parser)
        parser.add_argument(
            '--dry-run',
            action='store_true',
            help='Say what would be done; change nothing',
        )
        voices.add_log(parser)
        options.add_limits(parser)
        options.add_escalation(parser)
        examples.add(parser, 'undrain')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        misuse = _misuse(parsed_args)
        if misuse:
            self._usage.error(misuse)
        try:
            return super().run(parsed_args) or self.exit_code
        except KeyboardInterrupt:
            return access.UNFINISHED

    def take_action(self, parsed_args: argparse.Namespace) -> rows.Listing:
        with voices.opened(parsed_args.log, self.app.command_options) as voice:
            return self._undrain(parsed_args, voice)

    def _undrain(
        self, parsed_args: argparse.Namespace, voice: voices.Voice
    ) -> rows.Listing:
        from osc_migrate import restore

        cloud = access.cloud(self.app.client_manager)
        service, token = restore.mark(cloud, parsed_args.host)
        origin = _origin(parsed_args, service, token, user_id=cloud.user_id)
        listed: list[rows.Row] = []
        plan, begun = None, []
        if parsed_args.restore and origin.since:
            found = restore.find(cloud, origin)
            listed, begun = _staying(found.stays, service.name), found.begun
            plan = restore.plan(cloud, found.back, service.name)
        elif parsed_args.restore:
            voice.say(f'{service.name} carries no mark of a drain')
        if parsed_args.dry_run:
            rest = listed + rows.ended(begun)
            return self._would(parsed_args, service, token, plan, rest)
        if plan is not None:
            voice.say(
                f'To resume this, should it be interrupted: {_command(origin)}'
            )
        if token is None:
            voice.say(f'{service.name} is enabled already')
        else:
            voice.say(restore.reopen(cloud, service, token), 'reopened')
        if plan is not None:
            listed += self._bring_back(
                cloud,
                plan,
                begun=begun,
                parsed_args=parsed_args,
                origin=origin,
                voice=voice,
            )
        voice.write(
            'end', text='', host=service.name, exit_code=self.exit_code
        )
        return rows.listing(listed, parsed_args.formatter)

    def _would(
        self,
        parsed_args: argparse.Namespace,
        service: 'model.Host',
        token: 'token_module.Token | None',
        plan: 'planner.Plan | None',
        listed: list[rows.Row],
    ) -> rows.Listing:
        """Say what would be done."""
        does = 'is enabled already'
        if token is not None:
            does = 'would be enabled'
            if token.was == 'disabled':
                does = 'would stay disabled, as it was before the drain'
        print(f'{service.name} {does}', file=sys.stderr, flush=True)
        if plan is None:
            return rows.listing(listed, parsed_args.formatter)
        self.exit_code = access.LEFT if plan.stranded else access.EMPTY
        limits = options.limits(parsed_args)
        names, moves = rows.planned(plan, limits, parsed_args.formatter)
        return names, moves + rows.untimed(listed, parsed_args.formatter)

    def _bring_back(
        self,
        cloud: Any,
        plan: 'planner.Plan',
        *,
        begun: 'list[Task]',
        parsed_args: argparse.Namespace,
        origin: 'restore.Origin',
        voice: voices.Voice,
    ) -> list[rows.Row]:
        """Move the servers, and show how it goes."""
        from osc_migrate import executor
        from osc_migrate import past
        from osc_migrate import report

        host = parsed_args.host
        runner = executor.Executor(
            cloud,
            limits=options.limits(parsed_args),
            policy=options.policy(parsed_args),
            reporters=[report.Lines(sys.stderr), *voice.logs],
            # nowhere else: Nova may need a moment to see it enabled
            choose=lambda task: host,
            hosts=cloud.services,
            explain=lambda task: past.explained(cloud, task),
            is_ours=lambda record: record.user_id in origin.user_ids,
        )
        with interrupts.stopping(
            runner, voice.say, host=host, resume=_command(origin)
        ):
            tasks = runner.run(plan, begun)
        voice.say(f'{host}: {report.summary(tasks)}')
        for text in report.stranded(plan.stranded):
            voice.say(text, 'stays')
        if plan.stranded or {t.phase for t in tasks} - {'done', 'skipped'}:
            self.exit_code = access.LEFT
        if runner.is_stopping:
            self.exit_code = access.UNFINISHED
        return rows.ended(tasks) + rows.staying(plan.stranded)


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--restore',
        action='store_true',
        help='Bring back the servers that the drain moved',
    )
    parser.add_argument(
        '--since',
        metavar='<time>',
        type=options.moment,
        help='When the drain began, to resume an interrupted --restore: the '
        'host is then enabled and remembers nothing; ISO 8601 time, UTC '
        'unless it says otherwise',
    )
    parser.add_argument(
        '--user',
        metavar='<id>',
        action='append',
        default=[],
        help='With --since: ID of another user who took part in the drain '
        '(repeat for several)',
    )


def _misuse(parsed_args: argparse.Namespace) -> str:
    """Say which options contradict each other."""
    if parsed_args.since and not parsed_args.restore:
        return '--since goes with --restore only'
    if parsed_args.user and not parsed_args.since:
        return '--user goes with --since only'
    return ''


def _origin(
    parsed_args: argparse.Namespace,
    service: 'model.Host',
    token: 'token_module.Token | None',
    *,
    user_id: str | None,
) -> 'restore.Origin':
    """Say whose drain is undone; ``since`` is empty if nothing tells that.

    :param user_id: the caller's
    """
    from osc_migrate import restore

    since = token.since if token else ''
    if parsed_args.since:
        since = f'{parsed_args.since:%Y-%m-%dT%H:%M:%SZ}'
    marked = token.user_ids if token else ()
    users = {user_id, *parsed_args.user, *marked}
    return restore.Origin(
        host=service, since=since, user_ids=frozenset(filter(None, users))
    )


def _command(origin: 'restore.Origin') -> str:
    """Write the command that resumes, by anybody and from anywhere."""
    words = ['openstack', 'compute', 'undrain', origin.host.name, '--restore']
    words += ['--since', origin.since]
    for user_id in sorted(origin.user_ids):
        words += ['--user', user_id]
    return shlex.join(words)


def _staying(stays: list['restore.Stay'], host: str) -> list[rows.Row]:
    return [
        rows.row(
            stay.server_id,
            stay.name,
            source=None,
            destination=host,
            result='stays',
            reason=stay.reason,
        )
        for stay in stays
    ]
