# SPDX-License-Identifier: Apache-2.0
"""Which hosts are worth a login: those whose answer could change a verdict."""

from osc_migrate import verdict
from osc_migrate.checks import Finding
from osc_migrate.checks import Severity

# what these say is unknown, a probe of the hosts may know
ANSWERABLE = frozenset(
    {
        'cpu-architecture',
        'cpu-features',
        'numa-cells',
        'numa-fit',
        'vgpu-migration',
    }
)


def concerned(report: verdict.Report) -> list[str]:
    """Return the hosts that a probe would help to judge.

    These are the sources of servers of which something is unknown that a
    probe may answer, and the destinations that the APIs leave to them.
    """
    found: set[str] = set()
    for entry in report.servers:
        wholly = _is_answerable(entry.findings)
        chosen = [
            name
            for name in entry.destinations
            if wholly or _is_answerable(entry.pairs.get(name, ()))
        ]
        if chosen and entry.server.host:
            found.update(chosen, [entry.server.host])
    return sorted(found)


def _is_answerable(findings: tuple[Finding, ...]) -> bool:
    return any(
        finding.severity is Severity.UNKNOWN and finding.check in ANSWERABLE
        for finding in findings
    )
