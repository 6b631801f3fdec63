# SPDX-License-Identifier: Apache-2.0
"""What people and programs are shown: lines, a live table, sentences.

Progress goes to stderr, the live table only to a terminal. The functions that
make text are pure; only the reporters write.
"""

from collections.abc import Iterable, Mapping
import datetime
from typing import Any, TextIO

from osc_migrate import model
from osc_migrate.checks import Finding
from osc_migrate.checks import Severity
from osc_migrate.task import Phase
from osc_migrate.task import Task

_GIB = 1024**3
_MIB = 1024**2


def size(amount: int) -> str:
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


def figures(task: Task) -> str:
    """Say how the copy of a task gets on, in a few words."""
    seen = task.progress
    if seen is None or task.phase is not Phase.RUNNING:
        return ''
    parts = []
    if seen.memory_remaining is not None:
        parts.append(f'{size(seen.memory_remaining)} left')
    if seen.transfer_rate:
        parts.append(f'{size(round(seen.transfer_rate))}/s')
    if seen.seconds_left is not None:
        parts.append(f'about {duration(seen.seconds_left)}')
    return ', '.join(parts)


def line(task: Task) -> str:
    """Write one line about a task."""
    text = f'{task.name}: {task.phase}'
    if task.phase is not Phase.PENDING:
        to = task.destination or "a host of Nova's choice"
        text = (
            f'{task.name}: {task.phase}, {task.move.migration_type}, '
            f'{task.move.source} -> {to}'
        )
    for more in (figures(task), task.reason):
        if more:
            text += f'; {more}'
    return text


def summary(tasks: Iterable[Task]) -> str:
    """Count the moves by how they ended."""
    counts: dict[str, int] = {}
    for task in tasks:
        word = 'moved' if task.phase is Phase.DONE else str(task.phase)
        counts[word] = counts.get(word, 0) + 1
    return ', '.join(f'{n} {word}' for word, n in counts.items()) or 'no moves'


def grouped(
    findings: Iterable[Finding], names: Mapping[str, str]
) -> list[str]:
    """Say equal findings of several servers, or destinations, once.

    :param names: names of the servers by id
    """
    servers: dict[tuple[str, str, str], list[str]] = {}
    hosts: dict[tuple[str, str, str], set[str]] = {}
    for finding in findings:
        key = (finding.check, finding.message, finding.remedy)
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
        lines.append(f'{text}\n    -> {remedy}' if remedy else text)
    return lines


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = f' and {len(listed) - 3} more' if len(listed) > 3 else ''
    return ', '.join(listed[:3]) + more


def stranded(
    servers: Mapping[model.Server, tuple[Finding, ...]],
) -> list[str]:
    """Say which servers cannot move, and why, grouped."""
    findings = [f for found in servers.values() for f in found]
    names = {server.id: server.name for server in servers}
    return grouped(
        (f for f in findings if f.severity is Severity.ERROR), names
    )


class Lines:
    """One line for each change, with the time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said: dict[str, str] = {}

    def __call__(self, task: Task) -> None:
        text = line(task)
        if self._said.get(task.server_id) == text:
            return
        self._said[task.server_id] = text
        now = datetime.datetime.now().strftime('%H:%M:%S')
        print(f'{now} {text}', file=self._stream, flush=True)


class LiveTable:
    """A table on a terminal that shows what is under way."""

    def __init__(self, title: str) -> None:
        # rich takes a tenth of a second to import: only where it is shown
        from rich import console
        from rich import live

        self._title = title
        self._console = console.Console(stderr=True)
        self._tasks: dict[str, Task] = {}
        self._live = live.Live(console=self._console, refresh_per_second=4)

    def __enter__(self) -> 'LiveTable':
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def __call__(self, task: Task) -> None:
        self._tasks[task.server_id] = task
        self._live.update(table(self._title, self._tasks.values()))


def table(title: str, tasks: Iterable[Task]) -> Any:
    """Draw the tasks for a terminal: what runs first, the rest counted."""
    from rich import progress_bar
    from rich import table as rich_table

    listed = list(tasks)
    drawn = rich_table.Table(
        title=f'{title}: {summary(listed)}', title_justify='left', box=None
    )
    for column in ('Server', 'Phase', 'To', 'Done', ''):
        drawn.add_column(column)
    under_way = [task for task in listed if task.phase.holds_slot]
    for task in under_way:
        share = share_done(task)
        bar = (
            progress_bar.ProgressBar(total=1.0, completed=share, width=20)
            if share is not None
            else ''
        )
        drawn.add_row(
            task.name,
            str(task.phase),
            task.destination or '?',
            bar,
            figures(task) or task.reason,
        )
    return drawn
