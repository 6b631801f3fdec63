# SPDX-License-Identifier: Apache-2.0
"""Checks: pure functions that say what stands in the way of a move.

A check looks at one :class:`Candidate` and yields a :class:`Draft` for each
thing it finds; silence is no finding. The same checks explain a preflight and
forbid a destination to the planner, so the two cannot disagree. Checks are
loaded from the entry-point group ``osc_migrate.checks``; loading fails closed.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
import dataclasses
import enum
from typing import Any

from stevedore import extension

from osc_migrate import exceptions
from osc_migrate import hardware
from osc_migrate import model
from osc_migrate import resources

NAMESPACE = 'osc_migrate.checks'


class Severity(enum.IntEnum):
    """How much a finding weighs; only ``ERROR`` stops a move."""

    INFO = 0
    WARNING = 1
    UNKNOWN = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


class Scope(enum.StrEnum):
    """How often a check runs: per server, or per server and destination."""

    SERVER = 'server'
    DESTINATION = 'destination'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One server that might move, to one host, in one way.

    ``destination`` is ``None`` for the checks of the server alone.
    """

    server: model.Server
    destination: model.Host | None
    migration_type: model.MigrationType
    snapshot: model.Snapshot

    @property
    def is_live(self) -> bool:
        """Whether the guest keeps running while it moves."""
        return self.migration_type is model.MigrationType.LIVE

    @property
    def source(self) -> model.Host | None:
        """The host that the server is on, if the snapshot has it."""
        return self.snapshot.hosts.get(self.server.host or '')

    @property
    def guest(self) -> hardware.GuestProbe | None:
        """What a probe of the source found of the server, if there was one."""
        probe = self.snapshot.probes.get(self.server.host or '')
        return probe.guests.get(self.server.id) if probe else None

    @property
    def wish(self) -> resources.Wish:
        """What the server's flavor and image ask for."""
        server = self.server
        return resources.Wish(server.flavor, server.image_properties or {})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a check yields.

    ``{server}`` and ``{destination}`` in the remedy become the server's id
    and the host's name. ``is_transient`` marks what goes away by itself.
    """

    severity: Severity
    message: str
    remedy: str
    evidence: Mapping[str, Any]
    is_transient: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A draft with its check, server, way and destination."""

    check: str
    severity: Severity
    message: str
    remedy: str
    evidence: Mapping[str, Any]
    is_transient: bool
    server: str
    destination: str | None
    migration_type: model.MigrationType


Function = Callable[[Candidate], Iterator[Draft]]
Likeness = Callable[[Candidate], Hashable]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check: its id, how often it runs, and its function.

    The first line of the function's docstring is the summary, the rest says
    why, where Nova enforces it, and what to do. ``alike`` tells which servers
    have the same answer for a destination, see :func:`destination_check`.
    """

    id: str
    scope: Scope
    function: Function
    alike: Likeness

    @property
    def documentation(self) -> str:
        """Return the docstring of the check, unindented."""
        lines = (self.function.__doc__ or '').strip().splitlines()
        return '\n'.join(line.removeprefix('    ') for line in lines)

    @property
    def summary(self) -> str:
        """Return the first line of the documentation."""
        return (self.documentation.splitlines() or [''])[0]

    def __call__(self, candidate: Candidate) -> Iterator[Draft]:
        return self.function(candidate)


def server_check(check_id: str) -> Callable[[Function], Check]:
    """Make a function a check that runs once for each server."""
    return lambda function: Check(
        id=check_id, scope=Scope.SERVER, function=function, alike=_unlike
    )


def _unlike(candidate: Candidate) -> Hashable:
    return candidate.server.id, candidate.migration_type


def destination_check(
    check_id: str, alike: Likeness = _unlike
) -> Callable[[Function], Check]:
    """Make a function a check that runs for each server and destination.

    A thousand servers and two hundred hosts are as many pairs as that, but
    the servers come from a dozen flavors. ``alike`` is given a candidate
    without a destination and returns all that the check looks at in it, the
    migration type too but not the snapshot: for each destination the check
    runs once for all that give the same. ``None`` means that the check has
    nothing to say of the server. By default no two servers are alike.
    """
    return lambda function: Check(
        id=check_id,
        scope=Scope.DESTINATION,
        function=function,
        alike=alike,
    )


def asked(candidate: Candidate) -> str:
    """Return what the server asks of Placement: a likeness."""
    return resources.query(candidate.server.request)


def error(message: str, remedy: str = '', **evidence: Any) -> Draft:
    """Say that Nova will refuse, or that the guest could not run."""
    return _draft(Severity.ERROR, message, remedy, evidence)


def wait(message: str, remedy: str = '', **evidence: Any) -> Draft:
    """Say that Nova will refuse now, but not for long."""
    return dataclasses.replace(
        _draft(Severity.ERROR, message, remedy, evidence), is_transient=True
    )


def unknown(message: str, remedy: str = '', **evidence: Any) -> Draft:
    """Say what cannot be known, and where to look or which role would."""
    return _draft(Severity.UNKNOWN, message, remedy, evidence)


def warning(message: str, remedy: str = '', **evidence: Any) -> Draft:
    """Say that the move works at a cost or a risk."""
    return _draft(Severity.WARNING, message, remedy, evidence)


def info(message: str, remedy: str = '', **evidence: Any) -> Draft:
    """Say something worth knowing that weighs nothing."""
    return _draft(Severity.INFO, message, remedy, evidence)


def _draft(
    severity: Severity, message: str, remedy: str, evidence: dict[str, Any]
) -> Draft:
    return Draft(
        severity=severity,
        message=message,
        remedy=remedy,
        evidence=evidence,
        is_transient=False,
    )


def load() -> tuple[Check, ...]:
    """Load every check of the entry-point group, in the order of their ids.

    :raises CheckFailed: one cannot be imported, is no check, or has an id
        that is not the name of its entry point
    """

    def fail(_: Any, entry_point: Any, problem: BaseException) -> None:
        raise exceptions.CheckFailed(entry_point.name, problem) from problem

    found = extension.ExtensionManager(
        NAMESPACE, on_load_failure_callback=fail
    )
    loaded: dict[str, Check] = {}
    for item in found:
        check = item.plugin
        if not isinstance(check, Check):
            raise exceptions.CheckFailed(
                item.name, 'it is not made by server_check/destination_check'
            )
        if check.id != item.name:
            raise exceptions.CheckFailed(
                item.name, f'its entry point must be named {check.id}'
            )
        if check.id in loaded:
            raise exceptions.CheckFailed(check.id, 'two checks have this id')
        loaded[check.id] = check
    return tuple(check for _, check in sorted(loaded.items()))


def as_check(function: Check | Function) -> Check:
    """Take a plain function for a destination check named after it."""
    if isinstance(function, Check):
        return function
    name = function.__name__.strip('_').replace('_', '-')
    return Check(
        id=name,
        scope=Scope.DESTINATION,
        function=function,
        alike=_unlike,
    )


def likeness(check: Check, candidate: Candidate) -> Hashable:
    """Return what a check looks at; if it cannot tell, the server itself."""
    try:
        found = check.alike(candidate)
        hash(found)
    except Exception:
        # nobody is like it; what is wrong will show in the check itself
        return _unlike(candidate)
    return found


def drafts(check: Check, candidate: Candidate) -> list[Draft]:
    """Run a check; if it raises, that is what it found."""
    try:
        return list(check.function(candidate))
    except Exception as problem:
        return [
            unknown(
                f'this check failed: {type(problem).__name__}: {problem}',
                'Report it, or say --ignore-check ' + check.id,
            )
        ]


def examine(
    checks: Iterable[Check],
    candidate: Candidate,
    ignored: frozenset[str] = frozenset(),
) -> list[Finding]:
    """Run checks on a candidate; errors of ignored ones become warnings."""
    return [
        finding(check.id, draft, candidate, ignored)
        for check in checks
        for draft in drafts(check, candidate)
    ]


def finding(
    check_id: str,
    draft: Draft,
    candidate: Candidate,
    ignored: frozenset[str] = frozenset(),
) -> Finding:
    """Say whom a draft is about."""
    severity = draft.severity
    if check_id in ignored:
        severity = min(severity, Severity.WARNING)
    destination = candidate.destination.name if candidate.destination else None
    remedy = draft.remedy
    if '{' in remedy:
        remedy = remedy.replace('{server}', candidate.server.id)
        remedy = remedy.replace('{destination}', destination or '')
    return Finding(
        check=check_id,
        severity=severity,
        message=draft.message,
        remedy=remedy,
        evidence=draft.evidence,
        is_transient=draft.is_transient,
        server=candidate.server.id,
        destination=destination,
        migration_type=candidate.migration_type,
    )
