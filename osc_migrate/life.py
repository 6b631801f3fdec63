# SPDX-License-Identifier: Apache-2.0
"""Whether the nova-computes of a migration still work on it.

A frozen nova-compute leaves everything as it was: a record that says running,
figures that stand still. What gives it away is that Nova writes the figures
of a copy every five seconds and the heartbeat of a service every ten.
"""

from collections.abc import Mapping
import dataclasses
import datetime

from osc_migrate import model
from osc_migrate import moments
from osc_migrate.task import Task

# seconds without a heartbeat (report_interval is 10 s) and without figures
# (live_migration_monitor_interval is 5 s)
_HEARTBEAT = 30.0
_FIGURES = 30.0
# and how soon figures speak for a life that the heartbeat does not show
_RECENT = 12.0


class Life:
    """What was last heard of services and records; times are Nova's."""

    def __init__(self) -> None:
        self._services: Mapping[str, model.Host] = {}
        self._newest = ''
        # seconds that Nova's clock is ahead of ours
        self._ahead = 0.0
        self._moments: dict[str, tuple[str, float]] = {}
        self._told: dict[str, str] = {}

    def see(
        self, services: Mapping[str, model.Host], now: datetime.datetime
    ) -> None:
        """Take note of the services, and of how Nova's clock goes."""
        self._services = services
        self._newest = max(
            (s.updated_at or '' for s in services.values()), default=''
        )
        if not self._newest:
            return
        ahead = (_time(self._newest) - now).total_seconds()
        # a heartbeat is some seconds old, and no clock is exact
        self._ahead = ahead if abs(ahead) > 2 * _HEARTBEAT else 0.0

    def note(self, record: model.Migration, now: float) -> None:
        """Take note of when a record was written.

        :param now: seconds of a clock that only goes forward
        """
        moment = record.updated_at or record.created_at
        known = self._moments.get(record.uuid)
        if known is None or known[0] != moment:
            self._moments[record.uuid] = (moment, now)

    def age(self, moment: str) -> float:
        """Return how many seconds ago something was by Nova's clock."""
        now = datetime.datetime.now(datetime.UTC)
        past = (now - _time(moment)).total_seconds()
        return max(0.0, past + self._ahead)

    def silence(self, task: Task, now: float) -> str:
        """Say since when nothing is heard of a task, if that is so."""
        record = task.record
        if record is None or not task.phase.holds_slot:
            return ''
        # a copy needs only its source, and its figures tell that it works
        is_copying = record.status == 'running'
        written, at = self._moments.get(record.uuid, (record.created_at, now))
        hosts = [record.source_compute]
        hosts += [] if is_copying else [record.dest_compute]
        for host in hosts:
            since = self._silent_since(host)
            if since and not (is_copying and now - at < _RECENT):
                return f'no sign of life of {host} since {since}'
        if is_copying and now - at > _FIGURES:
            return f'no new figures since {moments.local(written)}'
        return ''

    def _silent_since(self, host: str | None) -> str:
        """Return the local time of the last heartbeat if that is long ago."""
        service = self._services.get(host or '')
        if service is None or not service.updated_at:
            return ''
        behind = _time(self._newest) - _time(service.updated_at)
        if service.state == 'up' and behind.total_seconds() < _HEARTBEAT:
            return ''
        return moments.local(service.updated_at)

    def is_news(self, task: Task, now: float) -> bool:
        """Whether silence has fallen or ended since this was last shown."""
        return self._told.get(task.server_id, '') != self.silence(task, now)

    def shown(self, task: Task, now: float) -> Task:
        """Return a task as it is to be shown: silence is no progress."""
        silence = self.silence(task, now)
        self._told[task.server_id] = silence
        if not silence:
            return task
        return dataclasses.replace(task, progress=None, reason=silence)


def _time(moment: str) -> datetime.datetime:
    at = datetime.datetime.fromisoformat(moment.removesuffix('Z'))
    return at.replace(tzinfo=datetime.UTC)
