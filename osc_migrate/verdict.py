# SPDX-License-Identifier: Apache-2.0
"""Preflight: every finding of every server and destination, and a verdict.

Never stops at the first finding. The destination checks see servers that
differ only in what tells them apart as one, because a thousand servers come
from a dozen flavors; the remedy is filled in for each afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import enum
from typing import Any

from osc_migrate import checks as check_module
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.checks import Candidate
from osc_migrate.checks import Check
from osc_migrate.checks import Draft
from osc_migrate.checks import Finding
from osc_migrate.checks import Scope
from osc_migrate.checks import Severity

Names = str | Iterable[str]

METHODS: Mapping[str, tuple[model.MigrationType, ...]] = {
    'auto': (model.MigrationType.LIVE, model.MigrationType.COLD),
    'live': (model.MigrationType.LIVE,),
    'cold': (model.MigrationType.COLD,),
    'evacuate': (model.MigrationType.EVACUATE,),
}
# What tells servers apart, and what no destination check may look at.
_IDENTITY: dict[str, Any] = {
    'id': '',
    'name': '',
    'project_id': '',
    'user_id': None,
    'status': '',
    'task_state': None,
    'power_state': None,
    'locked': None,
    'locked_reason': None,
    'created': '',
    'launched_at': None,
    'metadata': {},
    'tags': None,
    'fault': None,
    'volumes': (),
    'allocations': None,
}


class Verdict(enum.StrEnum):
    """What preflight says of one server."""

    OK = 'ok'
    WARNING = 'warning'
    BLOCKED = 'blocked'
    UNKNOWN = 'unknown'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerReport:
    """Whether one server can move, how, where to, and why not.

    ``method`` is ``live``, ``cold``, ``evacuate``, ``wait`` or ``none``.
    ``findings`` are those of the server, ``pairs`` those of the server with
    each destination, for every way that was examined.
    """

    server: model.Server
    method: str
    verdict: Verdict
    destinations: tuple[str, ...]
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    pairs: Mapping[str, tuple[Finding, ...]]

    def all_findings(self) -> list[Finding]:
        """Return the findings of the server, then those of each pair."""
        return [
            *self.findings,
            *(finding for found in self.pairs.values() for finding in found),
        ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer of a preflight."""

    servers: tuple[ServerReport, ...]
    destinations: tuple[str, ...]
    gaps: tuple[model.Gap, ...]

    @property
    def is_clear(self) -> bool:
        """Whether nothing stands in the way of any server."""
        return all(s.verdict is not Verdict.BLOCKED for s in self.servers)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scrutiny:
    """How to look: which checks, ways and destinations.

    ``to`` restricts the destinations (empty: all); ``ignored`` holds ids of
    checks whose errors only warn.
    """

    checks: tuple[Check, ...]
    ways: tuple[model.MigrationType, ...]
    to: frozenset[str]
    ignored: frozenset[str]
    include_disabled: bool

    @property
    def server_checks(self) -> list[Check]:
        """Return the checks that look at a server alone."""
        return [c for c in self.checks if c.scope is Scope.SERVER]

    @property
    def destination_checks(self) -> list[Check]:
        """Return the checks that look at a server and a destination."""
        return [c for c in self.checks if c.scope is Scope.DESTINATION]

    def ways_for(
        self, server: model.Server
    ) -> tuple[model.MigrationType, ...]:
        """Return the ways to examine: a stopped server has only one."""
        if server.vm_state == 'stopped' and len(self.ways) > 1:
            return (model.MigrationType.COLD,)
        return self.ways

    def destinations(
        self, server: model.Server, snapshot: model.Snapshot
    ) -> list[model.Host]:
        """Return the hosts that a server might move to."""
        return [
            host
            for name, host in sorted(snapshot.hosts.items())
            if name != server.host
            and (
                name in self.to
                if self.to
                else host.status == 'enabled' or self.include_disabled
            )
        ]


def scrutiny(
    snapshot: model.Snapshot,
    *,
    method: str = 'auto',
    to: Names = (),
    ignore: Names = (),
    include_disabled: bool = False,
    checks: Iterable[Check | check_module.Function] | None = None,
) -> Scrutiny:
    """Say how to look at a snapshot.

    ``checks`` are used beside those of the entry points.

    :raises InvalidInput: an unknown method, host or check
    """
    if method not in METHODS:
        raise exceptions.InvalidInput(
            f'The method {method!r} is none of {", ".join(METHODS)}'
        )
    chosen = (*check_module.load(), *map(check_module.as_check, checks or ()))
    ids = {check.id for check in chosen}
    ignored = names(ignore)
    for check_id in sorted(ignored - ids):
        raise exceptions.InvalidInput(
            f'There is no check {check_id!r}; run: openstack server '
            'migration preflight --list-checks'
        )
    for name in sorted(names(to) - snapshot.hosts.keys()):
        raise exceptions.HostNotFound(name, snapshot.hosts)
    return Scrutiny(
        checks=chosen,
        ways=METHODS[method],
        to=names(to),
        ignored=ignored,
        include_disabled=include_disabled,
    )


def names(given: Names) -> frozenset[str]:
    """Read one name, or several, as a set."""
    return frozenset([given] if isinstance(given, str) else given)


def select(snapshot: model.Snapshot, host: Names = ()) -> list[model.Server]:
    """Return the servers of some hosts, or all that the snapshot is about.

    :raises HostNotFound: a host is not in the snapshot
    """
    wanted = names(host)
    for name in sorted(wanted - snapshot.hosts.keys()):
        raise exceptions.HostNotFound(name, snapshot.hosts)
    return sorted(
        (
            server
            for server in snapshot.servers.values()
            if not wanted or server.host in wanted
        ),
        key=lambda server: (server.name, server.id),
    )


def preflight(
    snapshot: model.Snapshot,
    host: Names = (),
    *,
    looking: Scrutiny | None = None,
    **how: Any,
) -> Report:
    """Say of every server whether it can move, how, where to, or why not.

    :param host: the host or hosts to empty; all servers of the snapshot if
        none is given
    :param looking: from :func:`scrutiny`; else its arguments are in ``how``
    :raises InvalidInput: an unknown host, method or check
    :raises CheckFailed: a check cannot be loaded
    """
    looking = looking or scrutiny(snapshot, **how)
    shared: dict[Any, list[tuple[str, Draft]]] = {}
    reports = tuple(
        _report(server, snapshot, looking, shared)
        for server in select(snapshot, host)
    )
    return Report(
        servers=reports,
        destinations=tuple(
            sorted({name for report in reports for name in report.pairs})
        ),
        gaps=snapshot.gaps,
    )


def _report(
    server: model.Server,
    snapshot: model.Snapshot,
    looking: Scrutiny,
    shared: dict[Any, list[tuple[str, Draft]]],
) -> ServerReport:
    own: list[Finding] = []
    pairs: dict[str, list[Finding]] = {}
    likeness = _likeness(server)
    for way in looking.ways_for(server):
        candidate = Candidate(
            server=server,
            destination=None,
            migration_type=way,
            snapshot=snapshot,
        )
        own += check_module.examine(
            looking.server_checks, candidate, looking.ignored
        )
        for host in looking.destinations(server, snapshot):
            pair = dataclasses.replace(candidate, destination=host)
            key = (likeness, host.name, way)
            if key not in shared:
                shared[key] = _drafts(looking.destination_checks, pair)
            found = pairs.setdefault(host.name, [])
            found += [
                check_module.finding(check_id, draft, pair, looking.ignored)
                for check_id, draft in shared[key]
            ]
    return _judge(server, looking.ways_for(server), own, pairs)


def _drafts(
    checks: Iterable[Check], candidate: Candidate
) -> list[tuple[str, Draft]]:
    return [
        (check.id, draft)
        for check in checks
        for draft in check_module.drafts(check, candidate)
    ]


def _likeness(server: model.Server) -> str:
    """Return a key that servers share when destination checks cannot tell.

    A port tells servers apart only when it is bound to a second host.
    """
    ports = server.ports and tuple(
        port
        if port.bindings is not None and len(port.bindings) > 1
        else dataclasses.replace(port, id='', bindings=None)
        for port in server.ports
    )
    return repr(dataclasses.replace(server, ports=ports, **_IDENTITY))


def _judge(
    server: model.Server,
    ways: Sequence[model.MigrationType],
    own: list[Finding],
    pairs: Mapping[str, list[Finding]],
) -> ServerReport:
    """Take the first way that leads anywhere; else say what forbids all."""
    for way in ways:
        mine = [f for f in own if f.migration_type is way]
        if _worst(mine) is Severity.ERROR:
            continue
        open_to = {
            name: worst
            for name, found in pairs.items()
            if (worst := _worst(_of(way, found))) is not Severity.ERROR
        }
        if not open_to:
            continue
        weight = max(_worst(mine), min(open_to.values()))
        deciding = mine + [
            finding
            for name, worst in open_to.items()
            if worst is weight
            for finding in _of(way, pairs[name])
        ]
        if way is not ways[0]:
            # say why the better way was not taken
            deciding = _errors(ways[0], own, pairs) + deciding
            weight = max(weight, Severity.WARNING)
        return ServerReport(
            server=server,
            method=str(way),
            verdict=_VERDICTS[weight],
            destinations=tuple(open_to),
            reasons=_ids(f for f in deciding if f.severity > Severity.INFO),
            findings=tuple(own),
            pairs={name: tuple(found) for name, found in pairs.items()},
        )
    forbidden = [_errors(way, own, pairs) for way in ways]
    is_passing = any(
        found and all(finding.is_transient for finding in found)
        for found in forbidden
    )
    return ServerReport(
        server=server,
        method='wait' if is_passing else 'none',
        verdict=Verdict.BLOCKED,
        destinations=(),
        reasons=_ids(finding for found in forbidden for finding in found),
        findings=tuple(own),
        pairs={name: tuple(found) for name, found in pairs.items()},
    )


_VERDICTS = {
    Severity.INFO: Verdict.OK,
    Severity.WARNING: Verdict.WARNING,
    Severity.UNKNOWN: Verdict.UNKNOWN,
}


def _errors(
    way: model.MigrationType,
    own: Iterable[Finding],
    pairs: Mapping[str, list[Finding]],
) -> list[Finding]:
    """Return what forbids a way: of the server, else of its pairs."""
    mine = [f for f in _of(way, own) if f.severity is Severity.ERROR]
    return mine or [
        finding
        for found in pairs.values()
        for finding in _of(way, found)
        if finding.severity is Severity.ERROR
    ]


def _of(way: model.MigrationType, found: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.migration_type is way]


def _worst(found: Iterable[Finding]) -> Severity:
    return max((f.severity for f in found), default=Severity.INFO)


def _ids(found: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.check for finding in found))
