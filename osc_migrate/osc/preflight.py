# SPDX-License-Identifier: Apache-2.0
"""``openstack server migration preflight``."""

import argparse
from collections.abc import Iterable, Sequence
import json
import sys
import typing
from typing import Any

from osc_lib.command import command

from osc_migrate.osc import access
from osc_migrate.osc import examples
from osc_migrate.osc import options

if typing.TYPE_CHECKING:
    from osc_migrate import fit as fit_module
    from osc_migrate import model
    from osc_migrate import planner
    from osc_migrate import verdict as verdict_module

Listing = tuple[Sequence[str], Iterable[Sequence[Any]]]

_COLUMNS = (
    'ID',
    'Name',
    'Status',
    'Method',
    'Destinations',
    'Verdict',
    'Reason',
)
_MORE = ('Flavor', 'Project', 'Memory', 'Planned Destination', 'Duration')
_FINDINGS = (
    'Check',
    'Severity',
    'Server',
    'Method',
    'Destination',
    'Message',
    'Remedy',
    'Evidence',
)


class Preflight(command.Lister):
    """Say which servers can move, how, where to, and exactly why not

    Changes nothing. Exit code: 0 everything can move, 3 something is in the
    way, 1 failure, 2 usage.
    """

    # a saved snapshot needs no cloud
    auth_required = False
    exit_code = access.EMPTY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            'server',
            metavar='<server>',
            nargs='*',
            help='Server (name or ID), of any project',
        )
        for option, metavar, text in (
            ('--host', 'host', 'All servers of this host'),
            ('--to', 'host', 'Consider only this destination'),
            ('--ignore-check', 'id', 'Let errors of this check only warn'),
        ):
            parser.add_argument(
                option,
                metavar=f'<{metavar}>',
                action='append',
                default=[],
                help=f'{text} (repeat for several)',
            )
        parser.add_argument(
            '--method',
            choices=('auto', 'live', 'cold', 'evacuate'),
            default='auto',
            help='How the servers shall move (default: auto)',
        )
        for option, text in (
            (
                '--include-disabled',
                'Consider disabled hosts as destinations as well',
            ),
            ('--strict', 'Exit with 3 also if something cannot be known'),
        ):
            parser.add_argument(option, action='store_true', help=text)
        _add_views(parser)
        _add_files(parser)
        options.add_probe(parser)
        examples.add(parser, 'preflight')
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Return our exit code instead of cliff's 0."""
        return super().run(parsed_args) or self.exit_code

    def take_action(self, parsed_args: argparse.Namespace) -> Listing:
        from osc_migrate import fit as fit_module
        from osc_migrate import planner
        from osc_migrate import serial
        from osc_migrate import verdict

        if parsed_args.list_checks:
            return _checks()
        snapshot = self._snapshot(parsed_args)
        how: dict[str, Any] = {
            'method': parsed_args.method,
            'to': parsed_args.to,
            'ignore': parsed_args.ignore_check,
            'include_disabled': parsed_args.include_disabled,
        }
        asked = parsed_args.host, parsed_args.server
        snapshot = options.probed(
            parsed_args,
            snapshot,
            lambda: verdict.preflight(snapshot, *asked, **how),
        )
        if parsed_args.save_snapshot:
            serial.save_snapshot(snapshot, parsed_args.save_snapshot)
        plan = planner.plan(snapshot, *asked, allow_cold=True, **how)
        fit = fit_module.judge(plan)
        if parsed_args.report:
            serial.write(
                fit_module.document(plan, snapshot, fit), parsed_args.report
            )
        self._say(plan, fit, parsed_args)
        if parsed_args.matrix:
            return _matrix(plan.report)
        if parsed_args.findings:
            return _findings(plan.report)
        return _servers(plan, is_long=parsed_args.long)

    def _snapshot(self, parsed_args: argparse.Namespace) -> 'model.Snapshot':
        """Read a saved snapshot, or take one of the cloud."""
        from osc_migrate import selection
        from osc_migrate import serial

        if parsed_args.snapshot:
            saved = serial.load_snapshot(parsed_args.snapshot)
            selection.check_surveyed(
                saved, parsed_args.host, parsed_args.snapshot
            )
            chosen = selection.only(saved, parsed_args.server)
            return saved if parsed_args.host else chosen
        if not (parsed_args.host or parsed_args.server):
            self._usage_error('name servers, or a host with --host')
        # only now is it known that a cloud is needed
        self.auth_required = True
        self.app.prepare_to_run_command(self)
        # what runs on a host that was named matters to single cells of it;
        # without --host all servers of the snapshot are judged
        also = parsed_args.to if parsed_args.host else []
        return access.cloud(self.app.client_manager).snapshot(
            host=[*parsed_args.host, *also], servers=parsed_args.server
        )

    def _usage_error(self, text: str) -> None:
        self.get_parser(f'openstack {self.cmd_name}').error(text)

    def _say(
        self,
        plan: 'planner.Plan',
        fit: 'fit_module.Fit',
        parsed_args: argparse.Namespace,
    ) -> None:
        """Explain on stderr, grouped, and choose the exit code."""
        from osc_migrate import fit as fit_module
        from osc_migrate import report
        from osc_migrate import verdict

        found = plan.report
        names = {entry.server.id: entry.server.name for entry in found.servers}
        for gap in found.gaps:
            _print(f'Unknown: {gap.subject}: {gap.reason} ({gap.remedy})')
        blocking = [
            finding
            for entry in found.servers
            if entry.verdict is verdict.Verdict.BLOCKED
            for finding in entry.all_findings()
            if finding.check in entry.reasons
        ]
        for line in report.grouped(blocking, names):
            _print(line)
        _print(fit_module.sentence(fit))
        worst = {entry.verdict for entry in found.servers}
        if (
            not found.is_clear
            or fit.first is not None
            or (parsed_args.strict and verdict.Verdict.UNKNOWN in worst)
        ):
            self.exit_code = access.LEFT


def _add_views(parser: argparse.ArgumentParser) -> None:
    views = parser.add_mutually_exclusive_group()
    views.add_argument(
        '--long',
        action='store_true',
        help='List flavor, project, memory, planned destination and the '
        'duration to expect as well',
    )
    views.add_argument(
        '--matrix',
        action='store_true',
        help='List servers by destinations, with what forbids each pair',
    )
    views.add_argument(
        '--findings', action='store_true', help='List every finding'
    )
    views.add_argument(
        '--list-checks', action='store_true', help='List the checks'
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--report', metavar='<file>', help='Write all of it there, as JSON'
    )
    parser.add_argument(
        '--save-snapshot',
        metavar='<file>',
        help='Write there what was read of the cloud and of hosts',
    )
    parser.add_argument(
        '--snapshot',
        metavar='<file>',
        help='Judge a saved snapshot, all of its servers unless --host or '
        'names say which; no cloud is needed',
    )


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _checks() -> Listing:
    from osc_migrate import checks

    return ('Check', 'Runs Per', 'Summary'), [
        (check.id, str(check.scope), check.summary) for check in checks.load()
    ]


def _servers(plan: 'planner.Plan', *, is_long: bool) -> Listing:
    from osc_migrate import fit as fit_module
    from osc_migrate import report

    going = {move.server_id: move for move in plan.moves}
    rows = []
    for entry in plan.report.servers:
        server = entry.server
        row: list[Any] = [
            server.id,
            server.name,
            server.status,
            entry.method,
            len(entry.destinations) if entry.pairs else None,
            str(entry.verdict),
            ', '.join(entry.reasons),
        ]
        if is_long:
            move = going.get(server.id)
            row += [
                server.flavor.original_name,
                server.project_id,
                f'{server.flavor.ram} MB',
                move.destination if move else None,
                report.duration(
                    fit_module.expected_seconds(server, move.migration_type)
                )
                if move
                else None,
            ]
        rows.append(row)
    return _COLUMNS + (_MORE if is_long else ()), rows


def _matrix(found: 'verdict_module.Report') -> Listing:
    """List what forbids each pair: ``live`` or ``cold`` where nothing does."""
    from osc_migrate.checks import Severity

    rows = []
    for entry in found.servers:
        row = [entry.server.name]
        own = [f for f in entry.findings if f.severity is Severity.ERROR]
        for name in found.destinations:
            if name in entry.destinations:
                row.append(entry.method)
                continue
            why = own + [
                f
                for f in entry.pairs.get(name, ())
                if f.severity is Severity.ERROR
            ]
            row.append(', '.join(dict.fromkeys(f.check for f in why)) or '-')
        rows.append(row)
    return ('Name', *found.destinations), rows


def _findings(found: 'verdict_module.Report') -> Listing:
    names = {entry.server.id: entry.server.name for entry in found.servers}
    return _FINDINGS, [
        (
            f.check,
            str(f.severity),
            names[f.server],
            str(f.migration_type),
            f.destination,
            f.message,
            f.remedy,
            json.dumps(f.evidence, sort_keys=True) if f.evidence else '',
        )
        for entry in found.servers
        for f in entry.all_findings()
    ]
