# SPDX-License-Identifier: Apache-2.0
"""Which servers of a host are meant. Pure."""

from collections.abc import Iterable, Mapping
import dataclasses

from osc_migrate import exceptions
from osc_migrate import model


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """All conditions that a server must meet; empty ones are met by all.

    ``servers`` and ``exclude`` hold names or ids; see :meth:`resolved` for
    the former. ``limit`` is how many
    servers to take at most, in the order of the plan.
    """

    servers: frozenset[str] = frozenset()
    projects: frozenset[str] = frozenset()
    flavors: frozenset[str] = frozenset()
    properties: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no server is left out."""
        return self == Selection()

    @property
    def conditions(self) -> str:
        """What a server must be, in words; empty if it may be any."""
        either = (
            ('server', self.servers),
            ('project', self.projects),
            ('flavor', self.flavors),
        )
        every = (
            ('tag', self.tags),
            ('property', {f'{k}={v}' for k, v in self.properties.items()}),
        )
        words = [f'{kind} {" or ".join(sorted(n))}' for kind, n in either if n]
        words += [
            f'{kind} {n}' for kind, names in every for n in sorted(names)
        ]
        return ', '.join(words)

    def resolved(
        self,
        snapshot: model.Snapshot,
        host: str,
        away: Mapping[str, str] | None = None,
    ) -> 'Selection':
        """Replace the names of servers by their ids, once for all.

        :param away: ids by the names of servers that are on other hosts
        :raises ServerNotFound, AmbiguousName: a name that is no server of
            the host, or of more than one
        """
        there = {s.id: s for s in snapshot.servers_on(host)}
        seen = dataclasses.replace(snapshot, servers=there)
        gone = away or {}
        here = self.servers - gone.keys()
        named = set(only(seen, here).servers) if here else set()
        named |= {gone[name] for name in self.servers & gone.keys()}
        return dataclasses.replace(self, servers=frozenset(named))

    def choose(self, snapshot: model.Snapshot, host: str) -> list[str]:
        """Return the ids of the servers of a host that are meant."""
        there = list(snapshot.servers_on(host))
        unwanted = {
            server.id
            for server in there
            if {server.id, server.name} & self.exclude
        }
        return [
            server.id
            for server in there
            if (not self.servers or server.id in self.servers)
            and server.id not in unwanted
            and self._matches(server)
        ]

    def _matches(self, server: model.Server) -> bool:
        return (
            (not self.projects or server.project_id in self.projects)
            and (
                not self.flavors or server.flavor.original_name in self.flavors
            )
            and self.tags <= set(server.tags or ())
            and all(
                server.metadata.get(key) == value
                for key, value in self.properties.items()
            )
        )


def check_surveyed(
    snapshot: model.Snapshot, hosts: Iterable[str], path: str
) -> None:
    """See that a saved snapshot tells of all servers of some hosts.

    :raises HostNotFound: a host is not in the snapshot at all
    :raises InvalidInput: its servers were not read
    """
    for name in hosts:
        if name not in snapshot.hosts:
            raise exceptions.HostNotFound(name, snapshot.hosts)
        if name not in snapshot.surveyed:
            raise exceptions.InvalidInput(
                f'{path} does not tell which servers {name} has. Take it '
                'anew: openstack server migration preflight --host '
                f'{name} --save-snapshot {path}'
            )


def only(snapshot: model.Snapshot, servers: Iterable[str]) -> model.Snapshot:
    """Restrict a snapshot to some of its servers; none means all.

    :raises ServerNotFound, AmbiguousName: a name or id that is none of its
        servers, or several
    """
    found = {}
    for name in servers:
        named = [
            server
            for server in snapshot.servers.values()
            if name in (server.id, server.name)
        ]
        if not named:
            raise exceptions.ServerNotFound(name)
        if len(named) > 1:
            raise exceptions.AmbiguousName(name, (s.id for s in named))
        found[named[0].id] = named[0]
    return dataclasses.replace(snapshot, servers=found) if found else snapshot
