# SPDX-License-Identifier: Apache-2.0
"""Plan a whole set of moves: which server, how, where to, in which order.

Pure and greedy: the largest server first, to the host that keeps the most
room of what is scarcest there; then the cloud is looked at as it will be
after that move. The checks are the constraints: what they forbid on every
host strands the server, and their findings are the explanation.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
from typing import Any

from osc_migrate import checks
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import scrutiny
from osc_migrate import verdict
from osc_migrate.checks import Finding
from osc_migrate.checks import Severity

# the check that finds a server in ERROR
BROKEN = 'server-error'
ORDERS = ('largest', 'smallest', 'name')


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Moves in the order to start them, and who must stay and why.

    ``apart`` maps server id to the anti-affinity groups whose members must
    not move to the same host at the same time.
    """

    moves: tuple[model.Move, ...]
    stranded: Mapping[model.Server, tuple[Finding, ...]]
    apart: Mapping[str, frozenset[str]]
    report: verdict.Report


def plan(
    snapshot: model.Snapshot,
    host: scrutiny.Names = (),
    servers: scrutiny.Names = (),
    *,
    looking: scrutiny.Scrutiny | None = None,
    order: str = 'largest',
    allow_cold: bool = False,
    **how: Any,
) -> Plan:
    """Plan how to empty hosts, or to move all servers of the snapshot.

    :param servers: names or ids of more than those of the hosts
    :param looking: from :func:`osc_migrate.scrutiny.begin`; else its
        arguments are in ``how``
    :param order: ``largest``, ``smallest`` or ``name``
    :param allow_cold: whether a running server may be powered off to move
    :raises InvalidInput: an unknown host, method, order or check
    """
    looking = looking or scrutiny.begin(snapshot, **how)
    report = verdict.preflight(snapshot, host, servers, looking=looking)
    moves: list[model.Move] = []
    stranded: dict[model.Server, tuple[Finding, ...]] = {}
    ahead = snapshot
    rooms = _Rooms()
    for entry in _ordered(report.servers, order):
        move, findings = _choose(entry, ahead, looking, allow_cold, rooms)
        if move is None:
            stranded[entry.server] = tuple(findings)
        else:
            moves.append(move)
            ahead = ahead.after(move)
    return Plan(
        moves=tuple(moves),
        stranded=stranded,
        apart=_apart(snapshot, report),
        report=report,
    )


def another(
    snapshot: model.Snapshot,
    host: str,
    refused: frozenset[str],
    *,
    to: frozenset[str] = frozenset(),
    **how: Any,
) -> str | None:
    """Choose another destination for the server of a snapshot.

    :param host: the one that is emptied
    :param refused: the destinations that were tried
    :param to: those that are allowed; none means all
    :param how: as for :func:`osc_migrate.scrutiny.begin`
    :return: ``None`` if none is known to be possible
    """
    # where it may only go to few hosts, one that failed is tried again
    hosts = (to or snapshot.hosts.keys()) - refused or to
    moves = plan(snapshot, host, to=hosts - {host}, **how).moves
    if moves:
        return moves[0].destination
    return min(hosts) if to else None


def _apart(
    snapshot: model.Snapshot, report: verdict.Report
) -> dict[str, frozenset[str]]:
    """Return the anti-affinity groups of each server."""
    return {
        entry.server.id: frozenset(
            group.id
            for group in snapshot.groups_of(entry.server)
            if group.policy == 'anti-affinity'
        )
        for entry in report.servers
    }


def _ordered(
    entries: Iterable[verdict.ServerReport], order: str
) -> list[verdict.ServerReport]:
    if order not in ORDERS:
        raise exceptions.InvalidInput(
            f'The order {order!r} is none of {", ".join(ORDERS)}'
        )
    if order == 'name':
        return sorted(entries, key=lambda e: (e.server.name, e.server.id))
    sign = -1 if order == 'largest' else 1
    return sorted(
        entries,
        key=lambda e: (
            -_largest_cell(e.server) if order == 'largest' else 0,
            sign * e.server.flavor.ram,
            sign * e.server.flavor.vcpus,
            e.server.name,
        ),
    )


def _largest_cell(server: model.Server) -> int:
    """Return the memory of the largest NUMA cell in MiB, 0 without one.

    It comes before all memory that may lie anywhere, as it fits into the
    fewest places.
    """
    cells = server.topology.cells if server.topology else ()
    return max((cell.memory_mb for cell in cells), default=0)


def _choose(
    entry: verdict.ServerReport,
    ahead: model.Snapshot,
    looking: scrutiny.Scrutiny,
    allow_cold: bool,
    rooms: '_Rooms',
) -> tuple[model.Move | None, list[Finding]]:
    """Take the first way that leads anywhere."""
    why_not: list[Finding] = []
    ways = looking.ways_for(entry.server)
    for way in ways:
        destination, findings = _place(entry, ahead, looking, way, rooms)
        if findings or (destination is None and ahead.hosts):
            nowhere = verdict.nowhere(entry.server, way, ahead, looking)
            why_not += findings or [nowhere]
        elif _stops_the_guest(entry.server, way, ways, allow_cold):
            why_not.append(_cold_only(entry.server))
        else:
            move = model.Move(
                server_id=entry.server.id,
                source=entry.server.host or '',
                destination=destination,
                migration_type=way,
            )
            return move, []
    return None, _most_telling(why_not)


def why(findings: Iterable[Finding]) -> tuple[str, str]:
    """Say in one line why a server must stay, and what helps."""
    said: dict[str, list[str]] = {}
    helps: dict[str, None] = {}
    for finding in findings:
        if finding.severity is not Severity.ERROR:
            continue
        where = f'{finding.destination}: ' if finding.destination else ''
        said.setdefault(finding.check, []).append(where + finding.message)
        helps.setdefault(finding.remedy)
    reasons = []
    for check, messages in said.items():
        listed = list(dict.fromkeys(messages))
        more = len(listed) - 2
        text = '; '.join(listed[:2]) + (f' and {more} more' * (more > 0))
        # nobody of the drain has broken it, and nobody of it may mend it
        before = 'not ours, it was so before: ' * (check == BROKEN)
        reasons.append(f'{before}{text} [{check}]')
    return '; '.join(reasons), '; '.join(filter(None, helps))


def _stops_the_guest(
    server: model.Server,
    way: model.MigrationType,
    ways: Sequence[model.MigrationType],
    allow_cold: bool,
) -> bool:
    return (
        way is model.MigrationType.COLD
        and server.vm_state == 'active'
        and len(ways) > 1
        and not allow_cold
    )


def _cold_only(server: model.Server) -> Finding:
    return Finding(
        check='server-downtime',
        severity=Severity.ERROR,
        message='could move cold, but that powers the guest off',
        remedy='say --allow-cold',
        evidence={},
        is_transient=False,
        server=server.id,
        destination=None,
        migration_type=model.MigrationType.COLD,
    )


def _place(
    entry: verdict.ServerReport,
    ahead: model.Snapshot,
    looking: scrutiny.Scrutiny,
    way: model.MigrationType,
    rooms: '_Rooms',
) -> tuple[str | None, list[Finding]]:
    """Find the best destination for one way of moving, or say why none is."""
    own = [
        finding
        for finding in entry.findings
        if finding.migration_type is way and finding.severity is Severity.ERROR
    ]
    if own:
        return None, own
    server = ahead.servers[entry.server.id]
    why_not: list[Finding] = []
    for name in _preferred(entry, ahead, way, rooms):
        candidate = checks.Candidate(
            server=server,
            destination=ahead.hosts[name],
            migration_type=way,
            snapshot=ahead,
        )
        found = [
            finding
            for finding in checks.examine(
                looking.destination_checks, candidate, looking.ignored
            )
            if finding.severity is Severity.ERROR
        ]
        if not found:
            return name, []
        why_not += found
    return None, why_not


def _preferred(
    entry: verdict.ServerReport,
    ahead: model.Snapshot,
    way: model.MigrationType,
    rooms: '_Rooms',
) -> list[str]:
    """Order the destinations: those without errors before, roomiest first."""

    def key(name: str) -> tuple[bool, int, float, str]:
        found = [f for f in entry.pairs[name] if f.migration_type is way]
        worst = max((f.severity for f in found), default=Severity.INFO)
        left = rooms.share_left(ahead.hosts[name], entry.server)
        return worst is Severity.ERROR, worst, -left, name

    return sorted(entry.pairs, key=key)


class _Rooms:
    """What is free of hosts, added up once for all servers."""

    def __init__(self) -> None:
        # with the host, so that its identity stays its own
        self._kept: dict[
            tuple[int, str], tuple[model.Host, model.Room | None]
        ] = {}

    def share_left(self, host: model.Host, server: model.Server) -> float:
        """Return the smallest share that stays free of what it takes."""
        shares = [1.0]
        for resource_class, needed in server.request.total.items():
            key = (id(host), resource_class)
            if key not in self._kept:
                self._kept[key] = host, host.room(resource_class)
            room = self._kept[key][1]
            if room is not None and room.capacity:
                shares.append((room.free - needed) / room.capacity)
        return min(shares)


def _most_telling(findings: Iterable[Finding]) -> list[Finding]:
    """Drop repetitions."""
    seen: dict[tuple[str, str | None, str], Finding] = {}
    for finding in findings:
        seen.setdefault(
            (finding.check, finding.destination, finding.message), finding
        )
    return list(seen.values())


def lasting(plan: Plan) -> list[model.Server]:
    """Return the servers that must stay and are not only busy."""
    # in one way or another: a paused server never moves cold
    waiting = {s.server.id for s in plan.report.servers if s.method == 'wait'}
    return [
        server
        for server, found in plan.stranded.items()
        if server.id not in waiting
        and not all(finding.is_transient for finding in found)
    ]


def is_waiting(plan: Plan) -> bool:
    """Whether some server is only busy, and might move later."""
    return len(lasting(plan)) < len(plan.stranded)
