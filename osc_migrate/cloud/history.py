# SPDX-License-Identifier: Apache-2.0
"""What Nova remembers of a migration: instance actions and their events.

A record of os-migrations says that a migration failed, never why. The why is
spread over the events of the request that began it and the server's fault;
what libvirt says while it copies is in neither, only in a log.
"""

from collections.abc import Iterable
import dataclasses
import datetime
from typing import Any
from urllib import parse

from osc_migrate import model
from osc_migrate.cloud import connection

# the first one that tells the details of failed events
ACTIONS = (2, 84)
_BEGINNING = ('live-migration', 'migrate', 'resize', 'evacuate')
_ABORT = 'live_migration_cancel'


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A step of an action on one host; ISO 8601 times of Nova."""

    name: str
    host: str | None
    start: str
    finish: str | None
    result: str | None
    details: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InstanceAction:
    """A request for a server, with its events, the oldest first."""

    name: str
    request_id: str
    start: str
    events: tuple[Event, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is known of a migration that ended.

    ``queued`` is how many seconds Nova took to begin, ``running`` how many
    the copy or the move of the disk took; both are ``None`` when unknown.
    """

    reason: str
    request_ids: tuple[str, ...]
    queued: float | None
    running: float | None


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
        if known['action'] == _ABORT
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


def account(
    record: model.Migration,
    actions: Iterable[InstanceAction],
    fault: str | None,
) -> Account:
    """Join what the record, the events and the server's fault tell.

    Nova may show several events of one name, of one try each, and put the
    result of the last into the first; so all of them are looked at.
    """
    known = tuple(actions)
    events = [event for one in known for event in one.events]
    request_ids = tuple(one.request_id for one in known)
    said: dict[str, str] = {}
    # what failed first made the others fail
    for event in sorted(events, key=lambda event: event.finish or ''):
        if event.result == 'Error':
            why = event.details or 'failed without details'
            said.setdefault(why, f'{event.name} on {event.host}: {why}')
    if fault and not any(fault in why for why in said):
        said[fault] = f'fault: {fault}'
    for one in known:
        if one.name == _ABORT:
            said[_ABORT] = f'an abort was asked for ({one.request_id})'
    if not said and request_ids:
        host = record.source_compute or 'its source'
        said[''] = (
            f'no API tells why: look for {request_ids[0]} in the log of '
            f'nova-compute on {host}'
        )
    queued, running = _spans(record, events)
    return Account(
        reason='; '.join(said.values()),
        request_ids=request_ids,
        queued=queued,
        running=running,
    )


def _spans(
    record: model.Migration, events: list[Event]
) -> tuple[float | None, float | None]:
    """Work out how long a migration waited and ran, in seconds."""
    first = {event.name: event for event in reversed(events)}
    last = {event.name: event for event in events}
    live = last.get('compute_pre_live_migration')
    if live is not None:
        arrival = last.get('compute_post_live_migration_at_destination')
        end = arrival.start if arrival else record.updated_at
        began = live.finish if live.result == 'Success' else None
        return between(record.created_at, live.start), between(began, end)
    rebuild = last.get('compute_rebuild_instance')
    if rebuild is not None:
        return (
            between(record.created_at, rebuild.start),
            between(rebuild.start, rebuild.finish),
        )
    claim = first.get('compute_prep_resize')
    move = last.get('compute_resize_instance')
    if claim is None:
        return None, None
    queued = between(record.created_at, claim.start)
    if move is None:
        return queued, None
    finish = last.get('compute_finish_resize', move)
    return queued, between(move.start, finish.finish)


def between(first: str | None, second: str | None) -> float | None:
    """Return the seconds from one ISO 8601 time to another, if known."""
    if first is None or second is None:
        return None
    begin, end = (
        datetime.datetime.fromisoformat(text.removesuffix('Z'))
        for text in (first, second)
    )
    return max(0.0, (end - begin).total_seconds())
