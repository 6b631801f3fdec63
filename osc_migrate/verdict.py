# SPDX-License-Identifier: Apache-2.0
"""Preflight: every finding of every server and destination, and a verdict.

Never stops at the first finding. A check of the destinations runs once for
all servers that are alike to it; whom a finding is about is filled in for
each of them afterwards.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import dataclasses
import enum
from typing import Any

from osc_migrate import checks as check_module
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import scrutiny
from osc_migrate.checks import Candidate
from osc_migrate.checks import Check
from osc_migrate.checks import Draft
from osc_migrate.checks import Finding
from osc_migrate.checks import Severity
from osc_migrate.scrutiny import Scrutiny


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


def select(
    snapshot: model.Snapshot,
    host: scrutiny.Names = (),
    servers: scrutiny.Names = (),
) -> list[model.Server]:
    """Return the servers of some hosts and those that are named.

    If neither is given, all that the snapshot is about.

    :param servers: names or ids
    :raises HostNotFound: a host is not in the snapshot
    """
    wanted, named = scrutiny.names(host), scrutiny.names(servers)
    for name in sorted(wanted - snapshot.hosts.keys()):
        raise exceptions.HostNotFound(name, snapshot.hosts)
    return sorted(
        (
            server
            for server in snapshot.servers.values()
            if server.host in wanted
            or named & {server.id, server.name}
            or not (wanted or named)
        ),
        key=lambda server: (server.name, server.id),
    )


def preflight(
    snapshot: model.Snapshot,
    host: scrutiny.Names = (),
    servers: scrutiny.Names = (),
    *,
    looking: Scrutiny | None = None,
    **how: Any,
) -> Report:
    """Say of every server whether it can move, how, where to, or why not.

    :param host: the host or hosts to empty
    :param servers: names or ids of more servers; all of the snapshot if
        neither is given
    :param looking: from :func:`osc_migrate.scrutiny.begin`; else its
        arguments are in ``how``
    :raises InvalidInput: an unknown host, method or check
    :raises CheckFailed: a check cannot be loaded
    """
    looking = looking or scrutiny.begin(snapshot, **how)
    rows = _Rows(looking, snapshot, scrutiny.names(host))
    reports = tuple(
        _report(server, rows) for server in select(snapshot, host, servers)
    )
    return Report(
        servers=reports,
        destinations=tuple(
            sorted({name for report in reports for name in report.pairs})
        ),
        gaps=snapshot.gaps,
    )


class _Rows:
    """What the checks of destinations find, kept for servers that are alike.

    A row is what one check says of one likeness of servers: by the name of
    the destination, where it says anything at all.
    """

    def __init__(
        self,
        looking: Scrutiny,
        snapshot: model.Snapshot,
        leaving: frozenset[str],
    ) -> None:
        self.looking = looking
        self.snapshot = snapshot
        self.hosts = looking.destinations(snapshot, leaving)
        self.checks = looking.destination_checks
        self._kept: dict[Any, Mapping[str, list[Draft]]] = {}

    def findings(self, candidate: Candidate) -> Iterator[Finding]:
        """Yield what the checks find of every destination but its own."""
        for number, check in enumerate(self.checks):
            likeness = check_module.likeness(check, candidate)
            if likeness is None:
                continue
            key = (number, likeness)
            if key not in self._kept:
                self._kept[key] = dict(self._row(check, candidate))
            for name, drafts in self._kept[key].items():
                if name == candidate.server.host:
                    continue
                pair = self.pair(candidate, self.snapshot.hosts[name])
                for draft in drafts:
                    yield check_module.finding(
                        check.id, draft, pair, self.looking.ignored
                    )

    def _row(
        self, check: Check, candidate: Candidate
    ) -> Iterator[tuple[str, list[Draft]]]:
        for host in self.hosts:
            drafts = check_module.drafts(check, self.pair(candidate, host))
            if drafts:
                yield host.name, drafts

    def pair(self, candidate: Candidate, host: model.Host) -> Candidate:
        """Return a candidate with a destination."""
        return Candidate(
            server=candidate.server,
            destination=host,
            migration_type=candidate.migration_type,
            snapshot=self.snapshot,
        )


def _report(server: model.Server, rows: _Rows) -> ServerReport:
    looking = rows.looking
    own: list[Finding] = []
    found: dict[str, list[Finding]] = {}
    for way in looking.ways_for(server):
        candidate = Candidate(
            server=server,
            destination=None,
            migration_type=way,
            snapshot=rows.snapshot,
        )
        own += check_module.examine(
            looking.server_checks, candidate, looking.ignored
        )
        for finding in rows.findings(candidate):
            found.setdefault(finding.destination or '', []).append(finding)
    pairs: dict[str, tuple[Finding, ...]] = {
        host.name: () for host in rows.hosts if host.name != server.host
    }
    pairs.update((name, tuple(listed)) for name, listed in found.items())
    if not pairs:
        own += [
            nowhere(server, way, rows.snapshot, looking)
            for way in looking.ways_for(server)
        ]
    return _judge(server, looking.ways_for(server), own, pairs)


def nowhere(
    server: model.Server,
    way: model.MigrationType,
    snapshot: model.Snapshot,
    looking: Scrutiny,
) -> Finding:
    """Say that there is no host to move to, or that none is known."""
    if not snapshot.hosts:
        severity = Severity.UNKNOWN
        message = 'which hosts could take it is unknown; Nova would choose'
        remedy = exceptions.ASK_ADMIN
    else:
        severity = Severity.ERROR
        message = looking.why_nowhere(server)
        remedy = 'openstack compute service list --service nova-compute'
    return Finding(
        check='destination-none',
        severity=severity,
        message=message,
        remedy=remedy,
        evidence={},
        is_transient=False,
        server=server.id,
        destination=None,
        migration_type=way,
    )


def _judge(
    server: model.Server,
    ways: Sequence[model.MigrationType],
    own: list[Finding],
    pairs: Mapping[str, tuple[Finding, ...]],
) -> ServerReport:
    """Take the first way that leads anywhere; else say what forbids all."""
    method = 'none'
    verdict = Verdict.BLOCKED
    open_to: Mapping[str, Severity] | None = None
    for way in ways:
        open_to = _open(way, own, pairs)
        if open_to is not None:
            weight, deciding = _weigh(way, own, pairs, open_to)
            if way is not ways[0]:
                # say why the better way was not taken
                deciding = _errors(ways[0], own, pairs) + deciding
                weight = max(weight, Severity.WARNING)
            method, verdict = str(way), _VERDICTS[weight]
            break
    else:
        forbidding = [_errors(way, own, pairs) for way in ways]
        deciding = [finding for found in forbidding for finding in found]
        if any(map(_is_passing, forbidding)):
            method = 'wait'
    return ServerReport(
        server=server,
        method=method,
        verdict=verdict,
        destinations=tuple(open_to or ()),
        reasons=_ids(f for f in deciding if f.severity > Severity.INFO),
        findings=tuple(own),
        pairs=pairs,
    )


def _open(
    way: model.MigrationType,
    own: Iterable[Finding],
    pairs: Mapping[str, tuple[Finding, ...]],
) -> dict[str, Severity] | None:
    """Return the destinations that nothing forbids, and the worst of each.

    ``None`` if this way leads nowhere. Where no host is known nothing may
    forbid it all the same: Nova chooses among those that it knows.
    """
    if _worst(_of(way, own)) is Severity.ERROR:
        return None
    worst = {
        name: _worst(_of(way, found)) if found else Severity.INFO
        for name, found in pairs.items()
    }
    open_to = [n for n, w in worst.items() if w is not Severity.ERROR]
    if pairs and not open_to:
        return None
    return {name: worst[name] for name in open_to}


def _weigh(
    way: model.MigrationType,
    own: Iterable[Finding],
    pairs: Mapping[str, tuple[Finding, ...]],
    open_to: Mapping[str, Severity],
) -> tuple[Severity, list[Finding]]:
    """Return how much is against the best destinations, and what."""
    mine = _of(way, own)
    weight = max(_worst(mine), min(open_to.values(), default=Severity.INFO))
    return weight, mine + [
        finding
        for name, worst in open_to.items()
        if worst is weight
        for finding in _of(way, pairs[name])
    ]


def _is_passing(forbidding: Sequence[Finding]) -> bool:
    """Whether all that forbids a way goes away by itself."""
    return bool(forbidding) and all(f.is_transient for f in forbidding)


_VERDICTS = {
    Severity.INFO: Verdict.OK,
    Severity.WARNING: Verdict.WARNING,
    Severity.UNKNOWN: Verdict.UNKNOWN,
}


def _errors(
    way: model.MigrationType,
    own: Iterable[Finding],
    pairs: Mapping[str, tuple[Finding, ...]],
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
