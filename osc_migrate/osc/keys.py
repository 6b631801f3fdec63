# SPDX-License-Identifier: Apache-2.0
"""Keys on a terminal, and what they mean to a watch.

Nothing is done to a migration before the question is answered that names
what it costs.
"""

from collections.abc import Sequence
import os
import re
import select
import termios
import tty
import typing
from typing import Any

if typing.TYPE_CHECKING:
    from osc_migrate.task import Action
    from osc_migrate.task import Task

_KEY = re.compile(r'\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|.', re.DOTALL)
_NAMES = {
    '\x1b[A': 'up',
    '\x1bOA': 'up',
    'k': 'up',
    '\x1b[B': 'down',
    '\x1bOB': 'down',
    'j': 'down',
}
HELP = 'arrows, j, k, number: select   a: abort   f: force-complete   q: quit'


def split(text: str) -> list[str]:
    """Split what came from a terminal into keys, arrows as up and down."""
    return [_NAMES.get(key, key) for key in _KEY.findall(text)]


def is_ours(number: int) -> bool:
    """Whether a terminal is not that of another job in the foreground."""
    try:
        return os.tcgetpgrp(number) == os.getpgrp()
    except OSError:
        return True  # it is no terminal that knows of jobs


class Keyboard:
    """A terminal that gives each key at once, until it is left."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._before: list[Any] = []

    def __enter__(self) -> 'Keyboard':
        self._before = termios.tcgetattr(self._number)
        tty.setcbreak(self._number)
        return self

    def __exit__(self, *error: Any) -> None:
        termios.tcsetattr(self._number, termios.TCSADRAIN, self._before)

    def read(self, seconds: float) -> list[str]:
        """Return the keys that come within some seconds, at once."""
        ready, _, _ = select.select([self._number], [], [], seconds)
        if not ready:
            return []
        data = os.read(self._number, 256)
        if not data:
            # the terminal has gone; do not turn in circles
            wait(seconds)
        return split(data.decode(errors='replace'))


def wait(seconds: float) -> None:
    """Wait without a look at the keyboard."""
    select.select([], [], [], max(0.0, seconds))


class Dialogue:
    """What was selected, asked and ordered by keys so far.

    ``footer`` is what to show for it; ``is_over`` says that whoever watches
    wants to leave.
    """

    def __init__(self) -> None:
        self.selected: str | None = None
        self.footer = HELP
        self.is_over = False
        self._digits = ''
        self._asked: tuple[str, Action] | None = None
        self._orders: list[tuple[str, Action]] = []

    def take(self) -> list[tuple[str, 'Action']]:
        """Return what was ordered since the last time."""
        orders, self._orders = self._orders, []
        return orders

    def press(self, key: str, shown: Sequence['Task']) -> None:
        """Take a key, with the tasks that are on the screen."""
        from osc_migrate.task import Action

        if self._asked is not None:
            self._answer(key)
            return
        self.footer = HELP
        if not key.isdigit():
            self._digits = ''
        if key == 'q':
            self.is_over = True
        elif key in ('up', 'down'):
            self._step(1 if key == 'down' else -1, shown)
        elif key.isdigit():
            self._count(key, shown)
        elif key in ('a', 'f'):
            action = Action.ABORT if key == 'a' else Action.FORCE_COMPLETE
            self._ask(action, shown)

    def follow(self, shown: Sequence['Task']) -> None:
        """Select the first row when the selected one is not there.

        Not while a question is open, which itself may take its row away.
        """
        ids = [task.server_id for task in shown]
        if self._asked is None and self.selected not in ids:
            self.selected = ids[0] if ids else None

    def _step(self, by: int, shown: Sequence['Task']) -> None:
        ids = [task.server_id for task in shown]
        if self.selected in ids:
            index = ids.index(self.selected) + by
            self.selected = ids[max(0, min(index, len(ids) - 1))]

    def _count(self, digit: str, shown: Sequence['Task']) -> None:
        for digits in (self._digits + digit, digit):
            if 1 <= int(digits) <= len(shown):
                self._digits = digits
                self.selected = shown[int(digits) - 1].server_id
                return

    def _ask(self, action: 'Action', shown: Sequence['Task']) -> None:
        for task in shown:
            if task.server_id == self.selected:
                refusal = impossible(action, task)
                self.footer = refusal or f'{consequence(action, task)} [y/N]'
                if not refusal:
                    self._asked = task.server_id, action

    def _answer(self, key: str) -> None:
        assert self._asked is not None
        if key in ('y', 'Y'):
            self._orders.append(self._asked)
            self.footer = 'asking Nova ...'
        else:
            self.footer = f'not done. {HELP}'
        self._asked = None


def impossible(action: 'Action', task: 'Task') -> str:
    """Say why Nova would refuse, if it would."""
    from osc_migrate import model
    from osc_migrate.task import Action

    status = task.record.status if task.record else ''
    if task.move.migration_type is not model.MigrationType.LIVE:
        return f'{task.name}: Nova can do this to live migrations only.'
    if status == 'running (post-copy)':
        return f'{task.name} runs at the destination already: no way back.'
    if action is Action.FORCE_COMPLETE and status != 'running':
        return f'{task.name}: only a copy that runs can be completed by force.'
    if status not in ('queued', 'preparing', 'running'):
        return f'{task.name}: there is nothing to abort now.'
    return ''


def consequence(action: 'Action', task: 'Task') -> str:
    """Ask whether to do something, and name what it costs."""
    from osc_migrate import report
    from osc_migrate.task import Action

    if action is Action.ABORT:
        text = f'Abort the migration of {task.name}? It stays on '
        text += f'{task.move.source}.'
        if task.record and task.record.status == 'running':
            text += (
                ' What was copied is lost, and Nova may leave the server in '
                'ERROR while its guest runs on.'
            )
        return text
    seen = task.progress
    text = f'Complete the migration of {task.name} by force? Its guest stands '
    if seen is None or seen.predicted_pause_seconds is None:
        return f'{text}still for a time that is not known yet.'
    pause = report.duration(seen.predicted_pause_seconds)
    return (
        f'{text}still for about {pause} ({report.memory(task)} left at '
        f'{report.rate(task)}).'
    )
