# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the values they make."""

import argparse
from collections.abc import Callable, Iterable
import contextlib
import datetime
import typing

from osc_lib.cli import parseractions

if typing.TYPE_CHECKING:
    from osc_migrate import checks
    from osc_migrate import drain as drain_module
    from osc_migrate import limits as limits_module
    from osc_migrate import model
    from osc_migrate import probe as probe_module
    from osc_migrate import task as task_module
    from osc_migrate import verdict as verdict_module


def positive(text: str) -> int:
    """Read a whole number above zero."""
    with contextlib.suppress(ValueError):
        if (number := int(text)) > 0:
            return number
    raise argparse.ArgumentTypeError(f'{text!r} is no whole number above zero')


def seconds(text: str) -> float:
    """Read a number of seconds above zero."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < float('inf'):
            return number
    raise argparse.ArgumentTypeError(
        f'{text!r} is no number of seconds above zero'
    )


def moment(text: str) -> datetime.datetime:
    """Read an ISO 8601 time, UTC unless it says otherwise; return UTC."""
    try:
        read = datetime.datetime.fromisoformat(text)
        if read.tzinfo is None:
            read = read.replace(tzinfo=datetime.UTC)
        return read.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no ISO 8601 time, as 2026-01-31T12:00"
        ) from error


def _add_names(
    parser: argparse._ActionsContainer, option: str, metavar: str, text: str
) -> None:
    parser.add_argument(
        option,
        metavar=f'<{metavar}>',
        action='append',
        default=[],
        help=f'{text} (repeat for several)',
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add what chooses servers, ways and destinations."""
    _add_ways(parser)
    _add_servers(parser)


def _add_ways(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group('where to and how')
    _add_names(how, '--to', 'host', 'Move only to this host')
    how.add_argument(
        '--scheduler',
        action='store_true',
        help='Let Nova choose the destinations',
    )
    how.add_argument(
        '--method',
        choices=('auto', 'live', 'cold'),
        default='auto',
        help='How to move (default: auto)',
    )
    how.add_argument(
        '--allow-cold',
        action='store_true',
        help='Power off a running server that cannot move live',
    )
    how.add_argument(
        '--order',
        choices=('largest', 'smallest', 'name'),
        default='largest',
        help='Which servers move first (default: largest)',
    )
    _add_names(how, '--ignore-check', 'id', 'Let this check only warn')


def _add_servers(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group('which servers (default: all)')
    _add_names(which, '--server', 'server', 'Name or ID of a server')
    _add_names(
        which, '--project', 'project', 'Servers of this project, name or ID'
    )
    _add_names(which, '--flavor', 'flavor', 'Servers of this flavor (name)')
    _add_names(which, '--tag', 'tag', 'Servers with this tag')
    _add_names(which, '--exclude', 'server', 'Leave this server')
    which.add_argument(
        '--property',
        metavar='<key=value>',
        action=parseractions.KeyValueAction,
        default={},
        help='Servers with this property (repeat for several)',
    )
    which.add_argument(
        '--limit',
        metavar='<number>',
        type=positive,
        help='Move at most this many servers now; typed again, it moves as '
        'many more',
    )


# what Nova refuses whatever the client thinks of it
_HOPELESS = ('server-state', 'server-error', 'server-resize')


def overriding(found: 'checks.Finding') -> str:
    """Say which option lets a drain go on in spite of a finding."""
    if found.is_transient:
        return ''  # it is waited for
    if found.check == 'server-downtime':
        return '--allow-cold'
    if found.check == 'server-source-down':
        return '--evacuate --fenced'
    if found.check in _HOPELESS or found.check.endswith('-none'):
        return '--partial'
    return f'--ignore-check {found.check}'


def draining(
    parsed_args: argparse.Namespace, projects: Iterable[str]
) -> 'drain_module.Options':
    """Make the options of a drain.

    :param projects: ids of those whose servers are meant
    """
    from osc_migrate import drain
    from osc_migrate import selection

    return drain.Options(
        method='evacuate' if parsed_args.evacuate else parsed_args.method,
        allow_cold=parsed_args.allow_cold,
        to=frozenset(parsed_args.to),
        is_scheduled=parsed_args.scheduler,
        is_fenced=parsed_args.evacuate and parsed_args.fenced,
        is_reserved=parsed_args.reserve,
        order=parsed_args.order,
        ignore=frozenset(parsed_args.ignore_check),
        selection=selection.Selection(
            servers=frozenset(parsed_args.server),
            projects=frozenset(projects),
            flavors=frozenset(parsed_args.flavor),
            properties=parsed_args.property or {},
            tags=frozenset(parsed_args.tag),
            exclude=frozenset(parsed_args.exclude),
            limit=parsed_args.limit,
        ),
    )


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add how many migrations may be under way."""
    group = parser.add_argument_group(
        'how many at once',
        'A migration that copies disks counts for two. Nova tells that of one '
        'that runs only; once it has, every server with local disks on the '
        'same host counts for two before it is asked for.',
    )
    for option, number, text in (
        ('--parallel', 8, 'Migrations in all'),
        ('--parallel-per-source', 2, 'Migrations from one host'),
        ('--parallel-per-destination', 2, 'Migrations to one host'),
    ):
        group.add_argument(
            option,
            metavar='<number>',
            type=positive,
            default=number,
            help=f'{text}; those of others count too (default: {number})',
        )


def limits(parsed_args: argparse.Namespace) -> 'limits_module.Limits':
    """Make the limits."""
    from osc_migrate import limits as limits_module

    return limits_module.Limits(
        total=parsed_args.parallel,
        per_source=parsed_args.parallel_per_source,
        per_destination=parsed_args.parallel_per_destination,
    )


def add_escalation(parser: argparse.ArgumentParser) -> None:
    """Add what is done with migrations that do not end."""
    group = parser.add_argument_group('migrations that do not end')
    group.add_argument(
        '--on-stall',
        choices=('wait', 'force-complete', 'abort'),
        default='abort',
        help='What to do with a live migration that will not converge or '
        'takes too long (default: abort, then another destination, then cold '
        'if --allow-cold)',
    )
    group.add_argument(
        '--max-pause',
        metavar='<seconds>',
        type=seconds,
        default=10.0,
        help='Complete by force only if that pauses the guest no longer '
        '(default: 10)',
    )
    group.add_argument(
        '--timeout-per-gib',
        metavar='<seconds>',
        type=seconds,
        default=150.0,
        help='How long a live migration may run for each GiB of memory, at '
        'least two GiB (default: 150)',
    )
    group.add_argument(
        '--reset-state',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='Call a server active again that a failed live migration left in '
        'ERROR although its guest runs, as it was before (default: yes)',
    )


def policy(parsed_args: argparse.Namespace) -> 'task_module.Policy':
    """Make the policy."""
    from osc_migrate import task

    # a server comes back the way it left: nobody is powered off for that
    may_stop = getattr(parsed_args, 'allow_cold', False)
    return task.Policy(
        on_stall=task.OnStall(parsed_args.on_stall),
        max_pause=parsed_args.max_pause,
        allow_cold=may_stop or getattr(parsed_args, 'method', '') == 'cold',
        reset_state=parsed_args.reset_state,
        deadlines=task.Deadlines(running_per_gib=parsed_args.timeout_per_gib),
    )


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Add whether and how the hosts themselves are asked."""
    group = parser.add_argument_group('asking the hosts themselves')
    group.add_argument(
        '--probe',
        choices=('ssh',),
        help='Log in to the hosts that matter with your own ssh, and ask '
        'lscpu, numactl and virsh; only commands that read',
    )
    group.add_argument(
        '--probe-address',
        metavar='<template>',
        default='{host}',
        help='Address of a host, in which {host} is its name: '
        '{host}.mgmt.example.org (default: {host})',
    )
    for name, default, text in (
        ('user', None, 'User to log in as'),
        ('uri', 'qemu:///system', 'Libvirt there (default: %(default)s)'),
    ):
        option, metavar = f'--probe-{name}', f'<{name}>'
        group.add_argument(option, metavar=metavar, default=default, help=text)
    group.add_argument(
        '--probe-command',
        metavar='<command>',
        default='ssh {address}',
        help='How to log in, in words as for a shell; it must run ssh, which '
        'gets options for no questions and known host keys first. What '
        "stands behind {address} runs on the host: 'ssh -J jump {address} "
        "sudo -n' (default: ssh {address})",
    )
    group.add_argument(
        '--probe-timeout',
        metavar='<seconds>',
        type=seconds,
        default=60.0,
        help='How long one host may take (default: 60)',
    )


def probed(
    parsed_args: argparse.Namespace,
    snapshot: 'model.Snapshot',
    judge: 'Callable[[], verdict_module.Report]',
) -> 'model.Snapshot':
    """Ask the hosts that matter to a judgement, if they shall be asked.

    :raises InvalidInput: a template that makes no sense
    """
    ssh = probing(parsed_args)
    if ssh is None:
        return snapshot
    from osc_migrate import probe

    return probe.with_probes(snapshot, probe.concerned(judge()), ssh)


def probing(parsed_args: argparse.Namespace) -> 'probe_module.Ssh | None':
    """Make the way to ask hosts; ``None`` if they shall not be asked.

    :raises InvalidInput: a template that makes no sense
    """
    if parsed_args.probe is None:
        return None
    from osc_migrate import probe

    return probe.Ssh(
        address=parsed_args.probe_address,
        user=parsed_args.probe_user,
        command=parsed_args.probe_command,
        timeout=parsed_args.probe_timeout,
        uri=parsed_args.probe_uri,
    )
