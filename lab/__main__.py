# SPDX-License-Identifier: Apache-2.0
"""The command line of the lab: ``python -m lab VERB ...``.

Progress goes to stderr. A wish that cannot be fulfilled ends with one
sentence and exit code 1 (2 for a wrong command line).
"""

import argparse
import shutil
import signal
import sys
from typing import Any

from lab import control
from lab import conversion
from lab import exceptions
from lab import folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='lab',
        description='A real Nova on one machine, with simulated hypervisors.',
    )
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB')
    up = verbs.add_parser('up', help='boot a lab')
    up.add_argument('scenario', nargs='?', metavar='SCENARIO.yaml')
    run = verbs.add_parser(
        'run',
        help='boot a lab, run a command in it, end the lab',
        usage='lab run [SCENARIO.yaml] -- COMMAND ARG...',
    )
    run.add_argument('scenario', nargs='?', metavar='SCENARIO.yaml')
    verbs.add_parser('down', help='end the lab')
    verbs.add_parser('status', help='show the processes')
    logs = verbs.add_parser('logs', help='print the log of a process')
    logs.add_argument('name', metavar='NAME')
    host = verbs.add_parser('host', help='start or end a nova-compute')
    host.add_argument('action', choices=control.HOST_VERBS)
    host.add_argument('name', metavar='NAME')
    change = verbs.add_parser(
        'set', help='change how a server or host behaves'
    )
    change.add_argument('name', metavar='SERVER|HOST|nova')
    change.add_argument('settings', nargs='+', metavar='KEY=VALUE')
    return parser


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Parse all but what stands behind the first ``--`` of `run`."""
    command: list[str] = []
    if arguments[:1] == ['run'] and '--' in arguments:
        split = arguments.index('--')
        arguments, command = arguments[:split], arguments[split + 1 :]
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.verb == 'run' and not command:
        parser.error('run: say what to run: run [SCENARIO.yaml] -- COMMAND')
    parsed.command = command
    return parsed


def _up(parsed: argparse.Namespace) -> None:
    control.up(parsed.scenario)
    clouds = folder.current().clouds
    print(
        f'export OS_CLIENT_CONFIG_FILE={clouds} OS_CLOUD=lab\n'
        '# or lab-member, lab-manager, lab-reader; then: openstack server list'
    )


def _down(_: argparse.Namespace) -> None:
    ended = control.down()
    print(f'{len(ended)} processes ended', file=sys.stderr)


def _status(_: argparse.Namespace) -> None:
    for row in control.status():
        print('{:<16} {:<8} {}'.format(*row))


def _logs(parsed: argparse.Namespace) -> None:
    with open(control.logs(parsed.name)) as log:
        shutil.copyfileobj(log, sys.stdout)


def _act(parsed: argparse.Namespace) -> int:
    actions: dict[str, Any] = {
        'up': _up,
        'run': lambda p: control.run(p.scenario, p.command),
        'down': _down,
        'status': _status,
        'logs': _logs,
        'host': lambda p: control.host(p.action, p.name),
        'set': lambda p: control.change(p.name, p.settings),
    }
    return int(actions[parsed.verb](parsed) or 0)


def main() -> int:
    """Do what the command line says and return the exit code."""
    parsed = _parse(sys.argv[1:])
    # So that what is up half-way is taken down.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return _act(parsed)
    except (exceptions.LabError, conversion.ScenarioError) as error:
        print(f'lab: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


if __name__ == '__main__':
    sys.exit(main())
