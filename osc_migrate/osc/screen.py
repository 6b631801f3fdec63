# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of migrations, and the keys that come back.

On a terminal that is a table with keys; elsewhere, and for screen readers, it
is lines on stderr; for programs it is JSON lines on stdout.
"""

import argparse
import contextlib
import sys
import time
import typing
from typing import Any

from osc_migrate.osc import keys

if typing.TYPE_CHECKING:
    from osc_migrate import live_table as live_table_module
    from osc_migrate.task import Action


def is_drawable() -> bool:
    """Whether a table can be drawn on stderr: no pipe, no dumb terminal."""
    if not sys.stderr.isatty():
        return False
    from rich import console

    # on TERM=dumb rich shows nothing but the end
    return not console.Console(stderr=True).is_dumb_terminal


class Screen:
    """What the operator sees, and the keys that come back.

    ``cloud`` may be set to what tells whether Nova answers.
    """

    def __init__(self, parsed_args: argparse.Namespace) -> None:
        from osc_migrate import report

        self._stack = contextlib.ExitStack()
        self._keyboard: keys.Keyboard | None = None
        self._table: live_table_module.LiveTable | None = None
        self._dialogue = keys.Dialogue()
        self._is_table = parsed_args.format == 'table' and (
            is_drawable() and not parsed_args.plain
        )
        self._is_following = parsed_args.follow
        self._is_idle = False
        self._unreachable: str | None = None
        self.cloud: Any = None
        if parsed_args.format == 'json':
            self._write: Any = report.JsonLines(sys.stdout)
        else:
            self._write = report.Lines(sys.stderr)

    def __enter__(self) -> 'Screen':
        if self._is_table:
            from osc_migrate import live_table

            self._table = live_table.LiveTable('Migrations')
            if sys.stdin.isatty() and keys.is_ours(sys.stdin.fileno()):
                keyboard = keys.Keyboard(sys.stdin.fileno())
                self._keyboard = self._stack.enter_context(keyboard)
            self._write = self._stack.enter_context(self._table)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def report(self, task: Any) -> None:
        """Show a task that changed."""
        self._write(task)
        self._is_idle = False
        self._show()

    def rests(self) -> bool:
        """Whether to leave when nothing is under way; if not, say it once."""
        if self._is_following and not self._is_idle:
            self._is_idle = True
            self._write.note('Nothing is under way; waiting for what begins')
        return not self._is_following

    def obeyed(self, text: str) -> None:
        """Say what became of an order."""
        self._write.note(text)
        self._dialogue.footer = keys.HELP
        self._show()

    def orders(self) -> list[tuple[str, 'Action']]:
        """Return what was ordered by key since the last time."""
        return self._dialogue.take()

    def wait(self, seconds: float) -> None:
        """Wait, and meanwhile take keys.

        :raises KeyboardInterrupt: the operator wants to leave
        """
        self._tell_trouble()
        end = time.monotonic() + seconds
        if self._keyboard is None:
            keys.wait(seconds)
            return
        assert self._table is not None
        while (left := end - time.monotonic()) > 0:
            for key in self._keyboard.read(left):
                self._dialogue.press(key, self._table.shown())
                self._show()
            if self._dialogue.is_over:
                raise KeyboardInterrupt

    def _tell_trouble(self) -> None:
        """Say it when Nova does not answer, and when it does again."""
        trouble = self.cloud.unreachable if self.cloud is not None else None
        if trouble and not self._unreachable:
            short = trouble.partition(': HTTPConnectionPool')[0]
            self._write.note(f'Nova does not answer: {short}')
        elif self._unreachable and not trouble:
            self._write.note('Nova answers again')
        self._unreachable = trouble

    def _show(self) -> None:
        if self._table is not None and self._keyboard is not None:
            self._dialogue.follow(self._table.shown())
            self._table.selected = self._dialogue.selected
            self._table.footer = self._dialogue.footer
