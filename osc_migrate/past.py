# SPDX-License-Identifier: Apache-2.0
"""Migrations that ended: what became of them, and why.

Why a migration failed costs up to three requests, so it is read only of those
that did not end well, unless there are few.
"""

import dataclasses
import re
from typing import Protocol

from osc_migrate import account
from osc_migrate import exceptions
from osc_migrate import model
from osc_migrate import outcome
from osc_migrate import pacing
from osc_migrate.outcome import Outcome
from osc_migrate.task import Sight
from osc_migrate.task import Task

# a reason that says no more than the record itself
_ONLY_ENDED = re.compile(r'the migration to .+ ended: \w+$')
FAILED = ('failed', 'error', 'cancelled')
# migrations whose history is read even if they ended well
_FEW = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to follow: servers by id, hosts from or to, or everything."""

    servers: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    is_everything: bool = False

    def takes(self, record: model.Migration) -> bool:
        """Whether a migration is meant."""
        return (
            self.is_everything
            or record.server_id in self.servers
            or bool({record.source_compute, record.dest_compute} & self.hosts)
        )


class Rememberer(Protocol):
    """What is needed to explain a failure."""

    def look(self, server_id: str) -> Sight:
        """Return what Nova shows of a server now."""

    def history(
        self, record: model.Migration
    ) -> tuple[account.InstanceAction, ...]:
        """Return the requests that a migration is about, with events."""


def explained(cloud: Rememberer, task: Task) -> Task:
    """Add why a migration failed, as far as Nova tells."""
    assert task.record is not None
    if task.record.status == 'finished':
        return task  # it only waits for its confirmation
    try:
        sight = cloud.look(task.server_id)
        actions = cloud.history(task.record)
    except exceptions.CloudError:
        return task
    told = account.account(task.record, actions, sight.fault)
    reasons = [task.reason, told.reason]
    if told.reason and _ONLY_ENDED.match(task.reason):
        del reasons[0]
    return dataclasses.replace(
        task,
        reason='; '.join(filter(None, reasons)),
        request_ids=(*task.request_ids, *told.request_ids),
    )


def summed_up(
    cloud: pacing.PacedCloud, wanted: Wanted, *, since: str
) -> tuple[Outcome, ...]:
    """Return what became of migrations that ended, the oldest first.

    :param since: ISO 8601, UTC
    """
    filters: list[dict[str, str]] = [{}]
    if not wanted.is_everything:
        filters = [{'host': host} for host in wanted.hosts]
        filters += [{'instance_uuid': server} for server in wanted.servers]
    records = {
        record.uuid: record
        for one in filters
        for record in cloud.migrations(changes_since=since, **one)
    }
    sights = cloud.sights_since(since) if records else {}
    ended = []
    for record in sorted(records.values(), key=lambda one: one.created_at):
        sight = sights.get(record.server_id)
        is_bad = record.status in FAILED
        actions: tuple[account.InstanceAction, ...] = ()
        if is_bad or len(records) <= _FEW:
            actions = cloud.history(record)
        fault = sight.fault if sight is not None and is_bad else None
        told = account.account(record, actions, fault)
        ended.append(outcome.of_record(record, sight, told))
    return tuple(one for one in ended if one.is_ended)
