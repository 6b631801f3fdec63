# SPDX-License-Identifier: Apache-2.0
"""The only part that talks to OpenStack.

:class:`Cloud` reads (a snapshot, or what a move looks like now) and asks (for
a migration, a confirmation ...). It asks once: what an answer that got lost
means, the caller finds out by looking.
"""

from collections.abc import Iterable, Mapping, Sequence

from keystoneauth1 import session as keystone_session

from osc_migrate import model
from osc_migrate.account import InstanceAction
from osc_migrate.cloud import actions
from osc_migrate.cloud import compute
from osc_migrate.cloud import connection
from osc_migrate.cloud import details
from osc_migrate.cloud import history as history_module
from osc_migrate.cloud import placement
from osc_migrate.cloud import survey
from osc_migrate.task import Answer
from osc_migrate.task import Request
from osc_migrate.task import Sight

__all__ = ['Cloud']


class Cloud:
    """One OpenStack region, seen through a keystoneauth1 session.

    A session without a timeout waits for ever; give it one.

    :param endpoints: addresses by service type, to use instead of those in
        the catalogue
    """

    def __init__(
        self,
        session: keystone_session.Session,
        *,
        region_name: str | None = None,
        interface: str | None = None,
        endpoints: Mapping[str, str] | None = None,
    ) -> None:
        self._link = connection.Connection(
            session,
            region_name=region_name,
            interface=interface,
            endpoints=endpoints,
        )

    @property
    def user_id(self) -> str | None:
        """The id of the caller, if the way to log in tells it."""
        return self._link.caller()[0]

    @property
    def is_confined(self) -> bool:
        """Whether Nova shows only migrations that our project began."""
        return bool(self._link.confined_to)

    def snapshot(
        self,
        host: str | Iterable[str] = (),
        servers: str | Iterable[str] = (),
    ) -> model.Snapshot:
        """Read all that a preflight or a plan needs.

        :param host: exact name or names of hosts; all of their servers
        :param servers: names or ids of further servers, of any project
        :raises HostNotFound, ServerNotFound, AmbiguousName: no such thing
        :raises CloudError: Nova does not answer
        """
        return survey.take(
            self._link,
            hosts=[host] if isinstance(host, str) else host,
            servers=[servers] if isinstance(servers, str) else servers,
        )

    def services(self) -> dict[str, model.Host]:
        """Return every nova-compute service by host, without its node."""
        return {
            service['host']: compute.host(service, None)
            for service in compute.services(self._link)
        }

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""
        return compute.sight(compute.server_body(self._link, server_id))

    def servers_on(self, host: str) -> dict[str, Sight]:
        """Return what Nova shows of the servers of a host, by id."""
        return {
            body['id']: compute.sight(body)
            for body in compute.servers(self._link, host=host)
        }

    def find(self, name: str) -> tuple[str, Sight]:
        """Return the id of a server, and what Nova shows of it.

        :param name: a name or id, of any project
        :raises ServerNotFound, AmbiguousName: no such server
        """
        body = compute.find_server(self._link, name)
        return body['id'], compute.sight(body)

    def sights(
        self, filters: Mapping[str, str | Sequence[str]]
    ) -> dict[str, Sight]:
        """Return what Nova shows of servers that pass its filters, by id.

        Of the caller's project if that is all that the caller may see.

        :param filters: such as every caller may use; none is by host
        """
        return {
            body['id']: compute.sight(body)
            for body in compute.visible_servers(self._link, **filters)
        }

    def migrations(self, **filters: str) -> list[model.Migration]:
        """Return the migration records that pass Nova's filters.

        The newest first; those that the caller's project began, without
        hosts, if the caller may see no more.

        :param filters: ``host``, ``source_compute``, ``instance_uuid``,
            ``status``, ``changes_since`` ...; without any the newest 10,000
            come
        """
        return compute.migrations(self._link, **filters)

    def running_migration(
        self, server_id: str, migration_id: int
    ) -> model.Migration | None:
        """Return a live migration in progress with its figures.

        ``None`` means only that Nova does not list it as in progress: it
        may have ended, or be in its post-copy phase.
        """
        for migration in compute.running_migrations(self._link, server_id):
            if migration.id == migration_id:
                return migration
        return None

    def requests_of(self, record: model.Migration) -> list[str]:
        """Return the ids of the requests that a migration is about."""
        return history_module.requests_of(self._link, record)

    def action(self, server_id: str, request_id: str) -> InstanceAction:
        """Return a request for a server with its events."""
        return history_module.read(self._link, server_id, request_id)

    def history(self, record: model.Migration) -> tuple[InstanceAction, ...]:
        """Return the requests that a migration is about, with events."""
        return tuple(
            self.action(record.server_id, request_id)
            for request_id in self.requests_of(record)
        )

    def allocations(
        self, host: model.Host
    ) -> dict[str, dict[str, Mapping[str, int]]]:
        """Return by consumer what is allocated on a host.

        A consumer is a server, or a migration that still holds its source.
        """
        roots = [host.hypervisor_id] if host.hypervisor_id else []
        trees = [provider.id for provider in host.providers or ()]
        return placement.allocations(self._link, trees or roots)

    def traits(self, host: model.Host) -> frozenset[str]:
        """Return the traits of a host that Placement has now, if it tells."""
        return placement.traits(self._link, host.hypervisor_id)

    def usage(self, host: model.Host) -> dict[str, tuple[int, int]]:
        """Return used and total of each resource class of a host itself."""
        return placement.usage(self._link, host.hypervisor_id)

    def topology(self, server_id: str) -> model.Topology | None:
        """Return the topology of a server, ``None`` if Nova hides it."""
        return details.topology(self._link, server_id)

    def topologies(self, host: str) -> dict[str, tuple[str, model.Topology]]:
        """Return name and topology of those servers of a host with one."""
        return details.topologies_on(self._link, host)

    def ask(self, request: Request) -> Answer:
        """Send a request to Nova, once."""
        return actions.ask(self._link, request)

    def disable(self, host: model.Host, reason: str) -> str | None:
        """Disable the compute service of a host; return the request's id."""
        return actions.disable(self._link, host.service_id, reason)

    def enable(self, host: model.Host) -> str | None:
        """Enable the compute service of a host; return the request's id."""
        return actions.enable(self._link, host.service_id)

    def force_down(self, host: model.Host) -> None:
        """Tell Nova that the compute service of a host is down.

        Only for a host that cannot come back by itself: its servers may
        then be started elsewhere.
        """
        actions.force_down(self._link, host.service_id)
