# SPDX-License-Identifier: Apache-2.0
"""What Nova remembers of a migration: instance actions and their events.

A record of os-migrations says that a migration failed, never why. The why is
spread over the events of the request that began it and the server's fault;
what libvirt says while it copies is in neither, only in a log.
"""

from collections.abc import Iterable
from typing import Any
from urllib import parse

from osc_migrate import model
from osc_migrate.account import ABORT
from osc_migrate.account import Event
from osc_migrate.account import InstanceAction
from osc_migrate.cloud import connection

# the first one that tells the details of failed events
ACTIONS = (2, 84)
_BEGINNING = ('live-migration', 'migrate', 'resize', 'evacuate')


def requests_of(
    link: connection.Connection, record: model.Migration
) -> list[str]:
    """Return the ids of the requests that began or aborted a migration.

    :raises CloudError: and its kinds
    """
    # what was asked before the record was made changed after that, too
    query = parse.urlencode({'changes-since': record.created_at})
    listed = link.get(
        'compute',
        f'/servers/{record.server_id}/os-instance-actions?{query}',
        microversion=link.microversion(ACTIONS),
    )
    return concerning(listed['instanceActions'], record)


def read(
    link: connection.Connection, server_id: str, request_id: str
) -> InstanceAction:
    """Read a request for a server with its events.

    :raises CloudError: and its kinds
    """
    known = link.get(
        'compute',
        f'/servers/{server_id}/os-instance-actions/{request_id}',
        microversion=link.microversion(ACTIONS),
    )
    return action(known['instanceAction'])


def concerning(
    listed: Iterable[dict[str, Any]], record: model.Migration
) -> list[str]:
    """Choose the requests that made or aborted a migration, by id."""
    by_time = sorted(listed, key=lambda known: str(known['start_time']))
    causes = [
        known['request_id']
        for known in by_time
        if known['action'] in _BEGINNING
        and known['start_time'] <= record.created_at
    ]
    end = record.updated_at or record.created_at
    aborts = [
        known['request_id']
        for known in by_time
        if known['action'] == ABORT
        and record.created_at <= known['start_time'] <= end
    ]
    return causes[-1:] + aborts[-1:]


def action(known: dict[str, Any]) -> InstanceAction:
    """Read an action as Nova shows it."""
    events = [
        Event(
            name=event['event'],
            host=event.get('host'),
            start=event['start_time'],
            finish=event.get('finish_time'),
            result=event.get('result'),
            details=event.get('details'),
        )
        for event in known.get('events') or ()
    ]
    return InstanceAction(
        name=known['action'],
        request_id=known['request_id'],
        start=known['start_time'],
        events=tuple(sorted(events, key=lambda event: event.start)),
    )
