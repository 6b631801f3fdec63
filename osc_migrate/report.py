# SPDX-License-Identifier: Apache-2.0
"""What people and programs are shown, as text: lines, sentences, JSON lines.

The functions that make text are pure; only the reporters write. Progress
goes to stderr, results to stdout. The live table has a module of its own.
"""

from collections.abc import Callable, Iterable, Mapping
import contextlib
import datetime
import json
import re
import time
from typing import Any, TextIO

from osc_migrate import model
from osc_migrate import outcome
from osc_migrate.checks import Finding
from osc_migrate.checks import Severity
from osc_migrate.progress import Verdict
from osc_migrate.task import Phase
from osc_migrate.task import Task

# of the JSON lines; documented in doc/source/schema/event.json
VERSION = 1
_GIB = 1024**3
_MIB = 1024**2


def size(amount: float) -> str:
    """Write bytes for people: ``512 MiB``, ``1.5 GiB``."""
    if amount >= _GIB:
        return f'{amount / _GIB:.1f} GiB'
    return f'{amount / _MIB:.0f} MiB'


def duration(seconds: float) -> str:
    """Write seconds for people: ``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f'{whole} s'
    if whole < 3600:
        return f'{whole // 60} min {whole % 60} s'
    return f'{whole // 3600} h {whole % 3600 // 60} min'


def phase(task: Task) -> str:
    """Name the phase of a task in the operator's words."""
    if task.phase.is_final or task.phase is Phase.STUCK:
        word = outcome.result(task)
        return 'completed' if word == 'done' else word
    is_live = outcome.migration_type(task) == 'live'
    if task.phase is Phase.RUNNING:
        return 'running' if is_live else 'migrating'
    if task.phase is Phase.FINISHING and task.record is not None:
        if task.record.status in ('failed', 'error', 'cancelled'):
            return 'failing'
        return 'post-migrating' if is_live else 'finishing'
    return str(task.phase)


def share_done(task: Task) -> float | None:
    """Return how much of a copy is done, 0 to 1, if that is known."""
    if task.phase is Phase.DONE:
        return 1.0
    seen = task.progress
    if seen is None or not seen.memory_total:
        return None
    total = seen.memory_total + (seen.disk_total or 0)
    left = (seen.memory_remaining or 0) + (seen.disk_remaining or 0)
    share: float = 1 - left / total
    return min(1.0, max(0.0, share))


def verdict(task: Task) -> str:
    """Say whether a copy will end, and when."""
    seen = task.progress
    if seen is None or task.phase is not Phase.RUNNING:
        return ''
    if seen.verdict is Verdict.NOT_CONVERGING:
        return 'will not converge at this rate'
    if seen.verdict is Verdict.UNKNOWN:
        return 'not known yet'
    if seen.seconds_left is None:
        return 'converging'
    return f'converges in about {duration(seen.seconds_left)}'


def memory(task: Task) -> str:
    """Say how much memory remains: ``512 MiB of 4.0 GiB``."""
    seen = task.progress
    if seen is None or not seen.memory_total or seen.memory_remaining is None:
        return ''
    return f'{size(seen.memory_remaining)} of {size(seen.memory_total)}'


def disk(task: Task) -> str:
    """Say how much of the disks remains, if they are copied."""
    seen = task.progress
    if seen is None or not seen.disk_total or seen.disk_remaining is None:
        return ''
    return f'{size(seen.disk_remaining)} of {size(seen.disk_total)}'


def rate(task: Task) -> str:
    """Say how fast a copy is: ``110 MiB/s``."""
    seen = task.progress
    if seen is None or not seen.transfer_rate:
        return ''
    return f'{size(seen.transfer_rate)}/s'


def figures(task: Task) -> str:
    """Say how the copy of a task gets on, the most important first."""
    if task.progress is None or task.phase is not Phase.RUNNING:
        return ''
    left = memory(task) and f'{memory(task)} left'
    disks = disk(task) and f'{disk(task)} of disk left'
    return ', '.join(filter(None, (verdict(task), left, disks, rate(task))))


def elapsed(task: Task, now: float) -> tuple[str, str]:
    """Say for how long a task is in its phase, and under way in all.

    What it did before it was seen is not known: ``> 5 s``. Of one that has
    ended only the second is told.
    """
    if task.started is None:
        return '', ''
    if task.phase.is_final:
        return '', duration(max(0, task.since - task.started))
    was_seen = len(task.entered) > 1 or task.phase in (
        Phase.ASKED,
        Phase.QUEUED,
    )
    in_phase = duration(max(0, now - _since(task)))
    return (
        in_phase if was_seen else f'> {in_phase}',
        duration(max(0, now - task.started)),
    )


def _since(task: Task) -> float:
    """Return when a task came to its phase; a queue is where one begins."""
    if len(task.entered) == 1 and task.phase is Phase.QUEUED:
        return min(task.since, task.started or task.since)
    return task.since


def way(task: Task) -> str:
    """Say how and where a task moves: ``live from a to b``."""
    to = task.destination or "a host of Nova's choice"
    return (
        f'{outcome.migration_type(task)} from {task.move.source or "?"} to '
        f'{to}'
    )


def line(task: Task) -> str:
    """Write one line about a task."""
    text = f'{task.name or task.server_id}: {phase(task)}'
    if task.phase is Phase.PENDING:
        return f'{text}; {task.reason}' if task.reason else text
    began = task.entered[-1:] and task.entered[-1][1]
    if task.phase.is_final and task.started is not None and began:
        text += f' after {duration(began - task.started)}'
    text += f', {way(task)}'
    seen = figures(task)
    # the reason for a verdict is told with it only when it is a bad one
    reason = task.reason
    return '; '.join(filter(None, (text, seen, reason)))


def summary(tasks: Iterable[Task]) -> str:
    """Count the moves by how they ended."""
    counts: dict[str, int] = {}
    for task in tasks:
        word = 'moved' if task.phase is Phase.DONE else str(task.phase)
        counts[word] = counts.get(word, 0) + 1
    return ', '.join(f'{n} {word}' for word, n in counts.items()) or 'no moves'


def counted(words: Iterable[str]) -> str:
    """Count words: ``3 completed, 1 error``."""
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return ', '.join(f'{number} {word}' for word, number in counts.items())


def grouped(
    findings: Iterable[Finding],
    names: Mapping[str, str],
    override: Callable[[Finding], str] = lambda finding: '',
) -> list[str]:
    """Say equal findings of several servers, or destinations, once.

    :param names: names of the servers by id
    :param override: says which option lets a move be tried all the same
    """
    servers: dict[tuple[str, str, str], list[str]] = {}
    hosts: dict[tuple[str, str, str], set[str]] = {}
    for finding in findings:
        option = override(finding)
        remedy = '; '.join(
            filter(None, (finding.remedy, option and f'override: {option}'))
        )
        key = (finding.check, finding.message, remedy)
        if finding.destination is not None:
            hosts.setdefault(key, set()).add(finding.destination)
        known = servers.setdefault(key, [])
        if finding.server not in known:
            known.append(finding.server)
    lines = []
    for (check, message, remedy), ids in servers.items():
        who = names.get(ids[0], ids[0])
        if len(ids) > 1:
            who = f'{len(ids)} servers ({_some(names.get(i, i) for i in ids)})'
        where = _some(sorted(hosts.get((check, message, remedy), ())))
        text = f'{who}: {where + " " if where else ""}{message} [{check}]'
        lines.append(with_remedy(text, remedy))
    return lines


def with_remedy(text: str, remedy: str) -> str:
    """Write the remedy, if there is one, below what it is for."""
    return f'{text}\n    -> {remedy}' if remedy else text


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = f' and {len(listed) - 3} more' if len(listed) > 3 else ''
    return ', '.join(listed[:3]) + more


def stranded(
    servers: Mapping[model.Server, tuple[Finding, ...]],
    override: Callable[[Finding], str] = lambda finding: '',
) -> list[str]:
    """Say which servers cannot move, and why, grouped; see :func:`grouped`."""
    findings = [f for found in servers.values() for f in found]
    names = {server.id: server.name for server in servers}
    return grouped(
        (f for f in findings if f.severity is Severity.ERROR),
        names,
        override,
    )


def document(task: Task, now: float) -> dict[str, Any]:
    """Make what a program is shown of a task; times in seconds."""
    seen = task.progress
    known = {
        name: getattr(seen, name, None)
        for name in (
            'memory_remaining',
            'memory_total',
            'disk_remaining',
            'disk_total',
            'transfer_rate',
            'dirty_rate',
            'seconds_left',
            'predicted_pause_seconds',
        )
    }
    return {
        'server_id': task.server_id,
        'server': task.name,
        'migration': task.record.uuid if task.record else None,
        'type': outcome.migration_type(task),
        'phase': phase(task),
        'source': task.move.source or None,
        'destination': task.destination,
        'seconds_in_phase': round(now - _since(task), 1),
        'seconds_in_all': (
            None if task.started is None else round(now - task.started, 1)
        ),
        'verdict': str(seen.verdict) if seen else None,
        **known,
        'reason': task.reason or None,
        'remedy': task.remedy or None,
        'request_ids': list(dict.fromkeys(task.request_ids)),
    }


class Lines:
    """One line for each change, with the time.

    Figures that merely go on are no change: what is said again with other
    numbers is not said again.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, tuple[str, ...]] = {}

    def __call__(self, task: Task) -> None:
        if task.phase is Phase.PENDING and not task.reason:
            return  # a plan is no news
        seen = task.progress
        said = (
            phase(task),
            task.destination or '',
            str(seen.verdict) if seen else '',
            re.sub(r'[\d.+-]+', '', task.reason),
        )
        if self._said.get(task.server_id) != said:
            self._said[task.server_id] = said
            self.note(line(task))

    def note(self, text: str) -> None:
        """Say something that is not about one task, if anybody hears it."""
        now = datetime.datetime.now().strftime('%H:%M:%S')
        with contextlib.suppress(OSError):
            print(f'{now} {text}', file=self._stream, flush=True)


class JsonLines:
    """One JSON object a line for each change, figures included."""

    def __init__(
        self, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._said: dict[str, dict[str, Any]] = {}

    def __call__(self, task: Task) -> None:
        now = self._clock()
        said = document(task, now)
        without_time = said | dict.fromkeys(
            ('seconds_in_phase', 'seconds_in_all')
        )
        if self._said.get(task.server_id) != without_time:
            self._said[task.server_id] = without_time
            self.write('change', said)

    def note(self, text: str) -> None:
        """Say something that is not about one task."""
        self.write('note', {'text': text})

    def write(self, event: str, said: Mapping[str, Any]) -> None:
        """Write an object with its kind and the time."""
        at = datetime.datetime.now(datetime.UTC).isoformat()
        print(
            json.dumps({'version': VERSION, 'at': at, 'event': event, **said}),
            file=self._stream,
            flush=True,
        )
