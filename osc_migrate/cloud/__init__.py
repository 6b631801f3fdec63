# SPDX-License-Identifier: Apache-2.0
"""The only part that talks to OpenStack.

:class:`Cloud` reads (a snapshot, or what a move looks like now) and asks (for
a migration, a confirmation ...). It asks once: what an answer that got lost
means, the caller finds out by looking.
"""

from collections.abc import Iterable

from keystoneauth1 import session as keystone_session

from osc_migrate import model
from osc_migrate.cloud import connection
from osc_migrate.cloud import survey

__all__ = ['Cloud']


class Cloud:
    """One OpenStack region, seen through a keystoneauth1 session.

    A session without a timeout waits for ever; give it one.
    """

    def __init__(
        self,
        session: keystone_session.Session,
        *,
        region_name: str | None = None,
        interface: str | None = None,
    ) -> None:
        self._link = connection.Connection(
            session, region_name=region_name, interface=interface
        )

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
