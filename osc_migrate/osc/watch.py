# SPDX-License-Identifier: Apache-2.0
"""``openstack server migration watch``."""

import argparse
from collections.abc import Sequence
import contextlib
import datetime
import math
import shutil
import signal
import sys
import time
import typing
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import examples
from osc_migrate.osc import interrupts
from osc_migrate.osc import invocation
from osc_migrate.osc import keys
from osc_migrate.osc import options
from osc_migrate.osc import screen

if typing.TYPE_CHECKING:
    from osc_migrate import pacing as pacing_module
    from osc_migrate import past as past_module
    from osc_migrate import watch as watch_module
    from osc_migrate.cloud import Cloud
    from osc_migrate.outcome import Outcome


class WatchMigrations(command.Command):
    """Follow migrations, whoever began them, until all have ended.

    Changes nothing unless told to, by --on-stall or by a key. Exit code: 0
    all ended well, 1 failure, 2 usage, 3 some did not, 4 the time was over or
    the watch was interrupted; the migrations go on.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        self._parser = parser
        _add_choice(parser)
        _add_presentation(parser)
        _add_escalation(parser)
        _add_past(parser)
        examples.add(parser, 'watch')
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        misuse = invocation.misuse(parsed_args, self._parser)
        if misuse:
            self._parser.error(misuse)
        cloud = access.cloud(self.app.client_manager)
        act = self._tell_past if parsed_args.past else self._follow
        try:
            with _terminable():
                code = act(parsed_args, cloud)
        except KeyboardInterrupt:
            _say('Interrupted before all was read; migrations go on in Nova.')
            return access.UNFINISHED
        if cloud.is_confined:
            from osc_migrate import exceptions

            _say(
                'Nova shows you only the migrations that your project began. '
                f'For all of them: {exceptions.Forbidden.remedy}'
            )
        return code

    def _tell_past(
        self, parsed_args: argparse.Namespace, source: 'Cloud'
    ) -> int:
        """Sum up migrations that ended before."""
        from osc_migrate import pacing
        from osc_migrate import past

        cloud = pacing.PacedCloud(
            source,
            clock=time.monotonic,
            wait=keys.wait,
        )
        wanted, _ = _wanted(cloud, parsed_args)
        ended = past.summed_up(cloud, wanted, since=_since(parsed_args.since))
        if not ended:
            _say('No migration has ended since then.')
        code = _conclude(ended, parsed_args)
        if parsed_args.topology:
            _tell_topologies(cloud, ended, parsed_args)
        return code

    def _follow(self, parsed_args: argparse.Namespace, source: 'Cloud') -> int:
        """Follow what is under way, and sum up how it ended."""
        from osc_migrate import watch

        view = screen.Screen(parsed_args)
        following = watch.Watch(
            source,
            policy=_policy(parsed_args),
            reporters=[view.report],
            wait=view.wait,
            orders=view.orders,
            obeyed=view.obeyed,
        )
        wanted, names = _wanted(following.cloud, parsed_args)
        view.cloud = following.cloud
        is_interrupted = False
        try:
            with view:
                ended = following.run(
                    wanted,
                    until=view.rests,
                    timeout=parsed_args.timeout,
                )
        except KeyboardInterrupt:
            is_interrupted = True
            ended = following.outcomes()
        is_left = is_interrupted or following.is_timed_out
        if not ended and not is_left:
            self._say_nothing(following, names)
        code = _conclude(ended, parsed_args)
        if not is_left:
            return code
        is_all = bool(ended) and all(one.is_ended for one in ended)
        if is_interrupted or not is_all:
            _say(
                'Migrations go on in Nova without this watch. To attach '
                f'again: {invocation.again(parsed_args, self._parser)}'
            )
        return access.UNFINISHED

    def _say_nothing(
        self, following: 'watch_module.Watch', names: dict[str, str]
    ) -> None:
        """Say that nothing is under way, and what was the last of servers."""
        _say('No migration is under way.')
        for server_id, name in names.items():
            last = following.last(server_id)
            if last is not None:
                _say(
                    f'{name}: the last one, {last.source_compute or "?"} -> '
                    f'{last.dest_compute or "?"}, is {last.status} since '
                    f'{last.updated_at or last.created_at} UTC'
                )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('what to follow')
    group.add_argument(
        'server',
        metavar='<server>',
        nargs='*',
        help='Server (name or ID), of any project',
    )
    group.add_argument(
        '--host',
        metavar='<host>',
        action='append',
        default=[],
        help='Migrations from this host and to it (repeat for several)',
    )
    group.add_argument(
        '--all',
        action='store_true',
        help='All migrations of the cloud, as far as you may see them',
    )
    group.add_argument(
        '--follow',
        action='store_true',
        help='Wait for new ones when all have ended',
    )
    group.add_argument(
        '--timeout',
        metavar='<seconds>',
        type=options.seconds,
        help='Leave after this time, with exit code 4',
    )


def _add_presentation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('how to show it')
    group.add_argument(
        '-f',
        '--format',
        choices=('table', 'json'),
        default='table',
        help='A table, or lines where there is no terminal (default); or one '
        'JSON object a line on stdout',
    )
    group.add_argument(
        '--plain',
        action='store_true',
        help='One line for each change, and sentences: for screen readers',
    )


def _add_escalation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('migrations that do not end')
    group.add_argument(
        '--on-stall',
        choices=('wait', 'abort', 'force-complete'),
        default='wait',
        help='What to do with a live migration that will not converge or '
        'takes too long (default: wait)',
    )
    group.add_argument(
        '--max-pause',
        metavar='<seconds>',
        type=options.seconds,
        default=10.0,
        help='Complete by force only if that pauses the guest no longer '
        '(default: 10)',
    )
    group.add_argument(
        '--timeout-per-gib',
        metavar='<seconds>',
        type=options.seconds,
        help='How long a live migration may run for each GiB of memory, at '
        'least two GiB (default: for ever)',
    )


def _add_past(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('migrations that ended before')
    group.add_argument(
        '--past',
        action='store_true',
        help='Sum up what ended before, and follow nothing',
    )
    group.add_argument(
        '--since',
        metavar='<time>',
        type=options.moment,
        help='With --past: ISO 8601 time, UTC unless it says otherwise '
        '(default: a day ago)',
    )
    group.add_argument(
        '--topology',
        action='store_true',
        help='With --past: also the NUMA topology that each server has now, '
        'one request each; Nova keeps none of before',
    )


def _since(moment: datetime.datetime | None) -> str:
    day = datetime.timedelta(days=1)
    chosen = moment or datetime.datetime.now(datetime.UTC) - day
    return chosen.strftime('%Y-%m-%dT%H:%M:%S')


def _policy(parsed_args: argparse.Namespace) -> Any:
    from osc_migrate import task
    from osc_migrate import watch

    return watch.policy(
        task.OnStall(parsed_args.on_stall),
        max_pause=parsed_args.max_pause,
        timeout_per_gib=parsed_args.timeout_per_gib,
    )


def _wanted(
    cloud: Any, parsed_args: argparse.Namespace
) -> tuple['past_module.Wanted', dict[str, str]]:
    """Find the servers that were named; return what to follow, and names.

    :raises ServerNotFound, AmbiguousName, HostNotFound: no such thing
    :raises Forbidden: the caller may not see hosts
    """
    from osc_migrate import exceptions
    from osc_migrate import past

    names = {cloud.find(name)[0]: name for name in parsed_args.server}
    if parsed_args.host:
        # who may not see services is not shown the hosts of migrations
        services = cloud.services()
        for host in parsed_args.host:
            if host not in services:
                raise exceptions.HostNotFound(host, services)
    return past.Wanted(
        servers=frozenset(names),
        hosts=frozenset(parsed_args.host),
        is_everything=parsed_args.all,
    ), names


def _conclude(
    ended: Sequence['Outcome'], parsed_args: argparse.Namespace
) -> int:
    """Print the summary, and choose the exit code."""
    from osc_migrate import report
    from osc_migrate import summary

    if parsed_args.format == 'json':
        writer = report.JsonLines(sys.stdout)
        for one in ended:
            writer.write('summary', summary.document(one))
    elif ended:
        lines = summary.sentences(ended)
        if not parsed_args.plain:
            lines = summary.table(ended, _columns())
        print('\n'.join(lines))
        print(report.counted(one.result for one in ended), flush=True)
    return access.EMPTY if all(one.is_good for one in ended) else access.LEFT


def _tell_topologies(
    cloud: 'pacing_module.PacedCloud',
    ended: Sequence['Outcome'],
    parsed_args: argparse.Namespace,
) -> None:
    """Say what the servers have now; Nova keeps nothing of before."""
    from osc_migrate import report
    from osc_migrate import topology

    names = {one.server_id: one.name for one in ended}
    for server_id, name in names.items():
        shape = topology.shape(cloud.topology(server_id))
        if parsed_args.format == 'json':
            said = {'server_id': server_id, 'server': name, 'has': shape}
            report.JsonLines(sys.stdout).write('topology', said)
        else:
            print(f'{name} has now: {shape}', flush=True)


def _columns() -> float:
    """Return how much of a line there is room for."""
    if not sys.stdout.isatty():
        return math.inf
    return shutil.get_terminal_size().columns


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _terminable() -> contextlib.AbstractContextManager[None]:
    """Let a SIGTERM do what Ctrl-C does: the terminal is put in order.

    Ctrl-C too, as a shell lets what it starts in the background ignore it.
    """
    return interrupts.handling(
        interrupts.interrupt, (signal.SIGINT, signal.SIGTERM)
    )
