# SPDX-License-Identifier: Apache-2.0
"""How to look at a snapshot: which checks, ways and destinations. Pure."""

from collections.abc import Iterable, Mapping
import dataclasses

from osc_migrate import checks as check_module
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate.checks import Check
from osc_migrate.checks import Scope

Names = str | Iterable[str]

METHODS: Mapping[str, tuple[model.MigrationType, ...]] = {
    'auto': (model.MigrationType.LIVE, model.MigrationType.COLD),
    'live': (model.MigrationType.LIVE,),
    'cold': (model.MigrationType.COLD,),
    'evacuate': (model.MigrationType.EVACUATE,),
}


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
        self, snapshot: model.Snapshot, leaving: frozenset[str] = frozenset()
    ) -> list[model.Host]:
        """Return the hosts that servers might move to.

        :param leaving: hosts that are to be emptied; servers go there only
            if they are named as destinations, too
        """
        return [
            host
            for name, host in sorted(snapshot.hosts.items())
            if (
                name in self.to
                if self.to
                else name not in leaving
                and (host.status == 'enabled' or self.include_disabled)
            )
        ]

    def why_nowhere(self, server: model.Server) -> str:
        """Say why no host is left for a server."""
        if self.to:
            named = ', '.join(sorted(self.to))
            return f'is on {server.host}, and may only go to {named}'
        return (
            f'is on {server.host}, and every other host is disabled or is to '
            'be emptied, too'
        )


def begin(
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
