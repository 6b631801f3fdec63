# SPDX-License-Identifier: Apache-2.0
"""The table of migrations on a terminal, drawn by rich.

It is drawn anew four times a second for the size that the terminal has then:
two lines for a copy that runs where there is little room, one where there is
much; what needs attention first, and a count of what has no room.
"""

from collections.abc import Callable, Iterable, Sequence
import time
import typing
from typing import Any

from osc_migrate import outcome
from osc_migrate import report
from osc_migrate.progress import Verdict
from osc_migrate.task import Phase
from osc_migrate.task import Task

if typing.TYPE_CHECKING:
    from rich import console as rich_console
    from rich import table as rich_table
    from rich import text as rich_text

# columns from which all of a migration stands on one line
WIDE = 150
# lines for the title, the headings, what has no room and the cursor
_FRAME = 4
_ORDER = (
    Phase.STUCK,
    Phase.ABORTING,
    Phase.RUNNING,
    Phase.POST_COPY,
    Phase.FINISHING,
    Phase.RESETTING,
    Phase.CONFIRMING,
    Phase.TO_CONFIRM,
    Phase.PREPARING,
    Phase.FAILED,
    Phase.ASKED,
    Phase.QUEUED,
)
_ALARMING = (Phase.STUCK, Phase.FAILED, Phase.ABORTING)


def ordered(tasks: Iterable[Task]) -> list[Task]:
    """Return what a table lists, in its order.

    What waits to be started, and what is over without trouble, is counted
    only.
    """
    return sorted(
        (task for task in tasks if task.phase in _ORDER),
        key=lambda task: (_ORDER.index(task.phase), task.started or 0),
    )


def fitting(
    tasks: Sequence[Task], width: int, height: int, footer: str = ''
) -> list[Task]:
    """Return the first of the listed tasks, as many as there is room for."""
    room = max(1, height - _FRAME - _height(footer, width))
    chosen: list[Task] = []
    for task in tasks:
        room -= 1 if width >= WIDE or not detail(task) else 2
        if room < 0 and chosen:
            break
        chosen.append(task)
    return chosen


def _height(footer: str, width: int) -> int:
    """Return how many lines a footer has; without one it may yet come."""
    from rich import console

    lines = _footer(footer).wrap(console.Console(width=width), width)
    return max(1, len(lines))


def _footer(content: str) -> 'rich_text.Text':
    from rich import text

    return text.Text(content, style='bold', overflow='fold')


def detail(task: Task, times: str = '') -> str:
    """Write the second line of a task: how it gets on, or why it does not."""
    seen = ', '.join(filter(None, (report.figures(task), times)))
    return '; '.join(filter(None, (seen, task.reason)))


def draw(
    title: str,
    tasks: Iterable[Task],
    *,
    now: float,
    size: tuple[int, int],
    selected: str | None = None,
    footer: str = '',
) -> Any:
    """Draw the tasks for a terminal.

    :param now: seconds of the clock of the tasks
    :param size: columns and lines
    :param selected: the id of the server whose row is marked; without one
        rows have no numbers
    :param footer: what stands below, a question or the keys
    """
    from rich import console

    width, height = size
    every = list(tasks)
    listed = ordered(every)
    shown = fitting(listed, width, height, footer)
    counts = report.counted(map(report.phase, every)) or 'nothing yet'
    rows = _wide if width >= WIDE else _narrow
    parts: list[Any] = [_line(f'{title}: {counts}', 'bold')]
    if shown:
        parts += rows(shown, now=now, width=width, selected=selected)
    if len(shown) < len(listed):
        rest = listed[len(shown) :]
        words = report.counted(map(report.phase, rest))
        parts.append(_line(f'and {len(rest)} more: {words}', 'dim'))
    if footer:
        parts.append(_footer(footer))
    return console.Group(*parts)


def _line(content: str, style: str = '') -> Any:
    """Make a line that is cut where the terminal ends."""
    from rich import text

    return text.Text(content, style=style, no_wrap=True, overflow='ellipsis')


def _grid(
    headings: Sequence[str], widths: Sequence[int | None]
) -> 'rich_table.Table':
    from rich import table

    grid = table.Table(
        box=None,
        pad_edge=False,
        show_header=any(headings),
        header_style='dim',
        padding=(0, 1, 0, 0),
    )
    for heading, width in zip(headings, widths, strict=True):
        grid.add_column(
            heading, width=width, no_wrap=True, overflow='ellipsis'
        )
    return grid


def _number(task: Task, index: int, selected: str | None) -> str:
    if selected is None:
        return ''
    return f'{">" if task.server_id == selected else " "}{index}'


def _narrow(
    tasks: Sequence[Task], *, now: float, width: int, selected: str | None
) -> list[Any]:
    """Draw a line for each, and a second one for what runs."""
    number = 0 if selected is None else len(str(len(tasks))) + 1
    kind = max(len(outcome.migration_type(task)) for task in tasks)
    free = width - number - kind - 14 - 5 - 7
    places = [_where(task, free * 55 // 100) for task in tasks]
    where = _longest(places)
    server = min(_longest(map(_name, tasks)), free - where - 8)
    bar = max(6, min(24, free - where - server))
    widths = (number, server, kind, 14, where, bar, 5)
    headings = ('', 'Server', 'Type', 'Phase', 'From -> To', 'Done', '')
    parts: list[Any] = []
    for index, task in enumerate(tasks, 1):
        grid = _grid(headings if index == 1 else ('',) * 7, widths)
        share = _share(task)
        grid.add_row(
            _number(task, index, selected),
            _name(task),
            outcome.migration_type(task),
            report.phase(task),
            places[index - 1],
            _bar(share, bar) or report.elapsed(task, now)[0],
            '' if share is None else f'{100 * share:.0f} %',
            style=_style(task, selected),
        )
        parts.append(grid)
        times = '' if share is None else ' / '.join(report.elapsed(task, now))
        if more := detail(task, times):
            parts.append(_line(' ' * (number + 2) + more, 'dim'))
    return parts


def _wide(
    tasks: Sequence[Task], *, now: float, width: int, selected: str | None
) -> list[Any]:
    """Draw one line for each, with all that is known."""
    number = 0 if selected is None else len(str(len(tasks))) + 1
    has_disks = any(report.disk(task) for task in tasks)
    disks = 21 if has_disks else 0
    left = width - number - disks - 8 - 14 - 12 - 10 - 16 - 5 - 21 - 11 - 12
    server = min(_longest(map(_name, tasks)), left * 30 // 100)
    places = [_where(task, left * 70 // 100 - server) for task in tasks]
    where = _longest(places)
    widths = (number, server, 8, 14, where, 12, 10, 16, 5, 21)
    widths += (*((disks,) if has_disks else ()), 11, left - server - where)
    headings = ['', 'Server', 'Type', 'Phase', 'From -> To', 'In phase']
    headings += ['In all', 'Done', '', 'Memory left']
    headings += [*(['Disk left'] if has_disks else []), 'Rate', 'Outlook']
    grid = _grid(headings, widths)
    for index, task in enumerate(tasks, 1):
        share = _share(task)
        cells = [
            _number(task, index, selected),
            _name(task),
            outcome.migration_type(task),
            report.phase(task),
            places[index - 1],
            *report.elapsed(task, now),
            _bar(share, 16),
            '' if share is None else f'{100 * share:.0f} %',
            report.memory(task),
            *([report.disk(task)] if has_disks else []),
            report.rate(task),
            '; '.join(filter(None, (report.verdict(task), task.reason))),
        ]
        grid.add_row(*cells, style=_style(task, selected))
    return [grid]


def _share(task: Task) -> float | None:
    return report.share_done(task) if task.phase is Phase.RUNNING else None


def _bar(share: float | None, width: int) -> Any:
    from rich import progress_bar

    if share is None:
        return ''
    return progress_bar.ProgressBar(
        total=1.0, completed=share, width=width, complete_style='cyan'
    )


def _longest(texts: Iterable[str]) -> int:
    return max(6, *map(len, texts))


def _name(task: Task) -> str:
    return task.name or task.server_id


def _where(task: Task, width: int) -> str:
    """Write from where to where, each host so that it can be told."""
    source, target = task.move.source or '?', task.destination or '?'
    room = max(2, width - 4)
    if len(source + target) > room:
        one, _, domain = source.partition('.')
        other, _, same = target.partition('.')
        if domain == same:
            source, target = one, other
        least = room // 2
        source, target = (
            _shortened(source, max(least, room - len(target))),
            _shortened(target, max(room - least, room - len(source))),
        )
    return f'{source} -> {target}'


def _shortened(name: str, width: int) -> str:
    """Leave out the middle of a name that is too long; ends differ."""
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f'{name[:head]}…{name[len(name) - (width - 1 - head) :]}'


def _style(task: Task, selected: str | None) -> str:
    style = 'reverse ' if task.server_id == selected else ''
    seen = task.progress
    is_endless = seen and seen.verdict is Verdict.NOT_CONVERGING
    if task.phase in _ALARMING or (is_endless and task.phase is Phase.RUNNING):
        style += 'red'
    return style.strip()


class LiveTable:
    """Shows tasks on a terminal until it is left.

    ``selected`` is the id of the server whose row is marked, ``footer`` what
    stands below the table.
    """

    def __init__(
        self,
        title: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        console: 'rich_console.Console | None' = None,
    ) -> None:
        # rich takes a tenth of a second to import: only where it is shown
        from rich import console as console_module
        from rich import live

        self._title = title
        self._clock = clock
        self._console = console or console_module.Console(stderr=True)
        self._tasks: dict[str, Task] = {}
        self.selected: str | None = None
        self.footer = ''
        self._live = live.Live(
            console=self._console, get_renderable=self._drawn
        )

    def __enter__(self) -> 'LiveTable':
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.selected, self.footer = None, ''
        self._live.__exit__(*error)

    def __call__(self, task: Task) -> None:
        self._tasks[task.server_id] = task

    def note(self, text: str) -> None:
        """Say something above the table."""
        self._console.print(text, markup=False, highlight=False)

    def shown(self) -> list[Task]:
        """Return the tasks that have a row now, in their order."""
        listed = ordered(list(self._tasks.values()))
        return fitting(listed, *self._console.size, self.footer)

    def _drawn(self) -> Any:
        # rich calls this from a thread of its own: a copy, then
        return draw(
            self._title,
            list(self._tasks.values()),
            now=self._clock(),
            size=(self._console.width, self._console.height),
            selected=self.selected,
            footer=self.footer,
        )
