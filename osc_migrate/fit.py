# SPDX-License-Identifier: Apache-2.0
"""Does the whole set fit? What a plan says beside each server's own verdict.

Pure. Every server alone may have a place, and yet not all of them together:
then the plan strands one, and what it lacked is in its findings.
"""

from collections.abc import Iterable, Mapping
import dataclasses
from typing import Any

from osc_migrate import model
from osc_migrate import planner
from osc_migrate import serial
from osc_migrate import verdict
from osc_migrate.checks import Finding
from osc_migrate.checks import Severity

FORMAT = 'osc-migrate-preflight'
VERSION = 1
# 1 Gbit/s, without the overhead of the protocols
_BYTES_PER_SECOND = 119 * 1024**2
_MIB, _GIB = 1024**2, 1024**3
_WORDS = {severity: str(severity) for severity in Severity}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether all servers that can move find a place together.

    ``first`` is the first server, in the plan's order, that finds none
    although it could move alone; ``missing`` says what it lacks. Without
    ``is_known`` Nova chooses among hosts that the caller may not see.
    """

    is_known: bool
    counts: Mapping[str, int]
    first: model.Server | None
    missing: str

    @property
    def is_complete(self) -> bool | None:
        """Whether all fit; ``None`` if that is not known."""
        return self.first is None if self.is_known else None


def judge(plan: planner.Plan) -> Fit:
    """Look at a plan as an answer for the whole set."""
    words = [
        'blocked' if entry.verdict is verdict.Verdict.BLOCKED else entry.method
        for entry in plan.report.servers
    ]
    alone = {
        entry.server
        for entry in plan.report.servers
        if entry.verdict is not verdict.Verdict.BLOCKED
    }
    squeezed = [server for server in plan.stranded if server in alone]
    first = squeezed[0] if squeezed else None
    return Fit(
        is_known=all(move.destination for move in plan.moves),
        counts={
            word: words.count(word)
            for word in ('live', 'cold', 'evacuate', 'blocked')
            if word in words
        },
        first=first,
        missing=_missing(plan.stranded[first]) if first else '',
    )


def sentence(fit: Fit) -> str:
    """Say it in one line."""
    number = sum(fit.counts.values())
    counted = ', '.join(f'{n} {word}' for word, n in fit.counts.items())
    text = f'{number} server{"" if number == 1 else "s"}'
    if counted:
        text += f': {counted}'
    if fit.first is not None:
        return f'{text}; {fit.first.name} does not fit: {fit.missing}'
    if fit.counts.keys() <= {'blocked'}:
        return text
    if not fit.is_known:
        return f'{text}; whether they fit is unknown'
    return f'{text}; all fit'


def _missing(findings: Iterable[Finding]) -> str:
    """Say what would have to be there, with the nearest miss."""
    short = [
        finding
        for finding in findings
        if {'resource_class', 'needed', 'free'} <= finding.evidence.keys()
    ]
    if not short:
        return '; '.join(
            dict.fromkeys(
                f'{f.destination}: {f.message}' if f.destination else f.message
                for f in findings
            )
        )
    best = max(short, key=lambda f: f.evidence['free'] / f.evidence['needed'])
    resource_class = best.evidence['resource_class']
    unit = {'MEMORY_MB': ' MB', 'DISK_GB': ' GB'}.get(
        resource_class, f' {resource_class}'
    )
    return (
        f'needs {best.evidence["needed"]}{unit}; largest free on any '
        f'candidate is {best.evidence["free"]}{unit} on {best.destination}'
    )


def expected_seconds(
    server: model.Server, way: model.MigrationType | str
) -> float:
    """Guess how long a move takes over a free link of 1 Gbit/s.

    Memory for a live migration, local disks for a cold one; what the guest
    dirties meanwhile, and whether storage is shared, is not known before.
    """
    amount = server.flavor.ram * _MIB
    if way == model.MigrationType.COLD:
        disks = server.flavor.ephemeral + (
            0 if server.is_volume_backed else server.flavor.disk
        )
        amount = disks * _GIB
    return amount / _BYTES_PER_SECOND


def document(
    plan: planner.Plan, snapshot: model.Snapshot, fit: Fit
) -> dict[str, Any]:
    """Make the report of a preflight that is written as JSON.

    Its keys are documented and keep their meaning within a version.
    """
    going = {move.server_id: move for move in plan.moves}
    written: dict[int, Any] = {}
    return {
        'format': FORMAT,
        'version': VERSION,
        'taken_at': snapshot.taken_at,
        'compute_microversion': snapshot.compute_microversion,
        'fit': {
            'counts': dict(fit.counts),
            'is_complete': fit.is_complete,
            'first': fit.first.id if fit.first else None,
            'missing': fit.missing,
        },
        'gaps': serial.to_json(snapshot.gaps),
        'servers': [
            _server(entry, going.get(entry.server.id), written)
            for entry in plan.report.servers
        ],
    }


def _server(
    entry: verdict.ServerReport,
    move: model.Move | None,
    written: dict[int, Any],
) -> dict[str, Any]:
    server = entry.server
    return {
        'id': server.id,
        'name': server.name,
        'status': server.status,
        'host': server.host,
        'project_id': server.project_id,
        'flavor': server.flavor.original_name,
        'ram': server.flavor.ram,
        'method': entry.method,
        'verdict': str(entry.verdict),
        'destinations': list(entry.destinations),
        'planned_destination': move.destination if move else None,
        'expected_seconds': (
            round(expected_seconds(server, move.migration_type), 1)
            if move
            else None
        ),
        'reasons': list(entry.reasons),
        'findings': [
            finding(found, written) for found in entry.all_findings()
        ],
    }


def finding(found: Finding, written: dict[int, Any]) -> dict[str, Any]:
    """Write a finding as JSON; the severity is a word.

    :param written: evidence by its identity: servers that are alike share it
    """
    evidence = written.get(id(found.evidence))
    if evidence is None:
        evidence = written[id(found.evidence)] = serial.to_json(found.evidence)
    return {
        'check': found.check,
        'severity': _WORDS[found.severity],
        'message': found.message,
        'remedy': found.remedy,
        'evidence': evidence,
        'is_transient': found.is_transient,
        'server': found.server,
        'destination': found.destination,
        'migration_type': found.migration_type.value,
    }
