# SPDX-License-Identifier: Apache-2.0
"""Why a migration failed, and how long it took: what Nova tells, joined.

Pure. A record says that a migration failed, never why; the why is spread over
the events of the request that began it and the fault of its server.
"""

from collections.abc import Iterable
import dataclasses

from osc_migrate import model
from osc_migrate import moments

# the name of the action
ABORT = 'live_migration_cancel'


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
        if one.name == ABORT:
            said[ABORT] = f'an abort was asked for ({one.request_id})'
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
        return moments.between(record.created_at, live.start), moments.between(
            began, end
        )
    rebuild = last.get('compute_rebuild_instance')
    if rebuild is not None:
        return (
            moments.between(record.created_at, rebuild.start),
            moments.between(rebuild.start, rebuild.finish),
        )
    claim = first.get('compute_prep_resize')
    move = last.get('compute_resize_instance')
    if claim is None:
        return None, None
    queued = moments.between(record.created_at, claim.start)
    if move is None:
        return queued, None
    finish = last.get('compute_finish_resize', move)
    return queued, moments.between(move.start, finish.finish)
